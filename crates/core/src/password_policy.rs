//! Password policies: what a new password must be, and how that is said.
//!
//! The fields are those of the contract (`PasswordPolicyV3Dto`) and three of our own: `history`, `useBreachCheck` and
//! `useLookalikeCheck`. History is only a number here: comparing a password with older ones needs their hashes and the
//! pepper, which the vault keeps. Expiry and strong authentication are only told here; whoever signs people in applies
//! them.

pub mod common;
pub mod conformance;
pub mod describe;
pub mod dictionary;
pub mod generate;
pub mod holder;
mod lookalike;
pub mod rules;
pub mod strength;
pub mod validate;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::auth_org::Trust;
use crate::id::PasswordPolicyId;

/// A password policy.
///
/// Reading (the wire, `apply` files, the store) and writing use the contract's names in camelCase. A field that is left
/// out or null is off, with the value the contract publishes for "off"; unknown fields are ignored, because the
/// published SDKs send both. Numbers are JSON integers: `8.0` and `"8"` are refused. [`PasswordPolicy::default`] is
/// something else: the Default policy that Lockstep ships.
///
/// Lengths and counts are in Unicode scalar values of the password after NFC normalisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default = "PasswordPolicy::unrestricted")]
pub struct PasswordPolicy {
    /// Lockstep's own id; [`PasswordPolicy::NO_ID`] until the policy is stored.
    #[serde(deserialize_with = "null_is_no_id")]
    pub id: PasswordPolicyId,
    /// What administrators call it.
    #[serde(deserialize_with = "null_is_empty")]
    pub name: String,
    /// A sentence for administrators.
    pub description: Option<String>,
    /// The greatest length; 0: none.
    #[serde(deserialize_with = "null_is_empty")]
    pub max_length: i64,
    /// The least length; 0: none.
    #[serde(deserialize_with = "null_is_empty")]
    pub min_length: i64,
    /// How many letters at least, of either case or of a script without case.
    #[serde(deserialize_with = "null_is_empty")]
    pub min_alpha: i64,
    /// How many upper-case letters at least.
    #[serde(deserialize_with = "null_is_empty")]
    pub min_upper: i64,
    /// How many lower-case letters at least.
    #[serde(deserialize_with = "null_is_empty")]
    pub min_lower: i64,
    /// How many digits at least.
    #[serde(deserialize_with = "null_is_empty")]
    pub min_numeric: i64,
    /// How many special characters at least: neither letter, digit nor white space.
    #[serde(deserialize_with = "null_is_empty")]
    pub min_special: i64,
    /// How many of the four types upper, lower, digit and special must occur; below 1: off.
    #[serde(deserialize_with = "null_is_off")]
    pub min_character_types: i64,
    /// How often one character may follow itself: 2 refuses `aaa`; below 1: off.
    #[serde(deserialize_with = "null_is_off")]
    pub max_repeated_chars: i64,
    /// Whether a value of an attribute of the account (3 characters or more) may not be inside the password.
    #[serde(deserialize_with = "null_is_empty")]
    pub use_account_attributes: bool,
    /// Whether a value of an attribute of the identity (3 characters or more) may not be inside the password.
    #[serde(deserialize_with = "null_is_empty")]
    pub use_identity_attributes: bool,
    /// Whether parts of the account's id on its source may not be inside the password.
    #[serde(deserialize_with = "null_is_empty")]
    pub validate_against_account_id: bool,
    /// How long such a part is; below 1: only the whole id counts.
    #[serde(deserialize_with = "null_is_off")]
    pub account_id_min_word_length: i64,
    /// Whether parts of the account's name may not be inside the password.
    #[serde(deserialize_with = "null_is_empty")]
    pub validate_against_account_name: bool,
    /// How long such a part is; below 1: only the whole name counts.
    #[serde(deserialize_with = "null_is_off")]
    pub account_name_min_word_length: i64,
    /// Whether words of the organisation's dictionary may not be inside the password.
    #[serde(deserialize_with = "null_is_empty")]
    pub use_dictionary: bool,
    /// Whether passwords expire.
    #[serde(deserialize_with = "null_is_empty")]
    pub enable_passwd_expiration: bool,
    /// After how many days; counts only when passwords expire.
    #[serde(deserialize_with = "null_is_ninety")]
    pub password_expiration: i64,
    /// How many days before that the first reminder is sent; none: no reminder.
    pub first_expiration_reminder: Option<i64>,
    /// Whether changing a password needs a second factor.
    #[serde(deserialize_with = "null_is_empty")]
    pub require_strong_authn: bool,
    /// Whether it does from outside the organisation's network.
    #[serde(deserialize_with = "null_is_empty")]
    pub require_strong_auth_off_network: bool,
    /// Whether it does from a country that is not trusted.
    #[serde(deserialize_with = "null_is_empty")]
    pub require_strong_auth_untrusted_geographies: bool,
    /// Whether this is the policy that binds where no other does.
    #[serde(deserialize_with = "null_is_empty")]
    pub default_policy: bool,
    /// How many old passwords may not come back; 0: off. Ours, not the contract's.
    #[serde(deserialize_with = "null_is_empty")]
    pub history: i64,
    /// Whether the commonest passwords are refused (see [`common`]). Ours, not the contract's.
    #[serde(deserialize_with = "null_is_empty")]
    pub use_breach_check: bool,
    /// Whether the checks of attributes and of the account's id and name that are on also refuse look-alikes: other
    /// letters for digits and signs (`p0LL` for `Poll`) and one changed letter. Ours, not the contract's.
    #[serde(deserialize_with = "null_is_empty")]
    pub use_lookalike_check: bool,
}

