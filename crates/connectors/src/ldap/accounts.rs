//! The settings that say which entries of a directory are accounts, and what of them is read.

use std::sync::Arc;

use ldap3::{Scope, parse_filter};
use serde::Deserialize;

use super::dn;
use crate::config::ConfigError;
use crate::secret_name::is_secret;

/// The table `accounts` as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    /// The part of the tree that the accounts are in.
    base: String,
    /// Which entries there are accounts (RFC 4515).
    #[serde(default = "people")]
    filter: String,
    /// `subtree`, or `one` for the entries immediately below `base`.
    #[serde(default)]
    scope: Depth,
    /// The attribute that the directory never changes about an entry.
    #[serde(default = "entry_uuid")]
    stable_id: String,
    /// The attribute that people read; by default the first of `displayName`, `cn` and `uid` that is there.
    name: Option<String>,
    /// The attribute that says when the password was last changed, a time as `pwdChangedTime` has it; empty: none does.
    #[serde(default = "pwd_changed_time")]
    password_changed_at: String,
    /// The attributes that are read.
    attributes: Option<Vec<String>>,
    /// Entries that are asked for at once, 1 to 5000.
    #[serde(default = "five_hundred")]
    page_size: u16,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Depth {
    #[default]
    Subtree,
    One,
}

/// Which entries are accounts.
#[derive(Debug)]
pub(super) struct Accounts {
    pub(super) base: String,
    /// With parentheses around it.
    pub(super) filter: String,
    pub(super) scope: Scope,
    pub(super) stable_id: String,
    /// The first that is there is the name.
    pub(super) names: Vec<String>,
    pub(super) password_changed_at: Option<String>,
    pub(super) attributes: Vec<String>,
    pub(super) page_size: u16,
}

/// How an account is disabled: an attribute that then has this value, and otherwise does not.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Disable {
    pub(super) attribute: String,
    pub(super) value: String,
}

const ATTRIBUTES: [&str; 11] = [
    "uid",
    "cn",
    "givenName",
    "sn",
    "displayName",
    "mail",
    "employeeNumber",
    "employeeType",
    "department",
    "departmentNumber",
    "title",
];

impl Accounts {
    pub(super) fn parse(fields: Fields) -> Result<Self, ConfigError> {
        dn::check(&fields.base).map_err(|problem| ConfigError::field("accounts.base", problem))?;
        let filter = fields.filter.trim();
        let filter = if filter.starts_with('(') { filter.to_owned() } else { format!("({filter})") };
        if parse_filter(&filter).is_err() {
            let problem = "this is not a search filter; it reads like `(objectClass=inetOrgPerson)`";
            return Err(ConfigError::field("accounts.filter", problem));
        }
        let names = match fields.name {
            Some(name) => vec![readable("accounts.name", name)?],
            None => ["displayName", "cn", "uid"].map(str::to_owned).to_vec(),
        };
        let changed_at = Some(fields.password_changed_at).filter(|name| !name.is_empty());
        let password_changed_at = changed_at.map(|name| readable("accounts.password_changed_at", name)).transpose()?;
        let attributes = fields.attributes.unwrap_or_else(|| ATTRIBUTES.map(str::to_owned).to_vec());
        let attributes: Vec<String> =
            attributes.into_iter().map(|name| readable("accounts.attributes", name)).collect::<Result<_, _>>()?;
        if !(1..=5000).contains(&fields.page_size) {
            let problem = format!("{} is out of range; write 1 to 5000", fields.page_size);
            return Err(ConfigError::field("accounts.page_size", problem));
        }
        Ok(Self {
            base: fields.base,
            filter,
            scope: match fields.scope {
                Depth::Subtree => Scope::Subtree,
                Depth::One => Scope::OneLevel,
            },
            stable_id: readable("accounts.stable_id", fields.stable_id)?,
            names,
            password_changed_at,
            attributes,
            page_size: fields.page_size,
        })
    }

    /// Everything that is asked of the directory about an entry, each attribute once. By name: directories send what they write
    /// themselves, such as `pwdChangedTime`, to nobody who asks for all attributes.
    pub(super) fn wanted(&self, disable: Option<&Disable>) -> Arc<[String]> {
        let mut wanted: Vec<String> = Vec::new();
        let own = std::iter::once(&self.stable_id).chain(&self.names).chain(&self.password_changed_at);
        let all = own.chain(&self.attributes);
        for name in all.chain(disable.map(|disable| &disable.attribute)) {
            if !wanted.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                wanted.push(name.clone());
            }
        }
        wanted.into()
    }
}

