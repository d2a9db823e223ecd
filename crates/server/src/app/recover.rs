//! A forgotten password: a person shows the digit token that a help desk read to them, and their second factor if they have
//! one, and sets a new password. They are not signed in by that.
//!
//! Where somebody stands is in the database, in the machine of [`lockstep_core::recovery`]; their page brings back only which
//! recovery it is. Whoever is refused learns nothing: the same work is done whether there is such a person or not, whether they
//! have a code, and whether it was right and dead.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use lockstep_core::audit::{Action, Actor, Event, Outcome};
use lockstep_core::change::{Change, ChangeState, Target, TargetState};
use lockstep_core::digit_token::{Comparison, Verdict};
use lockstep_core::id::{IdentityId, SourceId};
use lockstep_core::identity::Identity;
use lockstep_core::operation::Operation;
use lockstep_core::password::Password;
use lockstep_core::password_policy::rules::Violation;
use lockstep_core::recovery::{Recovery, Stage};
use lockstep_store::{Tx, aggregation, audit, change, digit_token, identity, recovery, source};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::{Secret, draw_id_at, draw_token};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::change_own_password::{broken_rules, rules};
use super::enrol::{Set, set_with_code};
use super::generate_digit_token::hashed;
use super::second_factor::{self, Second};
use super::set_password::Within;
use super::sign_in::{audited, keeper};
use super::{App, Error, passed};
use crate::auth::Caller;

/// The most bytes of a code that are hashed: no code is longer.
const LONGEST_CODE: usize = 18;

/// A recovery that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Whose password it is.
    pub identity: IdentityId,
    /// The name that they sign in with.
    pub alias: String,
    /// Where the password is that they sign in with.
    pub source: SourceId,
    /// Whose it is there; none where they have one account only.
    account: Option<String>,
    /// Where it stands.
    pub stage: Stage,
}

/// What became of a new password.
#[derive(Debug, PartialEq, Eq)]
pub enum Recovered {
    /// It is set.
    Done,
    /// It breaks these rules. Nothing was changed.
    Broken(Vec<Violation>),
    /// It is not set; why, a sentence each.
    Refused(Vec<String>),
    /// It is set where people sign in, and not everywhere else; why, a sentence each.
    Partly(Vec<String>),
    /// It is not known yet.
    Unfinished,
}

/// Tries a digit token. Gives what the page brings back from then on; none where it is not the code of this person.
pub async fn begin(app: &App, alias: &str, code: &str) -> Result<Option<Secret>, Error> {
    // What can be no login name is nobody's, and what can be no code is wrong.
    let alias = if alias.chars().any(char::is_control) { String::new() } else { alias.to_owned() };
    let code: Zeroizing<String> =
        Zeroizing::new(code.chars().filter(char::is_ascii_digit).take(LONGEST_CODE).collect());
    let (now, token, within) = (app.clock.utc(), draw_token(), app.clone());
    let hash = digest(app, token.expose());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        let (alias, code, within) = (alias.clone(), code.clone(), within.clone());
        Box::pin(async move { shown(&within, tx, &alias, &code, &hash, now).await })
    });
    Ok(written.await?.then_some(token))
}

async fn shown(
    app: &App,
    tx: &mut Tx<'_>,
    alias: &str,
    code: &str,
    token: &[u8],
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let person = identity::find_by_alias(tx, alias).await?;
    let id = person.as_ref().map_or(IdentityId(Uuid::nil()), |person| person.id);
    // Whoever sets the password, disables the person or gives them a second factor meanwhile has done it, or finds this.
    aggregation::hold_people(tx, &[id]).await?;
    let enabled = identity::is_enabled(tx, id).await? == Some(true);
    let stored = digit_token::hold(tx, id).await?.filter(|_| person.is_some());
    let hash = stored.as_ref().map_or(&[0; 32][..], |stored| &*stored.code_hash);
    let same = app.vault.verify_keyed_hash(HashPurpose::DigitToken, &hashed(id, code), hash);
    let comparison = if same { Comparison::Same } else { Comparison::Different };
    let verdict = match &stored {
        Some(stored) => {
            let (state, verdict) = stored.state.after_try(comparison, stored.expires_at, now);
            digit_token::set_state(tx, id, stored.id, state).await?;
            verdict
        }
        None => {
            digit_token::tried_at_nobodys(tx, now).await?;
            Verdict::Dead
        }
    };
    let takes_one = match &person {
        Some(person) if person.sign_in_source != SourceId::IDENTITY_NOW => takes_passwords(tx, person).await?,
        _ => true,
    };
    let usable = person.filter(|_| enabled && stored.is_some() && takes_one);
    let Some(person) = usable.filter(|_| verdict == Verdict::Accepted) else {
        let whose = stored.is_some().then_some(id);
        let event = passed(Action::DigitTokenVerificationFailed, Actor::Nobody, whose, now);
        audit::append(tx, draw_id_at(now), &Event { outcome: Outcome::Failed, ..event }).await?;
        return Ok(false);
    };
    let has_second_factor = second_factor::is_asked_for(tx, person.id).await?;
    recovery::insert(tx, token, person.id, Recovery::begin(has_second_factor, now)).await?;
    audited(tx, Action::DigitTokenVerificationPassed, person.id, now).await?;
    Ok(true)
}

