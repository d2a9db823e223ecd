//! Policy holders: which policy binds a password on which source, for whom.
//!
//! A holder is an entry of a source's ordered list. Whether its policy exists, and what it is called, the store knows.

use serde::{Deserialize, Serialize};

use crate::id::PasswordPolicyId;
use crate::identity::Identity;

/// One entry of a source's list, in the contract's names (`PasswordPolicyHoldersDto`). The contract's `policyName` is
/// not kept: it would go stale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyHolder {
    /// The policy that binds those whom the selectors match.
    pub policy_id: PasswordPolicyId,
    /// Who they are; none: everybody whom no other entry matches.
    #[serde(default)]
    pub selectors: Option<Selectors>,
}

/// What an identity must be like, all of it at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Selectors {
    /// The attributes it must have. An empty list is the same as no selectors: an entry that matched everybody would
    /// hide every entry below it.
    pub identity_attr: Vec<Selector>,
}

/// An attribute of the identity and the value it must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    /// The attribute's name, spelled as the identity has it.
    pub name: String,
    /// The value, compared without regard to case and to white space around it.
    pub value: String,
}

impl Selector {
    fn matches(&self, identity: &Identity) -> bool {
        let key = |text: &str| Identity::alias_key(text.trim());
        identity.attributes.get(&self.name).is_some_and(|value| key(value) == key(&self.value))
    }
}

/// The policy that binds a new password of `identity`: the sync group's where the source is in one, without exception;
/// else that of the first holder whose selectors all match; else that of the first holder without selectors; else the
/// Default policy.
pub fn binding_policy(
    group_policy: Option<PasswordPolicyId>,
    holders: &[PolicyHolder],
    identity: &Identity,
) -> PasswordPolicyId {
    fn selectors(holder: &PolicyHolder) -> &[Selector] {
        holder.selectors.as_ref().map_or(&[], |selectors| &selectors.identity_attr)
    }
    let selected = |holder: &&PolicyHolder| {
        let selectors = selectors(holder);
        !selectors.is_empty() && selectors.iter().all(|selector| selector.matches(identity))
    };
    let unselected = |holder: &&PolicyHolder| selectors(holder).is_empty();

    group_policy
        .or_else(|| holders.iter().find(selected).map(|holder| holder.policy_id))
        .or_else(|| holders.iter().find(unselected).map(|holder| holder.policy_id))
        .unwrap_or(PasswordPolicyId::DEFAULT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::id::{IdentityId, SourceId};

    fn policy(number: u128) -> PasswordPolicyId {
        PasswordPolicyId(Uuid::from_u128(number))
    }

    fn holder(number: u128, selectors: &[(&str, &str)]) -> PolicyHolder {
        let identity_attr = selectors
            .iter()
            .map(|(name, value)| Selector { name: (*name).to_owned(), value: (*value).to_owned() })
            .collect();
        PolicyHolder { policy_id: policy(number), selectors: Some(Selectors { identity_attr }) }
    }

    fn abby() -> Identity {
        Identity {
            id: IdentityId(Uuid::from_u128(1)),
            alias: "Abby.Smith".to_owned(),
            display_name: "Abby Smith".to_owned(),
            email: None,
            attributes: BTreeMap::from([
                ("country".to_owned(), "Canada".to_owned()),
                ("department".to_owned(), "Sales".to_owned()),
            ]),
            sign_in_source: SourceId::IDENTITY_NOW,
            enabled: true,
        }
    }

    #[test]
    fn the_groups_policy_binds_without_exception() {
        let holders = [holder(1, &[("country", "Canada")]), PolicyHolder { policy_id: policy(2), selectors: None }];
        assert_eq!(binding_policy(Some(policy(9)), &holders, &abby()), policy(9));
    }

    #[test]
    fn the_first_entry_whose_selectors_all_match_binds() {
        let fallback = PolicyHolder { policy_id: policy(9), selectors: None };
        for (holders, expected) in [
            (vec![holder(1, &[("country", "Canada")]), holder(2, &[("department", "Sales")])], 1),
            (vec![holder(1, &[("country", "France")]), holder(2, &[("department", "Sales")])], 2),
            (vec![holder(1, &[("country", "Canada"), ("department", "Law")]), holder(2, &[("country", "Canada")])], 2),
            (vec![holder(1, &[("country", "Canada"), ("department", "Sales")])], 1),
            (vec![holder(1, &[("country", " CANADA ")])], 1),
            (vec![fallback.clone(), holder(2, &[("country", "Canada")])], 2),
            (vec![fallback.clone(), holder(2, &[("country", "France")])], 9),
            (vec![fallback.clone(), holder(2, &[("planet", "Earth")])], 9),
            (vec![holder(1, &[]), holder(2, &[("country", "Canada")])], 2),
            (vec![holder(1, &[]), fallback], 1),
        ] {
            assert_eq!(binding_policy(None, &holders, &abby()), policy(expected), "{holders:?}");
        }
    }

    #[test]
    fn the_default_binds_where_nothing_else_does() {
        assert_eq!(binding_policy(None, &[], &abby()), PasswordPolicyId::DEFAULT);
        assert_eq!(binding_policy(None, &[holder(1, &[("country", "France")])], &abby()), PasswordPolicyId::DEFAULT);
    }

    #[test]
    fn the_contracts_names_are_read_and_written() {
        let wire = json!({
            "policyId": "2c91808e7d976f3b017d9f5ceae440c8",
            "selectors": {"identityAttr": [{"name": "country", "value": "Canada"}]}
        });
        let mut sent = wire.clone();
        sent["policyName"] = json!("PasswordPolicy Example");
        let holder: PolicyHolder = serde_json::from_value(sent).expect("read");
        assert_eq!(serde_json::to_value(&holder).expect("written"), wire);
        let text = r#"{"policyId":"2c91808e7d976f3b017d9f5ceae440c8","selectors":null}"#;
        let holder: PolicyHolder = serde_json::from_str(text).expect("read");
        assert_eq!(holder.selectors, None);
        assert_eq!(serde_json::to_string(&holder).expect("written"), text);
    }
}
