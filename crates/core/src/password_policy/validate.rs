//! What is no password policy: limits out of range, and limits that no password can meet.
//!
//! It judges the policy, not passwords (see [`super::rules`]), and it does not know of other policies: whether a name
//! is taken or a policy in use is the store's to say.

use super::PasswordPolicy;
use crate::password::Password;

/// Why a policy is refused. The text names the contract's field and the limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// There is no name, or a name or description is too long.
    #[error("{field} must have {min} to {max} characters")]
    Text {
        /// The contract's field.
        field: &'static str,
        /// The least length in characters.
        min: usize,
        /// The greatest length in characters.
        max: usize,
    },
    /// A number is out of its range.
    #[error("{field} must be between {min} and {max}, but is {value}")]
    OutOfRange {
        /// The contract's field.
        field: &'static str,
        /// What was given.
        value: i64,
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
    /// What must occur is longer than what may be.
    #[error("{field} asks for {value} characters, but maxLength is {max_length}")]
    AboveMaxLength {
        /// The contract's field, or the fields that add up.
        field: &'static str,
        /// The characters asked for.
        value: i64,
        /// The greatest length.
        max_length: i64,
    },
    /// The first reminder would come before the password is set.
    #[error("firstExpirationReminder must be at most passwordExpiration, which is {expiration}, but is {value}")]
    ReminderBeforePassword {
        /// What was given, in days.
        value: i64,
        /// `passwordExpiration`, in days.
        expiration: i64,
    },
}

/// The longest password that a client can send under a 2048-bit transport key with PKCS#1 v1.5 padding, in bytes. A
/// policy that asks for more could never be met.
const LONGEST_SENDABLE: i64 = 245;

impl PasswordPolicy {
    /// Refuses what no administrator can mean. The first fault is named.
    pub fn validate(&self) -> Result<(), InvalidPolicy> {
        text("name", &self.name, 1, 255)?;
        text("description", self.description.as_deref().unwrap_or_default(), 0, 2000)?;

        let most_bytes = Password::MAX_BYTES as i64;
        for (field, value, min, max) in [
            ("maxLength", self.max_length, 0, most_bytes),
            ("minLength", self.min_length, 0, LONGEST_SENDABLE),
            ("minAlpha", self.min_alpha, 0, LONGEST_SENDABLE),
            ("minUpper", self.min_upper, 0, LONGEST_SENDABLE),
            ("minLower", self.min_lower, 0, LONGEST_SENDABLE),
            ("minNumeric", self.min_numeric, 0, LONGEST_SENDABLE),
            ("minSpecial", self.min_special, 0, LONGEST_SENDABLE),
            ("minCharacterTypes", self.min_character_types, -1, 4),
            ("maxRepeatedChars", self.max_repeated_chars, -1, most_bytes),
            ("accountIdMinWordLength", self.account_id_min_word_length, -1, most_bytes),
            ("accountNameMinWordLength", self.account_name_min_word_length, -1, most_bytes),
            ("passwordExpiration", self.password_expiration, i64::from(self.enable_passwd_expiration), 3650),
            ("firstExpirationReminder", self.first_expiration_reminder.unwrap_or_default(), 0, 3650),
            ("history", self.history, 0, 100),
        ] {
            if !(min..=max).contains(&value) {
                return Err(InvalidPolicy::OutOfRange { field, value, min, max });
            }
        }

        let letters = self.min_alpha.max(self.min_upper + self.min_lower);
        let characters = letters + self.min_numeric + self.min_special;
        let longest = if self.max_length > 0 { self.max_length } else { LONGEST_SENDABLE };
        for (field, value) in [
            ("minLength", self.min_length),
            ("minCharacterTypes", self.min_character_types),
            ("the sum of minAlpha, minUpper, minLower, minNumeric and minSpecial", characters),
        ] {
            if value > longest {
                return Err(InvalidPolicy::AboveMaxLength { field, value, max_length: longest });
            }
        }

        match self.first_expiration_reminder {
            Some(value) if self.enable_passwd_expiration && value > self.password_expiration => {
                Err(InvalidPolicy::ReminderBeforePassword { value, expiration: self.password_expiration })
            }
            _ => Ok(()),
        }
    }
}

