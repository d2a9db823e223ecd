//! An entry of a directory as an account, or why it cannot be one.

use std::collections::BTreeMap;

use ldap3::SearchEntry;

use super::accounts::{Accounts, Disable};
use super::dn;
use super::timestamp::Timestamp;
use crate::account::{AccountEntry, is_id, is_text};

/// Takes from an entry what the settings allow. The problem is a sentence that names the entry.
pub(super) fn account(
    entry: SearchEntry,
    accounts: &Accounts,
    disable: Option<&Disable>,
) -> Result<AccountEntry, String> {
    let values = Values::of(&entry);
    if let Err(problem) = dn::check(&entry.dn) {
        return Err(format!("`{}`: {problem}", entry.dn));
    }
    let Some(stable_id) = values.first(&accounts.stable_id).filter(|id| is_id(id)) else {
        return Err(format!(
            "`{}` has no `{}` that is text, or the service account may not read it",
            entry.dn, accounts.stable_id
        ));
    };
    let name = accounts.names.iter().find_map(|name| values.first(name).filter(|name| is_id(name)));
    // One that cannot be read says nothing: no account is left out for it.
    let changed_at = accounts.password_changed_at.iter().flat_map(|attribute| values.all(attribute));
    let password_changed_at = changed_at.filter_map(|value| Timestamp::parse(value)?.utc()).max();
    let mut attributes = BTreeMap::new();
    for attribute in &accounts.attributes {
        if let Some(value) = values.first(attribute) {
            attributes.insert(attribute.clone(), value.to_owned());
        }
    }
    Ok(AccountEntry {
        stable_id: stable_id.to_owned(),
        name: name.unwrap_or(&entry.dn).to_owned(),
        enabled: disable.map(|disable| !values.all(&disable.attribute).any(|value| disable.says(value))),
        password_changed_at,
        attributes,
        native_id: entry.dn,
    })
}

/// The values of an entry. Directories write the names of attributes as they like.
pub(super) struct Values<'a>(&'a SearchEntry);

impl<'a> Values<'a> {
    pub(super) fn of(entry: &'a SearchEntry) -> Self {
        Self(entry)
    }

    /// Every value that is text. One that is not puts all of an attribute among the binary ones.
    pub(super) fn all(&self, attribute: &str) -> impl Iterator<Item = &'a str> {
        let text = self.0.attrs.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
        let mixed = self.0.bin_attrs.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
        let text = text.into_iter().flat_map(|(_, values)| values).map(String::as_str);
        let mixed = mixed.into_iter().flat_map(|(_, values)| values);
        text.chain(mixed.filter_map(|value| std::str::from_utf8(value).ok())).filter(|value| is_text(value))
    }

    /// The first in alphabetical order: a directory tells several in no order, and another one next time.
    pub(super) fn first(&self, attribute: &str) -> Option<&'a str> {
        self.all(attribute).min()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::*;

    fn accounts() -> Accounts {
        let fields = json!({ "base": "dc=test", "attributes": ["mail", "jpegPhoto", "department"] });
        Accounts::parse(crate::config::parse(&fields).expect("right")).expect("right")
    }

    fn entry(attributes: &[(&str, &[&str])]) -> SearchEntry {
        let owned = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect();
        SearchEntry {
            dn: "uid=abby,dc=test".to_owned(),
            attrs: attributes.iter().map(|&(name, values)| (name.to_owned(), owned(values))).collect(),
            bin_attrs: HashMap::from([("jpegPhoto".to_owned(), vec![vec![0xff, 0xd8]])]),
        }
    }

    #[test]
    fn what_is_allowed_and_text_is_taken() {
        let disable = Disable { attribute: "nsAccountLock".to_owned(), value: "TRUE".to_owned() };
        let entry = entry(&[
            ("entryuuid", &["1-2-3"]),
            ("uid", &["abby"]),
            ("MAIL", &["z@x.test", "a@x.test", ""]),
            ("department", &["nul\0"]),
            ("userPassword", &["{SSHA}x"]),
            ("nsaccountlock", &["true"]),
        ]);
        let account = account(entry, &accounts(), Some(&disable)).expect("an account");
        assert_eq!((account.stable_id.as_str(), account.name.as_str()), ("1-2-3", "abby"));
        assert_eq!(account.enabled, Some(false));
        assert_eq!(account.attributes, BTreeMap::from([("mail".to_owned(), "a@x.test".to_owned())]));
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        let account = account(entry(&[("entryUUID", &["1"]), ("cn", &["line\nbreak"])]), &accounts(), None);
        let account = account.expect("an account");
        assert_eq!((account.name.as_str(), account.enabled), ("uid=abby,dc=test", None));
    }

    #[test]
    fn when_the_password_was_changed_is_taken_where_it_is_a_time() {
        for (value, expected) in [
            ("20241004000005Z", Some("2024-10-04T00:00:05+00:00")),
            ("20241004000005.123456Z", Some("2024-10-04T00:00:05+00:00")),
            ("133725312050000000", None),
            ("20000", None),
            ("tomorrow", None),
            ("19700101000000Z", None),
        ] {
            let entry = entry(&[("entryUUID", &["1"]), ("PWDCHANGEDTIME", &[value])]);
            let account = account(entry, &accounts(), None).expect("an account");
            assert_eq!(account.password_changed_at.map(|at| at.to_rfc3339()).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn an_entry_without_an_id_is_named() {
        let problem = account(entry(&[("uid", &["abby"])]), &accounts(), None).expect_err("no id");
        assert!(problem.contains("uid=abby,dc=test") && problem.contains("entryUUID"), "{problem}");
    }
}
