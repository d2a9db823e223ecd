//! What people are in the organisation: seeing it, granting and revoking it.
//!
//! Levels are read at each request, so a change of them counts at once, also for tokens that live.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use lockstep_core::audit::Action;
use lockstep_core::id::IdentityId;
use lockstep_core::identity::Identity;
use lockstep_core::scope::UserLevel;
use lockstep_store::{Tx, configuration, identity, sign_in_password};
use serde::Serialize;

use super::record::{About, record};
use super::revision::{Revised, Seen};
use super::{App, Error};
use crate::auth::Permit;

/// The levels that can be granted. Everybody is a USER.
pub const GRANTED: [UserLevel; 3] = [UserLevel::OrgAdmin, UserLevel::HelpDesk, UserLevel::SourceAdmin];

/// A person, as far as signing in and administering goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuthUser {
    /// The person.
    pub identity: Identity,
    /// What they are.
    pub levels: BTreeSet<UserLevel>,
    /// When their sign-in password was last changed.
    pub password_changed_at: Option<DateTime<Utc>>,
}

/// What a person is.
pub async fn get(app: &App, _: &Permit, id: IdentityId) -> Result<Revised<AuthUser>, Error> {
    Ok(app.store.read(move |tx: &mut Tx<'_>| Box::pin(load(tx, id))).await?.into())
}

/// Makes them what `wanted` says of what they are.
pub async fn change(
    app: &App,
    permit: &Permit,
    id: IdentityId,
    seen: Seen,
    wanted: impl FnOnce(&AuthUser) -> Result<BTreeSet<UserLevel>, Error> + Clone + Send + 'static,
) -> Result<Revised<AuthUser>, Error> {
    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            let before = load(tx, id).await?;
            seen.is(&before)?;
            let levels = wanted(&before)?;
            let granted: Vec<UserLevel> = levels.difference(&before.levels).copied().collect();
            let revoked: Vec<UserLevel> = before.levels.difference(&levels).copied().collect();
            if !granted.is_empty() && permit.caller().person() == Some(id) {
                return Err(Error::Forbidden("nobody grants a level to themselves".to_owned()));
            }
            if revoked.contains(&UserLevel::OrgAdmin) {
                leaves_somebody(tx, id).await?;
            }
            if granted.is_empty() && revoked.is_empty() {
                return Ok(before);
            }
            identity::set_levels(tx, id, &levels, now).await?;
            record(tx, &permit, Action::UserLevelsUpdated, about(id, &granted, &revoked), now).await?;
            load(tx, id).await
        })
    });
    Ok(written.await?.into())
}

/// Whose levels changed, and which.
pub(in crate::app) fn about(id: IdentityId, granted: &[UserLevel], revoked: &[UserLevel]) -> About {
    let about = granted.iter().fold(About::identity(id), |about, level| about.word(level.as_str(), "granted"));
    revoked.iter().fold(about, |about, level| about.word(level.as_str(), "revoked"))
}

async fn load(tx: &mut Tx<'_>, id: IdentityId) -> Result<AuthUser, Error> {
    let identity = identity::find(tx, id).await?.ok_or(Error::NotFound("identity"))?;
    let levels = identity::levels(tx, id).await?.into_iter().filter(|level| GRANTED.contains(level)).collect();
    let password = sign_in_password::find(tx, id).await?;
    Ok(AuthUser { identity, levels, password_changed_at: password.map(|password| password.changed_at) })
}

/// Refuses whoever is no ORG_ADMIN and would do something to a person who is anything in the organisation: helping them is a way
/// to be them.
pub(super) async fn reaches(tx: &mut Tx<'_>, permit: &Permit, whom: IdentityId) -> Result<(), Error> {
    let caller = permit.caller();
    if caller.levels.contains(&UserLevel::OrgAdmin) || caller.person() == Some(whom) {
        return Ok(());
    }
    match identity::levels(tx, whom).await?.iter().any(|level| GRANTED.contains(level)) {
        true => Err(Error::Forbidden("whoever has a level is reached by the level ORG_ADMIN only".to_owned())),
        false => Ok(()),
    }
}

/// Refuses to take the last ORG_ADMIN away. The configuration must be locked.
pub(super) async fn leaves_somebody(tx: &mut Tx<'_>, without: IdentityId) -> Result<(), Error> {
    match identity::levels(tx, without).await?.contains(&UserLevel::OrgAdmin)
        && !another_administers(tx, without).await?
    {
        true => Err(Error::Impossible("nobody else who is enabled is ORG_ADMIN".to_owned())),
        false => Ok(()),
    }
}

async fn another_administers(tx: &mut Tx<'_>, id: IdentityId) -> Result<bool, Error> {
    let people = identity::list_of_levels(tx).await?;
    Ok(people.iter().any(|(other, levels)| *other != id && levels.contains(&UserLevel::OrgAdmin)))
}
