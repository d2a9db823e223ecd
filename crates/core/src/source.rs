//! Sources: the systems that hold accounts.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::aggregation::Aggregation;
use crate::id::SourceId;
use crate::password_policy::holder::PolicyHolder;

/// A system that holds accounts, and how Lockstep reaches it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Lockstep's own id.
    pub id: SourceId,
    /// What people and the wire's `sourceName` call it; unique.
    pub name: String,
    /// A sentence for administrators.
    pub description: String,
    /// Which connector talks to it (`ldap`, `sql`, …); [`Source::BUILT_IN`] for `IdentityNow`.
    pub connector: String,
    /// The connector's settings, without its secrets.
    pub config: serde_json::Value,
    /// What it can do.
    pub features: BTreeSet<Feature>,
    /// Which policy binds whom when the source is in no sync group, in order.
    pub policy_holders: Vec<PolicyHolder>,
    /// How many deliveries to it may be under way at once.
    pub concurrency: u16,
    /// How its accounts come in.
    pub aggregation: Aggregation,
}

impl Source {
    /// The name of the built-in source, as the contract spells it.
    pub const IDENTITY_NOW: &str = "IdentityNow";
    /// The connector kind of the built-in source, which has no connector.
    pub const BUILT_IN: &str = "built-in";
    /// How many deliveries to a source may be under way at once unless it says otherwise.
    pub const CONCURRENCY: u16 = 16;

    /// Whether passwords on it may be set.
    pub fn takes_passwords(&self) -> bool {
        self.features.contains(&Feature::Password)
    }

    /// What people call its kind.
    pub fn kind(&self) -> &str {
        match self.connector.as_str() {
            "ldap" => "LDAP",
            "sql" => "SQL",
            Self::BUILT_IN => Self::IDENTITY_NOW,
            other => other,
        }
    }

    /// Whether it is Lockstep's own store of sign-in passwords.
    pub fn is_built_in(&self) -> bool {
        self.id == SourceId::IDENTITY_NOW
    }
}

/// What a source can do, as the contract's `features` spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Feature {
    /// Its accounts can sign people in to Lockstep.
    Authenticate,
    /// Its accounts can be enabled and disabled.
    Enable,
    /// Passwords of its accounts can be set.
    Password,
    /// Its accounts can be unlocked.
    Unlock,
}

/// Every feature there is, with its spelling.
const FEATURES: [(Feature, &str); 4] = [
    (Feature::Authenticate, "AUTHENTICATE"),
    (Feature::Enable, "ENABLE"),
    (Feature::Password, "PASSWORD"),
    (Feature::Unlock, "UNLOCK"),
];

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spelling = FEATURES.iter().find(|(feature, _)| feature == self).map_or("", |(_, spelling)| spelling);
        f.write_str(spelling)
    }
}

/// A feature that Lockstep does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown feature {0:?}; known are AUTHENTICATE, ENABLE, PASSWORD and UNLOCK")]
pub struct UnknownFeature(pub String);

impl FromStr for Feature {
    type Err = UnknownFeature;

    fn from_str(text: &str) -> Result<Self, UnknownFeature> {
        FEATURES
            .iter()
            .find(|(_, spelling)| *spelling == text)
            .map(|(feature, _)| *feature)
            .ok_or_else(|| UnknownFeature(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_spelled_one_way_everywhere() {
        for (feature, spelling) in FEATURES {
            assert_eq!(feature.to_string(), spelling);
            assert_eq!(spelling.parse(), Ok(feature));
            assert_eq!(serde_json::to_value(feature).expect("a string"), spelling);
        }
        assert!("password".parse::<Feature>().is_err());
    }
}
