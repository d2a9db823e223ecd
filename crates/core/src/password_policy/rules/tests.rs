//! Every field of a policy with passwords that pass and passwords that do not: first the contract's published examples,
//! then ours.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::*;
use crate::id::{AccountId, IdentityId, SourceId};

/// A policy that asks for nothing but what `set` sets.
fn only(set: impl FnOnce(&mut PasswordPolicy)) -> PasswordPolicy {
    let mut policy = PasswordPolicy::unrestricted();
    set(&mut policy);
    policy
}

fn dictionary() -> Dictionary {
    Dictionary::parse("# ours\nlocale=en_US\nAcme\nLoch\u{e9}\n".as_bytes()).expect("a dictionary")
}

/// Abby Smith, who has an account in a directory.
fn abby(dictionary: &Dictionary) -> Context<'_> {
    Context {
        account_id: "CN=Abby Smith,OU=Sales,DC=example,DC=test",
        account_name: "asmith7",
        identity_attributes: vec!["Abby.Smith", "Abby Smith", "abby@example.test", "Ottawa", "NL", "Zed", "\u{1f0}an"],
        account_attributes: vec!["Room 217", "ne"],
        dictionary,
    }
}

/// The fields of the policy that `password` breaks.
fn broken(policy: &PasswordPolicy, password: &str) -> Vec<&'static str> {
    let dictionary = dictionary();
    let password = Password::try_from(password).expect("printable");
    let verdict = check(policy, &password, &abby(&dictionary));
    verdict.err().unwrap_or_default().into_iter().map(Violation::field).collect()
}

#[track_caller]
fn holds(field: &'static str, policy: &PasswordPolicy, passing: &[&str], failing: &[&str]) {
    for password in passing {
        assert_eq!(broken(policy, password), [""; 0], "{password} passes");
    }
    for password in failing {
        assert_eq!(broken(policy, password), [field], "{password} fails");
    }
}

#[test]
fn published_at_most_twelve_characters() {
    holds("maxLength", &only(|policy| policy.max_length = 12), &["password"], &["passwordpassword"]);
}

#[test]
fn published_at_least_two_letters() {
    holds("minAlpha", &only(|policy| policy.min_alpha = 2), &["a123Z", "BR650"], &["p12345"]);
}

#[test]
fn published_at_least_two_upper_case_letters() {
    holds("minUpper", &only(|policy| policy.min_upper = 2), &["PAssword"], &["Password"]);
}

#[test]
fn published_at_least_two_digits() {
    holds("minNumeric", &only(|policy| policy.min_numeric = 2), &["password12"], &["password1"]);
}

#[test]
fn published_at_least_two_special_characters() {
    holds("minSpecial", &only(|policy| policy.min_special = 2), &["p@$sword"], &["p@ssword1"]);
}

#[test]
fn published_at_least_three_types_of_characters() {
    holds("minCharacterTypes", &only(|policy| policy.min_character_types = 3), &["Password1"], &["password1"]);
}

#[test]
fn published_at_most_two_in_a_row() {
    holds("maxRepeatedChars", &only(|policy| policy.max_repeated_chars = 2), &["password"], &["passsword", "aaa"]);
}

#[test]
fn nothing_is_asked_for_by_an_unrestricted_policy() {
    holds("", &PasswordPolicy::unrestricted(), &["a", "password", "abby", "Acme", &"x".repeat(501)], &[]);
}

#[test]
fn lengths_are_counted_in_characters_after_normalisation() {
    let policy = only(|policy| policy.max_length = 4);
    holds(
        "maxLength",
        &policy,
        &["abcd", "e\u{301}e\u{301}e\u{301}e\u{301}", "\u{1F511}\u{1F511}\u{1F511}\u{1F511}"],
        &["abcde"],
    );
    let policy = only(|policy| policy.min_length = 4);
    holds("minLength", &policy, &["abcd", "    "], &["abc", "e\u{301}e\u{301}", "\u{1F511}\u{1F511}\u{1F511}"]);
}