/// Whether the password with which somebody signs in at a source can be set there.
async fn takes_passwords(tx: &mut Tx<'_>, person: &Identity) -> Result<bool, Error> {
    let source = source::find(tx, person.sign_in_source).await?;
    Ok(source.is_some_and(|source| source.takes_passwords()) && keeper(tx, person).await?.is_some())
}

/// The recovery that a page brings back; none where it is over. A change that came to nothing is none: another password may
/// be sent.
pub async fn find(app: &App, token: &str) -> Result<Option<Open>, Error> {
    let (now, hash) = (app.clock.utc(), digest(app, token));
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let Some((person, mut held)) = living(tx, &hash, now).await? else { return Ok(None) };
            if let Stage::Asked(id) = held.stage
                && let Some((change, targets)) = change::find(tx, id).await?
                && change.state.is_final()
            {
                if !came_to_nothing(&change, &targets) {
                    return Ok(None);
                }
                held = held.refused(id);
                recovery::set_stage(tx, &hash, held.stage).await?;
            }
            let account = keeper(tx, &person).await?.map(|account| account.native_id);
            let (identity, alias, source) = (person.id, person.alias, person.sign_in_source);
            Ok::<_, Error>(Some(Open { identity, alias, source, account, stage: held.stage }))
        })
    });
    written.await
}

/// Whether a change is over, and nothing has or may have the new password.
fn came_to_nothing(change: &Change, targets: &[Target]) -> bool {
    change.state == ChangeState::Failed
        && targets.iter().all(|target| target.state != TargetState::Applied && !target.unsure)
}

/// Tries the second factor. Gives whether it was right.
///
/// # Errors
/// [`Error::Outdated`] when it is not asked for, or not any more.
pub async fn show_second_factor(app: &App, token: &str, second: Second) -> Result<bool, Error> {
    let (now, hash, within) = (app.clock.utc(), digest(app, token), app.clone());
    let second = Arc::new(second);
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        let (second, within) = (second.clone(), within.clone());
        Box::pin(async move {
            let (person, held) = living(tx, &hash, now).await?.ok_or(Error::Outdated)?;
            let next = held.second_shown(now).ok_or(Error::Outdated)?;
            // An administrator may have taken it away meanwhile.
            let right = !second_factor::is_asked_for(tx, person.id).await?
                || second_factor::show(&within, tx, person.id, &second, Action::MfaVerificationFailed, now).await?;
            if right {
                recovery::set_stage(tx, &hash, next.stage).await?;
            }
            Ok::<_, Error>(right)
        })
    });
    written.await
}

/// The rules for the new password.
pub async fn rules_of(app: &App, open: &Open) -> Result<Vec<Violation>, Error> {
    rules(app, &Caller::with_code(open.identity).permit(Operation::SetPassword)?, open.source).await
}

/// Sets the new password.
///
/// # Errors
/// [`Error::Outdated`] when the recovery is over, or does not stand where a password is sent.
pub async fn set_new_password(app: &App, open: &Open, token: &str, password: &Password) -> Result<Recovered, Error> {
    if open.stage != Stage::NewPassword {
        return Err(Error::Outdated);
    }
    let permit = Caller::with_code(open.identity).permit(Operation::SetPassword)?;
    let broken = broken_rules(app, &permit, open.source, open.account.as_deref(), password).await?;
    if !broken.is_empty() {
        return Ok(Recovered::Broken(broken));
    }
    let within = Some(Within::Recovery(digest(app, token)));
    Ok(match set_with_code(app, open.identity, open.source, open.account.clone(), password, within).await? {
        Set::Everywhere => Recovered::Done,
        Set::Refused(reasons) => Recovered::Refused(reasons),
        Set::Partly(reasons) => Recovered::Partly(reasons),
        Set::Unfinished => Recovered::Unfinished,
    })
}

/// A recovery that goes on, and whose it is.
async fn living(
    tx: &mut Tx<'_>,
    token: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<(Identity, Recovery)>, lockstep_store::Error> {
    let held = recovery::hold(tx, token).await?.filter(|(_, held)| held.lives(now));
    let Some((whose, held)) = held else { return Ok(None) };
    let person = identity::find(tx, whose).await?.filter(|person| person.enabled);
    Ok(person.map(|person| (person, held)))
}

fn digest(app: &App, token: &str) -> [u8; 32] {
    app.vault.keyed_hash(HashPurpose::Recovery, token.as_bytes())
}
