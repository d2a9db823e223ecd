//! A person's second factor: codes by the clock, passkeys, and recovery codes for the day on which their device is gone.
//!
//! Whoever has one shows it whenever they are asked who they are. What is shown counts before what it is for is done, in the
//! same transaction: it works once, and no wrong code goes uncounted.

use chrono::{DateTime, Utc};
use lockstep_core::audit::{Action, Actor, Event, Outcome};
use lockstep_core::id::{IdentityId, SessionId};
use lockstep_core::sign_in::Tries;
use lockstep_store::passkey::{self, Passkey};
use lockstep_store::second_factor::{self, SecondFactor};
use lockstep_store::{Tx, aggregation, audit, identity, recovery, session};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::seal::Binding;
use lockstep_vault::secret::{Secret, draw_id_at};
use lockstep_vault::totp::{TotpSecret, draw_recovery_code, plain_recovery_code};
use zeroize::Zeroizing;

use super::passkey::Assertion;
use super::session::OpenSession;
use super::sign_in::audited;
use super::{App, Error, passed};

/// How many recovery codes a person gets.
const RECOVERY_CODES: usize = 10;

/// How many characters one has.
const RECOVERY_CODE_LENGTH: usize = 10;

/// What a person has.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnSecondFactor {
    /// Since when codes by the clock are asked for, if they are.
    pub codes_since: Option<DateTime<Utc>>,
    /// Their passkeys, the oldest first.
    pub passkeys: Vec<Passkey>,
    /// How many recovery codes are left.
    pub recovery_codes_left: i64,
}

/// What somebody shows.
pub enum Second {
    /// A code by the clock, or a recovery code.
    Code(Zeroizing<String>),
    /// A passkey that has signed.
    Passkey(Assertion),
    /// What cannot be right.
    Nothing,
}

/// What a person has.
pub async fn own(app: &App, identity: IdentityId) -> Result<OwnSecondFactor, Error> {
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let factor = second_factor::find(tx, identity).await?;
            let codes_since = factor.totp.and_then(|totp| totp.confirmed_at);
            let passkeys = passkey::list_of(tx, identity).await?;
            let recovery_codes_left = second_factor::recovery_codes_left(tx, identity).await?;
            Ok(OwnSecondFactor { codes_since, passkeys, recovery_codes_left })
        })
    });
    read.await.map_err(Error::Store)
}

/// Draws a secret for codes by the clock, which are asked for once the person has shown that their device has it.
///
/// # Errors
/// [`Error::Conflict`] when they have codes already.
pub async fn begin(app: &App, open: &OpenSession) -> Result<(), Error> {
    let (identity, session) = (open.session.identity, open.session.id);
    let sealed = app.vault.seal(&Binding::TotpSecret(identity), TotpSecret::draw().as_bytes());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        let sealed = sealed.clone();
        Box::pin(async move {
            held_by(tx, identity, session).await?;
            Ok::<_, Error>(second_factor::begin_totp(tx, identity, &sealed).await?)
        })
    });
    match written.await? {
        true => Ok(()),
        false => Err(Error::Conflict("there are codes already".to_owned())),
    }
}

