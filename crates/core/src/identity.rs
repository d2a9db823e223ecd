//! Identities: the people whose passwords are changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aggregation::Aggregation;
use crate::id::{IdentityId, SourceId};

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Lockstep's own id; its last byte is the identity's bucket.
    pub id: IdentityId,
    /// The login name, unique without regard to case: `Abby.Smith`.
    pub alias: String,
    /// What people are called on pages and in mail.
    pub display_name: String,
    /// Where mail reaches the person, if anywhere.
    pub email: Option<String>,
    /// What selectors and the context rules of a password policy look at, by attribute name.
    pub attributes: BTreeMap<String, String>,
    /// The source whose password signs this person in, and so the one that a change reaches first.
    pub sign_in_source: SourceId,
    /// A disabled identity signs in nowhere, holds no living token, and has no password changed.
    pub enabled: bool,
}

impl Identity {
    /// A value by the name that a rule of correlation has for it; none where there is none.
    pub fn value(&self, name: &str) -> Option<&str> {
        match name {
            Aggregation::ALIAS => Some(&self.alias),
            Aggregation::EMAIL => self.email.as_deref(),
            _ => self.attributes.get(name).map(String::as_str),
        }
    }

    /// The form of an alias in which two of them are compared.
    pub fn alias_key(alias: &str) -> String {
        use unicode_normalization::UnicodeNormalization;
        alias.nfkc().collect::<String>().to_lowercase()
    }

    /// The first name, under the name of the contract's attribute or of a directory's.
    pub fn first_name(&self) -> Option<&str> {
        self.attribute(["firstname", "givenName"])
    }

    /// The last name, likewise.
    pub fn last_name(&self) -> Option<&str> {
        self.attribute(["lastname", "sn"])
    }

    fn attribute(&self, names: [&str; 2]) -> Option<&str> {
        names.iter().find_map(|name| self.attributes.get(*name)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_found_whatever_its_case_and_spelling() {
        assert_eq!(Identity::alias_key("Abby.Smith"), Identity::alias_key("abby.SMITH"));
        assert_eq!(Identity::alias_key("Zo\u{eb}"), Identity::alias_key("zoe\u{308}"));
        assert_ne!(Identity::alias_key("abby"), Identity::alias_key("aby"));
    }
}