fn text(field: &'static str, value: &str, min: usize, max: usize) -> Result<(), InvalidPolicy> {
    if (min..=max).contains(&value.trim().chars().count()) {
        Ok(())
    } else {
        Err(InvalidPolicy::Text { field, min, max })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(fields: serde_json::Value) -> Option<String> {
        let mut object = json!({"name": "Example"});
        for (field, value) in fields.as_object().expect("an object") {
            object[field] = value.clone();
        }
        let policy: PasswordPolicy = serde_json::from_value(object).expect("a policy");
        policy.validate().err().map(|error| error.to_string())
    }

    #[test]
    fn the_shipped_default_is_valid() {
        assert_eq!(PasswordPolicy::default().validate(), Ok(()));
    }

    #[test]
    fn the_published_examples_are_valid() {
        assert_eq!(
            refusal(json!({
                "firstExpirationReminder": 90, "accountIdMinWordLength": 3, "accountNameMinWordLength": 3,
                "maxLength": 0, "maxRepeatedChars": 4, "minAlpha": 1, "minCharacterTypes": -1, "minLength": 8,
                "minLower": 0, "minNumeric": 1, "minSpecial": 0, "minUpper": 0, "passwordExpiration": 90,
                "validateAgainstAccountId": true, "validateAgainstAccountName": true
            })),
            None
        );
        assert_eq!(
            refusal(json!({"description": null, "firstExpirationReminder": null, "passwordExpiration": 90})),
            None
        );
    }

    #[test]
    fn every_number_has_its_range() {
        for (field, outside, inside) in [
            ("maxLength", [-1, 502], [0, 501]),
            ("minLength", [-1, 246], [0, 245]),
            ("minAlpha", [-1, 246], [0, 245]),
            ("minUpper", [-1, 246], [0, 245]),
            ("minLower", [-1, 246], [0, 245]),
            ("minNumeric", [-1, 246], [0, 245]),
            ("minSpecial", [-1, 246], [0, 245]),
            ("minCharacterTypes", [-2, 5], [-1, 4]),
            ("maxRepeatedChars", [-2, 502], [-1, 501]),
            ("accountIdMinWordLength", [-2, 502], [-1, 501]),
            ("accountNameMinWordLength", [-2, 502], [-1, 501]),
            ("passwordExpiration", [-1, 3651], [0, 3650]),
            ("firstExpirationReminder", [-1, 3651], [0, 3650]),
            ("history", [-1, 101], [0, 100]),
        ] {
            for value in outside {
                let message = refusal(json!({field: value})).expect(field);
                assert!(message.starts_with(&format!("{field} must be between {} and {}", inside[0], inside[1])));
                assert!(message.ends_with(&value.to_string()), "{message}");
            }
            for value in inside {
                assert_eq!(refusal(json!({field: value})), None, "{field} {value}");
            }
        }
        assert!(refusal(json!({"minLength": i64::MAX})).is_some());
    }

    #[test]
    fn what_no_password_can_meet_is_refused() {
        for (fields, message) in [
            (json!({"minLength": 9, "maxLength": 8}), "minLength asks for 9 characters, but maxLength is 8"),
            (
                json!({"minUpper": 3, "minNumeric": 3, "minSpecial": 3, "maxLength": 8}),
                "the sum of minAlpha, minUpper, minLower, minNumeric and minSpecial asks for 9 characters, but \
                 maxLength is 8",
            ),
            (
                json!({"minCharacterTypes": 4, "maxLength": 3}),
                "minCharacterTypes asks for 4 characters, but maxLength is 3",
            ),
            (
                json!({"enablePasswdExpiration": true, "passwordExpiration": 0}),
                "passwordExpiration must be between 1 and 3650, but is 0",
            ),
            (
                json!({"enablePasswdExpiration": true, "passwordExpiration": 30, "firstExpirationReminder": 31}),
                "firstExpirationReminder must be at most passwordExpiration, which is 30, but is 31",
            ),
            (json!({"name": " "}), "name must have 1 to 255 characters"),
        ] {
            assert_eq!(refusal(fields).as_deref(), Some(message));
        }
        let same_day = json!({"enablePasswdExpiration": true, "passwordExpiration": 90, "firstExpirationReminder": 90});
        assert_eq!(refusal(same_day), None);
        // Upper-case and lower-case letters are letters: they are not counted twice.
        assert_eq!(refusal(json!({"minAlpha": 4, "minUpper": 2, "minLower": 2, "maxLength": 4})), None);
    }
}