/// The secret that is being set up.
///
/// # Errors
/// [`Error::NotFound`] when none is.
pub async fn being_set_up(app: &App, open: &OpenSession) -> Result<TotpSecret, Error> {
    let identity = open.session.identity;
    let read = app.store.read(move |tx: &mut Tx<'_>| Box::pin(second_factor::find(tx, identity)));
    let totp = read.await.map_err(Error::Store)?.totp.filter(|totp| totp.confirmed_at.is_none());
    opened(app, identity, &totp.ok_or(Error::NotFound("second factor that is being set up"))?.secret)
}

/// The person's device computes the same codes: from now on they are asked for, and whoever else is signed in as this person
/// is signed out. Gives the recovery codes, unless the person has some already; none where the code is wrong.
pub async fn confirm(app: &App, open: &OpenSession, code: &str) -> Result<Option<Vec<Secret>>, Error> {
    let secret = being_set_up(app, open).await?;
    let (now, identity, kept) = (app.clock.utc(), open.session.identity, open.session.id);
    // It is no secret from whoever reads the page: wrong codes count for nothing.
    let Some(step) = secret.step_of(code, now, 0) else { return Ok(None) };
    let (codes, hashes) = recovery_codes(app, identity);
    let within = app.clone();
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        let (within, hashes, expected) = (within.clone(), hashes.clone(), secret.clone());
        Box::pin(async move {
            let held = hold_to_add(tx, identity, kept).await?;
            // Others may have been begun meanwhile in another window.
            let totp = held.totp.as_ref().filter(|totp| totp.confirmed_at.is_none()).ok_or(Error::Outdated)?;
            if opened(&within, identity, &totp.secret)?.as_bytes() != expected.as_bytes() {
                return Err(Error::Outdated);
            }
            second_factor::confirm_totp(tx, identity, now).await?;
            second_factor::used_step(tx, identity, step).await?;
            added(tx, identity, kept, &held, &hashes, now).await
        })
    });
    let is_first = written.await?;
    Ok(Some(if is_first { codes } else { Vec::new() }))
}

/// The person has no codes by the clock any more.
pub async fn remove(app: &App, open: &OpenSession) -> Result<(), Error> {
    let (now, identity, kept) = (app.clock.utc(), open.session.identity, open.session.id);
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            held_by(tx, identity, kept).await?;
            match second_factor::remove_totp(tx, identity).await? {
                true => removed(tx, identity, kept, now).await,
                false => Ok(()),
            }
        })
    });
    written.await
}

/// Holds a person who adds a second factor, in this session, and what they have so far.
pub(super) async fn hold_to_add(
    tx: &mut Tx<'_>,
    identity: IdentityId,
    session: SessionId,
) -> Result<SecondFactor, Error> {
    // Who signs in or recovers a password meanwhile has it already, or is ended by this.
    held_by(tx, identity, session).await?;
    recovery::remove_of(tx, identity).await?;
    Ok(second_factor::hold(tx, identity).await?)
}

/// What is done once it is added to what they had before: whoever else is signed in as this person is signed out, and with the
/// first one the recovery codes count. Gives whether it is the first.
pub(super) async fn added(
    tx: &mut Tx<'_>,
    identity: IdentityId,
    kept: SessionId,
    before: &SecondFactor,
    recovery_codes: &[[u8; 32]],
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let is_first = !before.is_asked_for();
    if is_first {
        second_factor::put_recovery_codes(tx, identity, recovery_codes).await?;
    }
    identity::sign_out(tx, identity, Some(kept), now).await?;
    audited(tx, Action::SecondFactorAdded, identity, now).await?;
    Ok(is_first)
}

/// What is done once one is removed.
pub(super) async fn removed(
    tx: &mut Tx<'_>,
    identity: IdentityId,
    kept: SessionId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    identity::sign_out(tx, identity, Some(kept), now).await?;
    audited(tx, Action::SecondFactorRemoved, identity, now).await
}

/// Draws recovery codes in place of those before.
///
/// # Errors
/// [`Error::NotFound`] when the person has no second factor.
pub async fn renew_recovery_codes(app: &App, open: &OpenSession) -> Result<Vec<Secret>, Error> {
    let (now, identity, session) = (app.clock.utc(), open.session.identity, open.session.id);
    let (codes, hashes) = recovery_codes(app, identity);
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        let hashes = hashes.clone();
        Box::pin(async move {
            held_by(tx, identity, session).await?;
            if !second_factor::hold(tx, identity).await?.is_asked_for() {
                return Err(Error::NotFound("second factor"));
            }
            second_factor::put_recovery_codes(tx, identity, &hashes).await?;
            audited(tx, Action::RecoveryCodesRenewed, identity, now).await
        })
    });
    written.await?;
    Ok(codes)
}

/// Holds the person, and sees that the session in which they act goes on: whoever was signed out a moment earlier changes nothing.
pub(super) async fn held_by(tx: &mut Tx<'_>, identity: IdentityId, session: SessionId) -> Result<(), Error> {
    aggregation::hold_people(tx, &[identity]).await?;
    match session::is_open(tx, session).await? {
        true => Ok(()),
        false => Err(Error::Outdated),
    }
}