#[test]
fn letters_digits_and_cases_of_every_script_count() {
    holds(
        "minAlpha",
        &only(|policy| policy.min_alpha = 2),
        &["\u{5bc6}\u{7801}1", "\u{e9}\u{df}"],
        &["\u{5bc6}12", "--", "  "],
    );
    holds("minUpper", &only(|policy| policy.min_upper = 1), &["\u{c9}tat", "\u{416}"], &["\u{e9}tat", "\u{5bc6}", "1"]);
    holds("minLower", &only(|policy| policy.min_lower = 2), &["PAss", "\u{e9}\u{436}"], &["PASs", "\u{5bc6}\u{7801}"]);
    holds(
        "minNumeric",
        &only(|policy| policy.min_numeric = 2),
        &["1a2", "\u{661}\u{662}"],
        &["1a", "\u{2167}\u{2167}"],
    );
}

#[test]
fn white_space_and_stray_accents_are_not_special() {
    let policy = only(|policy| policy.min_special = 1);
    holds("minSpecial", &policy, &["a-b", "a:b", "a\u{20ac}", "\u{1F511}"], &["a b", "a\u{a0}b", "q\u{301}", "a1"]);
}

#[test]
fn four_types_of_characters_are_known() {
    let policy = only(|policy| policy.min_character_types = 4);
    holds("minCharacterTypes", &policy, &["aA1-"], &["aA1", "aA- ", "\u{5bc6}aA1"]);
    holds("minCharacterTypes", &only(|policy| policy.min_character_types = 0), &["a"], &[]);
}

#[test]
fn repetition_is_counted_per_character_and_case() {
    holds(
        "maxRepeatedChars",
        &only(|policy| policy.max_repeated_chars = 1),
        &["abab", "aAa"],
        &["aab", "e\u{301}\u{e9}"],
    );
    holds("maxRepeatedChars", &only(|policy| policy.max_repeated_chars = 0), &["aaaa"], &[]);
}

#[test]
fn attribute_values_of_three_characters_may_not_be_inside() {
    let policy = only(|policy| policy.use_identity_attributes = true);
    let passing = ["abby", "nl-nl", "ottaw", "0ttawa", "jan", "ze-d", "Room 217"];
    let failing =
        ["xABBY.smithx", "abby smith", "my-OTTAWA", "aZED1", "j\u{30c}an", "J\u{30c}AN", "abby@example.test1"];
    holds("useIdentityAttributes", &policy, &passing, &failing);

    let policy = only(|policy| policy.use_account_attributes = true);
    holds("useAccountAttributes", &policy, &["room", "one", "Ottawa"], &["my room 217", "ROOM 217"]);
}

#[test]
fn runs_of_the_accounts_id_may_not_be_inside() {
    let policy = only(|policy| {
        policy.validate_against_account_id = true;
        policy.account_id_min_word_length = 5;
    });
    holds("validateAgainstAccountId", &policy, &["abby", "smit", "asm1th7"], &["xsmithx", "EXAMPLE", "y smix"]);

    let policy = only(|policy| policy.validate_against_account_id = true);
    let whole = "cn=abby smith,ou=sales,dc=example,dc=test";
    holds("validateAgainstAccountId", &policy, &["smith", &whole[1..]], &[whole]);
    let policy = PasswordPolicy { account_id_min_word_length: 0, ..policy };
    holds("validateAgainstAccountId", &policy, &["smith", &whole[1..]], &[whole]);
}

