//! Unlocking, enabling and disabling an account: on its source, once, while the caller waits.
//!
//! The account on the built-in source is the identity itself: unlocking forgives its wrong sign-ins, and disabling ends its
//! tokens and whatever waits for delivery to it.

use lockstep_connectors::FailureKind;
use lockstep_core::audit::Action;
use lockstep_core::change::{Intent, IntentKind};
use lockstep_core::id::{AccountId, IdentityId, IntentId, SourceId};
use lockstep_core::identity::Identity;
use lockstep_core::source::Feature;
use lockstep_store::listing::ListedAccount;
use lockstep_store::{Tx, aggregation, configuration, identity, intent};
use lockstep_vault::secret::draw_id;

use super::{find, reference, sources};
use crate::app::help::unlock_password;
use crate::app::record::{About, record};
use crate::app::{App, Error, level};
use crate::auth::Permit;
use crate::worker::Unusable;

/// Ends a lock after wrong passwords.
pub async fn unlock(app: &App, permit: &Permit, id: AccountId) -> Result<(), Error> {
    let listed = find(app, id).await?;
    if let Some(person) = built_in(&listed) {
        let (now, permit, about) = (app.clock.utc(), permit.clone(), About::account(&listed.account));
        let written = app.store.write(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                level::reaches(tx, &permit, person).await?;
                unlock_password(tx, person).await?;
                Ok::<_, Error>(record(tx, &permit, Action::UserUnlock, about, now).await?)
            })
        });
        return written.await;
    }
    can(app, permit, &listed, Feature::Unlock).await?;
    let done = app.sources.unlock(listed.account.source, &reference(&listed)).await;
    let action = if done.is_ok() { Action::UnlockAccount } else { Action::UnlockAccountFailure };
    said(app, permit, action, &listed, done.is_err()).await?;
    done.map_err(told)
}

/// Lets an account sign in, or not.
pub async fn set_enabled(app: &App, permit: &Permit, id: AccountId, enabled: bool) -> Result<(), Error> {
    let listed = find(app, id).await?;
    if let Some(person) = built_in(&listed) {
        return set_person_enabled(app, permit, person, &listed, enabled).await;
    }
    can(app, permit, &listed, Feature::Enable).await?;
    let done = app.sources.set_enabled(listed.account.source, &reference(&listed), enabled).await;
    said(app, permit, action(enabled), &listed, done.is_err()).await?;
    done.map_err(told)
}

async fn set_person_enabled(
    app: &App,
    permit: &Permit,
    person: IdentityId,
    listed: &ListedAccount,
    enabled: bool,
) -> Result<(), Error> {
    let (now, permit, about) = (app.clock.utc(), permit.clone(), About::account(&listed.account));
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            level::reaches(tx, &permit, person).await?;
            identity::hold(tx, person).await?;
            let before = identity::get(tx, person).await?;
            if enabled {
                identity::put(tx, &Identity { enabled, ..before }, now).await?;
                intent::withdraw(tx, person, None).await?;
            } else {
                level::leaves_somebody(tx, person).await?;
                identity::put(tx, &Identity { enabled, ..before }, now).await?;
                // Somebody said so: no source takes it back.
                aggregation::stay_disabled(tx, person).await?;
                intent::put(tx, person, Intent { id: IntentId(draw_id()), kind: IntentKind::Disable }, now).await?;
            }
            Ok::<_, Error>(record(tx, &permit, action(enabled), about, now).await?)
        })
    });
    written.await?;
    app.waker.wake(person);
    Ok(())
}

fn action(enabled: bool) -> Action {
    if enabled { Action::AccountEnabled } else { Action::AccountDisabled }
}

/// The identity, if the account is the one on the built-in source.
fn built_in(listed: &ListedAccount) -> Option<IdentityId> {
    listed.account.identity.filter(|_| listed.account.source == SourceId::IDENTITY_NOW)
}

/// Whether this caller may do it to whoever has the account, and the source can.
async fn can(app: &App, permit: &Permit, listed: &ListedAccount, feature: Feature) -> Result<(), Error> {
    if let Some(person) = listed.account.identity {
        let permit = permit.clone();
        let read =
            app.store.read(move |tx: &mut Tx<'_>| Box::pin(async move { level::reaches(tx, &permit, person).await }));
        read.await?;
    }
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

/// What was done on a source is told when it is done.
async fn said(app: &App, permit: &Permit, action: Action, listed: &ListedAccount, failed: bool) -> Result<(), Error> {
    let (now, permit, about) = (app.clock.utc(), permit.clone(), About::account(&listed.account).failed(failed));
    let written =
        app.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { record(tx, &permit, action, about, now).await }));
    written.await.map_err(Error::Store)
}
