//! The organisation's password settings: custom instructions and digit tokens.
//!
//! There is one. It holds switches and defaults only; the instructions themselves are kept elsewhere.

use serde::{Deserialize, Serialize};

use crate::digit_token;

/// The settings, in the contract's names (`PasswordOrgConfig`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PasswordOrgConfig {
    /// Whether pages show the organisation's own instructions.
    pub custom_instructions_enabled: bool,
    /// Whether digit tokens can be drawn.
    pub digit_token_enabled: bool,
    /// How long a digit token lives where the request does not say, in minutes.
    pub digit_token_duration_minutes: i64,
    /// How many digits it has where the request does not say; a request may ask for more, never for fewer.
    pub digit_token_length: i64,
}

/// As published: everything off, six digits, five minutes.
impl Default for PasswordOrgConfig {
    fn default() -> Self {
        Self {
            custom_instructions_enabled: false,
            digit_token_enabled: false,
            digit_token_duration_minutes: 5,
            digit_token_length: 6,
        }
    }
}

/// What a request wants changed; what is left out or null stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PasswordOrgConfigChange {
    /// See [`PasswordOrgConfig::custom_instructions_enabled`].
    pub custom_instructions_enabled: Option<bool>,
    /// See [`PasswordOrgConfig::digit_token_enabled`].
    pub digit_token_enabled: Option<bool>,
    /// See [`PasswordOrgConfig::digit_token_duration_minutes`].
    pub digit_token_duration_minutes: Option<i64>,
    /// See [`PasswordOrgConfig::digit_token_length`].
    pub digit_token_length: Option<i64>,
}

/// A setting is out of its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be between {min} and {max}, but is {value}")]
pub struct InvalidOrgConfig {
    /// The contract's field.
    pub field: &'static str,
    /// What was given.
    pub value: i64,
    /// The least value.
    pub min: i64,
    /// The greatest value.
    pub max: i64,
}

impl PasswordOrgConfig {
    /// These settings with `change` applied. Creating them is a change of the defaults.
    pub fn merge(&self, change: &PasswordOrgConfigChange) -> Result<Self, InvalidOrgConfig> {
        let merged = Self {
            custom_instructions_enabled: change.custom_instructions_enabled.unwrap_or(self.custom_instructions_enabled),
            digit_token_enabled: change.digit_token_enabled.unwrap_or(self.digit_token_enabled),
            digit_token_duration_minutes: change
                .digit_token_duration_minutes
                .unwrap_or(self.digit_token_duration_minutes),
            digit_token_length: change.digit_token_length.unwrap_or(self.digit_token_length),
        };
        merged.validate()?;
        Ok(merged)
    }

    /// Refuses what no digit token may be like.
    pub fn validate(&self) -> Result<(), InvalidOrgConfig> {
        for (field, value, bounds) in [
            ("digitTokenDurationMinutes", self.digit_token_duration_minutes, digit_token::MINUTES),
            ("digitTokenLength", self.digit_token_length, digit_token::LENGTHS),
        ] {
            if !bounds.contains(&value) {
                return Err(InvalidOrgConfig { field, value, min: *bounds.start(), max: *bounds.end() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(change: serde_json::Value) -> PasswordOrgConfigChange {
        serde_json::from_value(change).expect("a change")
    }

    #[test]
    fn what_is_left_out_or_null_stays() {
        let config = PasswordOrgConfig::default();
        assert_eq!(config.merge(&change(json!({}))), Ok(config.clone()));
        assert_eq!(config.merge(&change(json!({"digitTokenLength": null, "extra": 1}))), Ok(config.clone()));

        let on =
            config.merge(&change(json!({"digitTokenEnabled": true, "digitTokenDurationMinutes": 9}))).expect("merged");
        assert_eq!(
            serde_json::to_value(&on).expect("written"),
            json!({
                "customInstructionsEnabled": false, "digitTokenEnabled": true,
                "digitTokenDurationMinutes": 9, "digitTokenLength": 6
            })
        );
        let longer =
            on.merge(&change(json!({"digitTokenLength": 12, "customInstructionsEnabled": true}))).expect("merged");
        assert_eq!((longer.digit_token_duration_minutes, longer.digit_token_length), (9, 12));
        assert!(longer.digit_token_enabled && longer.custom_instructions_enabled);
    }

    #[test]
    fn a_setting_out_of_bounds_is_named() {
        for (field, value, message) in [
            ("digitTokenLength", 5, "digitTokenLength must be between 6 and 18, but is 5"),
            ("digitTokenLength", 19, "digitTokenLength must be between 6 and 18, but is 19"),
            ("digitTokenDurationMinutes", 0, "digitTokenDurationMinutes must be between 1 and 60, but is 0"),
            ("digitTokenDurationMinutes", 61, "digitTokenDurationMinutes must be between 1 and 60, but is 61"),
        ] {
            let error = PasswordOrgConfig::default().merge(&change(json!({field: value}))).expect_err(message);
            assert_eq!(error.to_string(), message);
        }
        for (field, value) in
            [("digitTokenLength", 18), ("digitTokenDurationMinutes", 60), ("digitTokenDurationMinutes", 1)]
        {
            assert!(PasswordOrgConfig::default().merge(&change(json!({field: value}))).is_ok(), "{field} {value}");
        }
    }
}