#[test]
fn runs_of_the_accounts_name_may_not_be_inside() {
    let policy = only(|policy| {
        policy.validate_against_account_name = true;
        policy.account_name_min_word_length = 4;
    });
    holds("validateAgainstAccountName", &policy, &["smi-th7", "abby"], &["1SMIT1", "asmi", "ith7"]);

    let policy = only(|policy| {
        policy.validate_against_account_name = true;
        policy.account_name_min_word_length = 8;
    });
    holds("validateAgainstAccountName", &policy, &["asmith7", "asmith77"], &[]);

    let policy = only(|policy| policy.account_name_min_word_length = 4);
    holds("validateAgainstAccountName", &policy, &["asmith7"], &[]);
}

#[test]
fn the_dictionarys_words_may_not_be_inside() {
    let policy = only(|policy| policy.use_dictionary = true);
    holds("useDictionary", &policy, &["acm-e", "loche"], &["theACMEway", "LOCH\u{c9}1", "loche\u{301}"]);
}

#[test]
fn the_commonest_passwords_are_refused() {
    let policy = only(|policy| policy.use_breach_check = true);
    holds(
        "useBreachCheck",
        &policy,
        &["xpasswordx", "short"],
        &["password", "PassWord1", "passwordpassword", "iloveyou"],
    );
}

#[test]
fn disguised_names_are_refused_where_the_policy_asks_for_it() {
    let dictionary = Dictionary::default();
    let poll = Context {
        account_id: "poll",
        account_name: "poll",
        identity_attributes: vec!["Poll"],
        account_attributes: vec![],
        dictionary: &dictionary,
    };
    let password = Password::try_from("p0LL23fb").expect("printable");
    let said = |policy: &PasswordPolicy| check(policy, &password, &poll).err().unwrap_or_default();

    let identity = Violation::IdentityAttribute;
    let name = Violation::AccountName { run: 4 };
    assert_eq!(said(&PasswordPolicy::default()), [Violation::TooShort { min: 15 }, identity, name]);
    assert_eq!(said(&only(|policy| policy.use_identity_attributes = true)), []);
    // Without a check that is on there is nothing to disguise.
    assert_eq!(said(&only(|policy| policy.use_lookalike_check = true)), []);
    let policy = only(|policy| {
        policy.use_lookalike_check = true;
        policy.validate_against_account_id = true;
    });
    assert_eq!(said(&policy), [Violation::AccountId { run: -1 }]);
}

#[test]
fn the_shipped_default_takes_a_passphrase_and_refuses_what_is_guessed() {
    let policy = PasswordPolicy::default();
    holds(
        "",
        &policy,
        &[
            "correct horse battery staple",
            "\u{5bc6}\u{7801}\u{5bc6}\u{7801}\u{5bc6}\u{7801}\u{5bc6}\u{7801}\u{5bc6}\u{7801}\u{5bc6}\u{7801}\u{5bc6}\u{7801}\u{5bc6}",
            &"ab ".repeat(30),
        ],
        &[],
    );
    holds("minLength", &policy, &[], &["tr0ub4dor&3"]);
    holds("useBreachCheck", &policy, &[], &["passwordpassword", "qwertyuiop12345"]);
    holds("useDictionary", &policy, &[], &["we-love-acme-so-much"]);
    holds("useIdentityAttributes", &policy, &[], &["0tt4w4-in-the-winter", "living in ottava now"]);
}

