//! Unlocking, enabling and disabling an account: on its source, once, while the caller waits.
//!
//! The account on the built-in source is the identity itself: unlocking forgives its wrong sign-ins, and disabling ends its
//! tokens and whatever waits for delivery to it.

use lockstep_connectors::FailureKind;
use lockstep_core::audit::{Action, Event, Outcome};
use lockstep_core::change::{Intent, IntentKind};
use lockstep_core::id::{AccountId, IdentityId, IntentId};
use lockstep_core::identity::Identity;
use lockstep_core::source::Feature;
use lockstep_store::listing::ListedAccount;
use lockstep_store::{Tx, audit, identity, intent, sign_in_password};
use lockstep_vault::secret::{draw_id, draw_id_at};

use super::{find, reference, sources};
use crate::app::{App, Error};
use crate::auth::Permit;
use crate::worker::Unusable;

/// Ends a lock after wrong passwords.
pub async fn unlock(app: &App, permit: &Permit, id: AccountId) -> Result<(), Error> {
    let listed = find(app, id).await?;
    if let Some(person) = built_in(&listed) {
        let (now, event) = (app.clock.utc(), event(app, permit, Action::UserUnlock, &listed, Outcome::Passed));
        let written = app.store.write(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                sign_in_password::unlock(tx, person).await?;
                audit::append(tx, draw_id_at(now), &event).await
            })
        });
        return written.await.map_err(Error::Store);
    }
    can(app, &listed, Feature::Unlock).await?;
    let done = app.sources.unlock(listed.account.source, &reference(&listed)).await;
    let (action, outcome) = match done {
        Ok(()) => (Action::UnlockAccount, Outcome::Passed),
        Err(_) => (Action::UnlockAccountFailure, Outcome::Failed),
    };
    record(app, event(app, permit, action, &listed, outcome)).await?;
    done.map_err(told)
}

/// Lets an account sign in, or not.
pub async fn set_enabled(app: &App, permit: &Permit, id: AccountId, enabled: bool) -> Result<(), Error> {
    let listed = find(app, id).await?;
    let action = if enabled { Action::AccountEnabled } else { Action::AccountDisabled };
    if let Some(person) = built_in(&listed) {
        let (now, event) = (app.clock.utc(), event(app, permit, action, &listed, Outcome::Passed));
        let written = app.store.write(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                let before = identity::get(tx, person).await?;
                if before.enabled != enabled {
                    identity::put(tx, &Identity { enabled, ..before }, now).await?;
                    match enabled {
                        true => intent::withdraw(tx, person, None).await?,
                        false => {
                            let intent = Intent { id: IntentId(draw_id()), kind: IntentKind::Disable };
                            intent::put(tx, person, intent, now).await?;
                        }
                    }
                }
                audit::append(tx, draw_id_at(now), &event).await
            })
        });
        written.await.map_err(Error::Store)?;
        app.waker.wake(person);
        return Ok(());
    }
    can(app, &listed, Feature::Enable).await?;
    let done = app.sources.set_enabled(listed.account.source, &reference(&listed), enabled).await;
    let outcome = if done.is_ok() { Outcome::Passed } else { Outcome::Failed };
    record(app, event(app, permit, action, &listed, outcome)).await?;
    done.map_err(told)
}

/// The identity, if the account is the one on the built-in source.
fn built_in(listed: &ListedAccount) -> Option<IdentityId> {
    listed.account.identity.filter(|_| listed.account.source == lockstep_core::id::SourceId::IDENTITY_NOW)
}

async fn can(app: &App, listed: &ListedAccount, feature: Feature) -> Result<(), Error> {
    match sources(app).await?.get(&listed.account.source).is_some_and(|source| source.features.contains(&feature)) {
        true => Ok(()),
        false => Err(Error::Impossible(format!("the source has not the feature {feature}"))),
    }
}

/// A source that cannot be reached may be asked again; what it refuses, it refuses.
fn told(error: Unusable) -> Error {
    match error {
        Unusable::Source(error) => Error::Unavailable(error.to_string()),
        Unusable::Failed(failure) if matches!(failure.kind, FailureKind::Refused(_)) => {
            Error::Impossible(failure.to_string())
        }
        Unusable::Failed(failure) => Error::Unavailable(failure.to_string()),
    }
}

async fn record(app: &App, event: Event) -> Result<(), Error> {
    let written = app
        .store
        .write(move |tx: &mut Tx<'_>| Box::pin(async move { audit::append(tx, draw_id_at(event.at), &event).await }));
    written.await.map_err(Error::Store)
}

fn event(app: &App, permit: &Permit, action: Action, listed: &ListedAccount, outcome: Outcome) -> Event {
    Event {
        action,
        actor: permit.caller().actor(),
        identity: listed.account.identity,
        source: Some(listed.account.source),
        account: Some(listed.account.id),
        change: None,
        at: app.clock.utc(),
        outcome,
        detail: Default::default(),
    }
}
