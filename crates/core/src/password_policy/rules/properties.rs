//! What holds for every policy and every password.

use proptest::prelude::*;

use super::*;
use crate::password_policy::generate::{generate, seeded};

/// A policy with any of its rules on, within what `validate` accepts.
fn policies() -> impl Strategy<Value = PasswordPolicy> {
    let lengths = (0..20i64, prop_oneof![Just(0), 20..60i64], -1..5i64, -1..5i64);
    let counts = (0..6i64, 0..4i64, 0..4i64, 0..4i64, 0..4i64);
    let switches = any::<[bool; 7]>();
    let runs = (prop_oneof![Just(-1), 3..6i64], prop_oneof![Just(-1), 3..6i64]);
    (lengths, counts, switches, runs).prop_map(|(lengths, counts, switches, runs)| PasswordPolicy {
        name: "Drawn".to_owned(),
        min_length: lengths.0,
        max_length: lengths.1,
        min_character_types: lengths.2.min(4),
        max_repeated_chars: lengths.3,
        min_alpha: counts.0,
        min_upper: counts.1,
        min_lower: counts.2,
        min_numeric: counts.3,
        min_special: counts.4,
        use_account_attributes: switches[0],
        use_identity_attributes: switches[1],
        validate_against_account_id: switches[2],
        account_id_min_word_length: runs.0,
        validate_against_account_name: switches[3],
        account_name_min_word_length: runs.1,
        use_dictionary: switches[4],
        use_breach_check: switches[5],
        use_lookalike_check: switches[6],
        ..PasswordPolicy::unrestricted()
    })
}

/// Passwords near the rules: short words of few letters, names from the context, and any text at all.
fn passwords() -> impl Strategy<Value = String> {
    prop_oneof![
        "[aAbB1-]{1,12}",
        "[a-z]{0,4}(Acme|asmith|Ottawa|0tt4w4|password|Room 217)[A-Z0-9]{0,4}",
        "\\PC{1,40}",
        "[e\u{301}\u{e9}\u{212b}\u{c5}A\u{30a}\u{1100}\u{1161}\u{ac00}\u{323}\u{307}q]{1,12}",
    ]
    .prop_filter("a password", |text| Password::try_from(text.as_str()).is_ok())
}

fn password(text: &str) -> Password {
    Password::try_from(text).expect("the strategy draws passwords")
}

fn dictionary() -> Dictionary {
    Dictionary::parse(b"Acme\nwinter\n").expect("a dictionary")
}

fn abby(dictionary: &Dictionary) -> Context<'_> {
    Context {
        account_id: "uid=asmith,dc=test",
        account_name: "asmith",
        identity_attributes: vec!["Abby Smith", "Ottawa"],
        account_attributes: vec!["Room 217"],
        dictionary,
    }
}

/// The policies that differ from `policy` in one rule, which is stricter there.
fn stricter(policy: &PasswordPolicy) -> Vec<PasswordPolicy> {
    type Change = fn(&mut PasswordPolicy);
    let changes: [Change; 18] = [
        |policy| policy.max_length = if policy.max_length > 1 { policy.max_length - 1 } else { 9 },
        |policy| policy.min_length += 1,
        |policy| policy.min_alpha += 1,
        |policy| policy.min_upper += 1,
        |policy| policy.min_lower += 1,
        |policy| policy.min_numeric += 1,
        |policy| policy.min_special += 1,
        |policy| policy.min_character_types += 1,
        |policy| {
            policy.max_repeated_chars = if policy.max_repeated_chars > 1 { policy.max_repeated_chars - 1 } else { 2 }
        },
        |policy| policy.use_account_attributes = true,
        |policy| policy.use_identity_attributes = true,
        |policy| policy.validate_against_account_id = true,
        |policy| policy.validate_against_account_name = true,
        |policy| policy.account_id_min_word_length = (policy.account_id_min_word_length - 1).max(2),
        |policy| policy.account_name_min_word_length = (policy.account_name_min_word_length - 1).max(2),
        |policy| policy.use_dictionary = true,
        |policy| policy.use_breach_check = true,
        |policy| policy.use_lookalike_check = true,
    ];
    let stricter = changes.into_iter().map(|change| {
        let mut policy = policy.clone();
        change(&mut policy);
        policy
    });
    // From "one in a row" there is nowhere stricter to go.
    stricter.filter(|changed| policy.max_repeated_chars != 1 || changed.max_repeated_chars == 1).collect()
}