impl Disable {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let written = |c: char| !c.is_control();
        if !dn::is_attribute_name(&self.attribute) || is_secret(&self.attribute) {
            let problem = "this is not the name of an attribute that can say that an account is disabled";
            return Err(ConfigError::field("disable.attribute", problem));
        }
        if self.value.is_empty() || !self.value.chars().all(written) {
            return Err(ConfigError::field("disable.value", "write the value that a disabled account has there"));
        }
        Ok(())
    }

    /// Whether a value of the attribute says that the account is disabled: `TRUE` and `true` are one.
    pub(super) fn says(&self, value: &str) -> bool {
        self.value.eq_ignore_ascii_case(value)
    }
}

/// The name of an attribute that may be read.
fn readable(field: &str, name: String) -> Result<String, ConfigError> {
    if !dn::is_attribute_name(&name) {
        return Err(ConfigError::field(field, format!("`{name}` is not the name of an attribute")));
    }
    if is_secret(&name) {
        let problem = format!("`{name}` holds passwords, hashes or keys, which are never read; leave it out");
        return Err(ConfigError::field(field, problem));
    }
    Ok(name)
}

fn people() -> String {
    "(|(objectClass=person)(objectClass=posixAccount))".to_owned()
}

fn entry_uuid() -> String {
    "entryUUID".to_owned()
}

fn pwd_changed_time() -> String {
    "pwdChangedTime".to_owned()
}

fn five_hundred() -> u16 {
    500
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(more: Value) -> Result<Accounts, ConfigError> {
        let mut fields = json!({ "base": "ou=people,dc=example,dc=test" });
        for (name, value) in more.as_object().expect("an object") {
            fields[name] = value.clone();
        }
        Accounts::parse(crate::config::parse(&fields)?)
    }

    #[test]
    fn the_base_is_enough() {
        let accounts = parse(json!({})).expect("right");
        assert_eq!((accounts.scope, accounts.page_size), (Scope::Subtree, 500));
        let disable = Disable { attribute: "NSACCOUNTLOCK".to_owned(), value: "TRUE".to_owned() };
        let wanted = accounts.wanted(Some(&disable));
        assert_eq!(wanted.iter().filter(|name| name.eq_ignore_ascii_case("cn")).count(), 1);
        assert!(wanted.contains(&"entryUUID".to_owned()) && wanted.contains(&"NSACCOUNTLOCK".to_owned()));
        assert!(wanted.contains(&"pwdChangedTime".to_owned()));
        let none = parse(json!({ "password_changed_at": "" })).expect("right").wanted(None);
        assert!(!none.contains(&"pwdChangedTime".to_owned()) && !none.contains(&String::new()));
        assert!(disable.says("true") && !disable.says("false"));
        assert_eq!(parse(json!({ "filter": "uid=*" })).expect("right").filter, "(uid=*)");
    }

    #[test]
    fn what_cannot_work_is_named() {
        for (config, start) in [
            (json!({ "base": "people" }), "`accounts.base`"),
            (json!({ "base": "" }), "`accounts.base`"),
            (json!({ "filter": "(uid=*" }), "`accounts.filter`"),
            (json!({ "filter": "(uid=a)(uid=b)" }), "`accounts.filter`"),
            (json!({ "stable_id": "*" }), "`accounts.stable_id`"),
            (json!({ "name": "userPassword" }), "`accounts.name`"),
            (json!({ "password_changed_at": "userPassword" }), "`accounts.password_changed_at`: `userPassword` holds"),
            (json!({ "password_changed_at": "*" }), "`accounts.password_changed_at`"),
            (json!({ "attributes": ["uid", "userPassword"] }), "`accounts.attributes`: `userPassword` holds"),
            (json!({ "attributes": ["2.5.4.35"] }), "`accounts.attributes`: `2.5.4.35` holds"),
            (json!({ "attributes": ["sambaNTPassword"] }), "`accounts.attributes`"),
            (json!({ "attributes": ["userPassword;x-y"] }), "`accounts.attributes`"),
            (json!({ "attributes": ["+"] }), "`accounts.attributes`"),
            (json!({ "page_size": 0 }), "`accounts.page_size`"),
            (json!({ "page_size": 5001 }), "`accounts.page_size`"),
        ] {
            let problem = parse(config.clone()).err().unwrap_or_else(|| panic!("{config} passed")).to_string();
            assert!(problem.starts_with(start), "{problem}");
        }
    }
}
