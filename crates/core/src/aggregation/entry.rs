//! What a source says of one account, beside what is stored of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::account::{Account, Link};

/// An account as its source has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What the source never changes about it.
    pub stable_id: String,
    /// How the source names it now.
    pub native_id: String,
    /// The form of `native_id` in which two of them are compared.
    pub native_key: String,
    /// What people read.
    pub name: String,
    /// Whether the source lets it sign in, where that is known.
    pub enabled: Option<bool>,
    /// When its password was last changed, as the source itself says.
    pub password_changed_at: Option<DateTime<Utc>>,
    /// The attributes that the source's settings allow.
    pub attributes: BTreeMap<String, String>,
}

/// An account as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The account.
    pub account: Account,
    /// The form in which native ids are compared; none while another account is known under that one.
    pub native_key: Option<String>,
    /// Whether its source lets it sign in, where that is known.
    pub enabled: Option<bool>,
    /// When its password was last changed, as its source itself said when it was read.
    pub password_changed_at: Option<DateTime<Utc>>,
    /// Who said whose it is.
    pub link: Link,
}

/// What an entry means against what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// Nothing has changed.
    None,
    /// Fields have changed, and not its native id.
    Changed,
    /// Its source names it differently.
    Renamed,
    /// It was a tombstone, and is there again.
    Returned,
}

impl Entry {
    /// A value by the name that a rule or a mapping has for it; none where it says nothing.
    pub fn value(&self, name: &str) -> Option<&str> {
        let own = match name {
            "name" => Some(&self.name),
            "native-id" => Some(&self.native_id),
            "stable-id" => Some(&self.stable_id),
            _ => None,
        };
        let value = self.attributes.get(name).or(own)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// What has changed since it was stored.
    pub fn against(&self, known: &Known) -> Difference {
        let Known { account, native_key, enabled, password_changed_at, .. } = known;
        if account.vanished {
            return Difference::Returned;
        }
        if account.native_id != self.native_id || native_key.as_ref() != Some(&self.native_key) {
            return Difference::Renamed;
        }
        let same = account.name == self.name
            && account.attributes == self.attributes
            && account.stable_id == self.stable_id
            && *enabled == self.enabled
            && *password_changed_at == self.password_changed_at;
        if same { Difference::None } else { Difference::Changed }
    }
}

impl Known {
    /// Whether it stands for an account of which only the native id was known: an apply file may name no stable id.
    pub fn lacks_a_stable_id(&self) -> bool {
        self.account.stable_id == self.account.native_id
    }

    /// The same with what its source says of it now.
    pub fn updated(self, entry: &Entry) -> Self {
        let account = Account {
            stable_id: entry.stable_id.clone(),
            native_id: entry.native_id.clone(),
            name: entry.name.clone(),
            attributes: entry.attributes.clone(),
            vanished: false,
            ..self.account
        };
        Self {
            account,
            native_key: Some(entry.native_key.clone()),
            enabled: entry.enabled,
            password_changed_at: entry.password_changed_at,
            link: self.link,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::id::{AccountId, SourceId};

    pub(in crate::aggregation) fn entry(attributes: &[(&str, &str)]) -> Entry {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Entry {
            stable_id: "17".to_owned(),
            native_id: "UID=abby".to_owned(),
            native_key: "uid=abby".to_owned(),
            name: "abby".to_owned(),
            enabled: None,
            password_changed_at: None,
            attributes: attributes.iter().map(owned).collect(),
        }
    }

    fn known(entry: &Entry) -> Known {
        let account = Account {
            id: AccountId(Uuid::from_u128(1)),
            identity: None,
            source: SourceId(Uuid::from_u128(2)),
            stable_id: String::new(),
            native_id: String::new(),
            name: String::new(),
            password_sync: false,
            attributes: BTreeMap::new(),
            vanished: true,
        };
        let (enabled, password_changed_at) = (None, None);
        Known { account, native_key: None, enabled, password_changed_at, link: Link::Manual }.updated(entry)
    }

    #[test]
    fn every_difference_is_seen() {
        let first = entry(&[("mail", "a@example.test")]);
        let stored = known(&first);
        assert_eq!(first.against(&stored), Difference::None);
        assert!(!stored.account.password_sync, "what a source does not say stays");
        for (changed, difference) in [
            (Entry { name: "bea".to_owned(), ..first.clone() }, Difference::Changed),
            (Entry { enabled: Some(false), ..first.clone() }, Difference::Changed),
            (Entry { attributes: BTreeMap::new(), ..first.clone() }, Difference::Changed),
            (Entry { password_changed_at: Some(DateTime::<Utc>::UNIX_EPOCH), ..first.clone() }, Difference::Changed),
            (Entry { native_id: "uid=abby".to_owned(), ..first.clone() }, Difference::Renamed),
            (Entry { native_key: "uid=bea".to_owned(), ..first.clone() }, Difference::Renamed),
        ] {
            assert_eq!(changed.against(&stored), difference, "{changed:?}");
        }
        let mut tombstone = stored.clone();
        tombstone.account.vanished = true;
        assert_eq!(first.against(&tombstone), Difference::Returned);
        let displaced = Known { native_key: None, ..stored };
        assert_eq!(first.against(&displaced), Difference::Renamed);
    }

    #[test]
    fn a_value_is_an_attribute_or_what_every_account_has() {
        let entry = entry(&[("mail", " "), ("uid", " abby "), ("name", "Abby Smith")]);
        assert_eq!(entry.value("uid"), Some("abby"));
        assert_eq!(entry.value("mail"), None);
        assert_eq!(entry.value("phone"), None);
        assert_eq!(entry.value("name"), Some("Abby Smith"));
        assert_eq!(entry.value("stable-id"), Some("17"));
        assert_eq!(entry.value("native-id"), Some("UID=abby"));
    }
}