fn fields(policy: &PasswordPolicy, text: &str) -> Vec<&'static str> {
    let dictionary = dictionary();
    let violations = check(policy, &password(text), &abby(&dictionary)).err().unwrap_or_default();
    violations.into_iter().map(Violation::field).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_is_broken_was_told_before(policy in policies(), text in passwords()) {
        let dictionary = dictionary();
        let broken = check(&policy, &password(&text), &abby(&dictionary)).err().unwrap_or_default();
        let told = binding(&policy);
        prop_assert!(broken.iter().all(|violation| told.contains(violation)), "{broken:?} {told:?}");
    }

    #[test]
    fn a_made_up_password_passes_its_policy(policy in policies(), seed in any::<u64>()) {
        prop_assume!(policy.validate().is_ok());
        let dictionary = dictionary();
        let made_up = generate(&policy, &abby(&dictionary), &mut seeded(seed)).expect("a password");
        prop_assert_eq!(fields(&policy, made_up.expose()), [""; 0]);
        prop_assert!(policy.max_length == 0 || made_up.expose().len() as i64 <= policy.max_length);
        prop_assert!(made_up.expose().len() as i64 >= policy.min_length);
    }

    #[test]
    fn a_rule_more_never_turns_refused_into_accepted(policy in policies(), text in passwords()) {
        let before = fields(&policy, &text);
        for stricter in stricter(&policy) {
            let after = fields(&stricter, &text);
            prop_assert!(before.iter().all(|field| after.contains(field)), "{:?} then {:?}", before, after);
        }
    }

    #[test]
    fn the_same_text_spelled_otherwise_gets_the_same_verdict(policy in policies(), text in passwords()) {
        for spelling in [text.nfc().collect::<String>(), text.nfd().collect()] {
            prop_assume!(Password::try_from(spelling.as_str()).is_ok());
            prop_assert_eq!(fields(&policy, &spelling), fields(&policy, &text));
        }
    }

    #[test]
    fn no_sentence_has_any_part_of_the_password_or_of_whom_it_is_for(
        policy in policies(),
        text in "[\u{3b1}-\u{3c9}\u{391}-\u{3a9}#$%&]{1,30}",
    ) {
        // The text shares no character with the sentences, so one character of it in them would be a leak.
        let dictionary = Dictionary::parse(text.as_bytes()).unwrap_or_default();
        let context = Context {
            account_id: &text,
            account_name: &text,
            identity_attributes: vec![&text],
            account_attributes: vec![&text],
            dictionary: &dictionary,
        };
        for violation in check(&policy, &password(&text), &context).err().unwrap_or_default() {
            let said = format!("{violation} {violation:?} {}", violation.field());
            prop_assert!(!said.contains(|c| text.contains(c)), "{said}");
        }
    }

    #[test]
    fn no_text_makes_the_check_panic(policy in policies(), text in any::<String>(), value in any::<String>()) {
        let dictionary = Dictionary::parse(value.as_bytes()).unwrap_or_default();
        let context = Context {
            account_id: &value,
            account_name: &value,
            identity_attributes: vec![&value, &text],
            account_attributes: vec![&value],
            dictionary: &dictionary,
        };
        if let Ok(password) = Password::try_from(text.as_str()) {
            let _ = check(&policy, &password, &context);
            let _ = check(&PasswordPolicy::default(), &password, &context);
        }
    }

    #[test]
    fn a_policy_without_rules_accepts_every_password(text in passwords()) {
        prop_assert_eq!(fields(&PasswordPolicy::unrestricted(), &text), [""; 0]);
    }
}
