//! A person's second factor: codes by the clock, and recovery codes for the day on which their device is gone.
//!
//! Whoever has one shows it whenever they are asked who they are. A code counts before what it is for is done, in the same
//! transaction: it works once, and no try goes uncounted.

use chrono::{DateTime, Utc};
use lockstep_core::audit::{Action, Actor, Event, Outcome};
use lockstep_core::id::{IdentityId, SessionId};
use lockstep_core::sign_in::Tries;
use lockstep_store::{Tx, aggregation, audit, identity, recovery, second_factor, session};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::seal::Binding;
use lockstep_vault::secret::{Secret, draw_id_at};
use lockstep_vault::totp::{TotpSecret, draw_recovery_code, plain_recovery_code};
use zeroize::Zeroizing;

use super::session::OpenSession;
use super::sign_in::audited;
use super::{App, Error, passed};

/// How many recovery codes a person gets.
const RECOVERY_CODES: usize = 10;

/// How many characters one has.
const RECOVERY_CODE_LENGTH: usize = 10;

/// What a person has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnSecondFactor {
    /// Since when it is asked for.
    pub since: DateTime<Utc>,
    /// How many recovery codes are left.
    pub recovery_codes_left: i64,
}

/// The second factor of a person, if they have one.
pub async fn own(app: &App, identity: IdentityId) -> Result<Option<OwnSecondFactor>, Error> {
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let factor = second_factor::find(tx, identity).await?;
            let Some(since) = factor.and_then(|factor| factor.confirmed_at) else { return Ok(None) };
            let recovery_codes_left = second_factor::recovery_codes_left(tx, identity).await?;
            Ok(Some(OwnSecondFactor { since, recovery_codes_left }))
        })
    });
    read.await.map_err(Error::Store)
}

/// Draws a secret, which is asked for once the person has shown that their device has it.
///
/// # Errors
/// [`Error::Conflict`] when they have a second factor already.
pub async fn begin(app: &App, open: &OpenSession) -> Result<(), Error> {
    let (identity, session) = (open.session.identity, open.session.id);
    let sealed = app.vault.seal(&Binding::TotpSecret(identity), TotpSecret::draw().as_bytes());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        let sealed = sealed.clone();
        Box::pin(async move {
            held_by(tx, identity, session).await?;
            Ok::<_, Error>(second_factor::begin(tx, identity, &sealed).await?)
        })
    });
    match written.await? {
        true => Ok(()),
        false => Err(Error::Conflict("there is a second factor already".to_owned())),
    }
}

/// The secret that is being set up.
///
/// # Errors
/// [`Error::NotFound`] when none is.
pub async fn being_set_up(app: &App, open: &OpenSession) -> Result<TotpSecret, Error> {
    let identity = open.session.identity;
    let read = app.store.read(move |tx: &mut Tx<'_>| Box::pin(second_factor::find(tx, identity)));
    let factor = read.await.map_err(Error::Store)?.filter(|factor| factor.confirmed_at.is_none());
    opened(app, identity, &factor.ok_or(Error::NotFound("second factor that is being set up"))?.secret)
}

/// The person's device computes the same codes: from now on they are asked for, and whoever else is signed in as this person
/// is signed out. Gives the recovery codes; none where the code is wrong.
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
            // Who signs in or recovers a password meanwhile has it already, or is ended here.
            held_by(tx, identity, kept).await?;
            recovery::remove_of(tx, identity).await?;
            // Another may have been begun meanwhile in another window.
            let held = second_factor::hold(tx, identity).await?.filter(|held| held.confirmed_at.is_none());
            let held = held.ok_or(Error::Outdated)?;
            if opened(&within, identity, &held.secret)?.as_bytes() != expected.as_bytes() {
                return Err(Error::Outdated);
            }
            second_factor::confirm(tx, identity, now).await?;
            second_factor::passed(tx, identity, step).await?;
            second_factor::put_recovery_codes(tx, identity, &hashes).await?;
            identity::sign_out(tx, identity, Some(kept), now).await?;
            audited(tx, Action::SecondFactorAdded, identity, now).await
        })
    });
    written.await?;
    Ok(Some(codes))
}