/// Whether a person is asked for one.
pub(super) async fn is_asked_for(tx: &mut Tx<'_>, identity: IdentityId) -> Result<bool, Error> {
    Ok(second_factor::find(tx, identity).await?.is_asked_for())
}

/// Uses up what is shown, if it is right. What is wrong is audited as `failure`, and a wrong code is counted; while there were
/// too many, none is looked at.
pub(super) async fn show(
    app: &App,
    tx: &mut Tx<'_>,
    identity: IdentityId,
    shown: &Second,
    failure: Action,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let held = second_factor::hold(tx, identity).await?;
    let code = match shown {
        Second::Code(code) => code,
        // A signature cannot be guessed, so none is counted, and no lock keeps it out.
        Second::Passkey(assertion)
            if assertion.identity == identity && super::passkey::count(tx, assertion, now).await? =>
        {
            return Ok(true);
        }
        Second::Passkey(_) | Second::Nothing => {
            refused(tx, failure, identity, now).await?;
            return Ok(false);
        }
    };
    if !held.is_asked_for() {
        return Ok(false);
    }
    let lockout = app.configuration.read(tx).await?.auth_org(tx).await?.lockout;
    let Some(failures) = Tries { failures: held.failures, failed_at: held.failed_at }.one_more(now, &lockout) else {
        refused(tx, Action::AuthenticationLocked, identity, now).await?;
        return Ok(false);
    };
    if let Some(totp) = held.confirmed()
        && let Some(step) = opened(app, identity, &totp.secret)?.step_of(code, now, totp.last_step)
    {
        second_factor::used_step(tx, identity, step).await?;
        second_factor::unlock(tx, identity).await?;
        return Ok(true);
    }
    let plain = plain_recovery_code(code);
    if plain.len() == RECOVERY_CODE_LENGTH
        && second_factor::use_recovery_code(tx, identity, &digest(app, identity, &plain)).await?
    {
        second_factor::unlock(tx, identity).await?;
        audited(tx, Action::RecoveryCodeUsed, identity, now).await?;
        return Ok(true);
    }
    second_factor::failed(tx, identity, failures, now).await?;
    refused(tx, failure, identity, now).await?;
    Ok(false)
}

/// The same for somebody who is signed in already.
pub(super) async fn show_again(
    app: &App,
    tx: &mut Tx<'_>,
    identity: IdentityId,
    shown: &Second,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let right = show(app, tx, identity, shown, Action::UserStepUpAuthFailure, now).await?;
    if right {
        audited(tx, Action::UserStepUpAuth, identity, now).await?;
    }
    Ok(right)
}

pub(super) async fn refused(
    tx: &mut Tx<'_>,
    action: Action,
    identity: IdentityId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let event = Event { outcome: Outcome::Failed, ..passed(action, Actor::Nobody, Some(identity), now) };
    Ok(audit::append(tx, draw_id_at(now), &event).await?)
}

fn opened(app: &App, identity: IdentityId, sealed: &[u8]) -> Result<TotpSecret, Error> {
    let bytes = app.vault.open(&Binding::TotpSecret(identity), sealed)?;
    TotpSecret::from_bytes(&bytes).ok_or(Error::Lacking("the secret of a second factor"))
}

pub(super) fn recovery_codes(app: &App, identity: IdentityId) -> (Vec<Secret>, Vec<[u8; 32]>) {
    let codes: Vec<Secret> = std::iter::repeat_with(draw_recovery_code).take(RECOVERY_CODES).collect();
    let hashes = codes.iter().map(|code| digest(app, identity, &plain_recovery_code(code.expose()))).collect();
    (codes, hashes)
}

/// Of a code together with whose it is, so that equal codes of two people have different hashes.
fn digest(app: &App, identity: IdentityId, plain: &str) -> [u8; 32] {
    let mut bytes = Zeroizing::new(identity.0.as_bytes().to_vec());
    bytes.extend_from_slice(plain.as_bytes());
    app.vault.keyed_hash(HashPurpose::RecoveryCode, &bytes)
}