impl PasswordPolicy {
    /// When a password that was set then is to be changed; none where passwords do not expire.
    pub fn expires_at(&self, changed_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if !self.enable_passwd_expiration {
            return None;
        }
        TimeDelta::try_days(self.password_expiration).and_then(|life| changed_at.checked_add_signed(life))
    }

    /// Whether a person is to be reminded of a password that expires then.
    pub fn reminds_of(&self, expires_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let before = self.first_expiration_reminder.and_then(TimeDelta::try_days);
        before.and_then(|before| expires_at.checked_sub_signed(before)).is_some_and(|from| from <= now)
    }

    /// Whether a person shows a second factor before a change, who is trusted so far for where they are.
    pub fn asks_for_second_factor(&self, trust: Trust) -> bool {
        self.require_strong_authn
            || (self.require_strong_auth_off_network && !trust.network)
            || (self.require_strong_auth_untrusted_geographies && !trust.country)
    }

    /// The id of a policy that has not been stored.
    pub const NO_ID: PasswordPolicyId = PasswordPolicyId(Uuid::nil());

    /// The policy that refuses nothing: every field as the contract publishes its "off".
    pub fn unrestricted() -> Self {
        Self {
            id: Self::NO_ID,
            name: String::new(),
            description: None,
            max_length: 0,
            min_length: 0,
            min_alpha: 0,
            min_upper: 0,
            min_lower: 0,
            min_numeric: 0,
            min_special: 0,
            min_character_types: OFF,
            max_repeated_chars: OFF,
            use_account_attributes: false,
            use_identity_attributes: false,
            validate_against_account_id: false,
            account_id_min_word_length: OFF,
            validate_against_account_name: false,
            account_name_min_word_length: OFF,
            use_dictionary: false,
            enable_passwd_expiration: false,
            password_expiration: NINETY_DAYS,
            first_expiration_reminder: None,
            require_strong_authn: false,
            require_strong_auth_off_network: false,
            require_strong_auth_untrusted_geographies: false,
            default_policy: false,
            history: 0,
            use_breach_check: false,
            use_lookalike_check: false,
        }
    }
}

/// The Default policy that Lockstep ships: 15 characters (NIST SP 800-63B-4 section 3.1.1.2, for a password that is the
/// only factor), no composition rule and no expiry, but a list of what must not be chosen: the commonest passwords, the
/// organisation's words, and the names of the person in any disguise.
impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            id: PasswordPolicyId::DEFAULT,
            name: "Default".to_owned(),
            description: Some("Binds wherever no other policy does.".to_owned()),
            min_length: 15,
            use_identity_attributes: true,
            validate_against_account_name: true,
            account_name_min_word_length: 4,
            use_dictionary: true,
            default_policy: true,
            use_breach_check: true,
            use_lookalike_check: true,
            ..Self::unrestricted()
        }
    }
}

/// What the contract writes for "this limit is off" where 0 would be a limit.
const OFF: i64 = -1;