#[test]
fn every_broken_rule_is_named() {
    let policy = PasswordPolicy {
        max_length: 3,
        min_length: 9,
        min_alpha: 9,
        min_upper: 2,
        min_lower: 9,
        min_numeric: 2,
        min_special: 1,
        min_character_types: 3,
        max_repeated_chars: 1,
        use_account_attributes: true,
        use_identity_attributes: true,
        validate_against_account_id: true,
        account_id_min_word_length: 4,
        validate_against_account_name: true,
        account_name_min_word_length: 4,
        use_dictionary: true,
        use_breach_check: true,
        ..PasswordPolicy::unrestricted()
    };
    let dictionary = Dictionary::parse(b"word").expect("a dictionary");
    let context = Context {
        account_id: "uid=password",
        account_name: "passer",
        identity_attributes: vec!["sword"],
        account_attributes: vec!["pass"],
        dictionary: &dictionary,
    };
    let violations =
        check(&policy, &Password::try_from("password").expect("printable"), &context).expect_err("refused");
    let sentences: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert_eq!(
        sentences,
        [
            "must have at most 3 characters",
            "must have at least 9 characters",
            "must have at least 9 letters",
            "must have at least 2 upper-case letters",
            "must have at least 9 lower-case letters",
            "must have at least 2 digits",
            "must have at least 1 special character",
            "must have at least 3 of these: upper-case letters, lower-case letters, digits, special characters",
            "must not have the same character twice in a row",
            "must not contain details of the account",
            "must not contain your name or other personal details",
            "must not contain 4 characters in a row of the account's id",
            "must not contain 4 characters in a row of the account's name",
            "must not contain a word that your organisation has excluded",
            "is one of the commonest passwords, which are guessed first",
        ]
    );
}

#[test]
fn the_rarer_sentences_read_well() {
    for (violation, sentence) in [
        (Violation::TooFewDigits { min: 1 }, "must have at least 1 digit"),
        (Violation::Repeated { max: 2 }, "must not have the same character more than 2 times in a row"),
        (Violation::AccountId { run: -1 }, "must not contain the account's id"),
        (Violation::AccountName { run: 0 }, "must not contain the account's name"),
        (Violation::Reused { history: 1 }, "must not be the last one again"),
        (Violation::Reused { history: 5 }, "must not be one of the last 5"),
    ] {
        assert_eq!(violation.to_string(), sentence);
    }
}

#[test]
fn login_name_display_name_and_mail_address_count_as_attributes() {
    let identity = Identity {
        id: IdentityId(Uuid::from_u128(1)),
        alias: "zalias".to_owned(),
        display_name: "Zname".to_owned(),
        email: Some("zmail@example.test".to_owned()),
        attributes: BTreeMap::from([("city".to_owned(), "zcity".to_owned())]),
        sign_in_source: SourceId::IDENTITY_NOW,
        enabled: true,
    };
    let account = Account {
        id: AccountId(Uuid::from_u128(2)),
        identity: Some(identity.id),
        source: SourceId::IDENTITY_NOW,
        stable_id: "zstable".to_owned(),
        native_id: "znative".to_owned(),
        name: "zaccount".to_owned(),
        password_sync: true,
        attributes: BTreeMap::from([("room".to_owned(), "zroom".to_owned())]),
        vanished: false,
    };
    let policy = only(|policy| {
        policy.use_identity_attributes = true;
        policy.use_account_attributes = true;
        policy.validate_against_account_id = true;
        policy.validate_against_account_name = true;
    });
    let dictionary = Dictionary::default();
    for (password, field) in [
        ("1zalias", "useIdentityAttributes"),
        ("1ZNAME", "useIdentityAttributes"),
        ("1zmail@example.test", "useIdentityAttributes"),
        ("1zcity", "useIdentityAttributes"),
        ("1zroom", "useAccountAttributes"),
        ("1znative", "validateAgainstAccountId"),
        ("1zaccount", "validateAgainstAccountName"),
    ] {
        let password = Password::try_from(password).expect("printable");
        let violations = check(&policy, &password, &Context::of(&identity, &account, &dictionary)).expect_err(field);
        assert_eq!(violations.into_iter().map(Violation::field).collect::<Vec<_>>(), [field]);
    }
}

#[test]
fn only_rules_that_bind_are_told_and_history_is_one() {
    assert_eq!(binding(&PasswordPolicy::unrestricted()), []);
    let policy = PasswordPolicy { min_length: 8, max_length: 64, history: 3, ..PasswordPolicy::unrestricted() };
    let told = [Violation::TooLong { max: 64 }, Violation::TooShort { min: 8 }, Violation::Reused { history: 3 }];
    assert_eq!(binding(&policy), told);
}
