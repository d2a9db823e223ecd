//! What became of a person's changes: the latest ones in a list, and one of them system by system, in the words that people
//! know.

use chrono::{DateTime, Utc};
use lockstep_core::change::{Change, ChangeState, Target, TargetState};
use lockstep_core::id::{ChangeId, IdentityId, SourceId};
use lockstep_core::sync_group::SyncGroup;
use lockstep_store::{Tx, account, change, identity};

use super::own_passwords::Place;
use super::{App, Error};
use crate::auth::Permit;

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnChange {
    /// How far it is.
    pub state: ChangeState,
    /// The source that was named.
    pub source: SourceId,
    /// Until when what does not take it is tried again.
    pub until: DateTime<Utc>,
    /// Why it was refused as a whole, a sentence each.
    pub refusals: Vec<String>,
    /// What becomes of each account; nothing before that is known.
    pub lines: Vec<Line>,
}

/// What becomes of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where people use it.
    pub places: Vec<Place>,
    /// What the account is called.
    pub account: String,
    /// How far it is.
    pub state: TargetState,
    /// Why it is not further.
    pub reason: Option<String>,
    /// Whether it ended without the new password, as far as is known, and may have it all the same.
    pub is_unsure: bool,
}

/// A change in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedChange {
    /// Which.
    pub id: ChangeId,
    /// When it was asked for.
    pub asked_at: DateTime<Utc>,
    /// How far it is.
    pub state: ChangeState,
    /// The group whose password it is, as groups are now.
    pub group: Option<String>,
    /// Otherwise the places of the source that was named.
    pub places: Vec<Place>,
}

/// How many changes are listed.
const LISTED: u32 = 50;

/// The latest changes of a person whom the permit reaches, the newest first.
pub async fn changes_of(app: &App, permit: &Permit, person: IdentityId) -> Result<Vec<ListedChange>, Error> {
    permit.reaches(Some(person))?;
    let within = app.clone();
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let systems = within.configuration.read(tx).await?.systems(tx).await?;
            let here = identity::get(tx, person).await?.sign_in_source;
            let accounts = account::list_of(tx, person).await?;
            let takes_part = |group: &&SyncGroup| {
                accounts.iter().any(|own| own.password_sync && !own.vanished && group.sources.contains(&own.source))
            };
            let groups: Vec<&SyncGroup> = systems.groups().iter().filter(takes_part).collect();
            let listed = |change: Change| ListedChange {
                id: change.id,
                asked_at: change.created_at,
                state: change.state,
                group: groups
                    .iter()
                    .find(|group| group.sources.contains(&change.source))
                    .map(|group| group.name.clone()),
                places: systems.places(change.source, here),
            };
            Ok::<_, Error>(change::list_of(tx, person, LISTED).await?.into_iter().map(listed).collect())
        })
    });
    read.await
}

/// What became of a change of this person, whom the permit reaches.
pub async fn change_of(app: &App, permit: &Permit, person: IdentityId, id: ChangeId) -> Result<OwnChange, Error> {
    permit.reaches(Some(person))?;
    let within = app.clone();
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let (change, targets) = change::find(tx, id).await?.ok_or(Error::NotFound("password change"))?;
            // This is about them, whatever else one may see.
            if change.identity != person {
                return Err(Error::NotFound("password change"));
            }
            let systems = within.configuration.read(tx).await?.systems(tx).await?;
            let here = identity::get(tx, person).await?.sign_in_source;
            let line = |target: Target| Line {
                places: systems.places(target.source, here),
                account: target.name,
                state: target.state,
                reason: target.reason,
                is_unsure: target.unsure && target.state.is_final() && target.state != TargetState::Applied,
            };
            let mut lines: Vec<Line> = targets.into_iter().map(line).collect();
            lines.sort_by(|one, other| (&one.places, &one.account).cmp(&(&other.places, &other.account)));
            let Change { state, source, refusals, expires_at, .. } = change;
            Ok(OwnChange { state, source, until: expires_at, refusals, lines })
        })
    });
    read.await
}
