//! Aggregation: how the accounts of a source, and the people whom it is right about, come in and stay true.
//!
//! Everything here is a function of values: what was read, what is stored, what is set. Reading pages, walking rows and
//! writing what follows is done elsewhere.

mod correlation;
mod counters;
mod entry;
mod guard;
mod person;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

pub use correlation::{Correlation, correlate};
pub use counters::Counters;
pub use entry::{Difference, Entry, Known};
pub use guard::{Guard, Verdict};
pub use person::{Unusable, create, update};

/// How a source is aggregated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Aggregation {
    /// Whether the source says who there is: its accounts make identities, change them and, when they are gone, retire them.
    pub authoritative: bool,
    /// How the identity of an account is found: the first rule that matches anybody decides.
    pub correlation: Vec<Rule>,
    /// What an authoritative source says of an identity.
    pub mapping: Mapping,
    /// How often it is read; none: when somebody asks for it.
    #[serde(with = "humantime_serde")]
    pub every: Option<Duration>,
    /// How often everything is read, where a reading can be of what changed only. Only such a one notices what is gone.
    #[serde(with = "humantime_serde")]
    pub full_every: Duration,
    /// How many of a hundred accounts may vanish, or of a hundred identities retire, before somebody is asked.
    pub guard: u8,
}

/// A rule of correlation: an account belongs to the identity that has the same value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// The account's attribute; or `name`, `native-id` or `stable-id` where it has none of that name.
    pub account: String,
    /// `alias`, `email`, or an attribute of identities.
    pub identity: String,
}

/// Which attribute of an account says what of its identity. What is not named is left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mapping {
    /// The login name.
    pub alias: Option<String>,
    /// What people are called.
    pub display_name: Option<String>,
    /// Where mail reaches them.
    pub email: Option<String>,
    /// Attributes of identities, by name.
    pub attributes: BTreeMap<String, String>,
}

impl Default for Aggregation {
    fn default() -> Self {
        Self {
            authoritative: false,
            correlation: Vec::new(),
            mapping: Mapping::default(),
            every: None,
            full_every: Duration::from_secs(24 * 3600),
            guard: 10,
        }
    }
}

/// A source is not read more often.
const SOONEST: Duration = Duration::from_secs(10);

/// After a reading that failed, the next one comes this soon at the latest.
const AFTER_A_FAILURE: Duration = Duration::from_secs(15 * 60);

impl Aggregation {
    /// The identity's login name, as a rule names it.
    pub const ALIAS: &str = "alias";
    /// Where mail reaches the identity, as a rule names it.
    pub const EMAIL: &str = "email";

    /// What cannot be so, as a sentence for an administrator.
    pub fn problem(&self) -> Option<String> {
        let empty = |rule: &Rule| rule.account.trim().is_empty() || rule.identity.trim().is_empty();
        if self.correlation.iter().any(empty) {
            return Some("a rule of correlation names an account's attribute and an identity's".to_owned());
        }
        if self.authoritative && self.mapping.alias.is_none() {
            let text = "an authoritative source needs mapping.alias: the account's attribute that is the login name";
            return Some(text.to_owned());
        }
        if !self.authoritative && self.mapping != Mapping::default() {
            return Some("a mapping is for an authoritative source: say authoritative = true".to_owned());
        }
        if self.every.is_some_and(|every| every < SOONEST) || self.full_every < SOONEST {
            return Some("every and full-every must be 10 seconds at least".to_owned());
        }
        if self.guard > 100 {
            return Some("guard is a percentage: 0 to 100".to_owned());
        }
        None
    }

    /// The fields and attributes of identities, besides the alias, that its rules look for.
    pub fn looked_for(&self) -> BTreeSet<&str> {
        self.correlation.iter().map(|rule| rule.identity.as_str()).filter(|name| *name != Self::ALIAS).collect()
    }

    /// How long after the beginning of the latest reading the next one begins; none: never by itself.
    pub fn pause(&self, latest_failed: bool) -> Option<Duration> {
        self.every.map(|every| if latest_failed { every.min(AFTER_A_FAILURE) } else { every })
    }
}

/// The form in which values of accounts and identities are compared; none of a value that says nothing.
pub fn value_key(text: &str) -> Option<String> {
    let key = text.trim().nfkc().collect::<String>().to_lowercase();
    (!key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_without_case_spaces_around_and_spelling() {
        assert_eq!(value_key("  Zo\u{eb}@Example.TEST "), value_key("zoe\u{308}@example.test"));
        assert_eq!(value_key("\u{ff21}1"), Some("a1".to_owned()));
        assert_eq!(value_key(" \t"), None);
    }

    #[test]
    fn what_cannot_be_is_said() {
        let read = |text: &str| toml_like(text).problem();
        assert_eq!(read("{}"), None);
        assert!(read(r#"{"authoritative": true}"#).expect("a problem").contains("mapping.alias"));
        assert_eq!(read(r#"{"authoritative": true, "mapping": {"alias": "uid"}}"#), None);
        assert!(read(r#"{"mapping": {"alias": "uid"}}"#).expect("a problem").contains("authoritative"));
        assert!(read(r#"{"correlation": [{"account": "", "identity": "email"}]}"#).is_some());
        assert!(read(r#"{"every": "1s"}"#).is_some());
        assert!(read(r#"{"guard": 101}"#).is_some());
    }

    #[test]
    fn a_reading_that_failed_is_tried_again_sooner() {
        let settings = toml_like(r#"{"every": "6h"}"#);
        assert_eq!(settings.pause(false), Some(Duration::from_secs(6 * 3600)));
        assert_eq!(settings.pause(true), Some(AFTER_A_FAILURE));
        assert_eq!(toml_like(r#"{"every": "1m"}"#).pause(true), Some(Duration::from_secs(60)));
        assert_eq!(Aggregation::default().pause(true), None);
    }

    fn toml_like(json: &str) -> Aggregation {
        serde_json::from_str(json).expect("settings")
    }
}