/// The contract's `passwordExpiration` of a policy that says nothing.
const NINETY_DAYS: i64 = 90;

fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn null_is_off<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(OFF))
}

fn null_is_ninety<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(NINETY_DAYS))
}

fn null_is_no_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PasswordPolicyId, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(PasswordPolicy::NO_ID))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_password_expires_after_so_many_days_and_somebody_is_told_before() {
        let set = DateTime::UNIX_EPOCH;
        let day = TimeDelta::days;
        let mut policy = PasswordPolicy { password_expiration: 90, ..PasswordPolicy::unrestricted() };
        assert_eq!(policy.expires_at(set), None);
        policy.enable_passwd_expiration = true;
        let expires = policy.expires_at(set).expect("an end");
        assert_eq!(expires, set + day(90));
        assert!(!policy.reminds_of(expires, set + day(89)));
        policy.first_expiration_reminder = Some(14);
        assert!(!policy.reminds_of(expires, set + day(75)) && policy.reminds_of(expires, set + day(76)));
        for nonsense in [i64::MAX, i64::MIN] {
            policy.password_expiration = nonsense;
            policy.first_expiration_reminder = Some(nonsense);
            assert_eq!(policy.expires_at(set), None);
            assert!(!policy.reminds_of(expires, set));
        }
    }

    #[test]
    fn a_field_that_is_left_out_or_null_is_off() {
        let left_out: PasswordPolicy = serde_json::from_value(json!({"name": "Example", "extra": 1})).expect("read");
        let expected = PasswordPolicy { name: "Example".to_owned(), ..PasswordPolicy::unrestricted() };
        assert_eq!(left_out, expected);

        let Value::Object(written) = serde_json::to_value(&expected).expect("written") else { panic!("an object") };
        for field in written.keys().filter(|field| *field != "name") {
            let read: PasswordPolicy = serde_json::from_value(json!({"name": "Example", field: null})).expect(field);
            assert_eq!(read, expected, "{field}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for policy in [PasswordPolicy::default(), PasswordPolicy::unrestricted()] {
            let text = serde_json::to_string(&policy).expect("written");
            assert_eq!(serde_json::from_str::<PasswordPolicy>(&text).expect("read"), policy);
        }
    }

    #[test]
    fn every_field_of_the_contract_has_its_name() {
        let Value::Object(written) = serde_json::to_value(PasswordPolicy::default()).expect("written") else {
            panic!("an object")
        };
        for field in [
            "id",
            "name",
            "description",
            "maxLength",
            "minLength",
            "minAlpha",
            "minUpper",
            "minLower",
            "minNumeric",
            "minSpecial",
            "minCharacterTypes",
            "maxRepeatedChars",
            "useAccountAttributes",
            "useIdentityAttributes",
            "validateAgainstAccountId",
            "accountIdMinWordLength",
            "validateAgainstAccountName",
            "accountNameMinWordLength",
            "useDictionary",
            "enablePasswdExpiration",
            "passwordExpiration",
            "firstExpirationReminder",
            "requireStrongAuthn",
            "requireStrongAuthOffNetwork",
            "requireStrongAuthUntrustedGeographies",
            "defaultPolicy",
        ] {
            assert!(written.contains_key(field), "{field}");
        }
    }

    #[test]
    fn a_second_factor_is_asked_of_those_who_are_not_trusted_for_where_they_are() {
        let everybody = [(false, false), (false, true), (true, false), (true, true)];
        for (always, off_network, geographies) in [
            (false, false, false),
            (true, false, false),
            (false, true, false),
            (false, false, true),
            (false, true, true),
        ] {
            let policy = PasswordPolicy {
                require_strong_authn: always,
                require_strong_auth_off_network: off_network,
                require_strong_auth_untrusted_geographies: geographies,
                ..PasswordPolicy::unrestricted()
            };
            for (network, country) in everybody {
                let asks = always || (off_network && !network) || (geographies && !country);
                assert_eq!(policy.asks_for_second_factor(Trust { network, country }), asks, "{network} {country}");
            }
        }
    }

    #[test]
    fn a_number_of_the_wrong_type_is_refused() {
        for wrong in [json!(8.0), json!("8"), json!(true), json!([8])] {
            assert!(serde_json::from_value::<PasswordPolicy>(json!({"minLength": wrong})).is_err(), "{wrong}");
        }
    }
}
