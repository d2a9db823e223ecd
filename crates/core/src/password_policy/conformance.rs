//! In what a policy deviates from NIST SP 800-63B-4, section 3.1.1.2 (passwords), told to administrators.
//!
//! It forbids nothing: a policy may be what an organisation's auditors ask for. It judges the policy alone, not whether a
//! second factor is asked for, how passwords are kept or how sign-ins are throttled.

use super::PasswordPolicy;

/// One deviation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// The field of the policy.
    pub field: &'static str,
    /// A sentence for an administrator.
    pub sentence: String,
}

/// Every deviation of `policy`, in the order of its fields.
pub fn deviations(policy: &PasswordPolicy) -> Vec<Deviation> {
    let mut found = Vec::new();
    let mut say = |field, sentence: String| found.push(Deviation { field, sentence });

    if (1..LONGEST_AT_LEAST).contains(&policy.max_length) {
        say(
            "maxLength",
            format!("At most {} characters are accepted; {LONGEST_AT_LEAST} should be.", policy.max_length),
        );
    }
    if policy.min_length < WITH_SECOND_FACTOR {
        say(
            "minLength",
            format!(
                "{} characters are enough; {WITH_SECOND_FACTOR} are the least even where a second factor is always \
                 asked for, and {ONLY_FACTOR} where none is.",
                policy.min_length
            ),
        );
    } else if policy.min_length < ONLY_FACTOR {
        say(
            "minLength",
            format!(
                "{} characters are enough only where a second factor is always asked for; a password that is the only \
                 factor needs {ONLY_FACTOR}.",
                policy.min_length
            ),
        );
    }
    for (field, value, kind) in [
        ("minAlpha", policy.min_alpha, "letters"),
        ("minUpper", policy.min_upper, "upper-case letters"),
        ("minLower", policy.min_lower, "lower-case letters"),
        ("minNumeric", policy.min_numeric, "digits"),
        ("minSpecial", policy.min_special, "special characters"),
        ("minCharacterTypes", policy.min_character_types, "several types of characters"),
    ] {
        if value > 0 {
            say(field, format!("A certain number of {kind} is required; rules of composition must not be set."));
        }
    }
    if policy.max_repeated_chars > 0 {
        say("maxRepeatedChars", "Repeated characters are limited; rules of composition must not be set.".to_owned());
    }
    if policy.enable_passwd_expiration {
        say(
            "enablePasswdExpiration",
            format!(
                "Passwords expire after {} days; a change must be forced only when a password may be known to others.",
                policy.password_expiration
            ),
        );
    }
    if !policy.use_breach_check {
        say("useBreachCheck", "The commonest passwords are accepted; they must be refused.".to_owned());
    }
    found
}

/// The least length, in characters, of a password that is the only factor.
const ONLY_FACTOR: i64 = 15;

/// The least length of one that is used with a second factor only.
const WITH_SECOND_FACTOR: i64 = 8;

/// The length up to which passwords should be accepted.
const LONGEST_AT_LEAST: i64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(policy: &PasswordPolicy) -> Vec<&'static str> {
        deviations(policy).into_iter().map(|deviation| deviation.field).collect()
    }

    #[test]
    fn the_shipped_default_has_none() {
        assert_eq!(deviations(&PasswordPolicy::default()), []);
    }

    #[test]
    fn each_deviation_is_named() {
        let default = PasswordPolicy::default;
        for (policy, field) in [
            (PasswordPolicy { max_length: 63, ..default() }, "maxLength"),
            (PasswordPolicy { min_length: 14, ..default() }, "minLength"),
            (PasswordPolicy { min_length: 7, ..default() }, "minLength"),
            (PasswordPolicy { min_alpha: 1, ..default() }, "minAlpha"),
            (PasswordPolicy { min_upper: 1, ..default() }, "minUpper"),
            (PasswordPolicy { min_lower: 1, ..default() }, "minLower"),
            (PasswordPolicy { min_numeric: 1, ..default() }, "minNumeric"),
            (PasswordPolicy { min_special: 1, ..default() }, "minSpecial"),
            (PasswordPolicy { min_character_types: 1, ..default() }, "minCharacterTypes"),
            (PasswordPolicy { max_repeated_chars: 3, ..default() }, "maxRepeatedChars"),
            (PasswordPolicy { enable_passwd_expiration: true, ..default() }, "enablePasswdExpiration"),
            (PasswordPolicy { use_breach_check: false, ..default() }, "useBreachCheck"),
        ] {
            assert_eq!(fields(&policy), [field]);
        }
        assert_eq!(fields(&PasswordPolicy { max_length: 64, ..default() }), [""; 0]);
    }

    #[test]
    fn seven_and_fourteen_characters_are_told_apart() {
        let sentence =
            |min_length| deviations(&PasswordPolicy { min_length, ..PasswordPolicy::default() }).remove(0).sentence;
        assert!(sentence(7).contains("8 are the least"), "{}", sentence(7));
        assert!(sentence(14).starts_with("14 characters are enough only where"), "{}", sentence(14));
        assert!(sentence(8).starts_with("8 characters are enough only where"), "{}", sentence(8));
    }
}
