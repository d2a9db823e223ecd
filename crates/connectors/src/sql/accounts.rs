//! The settings that say which rows are accounts, and which column of a row is what.

use serde::Deserialize;

use super::config::{Engine, translate};
use super::statement::{Parameter, Statement};
use crate::config::ConfigError;
use crate::failure::{Failure, RefusalKind};
use crate::secret_name::is_secret;

/// The table `accounts` as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    /// Reads all accounts, a row each: the columns `stable_id` and `account`, `name`, `enabled` and `password_changed_at` if
    /// there are such, `changed_at` with `changed`; every other column is an attribute of that name.
    statement: String,
    /// Reads the accounts that may have changed since `:since`, a `changed_at` of before.
    changed: Option<String>,
    /// Reads the account that has `:stable_id`.
    one: Option<String>,
}

/// How accounts are read.
pub(super) struct Accounts {
    pub(super) statement: Statement,
    pub(super) changed: Option<Statement>,
    pub(super) one: Option<Statement>,
}

impl Accounts {
    pub(super) fn parse(fields: &Fields, engine: Engine) -> Result<Self, ConfigError> {
        let optional = |field: &str, text: &Option<String>, needed| {
            text.as_deref().map(|text| translate(field, text, engine, &[needed])).transpose()
        };
        Ok(Self {
            statement: translate("accounts.statement", &fields.statement, engine, &[])?,
            changed: optional("accounts.changed", &fields.changed, Parameter::Since)?,
            one: optional("accounts.one", &fields.one, Parameter::StableId)?,
        })
    }
}

/// What a column of an account's row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    StableId,
    Account,
    Name,
    Enabled,
    PasswordChangedAt,
    ChangedAt,
    Attribute(String),
}

/// What each column is, by its name.
pub(super) fn roles(columns: &[String], with_changes: bool) -> Result<Vec<Role>, Failure> {
    let wrong = |detail: String| Failure::refused(RefusalKind::Misconfigured, detail);
    let mut roles = Vec::with_capacity(columns.len());
    for column in columns {
        let role = match column.to_ascii_lowercase().as_str() {
            "stable_id" => Role::StableId,
            "account" => Role::Account,
            "name" => Role::Name,
            "enabled" => Role::Enabled,
            "password_changed_at" => Role::PasswordChangedAt,
            "changed_at" => Role::ChangedAt,
            _ if is_secret(column) => {
                return Err(wrong(format!(
                    "the statement for accounts gives the column `{column}`, which holds passwords, hashes or keys: \
                     those are never read; name the columns that are wanted"
                )));
            }
            _ => Role::Attribute(column.clone()),
        };
        if roles.contains(&role) {
            return Err(wrong(format!("the statement for accounts gives the column `{column}` twice")));
        }
        roles.push(role);
    }
    let needed = [(Role::StableId, "stable_id", true), (Role::Account, "account", true)];
    for (role, name, needed) in needed.into_iter().chain([(Role::ChangedAt, "changed_at", with_changes)]) {
        if needed && !roles.contains(&role) {
            return Err(wrong(format!("the statement for accounts gives no column `{name}`; write `… AS {name}`")));
        }
    }
    Ok(roles)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(columns: &[&str], with_changes: bool) -> Result<Vec<Role>, String> {
        let columns: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
        roles(&columns, with_changes).map_err(|failure| failure.detail)
    }

    #[test]
    fn columns_are_known_by_their_names() {
        let roles = told(&["STABLE_ID", "account", "mail", "Password_Changed_At", "changed_at"], true);
        let mail = Role::Attribute("mail".to_owned());
        let expected = vec![Role::StableId, Role::Account, mail, Role::PasswordChangedAt, Role::ChangedAt];
        assert_eq!(roles, Ok(expected));
    }

    #[test]
    fn what_is_missing_secret_or_double_is_named() {
        for (columns, with_changes, word) in [
            (&["account"][..], false, "`stable_id`"),
            (&["stable_id"], false, "`account`"),
            (&["stable_id", "account"], true, "`changed_at`"),
            (&["stable_id", "account", "password_hash"], false, "`password_hash`"),
            (&["stable_id", "account", "mail", "mail"], false, "twice"),
            (&["stable_id", "account", "Account"], false, "twice"),
        ] {
            let problem = told(columns, with_changes).expect_err(word);
            assert!(problem.contains(word), "{problem}");
        }
    }
}
