//! A policy in the words of query-password-info: one line for every constraint that binds.
//!
//! Programs read these lines, so they are spelled exactly so. Sentences for people are [`super::rules::Violation`]'s, and
//! what is no constraint on the password itself, such as expiry, is not told.

use super::PasswordPolicy;

/// The lines of `policies`, as `<constraint> is <value>`: first the four names that are published, then ours.
pub fn describe(policy: &PasswordPolicy) -> Vec<String> {
    let numbers = [
        ("passwordRepeatedChar", policy.max_repeated_chars),
        ("passwordMinAlpha", policy.min_alpha),
        ("passwordMinLength", policy.min_length),
        ("passwordMinNumeric", policy.min_numeric),
        ("passwordMaxLength", policy.max_length),
        ("passwordMinUpper", policy.min_upper),
        ("passwordMinLower", policy.min_lower),
        ("passwordMinSpecial", policy.min_special),
        ("passwordMinCharType", policy.min_character_types),
        ("passwordHistory", policy.history),
    ];
    let switches = [
        ("passwordUseDictionary", policy.use_dictionary),
        ("passwordUseIdentityAttributes", policy.use_identity_attributes),
        ("passwordUseAccountAttributes", policy.use_account_attributes),
        ("passwordValidateAgainstAccountId", policy.validate_against_account_id),
        ("passwordValidateAgainstAccountName", policy.validate_against_account_name),
        ("passwordUseBreachCheck", policy.use_breach_check),
    ];
    // Every number is off at 0, and those that are off at -1 are off at 0 too.
    let numbers = numbers.into_iter().filter(|(_, value)| *value > 0).map(|(name, value)| format!("{name} is {value}"));
    let switches = switches.into_iter().filter(|(_, on)| *on).map(|(name, _)| format!("{name} is true"));
    numbers.chain(switches).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_binds_is_told() {
        assert_eq!(describe(&PasswordPolicy::unrestricted()), Vec::<String>::new());
        assert_eq!(
            describe(&PasswordPolicy { min_alpha: 1, min_length: 8, ..PasswordPolicy::unrestricted() }),
            ["passwordMinAlpha is 1", "passwordMinLength is 8"]
        );
    }

    #[test]
    fn every_constraint_has_its_line() {
        let policy = PasswordPolicy {
            max_length: 1,
            min_length: 2,
            min_alpha: 3,
            min_upper: 4,
            min_lower: 5,
            min_numeric: 6,
            min_special: 7,
            min_character_types: 8,
            max_repeated_chars: 9,
            history: 10,
            use_account_attributes: true,
            use_identity_attributes: true,
            validate_against_account_id: true,
            validate_against_account_name: true,
            use_dictionary: true,
            use_breach_check: true,
            ..PasswordPolicy::unrestricted()
        };
        assert_eq!(
            describe(&policy),
            [
                "passwordRepeatedChar is 9",
                "passwordMinAlpha is 3",
                "passwordMinLength is 2",
                "passwordMinNumeric is 6",
                "passwordMaxLength is 1",
                "passwordMinUpper is 4",
                "passwordMinLower is 5",
                "passwordMinSpecial is 7",
                "passwordMinCharType is 8",
                "passwordHistory is 10",
                "passwordUseDictionary is true",
                "passwordUseIdentityAttributes is true",
                "passwordUseAccountAttributes is true",
                "passwordValidateAgainstAccountId is true",
                "passwordValidateAgainstAccountName is true",
                "passwordUseBreachCheck is true",
            ]
        );
    }
}
