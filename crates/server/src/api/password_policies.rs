//! `…/password-policies`: the rules for new passwords.

pub(super) mod read;
pub(super) mod write;

use lockstep_core::id::SourceId;
use lockstep_core::password_policy::PasswordPolicy;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::instant;
use crate::app::password_policy::Policy;

/// A password policy.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PasswordPolicy)]
pub(super) struct PolicyView {
    /// Its id.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    id: String,
    /// When it was made, in milliseconds since 1970.
    date_created: i64,
    /// When it was last changed, in milliseconds since 1970; null if it never was.
    last_updated: Option<i64>,
    /// When it was made.
    #[schema(format = "date-time")]
    created: String,
    /// When it was last changed; null if it never was.
    #[schema(format = "date-time")]
    modified: Option<String>,
    /// Whether it binds where no other does. There is one such policy; which one cannot be changed.
    default_policy: bool,
    /// The sources outside of sync groups whose own list names it. In a request it can only be repeated.
    source_ids: Vec<String>,
    #[serde(flatten)]
    rules: Rules,
}

/// What a password policy asks for. What a request leaves out, or where it says null, is off.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[schema(as = PasswordPolicyRules)]
pub(super) struct Rules {
    /// What administrators call it; unique.
    #[schema(required = true, max_length = 255, examples("Everyday"))]
    name: String,
    /// A sentence for administrators.
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// The greatest length; 0: none.
    #[schema(minimum = 0)]
    max_length: i64,
    /// The least length; 0: none.
    #[schema(minimum = 0)]
    min_length: i64,
    /// How many letters at least.
    #[schema(minimum = 0)]
    min_alpha: i64,
    /// How many upper-case letters at least.
    #[schema(minimum = 0)]
    min_upper: i64,
    /// How many lower-case letters at least.
    #[schema(minimum = 0)]
    min_lower: i64,
    /// How many digits at least.
    #[schema(minimum = 0)]
    min_numeric: i64,
    /// How many special characters at least.
    #[schema(minimum = 0)]
    min_special: i64,
    /// How many of the four types upper, lower, digit and special must occur; -1: off.
    #[schema(minimum = -1, maximum = 4)]
    min_character_types: i64,
    /// How often one character may follow itself: 2 refuses `aaa`; -1: off.
    #[schema(minimum = -1)]
    max_repeated_chars: i64,
    /// Whether a value of an attribute of the account may not be inside the password.
    use_account_attributes: bool,
    /// Whether a value of an attribute of the person may not be inside the password.
    use_identity_attributes: bool,
    /// Whether parts of the account's id may not be inside the password.
    validate_against_account_id: bool,
    /// How long such a part is; -1: only the whole id counts.
    #[schema(minimum = -1)]
    account_id_min_word_length: i64,
    /// Whether parts of the account's name may not be inside the password.
    validate_against_account_name: bool,
    /// How long such a part is; -1: only the whole name counts.
    #[schema(minimum = -1)]
    account_name_min_word_length: i64,
    /// Whether words of the organisation's dictionary may not be inside the password.
    use_dictionary: bool,
    /// Whether passwords expire.
    enable_passwd_expiration: bool,
    /// After how many days.
    #[schema(minimum = 0)]
    password_expiration: i64,
    /// How many days before that the first reminder is sent; null: none.
    #[schema(minimum = 0)]
    first_expiration_reminder: Option<i64>,
    /// Whether changing a password needs a second factor.
    require_strong_authn: bool,
    /// Whether it does from outside the organisation's network.
    require_strong_auth_off_network: bool,
    /// Whether it does from a country that is not trusted.
    require_strong_auth_untrusted_geographies: bool,
    /// How many old passwords may not come back; 0: off. Lockstep's own.
    #[schema(minimum = 0, maximum = 100)]
    history: i64,
    /// Whether the commonest passwords are refused. Lockstep's own.
    use_breach_check: bool,
    /// Whether look-alikes of names and attributes are refused. Lockstep's own.
    use_lookalike_check: bool,
}

/// What a request may say besides the rules.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Beside {
    source_ids: Option<Vec<SourceId>>,
}

impl From<Policy> for PolicyView {
    fn from(policy: Policy) -> Self {
        let Policy { rules, sources, created_at, modified_at } = policy;
        Self {
            id: rules.id.to_string(),
            date_created: created_at.timestamp_millis(),
            last_updated: modified_at.map(|at| at.timestamp_millis()),
            created: instant(created_at),
            modified: modified_at.map(instant),
            default_policy: rules.default_policy,
            source_ids: sources.iter().map(ToString::to_string).collect(),
            rules: rules.into(),
        }
    }
}

impl From<PasswordPolicy> for Rules {
    fn from(rules: PasswordPolicy) -> Self {
        Self {
            name: rules.name,
            description: rules.description,
            max_length: rules.max_length,
            min_length: rules.min_length,
            min_alpha: rules.min_alpha,
            min_upper: rules.min_upper,
            min_lower: rules.min_lower,
            min_numeric: rules.min_numeric,
            min_special: rules.min_special,
            min_character_types: rules.min_character_types,
            max_repeated_chars: rules.max_repeated_chars,
            use_account_attributes: rules.use_account_attributes,
            use_identity_attributes: rules.use_identity_attributes,
            validate_against_account_id: rules.validate_against_account_id,
            account_id_min_word_length: rules.account_id_min_word_length,
            validate_against_account_name: rules.validate_against_account_name,
            account_name_min_word_length: rules.account_name_min_word_length,
            use_dictionary: rules.use_dictionary,
            enable_passwd_expiration: rules.enable_passwd_expiration,
            password_expiration: rules.password_expiration,
            first_expiration_reminder: rules.first_expiration_reminder,
            require_strong_authn: rules.require_strong_authn,
            require_strong_auth_off_network: rules.require_strong_auth_off_network,
            require_strong_auth_untrusted_geographies: rules.require_strong_auth_untrusted_geographies,
            history: rules.history,
            use_breach_check: rules.use_breach_check,
            use_lookalike_check: rules.use_lookalike_check,
        }
    }
}

/// Everything off.
impl Default for Rules {
    fn default() -> Self {
        PasswordPolicy::unrestricted().into()
    }
}
