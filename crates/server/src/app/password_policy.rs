//! Password policies, for those who look after them: making, changing and deleting them, and seeing where they bind.

pub mod create;
pub mod delete;
pub mod read;
pub mod replace;

use chrono::{DateTime, Utc};
use lockstep_core::id::{PasswordPolicyId, SourceId};
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_core::password_policy::validate::InvalidPolicy;
use lockstep_core::source::Source;
use lockstep_core::sync_group::SyncGroup;
use lockstep_store::{Dated, Tx, password_policy, source, sync_group};
use serde::Serialize;

use super::Error;

/// A policy, and where it binds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Its rules.
    pub rules: PasswordPolicy,
    /// The sources whose own list of policies names it, and counts.
    pub sources: Vec<SourceId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub modified_at: Option<DateTime<Utc>>,
}

/// What somebody wants a policy to be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The rules; the id counts for nothing.
    pub rules: PasswordPolicy,
    /// Where it binds, if they say so. A source names its policies itself, so this can only be what is.
    pub sources: Option<Vec<SourceId>>,
}

/// Everything that has to do with policies.
struct Policies {
    all: Vec<Dated<PasswordPolicy>>,
    sources: Vec<Source>,
    groups: Vec<SyncGroup>,
}

impl Policies {
    async fn load(tx: &mut Tx<'_>) -> Result<Self, Error> {
        Ok(Self {
            all: password_policy::list_dated(tx).await?,
            sources: source::list(tx).await?,
            groups: sync_group::list(tx).await?,
        })
    }

    fn told(&self) -> impl Iterator<Item = Policy> {
        self.all.iter().map(|dated| Policy {
            rules: dated.value.clone(),
            sources: self.naming(dated.value.id).filter(|source| !self.in_a_group(source)).map(|one| one.id).collect(),
            created_at: dated.created_at,
            modified_at: dated.modified_at,
        })
    }

    fn find(&self, id: PasswordPolicyId) -> Result<Policy, Error> {
        self.told().find(|policy| policy.rules.id == id).ok_or(Error::NotFound("password policy"))
    }

    /// The sources whose lists name a policy, also those in a group, whose lists do not count.
    fn naming(&self, id: PasswordPolicyId) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(move |source| source.policy_holders.iter().any(|holder| holder.policy_id == id))
    }

    fn in_a_group(&self, source: &Source) -> bool {
        self.groups.iter().any(|group| group.sources.contains(&source.id))
    }

    /// Refuses what cannot be the policy with this id.
    fn judge(&self, id: PasswordPolicyId, wanted: &Wanted) -> Result<(), Error> {
        let rules = &wanted.rules;
        rules.validate()?;
        let is_default = id == PasswordPolicyId::DEFAULT;
        if rules.default_policy && !is_default {
            return Err(Error::ReadOnly("defaultPolicy".to_owned()));
        }
        if self.all.iter().any(|other| other.value.id != id && other.value.name == rules.name) {
            return Err(Error::Conflict("another password policy has this name".to_owned()));
        }
        let now = self.find(id).map(|policy| policy.sources).unwrap_or_default();
        let same = |wanted: &Vec<SourceId>| {
            wanted.iter().all(|source| now.contains(source)) && now.iter().all(|source| wanted.contains(source))
        };
        match &wanted.sources {
            Some(wanted) if !same(wanted) => Err(Error::ReadOnly(
                "sourceIds (a source names its policies itself: PATCH /sources/{id}/password-policies)".to_owned(),
            )),
            _ => Ok(()),
        }
    }
}

impl From<InvalidPolicy> for Error {
    fn from(error: InvalidPolicy) -> Self {
        let (field, reason) = match error {
            InvalidPolicy::Text { field, min, max } => (field, format!("must have {min} to {max} characters")),
            InvalidPolicy::OutOfRange { field, min, max, .. } => (field, format!("must be between {min} and {max}")),
            InvalidPolicy::AboveMaxLength { field, max_length, .. } => {
                (field, format!("asks for more characters than may be: at most {max_length}"))
            }
            InvalidPolicy::ReminderBeforePassword { .. } => {
                ("firstExpirationReminder", "must be at most passwordExpiration".to_owned())
            }
        };
        Self::Illegal { field, reason }
    }
}
