//! A person's first password: a code that works once, and setting the password with it.
//!
//! The password goes the way of every change, so the same policy binds it and the same systems get it. What makes the code
//! dead is that the sign-in password was written: a refused password leaves it good, and a kill in between does too.

use std::time::Duration;

use chrono::TimeDelta;
use lockstep_core::audit::{Action, Actor};
use lockstep_core::change::{ChangeState, Target, TargetState};
use lockstep_core::id::{IdentityId, SourceId};
use lockstep_core::operation::Operation;
use lockstep_core::password::Password;
use lockstep_store::{Tx, audit, change, enrolment, identity};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::{Secret, draw_id_at, draw_token};

use super::await_change::await_change;
use super::password_change_status::password_change_status;
use super::set_password::{Within, encrypt_and_set};
use super::{App, Error, passed};
use crate::auth::Caller;

/// How long a code is good.
const LIFE: TimeDelta = TimeDelta::hours(24);

/// How long a page waits for the password to be everywhere.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub enum Enrolled {
    /// The password is set.
    Done,
    /// The code is unknown, used or over. Which is not said.
    WrongCode,
    /// It is not set, or not everywhere; why, a sentence each.
    Refused(Vec<String>),
    /// It is not known yet.
    Unfinished,
}

/// Draws a code for the person with this login name, in place of the one before. Whoever may call this runs a command on
/// the host.
///
/// # Errors
/// There is no such person, or they are disabled.
pub async fn invite(app: &App, alias: &str) -> Result<Secret, Error> {
    let (alias, now) = (alias.to_owned(), app.clock.utc());
    let code = draw_token();
    let hash = digest(app, &code);
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let person = identity::find_by_alias(tx, &alias).await?;
            let person = person.ok_or_else(|| Error::Impossible("there is no such identity".to_owned()))?;
            if !person.enabled {
                return Err(Error::Impossible("the identity is disabled".to_owned()));
            }
            if person.sign_in_source != SourceId::IDENTITY_NOW {
                let text = "this person signs in with the password of another source (sign-in-source): set it there";
                return Err(Error::Impossible(text.to_owned()));
            }
            enrolment::put(tx, person.id, &hash, now + LIFE).await?;
            let event = passed(Action::EnrolmentCreated, Actor::Nobody, Some(person.id), now);
            Ok::<_, Error>(audit::append(tx, draw_id_at(now), &event).await?)
        })
    });
    written.await.map(|()| code)
}

/// The address that leads a person to the page, the code behind the `#`: browsers send that to nobody, so it reaches no log.
pub fn link(app: &App, code: &Secret) -> Secret {
    Secret::new(format!("{}/enrol#{}", app.config.public_url(), code.expose()))
}

/// Sets the password of whoever has the code.
pub async fn enrol(app: &App, code: &Secret, password: &Password) -> Result<Enrolled, Error> {
    let Some(identity) = find(app, code).await? else { return Ok(Enrolled::WrongCode) };
    Ok(match set_with_code(app, identity, SourceId::IDENTITY_NOW, None, password, None).await? {
        Set::Everywhere => Enrolled::Done,
        Set::Refused(reasons) | Set::Partly(reasons) => Enrolled::Refused(reasons),
        Set::Unfinished => Enrolled::Unfinished,
    })
}

/// Whose code it is; none where it is good for nothing.
async fn find(app: &App, code: &Secret) -> Result<Option<IdentityId>, Error> {
    let (hash, now) = (digest(app, code), app.clock.utc());
    let found = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let found = enrolment::find(tx, &hash).await?.filter(|(_, expires_at)| now < *expires_at);
            let Some((identity, _)) = found else { return Ok(None) };
            Ok(Some(identity).zip(identity::is_enabled(tx, identity).await?))
        })
    });
    let found: Option<(IdentityId, bool)> = found.await.map_err(Error::Store)?;
    Ok(found.filter(|(_, enabled)| *enabled).map(|(identity, _)| identity))
}

/// What became of a password that was set with a code.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// Every system has it.
    Everywhere,
    /// It is not set; why, a sentence each.
    Refused(Vec<String>),
    /// It is set where people sign in, and not everywhere else; why, a sentence each.
    Partly(Vec<String>),
    /// It is not known yet.
    Unfinished,
}

/// Sets the password of somebody who has shown a code in place of the one before, and waits a while for it to be everywhere.
pub(super) async fn set_with_code(
    app: &App,
    identity: IdentityId,
    source: SourceId,
    account: Option<String>,
    password: &Password,
    within: Option<Within>,
) -> Result<Set, Error> {
    let permit = Caller::with_code(identity).permit(Operation::SetPassword)?;
    let Some(accepted) = encrypt_and_set(app, &permit, source, account, password, within).await? else {
        return Ok(Set::Refused(vec!["the password is too long".to_owned()]));
    };
    match await_change(app, accepted.id, PATIENCE).await? {
        ChangeState::Finished => Ok(Set::Everywhere),
        ChangeState::Failed => {
            let reads = Caller::with_code(identity).permit(Operation::GetPasswordChangeStatus)?;
            let reasons = password_change_status(app, &reads, accepted.id).await?.errors;
            let read = app.store.read(move |tx: &mut Tx<'_>| Box::pin(change::find(tx, accepted.id)));
            let (_, targets) = read.await.map_err(Error::Store)?.ok_or(Error::Lacking("a change that was accepted"))?;
            let has = |target: &Target| target.source == source && target.state == TargetState::Applied;
            Ok(if targets.iter().any(has) { Set::Partly(reasons) } else { Set::Refused(reasons) })
        }
        _ => Ok(Set::Unfinished),
    }
}

fn digest(app: &App, code: &Secret) -> [u8; 32] {
    app.vault.keyed_hash(HashPurpose::Enrolment, code.expose().trim().as_bytes())
}
