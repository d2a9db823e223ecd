//! What an authoritative account says of its identity.

use std::collections::BTreeMap;

use super::{Entry, Mapping};
use crate::id::{IdentityId, SourceId};
use crate::identity::Identity;

/// The longest alias, in characters.
const LONGEST_ALIAS: usize = 255;

/// Why an account makes no identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It has no value where the login name should be.
    #[error("it has no login name")]
    NoAlias,
    /// What stands there can be no login name.
    #[error("its login name has control characters or more than {LONGEST_ALIAS} characters")]
    Alias,
}

/// The identity that an account makes.
///
/// # Errors
/// Why it makes none.
pub fn create(mapping: &Mapping, entry: &Entry, id: IdentityId) -> Result<Identity, Unusable> {
    let alias = alias(mapping, entry)?;
    let identity = Identity {
        id,
        alias: alias.to_owned(),
        display_name: alias.to_owned(),
        email: None,
        attributes: BTreeMap::new(),
        sign_in_source: SourceId::IDENTITY_NOW,
        enabled: true,
    };
    Ok(update(mapping, entry, &identity))
}

/// The identity as the account has it now. What the account cannot say, and what the mapping does not name, stays.
pub fn update(mapping: &Mapping, entry: &Entry, identity: &Identity) -> Identity {
    let said = |name: &Option<String>| entry.value(name.as_deref()?).map(str::to_owned);
    let mut updated = identity.clone();
    if let Ok(alias) = alias(mapping, entry) {
        updated.alias = alias.to_owned();
    }
    if let Some(name) = said(&mapping.display_name) {
        updated.display_name = name;
    }
    if mapping.email.is_some() {
        updated.email = said(&mapping.email);
    }
    for (name, from) in &mapping.attributes {
        match entry.value(from) {
            Some(value) => updated.attributes.insert(name.clone(), value.to_owned()),
            None => updated.attributes.remove(name),
        };
    }
    updated
}

fn alias<'a>(mapping: &Mapping, entry: &'a Entry) -> Result<&'a str, Unusable> {
    let alias = mapping.alias.as_deref().and_then(|name| entry.value(name)).ok_or(Unusable::NoAlias)?;
    match alias.chars().count() > LONGEST_ALIAS || alias.chars().any(char::is_control) {
        true => Err(Unusable::Alias),
        false => Ok(alias),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::entry::tests::entry;
    use super::*;

    fn mapping() -> Mapping {
        Mapping {
            alias: Some("uid".to_owned()),
            display_name: Some("cn".to_owned()),
            email: Some("mail".to_owned()),
            attributes: [("department".to_owned(), "ou".to_owned())].into(),
        }
    }

    #[test]
    fn an_account_says_who_somebody_is_and_what_it_does_not_say_stays() {
        let id = IdentityId(Uuid::from_u128(1));
        let first = entry(&[("uid", "abby"), ("cn", "Abby Smith"), ("mail", "a@example.test"), ("ou", "Sales")]);
        let mut abby = create(&mapping(), &first, id).expect("an identity");
        assert_eq!((abby.alias.as_str(), abby.display_name.as_str()), ("abby", "Abby Smith"));
        assert_eq!((abby.email.as_deref(), abby.attributes["department"].as_str()), (Some("a@example.test"), "Sales"));
        assert_eq!(update(&mapping(), &first, &abby), abby);

        abby.attributes.insert("own".to_owned(), "kept".to_owned());
        abby.enabled = false;
        let later = update(&mapping(), &entry(&[("uid", "abby.jones")]), &abby);
        assert_eq!((later.alias.as_str(), later.display_name.as_str()), ("abby.jones", "Abby Smith"));
        assert_eq!((later.email, later.enabled), (None, false));
        assert_eq!(later.attributes, [("own".to_owned(), "kept".to_owned())].into());
    }

    #[test]
    fn without_a_login_name_there_is_no_identity() {
        let id = IdentityId(Uuid::from_u128(1));
        let made = |value: &str| create(&mapping(), &entry(&[("uid", value)]), id);
        assert_eq!(made(" "), Err(Unusable::NoAlias));
        assert_eq!(made("a\nb"), Err(Unusable::Alias));
        assert_eq!(made(&"a".repeat(256)), Err(Unusable::Alias));
        assert_eq!(made("abby").expect("an identity").display_name, "abby");
    }
}
