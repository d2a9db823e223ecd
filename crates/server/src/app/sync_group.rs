//! Sync groups, for those who look after them: which sources share one password and one policy.
//!
//! Whoever adds a source to a group sends it the passwords of everybody in the group from then on. So only an ORG_ADMIN does,
//! and each source that comes or goes has an event of its own.

pub mod create;
pub mod delete;
pub mod read;
pub mod replace;

use chrono::{DateTime, Utc};
use lockstep_core::audit::Action;
use lockstep_core::id::{PasswordPolicyId, SourceId, SyncGroupId};
use lockstep_core::password_policy::holder::PolicyHolder;
use lockstep_core::source::Source;
use lockstep_core::sync_group::{InvalidSyncGroup, SyncGroup};
use lockstep_store::{Dated, Tx, password_policy, source, sync_group};
use serde::Serialize;

use super::Error;
use super::record::{About, record};
use crate::auth::Permit;

/// A group and its dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The group.
    pub group: SyncGroup,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub modified_at: Option<DateTime<Utc>>,
}

/// What somebody wants a group to be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// The policy that binds on every member.
    pub policy: PasswordPolicyId,
    /// The members.
    pub sources: Vec<SourceId>,
}

impl Wanted {
    fn group(self, id: SyncGroupId) -> SyncGroup {
        SyncGroup { id, name: self.name, policy: self.policy, sources: self.sources }
    }
}

/// Every group, and the sources that may be members.
struct Groups {
    all: Vec<Group>,
    sources: Vec<Source>,
}

impl Groups {
    async fn load(tx: &mut Tx<'_>) -> Result<Self, Error> {
        let told = |Dated { value, created_at, modified_at }| Group { group: value, created_at, modified_at };
        let all = sync_group::list_dated(tx).await?.into_iter().map(told).collect();
        Ok(Self { all, sources: source::list(tx).await? })
    }

    fn find(&self, id: SyncGroupId) -> Result<Group, Error> {
        self.all.iter().find(|one| one.group.id == id).cloned().ok_or(Error::NotFound("sync group"))
    }

    /// Refuses what cannot be a group beside the others.
    async fn judge(&self, tx: &mut Tx<'_>, group: &SyncGroup) -> Result<(), Error> {
        let all: Vec<SyncGroup> = self.all.iter().map(|one| one.group.clone()).collect();
        group.validate(&self.sources, &all)?;
        if all.iter().any(|other| other.id != group.id && other.name == group.name) {
            return Err(Error::Conflict("another sync group has this name".to_owned()));
        }
        match password_policy::find(tx, group.policy).await? {
            Some(_) => Ok(()),
            None => Err(Error::Unknown { field: "passwordPolicyId", what: "a password policy" }),
        }
    }
}

/// A source is a member from now on.
async fn joins(
    tx: &mut Tx<'_>,
    permit: &Permit,
    group: SyncGroupId,
    source: SourceId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let about = About::source(source).with("group", group.0);
    Ok(record(tx, permit, Action::PasswordSyncGroupSourceAdded, about, now).await?)
}

/// A source is a member no more. What bound there as a member binds on: it is made the source's own policy.
async fn leaves(
    tx: &mut Tx<'_>,
    permit: &Permit,
    group: &SyncGroup,
    id: SourceId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let mut source = source::get(tx, id).await?;
    source.policy_holders = vec![PolicyHolder { policy_id: group.policy, selectors: None }];
    source::put(tx, &source, now).await?;
    let about = About::source(id).with("group", group.id.0);
    record(tx, permit, Action::PasswordSyncGroupSourceRemoved, about, now).await?;
    let about = About::source(id).with("policy", group.policy.0);
    Ok(record(tx, permit, Action::SourcePasswordPolicyAssigned, about, now).await?)
}

impl From<InvalidSyncGroup> for Error {
    fn from(error: InvalidSyncGroup) -> Self {
        let illegal = |reason: &str| Self::Illegal { field: "sourceIds", reason: reason.to_owned() };
        match error {
            InvalidSyncGroup::Name => Self::Illegal {
                field: "name",
                reason: format!("must have 1 to {} characters", SyncGroup::LONGEST_NAME),
            },
            InvalidSyncGroup::TooFew(_) => illegal("must name at least 2 sources"),
            InvalidSyncGroup::Twice(_) => illegal("names a source twice"),
            InvalidSyncGroup::Unknown(_) => Self::Unknown { field: "sourceIds", what: "a source" },
            InvalidSyncGroup::NoPassword(_) => Self::Impossible(error.to_string()),
            InvalidSyncGroup::InAnotherGroup { .. } => Self::Conflict(error.to_string()),
        }
    }
}
