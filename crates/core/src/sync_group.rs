//! Sync groups: sources that share one password and one policy.
//!
//! Which accounts a change reaches is decided with the change, not here.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::{PasswordPolicyId, SourceId, SyncGroupId};
use crate::source::Source;

/// A sync group, in the contract's names (`PasswordSyncGroup`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncGroup {
    /// Lockstep's own id.
    pub id: SyncGroupId,
    /// What people call it; unique.
    pub name: String,
    /// The policy that binds on every member, whatever the member's own policy holders say.
    #[serde(rename = "passwordPolicyId")]
    pub policy: PasswordPolicyId,
    /// The members.
    #[serde(rename = "sourceIds")]
    pub sources: Vec<SourceId>,
}

/// Why a group is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSyncGroup {
    /// There is no name, or it is too long.
    #[error("name must have 1 to {} characters", SyncGroup::LONGEST_NAME)]
    Name,
    /// There is nothing to keep in step.
    #[error("sourceIds must name at least 2 sources, but names {0}")]
    TooFew(usize),
    /// A source is named twice.
    #[error("sourceIds names {0} twice")]
    Twice(SourceId),
    /// There is no such source.
    #[error("sourceIds names {0}, which does not exist")]
    Unknown(SourceId),
    /// No password can be set there.
    #[error("source {0:?} cannot be in a sync group, because it does not have the feature PASSWORD")]
    NoPassword(String),
    /// The source is in another group.
    #[error("source {source_name:?} is already in the sync group {group:?}")]
    InAnotherGroup {
        /// The source's name.
        source_name: String,
        /// The other group's name.
        group: String,
    },
}

impl SyncGroup {
    /// The longest name, in characters.
    pub const LONGEST_NAME: usize = 255;

    /// Refuses a group that cannot be kept in step. `sources` are those that exist, at least all that the group names;
    /// `groups` are all groups, and may hold an older version of this one.
    pub fn validate(&self, sources: &[Source], groups: &[SyncGroup]) -> Result<(), InvalidSyncGroup> {
        if !(1..=Self::LONGEST_NAME).contains(&self.name.trim().chars().count()) {
            return Err(InvalidSyncGroup::Name);
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.sources.iter().find(|source| !seen.insert(**source)) {
            return Err(InvalidSyncGroup::Twice(*twice));
        }
        if self.sources.len() < 2 {
            return Err(InvalidSyncGroup::TooFew(self.sources.len()));
        }
        for id in &self.sources {
            let source = sources.iter().find(|source| source.id == *id).ok_or(InvalidSyncGroup::Unknown(*id))?;
            if !source.takes_passwords() {
                return Err(InvalidSyncGroup::NoPassword(source.name.clone()));
            }
            if let Some(group) = groups.iter().find(|group| group.id != self.id && group.sources.contains(id)) {
                let (source_name, group) = (source.name.clone(), group.name.clone());
                return Err(InvalidSyncGroup::InAnotherGroup { source_name, group });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::source::Feature;

    fn id(number: u128) -> SourceId {
        SourceId(Uuid::from_u128(number))
    }

    fn source(number: u128, features: &[Feature]) -> Source {
        Source {
            id: id(number),
            name: format!("Source {number}"),
            description: String::new(),
            connector: "sql".to_owned(),
            config: json!({}),
            features: features.iter().copied().collect(),
            policy_holders: vec![],
            concurrency: Source::CONCURRENCY,
            aggregation: Default::default(),
        }
    }

    fn group(number: u128, sources: &[u128]) -> SyncGroup {
        SyncGroup {
            id: SyncGroupId(Uuid::from_u128(number)),
            name: format!("Group {number}"),
            policy: PasswordPolicyId::DEFAULT,
            sources: sources.iter().map(|number| id(*number)).collect(),
        }
    }

    #[test]
    fn what_cannot_be_kept_in_step_is_refused() {
        let password = &[Feature::Password][..];
        let sources = [source(1, password), source(2, password), source(3, &[Feature::Unlock]), source(4, password)];
        let groups = [group(8, &[4, 5]), group(9, &[1, 2])];
        let named = |name: &str| SyncGroup { name: name.to_owned(), ..group(9, &[1, 2]) };
        for (group, expected) in [
            (group(9, &[1, 2]), Ok(())),
            (group(9, &[]), Err(InvalidSyncGroup::TooFew(0))),
            (group(9, &[1]), Err(InvalidSyncGroup::TooFew(1))),
            (group(9, &[1, 1]), Err(InvalidSyncGroup::Twice(id(1)))),
            (group(9, &[1, 7]), Err(InvalidSyncGroup::Unknown(id(7)))),
            (group(9, &[1, 3]), Err(InvalidSyncGroup::NoPassword("Source 3".to_owned()))),
            (
                group(9, &[1, 4]),
                Err(InvalidSyncGroup::InAnotherGroup {
                    source_name: "Source 4".to_owned(),
                    group: "Group 8".to_owned(),
                }),
            ),
            (named(" "), Err(InvalidSyncGroup::Name)),
            (named(&"x".repeat(256)), Err(InvalidSyncGroup::Name)),
            (named(&"\u{e9}".repeat(255)), Ok(())),
        ] {
            assert_eq!(group.validate(&sources, &groups), expected);
        }
    }

    #[test]
    fn the_contracts_names_are_read_and_written() {
        let group = group(9, &[1, 2]);
        let wire = json!({
            "id": "00000000000000000000000000000009",
            "name": "Group 9",
            "passwordPolicyId": PasswordPolicyId::DEFAULT,
            "sourceIds": ["00000000000000000000000000000001", "00000000000000000000000000000002"]
        });
        assert_eq!(serde_json::to_value(&group).expect("written"), wire);
        assert_eq!(serde_json::from_value::<SyncGroup>(wire).expect("read"), group);
    }
}