/// The person has none any more.
pub async fn remove(app: &App, open: &OpenSession) -> Result<(), Error> {
    let (now, identity, kept) = (app.clock.utc(), open.session.identity, open.session.id);
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            held_by(tx, identity, kept).await?;
            if second_factor::remove(tx, identity).await? {
                identity::sign_out(tx, identity, Some(kept), now).await?;
                audited(tx, Action::SecondFactorRemoved, identity, now).await?;
            }
            Ok::<_, Error>(())
        })
    });
    written.await
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
            let held = second_factor::hold(tx, identity).await?.filter(|held| held.confirmed_at.is_some());
            held.ok_or(Error::NotFound("second factor"))?;
            second_factor::put_recovery_codes(tx, identity, &hashes).await?;
            audited(tx, Action::RecoveryCodesRenewed, identity, now).await
        })
    });
    written.await?;
    Ok(codes)
}

/// Holds the person, and sees that the session in which they act goes on: whoever was signed out a moment earlier changes nothing.
async fn held_by(tx: &mut Tx<'_>, identity: IdentityId, session: SessionId) -> Result<(), Error> {
    aggregation::hold_people(tx, &[identity]).await?;
    match session::is_open(tx, session).await? {
        true => Ok(()),
        false => Err(Error::Outdated),
    }
}

/// Whether a person is asked for one.
pub(super) async fn is_asked_for(tx: &mut Tx<'_>, identity: IdentityId) -> Result<bool, Error> {
    let factor = second_factor::find(tx, identity).await?;
    Ok(factor.is_some_and(|factor| factor.confirmed_at.is_some()))
}

/// Tries a code of the second factor, or a recovery code, and uses it up. A wrong one is counted and audited as `failure`; while
/// there were too many, none is looked at.
pub(super) async fn show(
    app: &App,
    tx: &mut Tx<'_>,
    identity: IdentityId,
    code: &str,
    failure: Action,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let held = second_factor::hold(tx, identity).await?.filter(|held| held.confirmed_at.is_some());
    let Some(held) = held else { return Ok(false) };
    let Some(failures) = Tries { failures: held.failures, failed_at: held.failed_at }.one_more(now) else {
        refused(tx, Action::AuthenticationLocked, identity, now).await?;
        return Ok(false);
    };
    if let Some(step) = opened(app, identity, &held.secret)?.step_of(code, now, held.last_step) {
        second_factor::passed(tx, identity, step).await?;
        return Ok(true);
    }
    let plain = plain_recovery_code(code);
    if plain.len() == RECOVERY_CODE_LENGTH
        && second_factor::use_recovery_code(tx, identity, &digest(app, identity, &plain)).await?
    {
        second_factor::passed(tx, identity, held.last_step).await?;
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
    code: &str,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let right = show(app, tx, identity, code, Action::UserStepUpAuthFailure, now).await?;
    if right {
        audited(tx, Action::UserStepUpAuth, identity, now).await?;
    }
    Ok(right)
}

async fn refused(tx: &mut Tx<'_>, action: Action, identity: IdentityId, now: DateTime<Utc>) -> Result<(), Error> {
    let event = Event { outcome: Outcome::Failed, ..passed(action, Actor::Nobody, Some(identity), now) };
    Ok(audit::append(tx, draw_id_at(now), &event).await?)
}

fn opened(app: &App, identity: IdentityId, sealed: &[u8]) -> Result<TotpSecret, Error> {
    let bytes = app.vault.open(&Binding::TotpSecret(identity), sealed)?;
    TotpSecret::from_bytes(&bytes).ok_or(Error::Lacking("the secret of a second factor"))
}

fn recovery_codes(app: &App, identity: IdentityId) -> (Vec<Secret>, Vec<[u8; 32]>) {
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
