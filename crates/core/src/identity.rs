//! Identities: the people whose passwords are changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
    /// The form of an alias in which two of them are compared.
    pub fn alias_key(alias: &str) -> String {
        use unicode_normalization::UnicodeNormalization;
        alias.nfkc().collect::<String>().to_lowercase()
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
