//! Accounts: what an identity has on a source.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, IdentityId, SourceId};
use crate::identity::Identity;

/// One identity's account on one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Lockstep's own id. For the built-in source it equals the identity's id.
    pub id: AccountId,
    /// Whose account it is; none while it is not correlated.
    pub identity: Option<IdentityId>,
    /// Where it is.
    pub source: SourceId,
    /// What the source never changes about it (objectGUID, entryUUID, a primary key); unique within the source.
    pub stable_id: String,
    /// What the wire calls `accountId` and the connector addresses (LDAP: the DN); it may change.
    pub native_id: String,
    /// What people read: the display attribute.
    pub name: String,
    /// Whether a change on another source of the sync group reaches this account too. Privileged and service accounts
    /// say no and are changed only when they are named.
    pub password_sync: bool,
    /// The aggregated attributes, by name: what the context rules of a password policy look at.
    pub attributes: BTreeMap<String, String>,
    /// Whether the account vanished from its source. A vanished account is kept as a tombstone and gets no password.
    pub vanished: bool,
}

impl Account {
    /// The account on the built-in source that stands for an identity's sign-in password.
    pub fn built_in(identity: &Identity) -> Self {
        Self {
            id: AccountId(identity.id.0),
            identity: Some(identity.id),
            source: SourceId::IDENTITY_NOW,
            stable_id: identity.id.to_string(),
            native_id: identity.alias.clone(),
            name: identity.alias.clone(),
            password_sync: true,
            attributes: BTreeMap::new(),
            vanished: false,
        }
    }
}

/// Who said whose an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// Nobody did. It is nobody's, and the rules are asked again.
    None,
    /// The rules of its source.
    Rule,
    /// A person or an apply file; also that it is nobody's. The rules are not asked.
    Manual,
}

impl Link {
    /// Every one with its name in the database.
    pub const NAMES: [(Self, &str); 3] = [(Self::None, "none"), (Self::Rule, "rule"), (Self::Manual, "manual")];
}
