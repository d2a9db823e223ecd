//! Whether a password passes a policy, and every rule it breaks.
//!
//! Every check sees the password in one normalisation, NFC, so that two spellings of the same text get the same
//! verdict; what is sent to a target is never normalised. History is not checked here: it needs the vault.

mod violation;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use zeroize::Zeroizing;

pub use self::violation::Violation;
use super::dictionary::Dictionary;
use super::{PasswordPolicy, common, lookalike};
use crate::account::Account;
use crate::identity::Identity;
use crate::password::Password;

/// What a password is compared with: whose it is to be, and which words the organisation refuses.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// The account's id on its source (for a directory: the DN); empty where there is none.
    pub account_id: &'a str,
    /// The account's display attribute; empty where there is none.
    pub account_name: &'a str,
    /// The values of the identity's attributes.
    pub identity_attributes: Vec<&'a str>,
    /// The values of the account's attributes.
    pub account_attributes: Vec<&'a str>,
    /// The organisation's words.
    pub dictionary: &'a Dictionary,
}

impl<'a> Context<'a> {
    /// The context of a new password of `account`, which is `identity`'s. Login name, display name and mail address
    /// count as attributes of the identity.
    pub fn of(identity: &'a Identity, account: &'a Account, dictionary: &'a Dictionary) -> Self {
        let mut identity_attributes = vec![identity.alias.as_str(), identity.display_name.as_str()];
        identity_attributes.extend(identity.email.as_deref());
        identity_attributes.extend(identity.attributes.values().map(String::as_str));
        Self {
            account_id: &account.native_id,
            account_name: &account.name,
            identity_attributes,
            account_attributes: account.attributes.values().map(String::as_str).collect(),
            dictionary,
        }
    }
}

/// Judges `password`; a refusal names every broken rule, in the order of the policy's fields.
pub fn check(policy: &PasswordPolicy, password: &Password, context: &Context<'_>) -> Result<(), Vec<Violation>> {
    let exact = exact(password.expose());
    let mut violations = composition(policy, &exact);

    let comparable = comparable(password.expose());
    let attribute_inside = |values: &[&str]| {
        values.iter().any(|value| {
            contains_value(&comparable, value)
                || (policy.use_lookalike_check && lookalike::resembles_part_of(&comparable, value))
        })
    };
    if policy.use_account_attributes && attribute_inside(&context.account_attributes) {
        violations.push(Violation::AccountAttribute);
    }
    if policy.use_identity_attributes && attribute_inside(&context.identity_attributes) {
        violations.push(Violation::IdentityAttribute);
    }

    let shares_run_with = |name: &str, run: i64| {
        if policy.use_lookalike_check {
            shares_run(&lookalike::fold(&comparable), &lookalike::fold(&self::comparable(name)), run)
        } else {
            shares_run(&characters(&comparable), &characters(&self::comparable(name)), run)
        }
    };
    let run = policy.account_id_min_word_length;
    if policy.validate_against_account_id && shares_run_with(context.account_id, run) {
        violations.push(Violation::AccountId { run });
    }
    let run = policy.account_name_min_word_length;
    if policy.validate_against_account_name && shares_run_with(context.account_name, run) {
        violations.push(Violation::AccountName { run });
    }

    if policy.use_dictionary && context.dictionary.has_word_inside(&comparable) {
        violations.push(Violation::DictionaryWord);
    }
    if policy.use_breach_check && common::is_common(&comparable) {
        violations.push(Violation::Common);
    }

    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// Every rule of the policy that binds, as what a password would break; in the order of [`check`], history last.
pub fn binding(policy: &PasswordPolicy) -> Vec<Violation> {
    let at_most = [(policy.max_length, Violation::TooLong { max: policy.max_length })];
    let rules = at_most.into_iter().chain(least(policy)).chain([
        (policy.max_repeated_chars, Violation::Repeated { max: policy.max_repeated_chars }),
        (policy.use_account_attributes.into(), Violation::AccountAttribute),
        (policy.use_identity_attributes.into(), Violation::IdentityAttribute),
        (policy.validate_against_account_id.into(), Violation::AccountId { run: policy.account_id_min_word_length }),
        (
            policy.validate_against_account_name.into(),
            Violation::AccountName { run: policy.account_name_min_word_length },
        ),
        (policy.use_dictionary.into(), Violation::DictionaryWord),
        (policy.use_breach_check.into(), Violation::Common),
        (policy.history, Violation::Reused { history: policy.history }),
    ]);
    rules.filter(|(on, _)| *on > 0).map(|(_, rule)| rule).collect()
}

/// The rules that ask for at least so many of something.
fn least(policy: &PasswordPolicy) -> [(i64, Violation); 7] {
    [
        (policy.min_length, Violation::TooShort { min: policy.min_length }),
        (policy.min_alpha, Violation::TooFewLetters { min: policy.min_alpha }),
        (policy.min_upper, Violation::TooFewUpper { min: policy.min_upper }),
        (policy.min_lower, Violation::TooFewLower { min: policy.min_lower }),
        (policy.min_numeric, Violation::TooFewDigits { min: policy.min_numeric }),
        (policy.min_special, Violation::TooFewSpecial { min: policy.min_special }),
        (policy.min_character_types, Violation::TooFewTypes { min: policy.min_character_types }),
    ]
}

/// The form in which texts are compared without regard to case: NFC, lower case letter by letter, and NFC again because
/// some lower-case forms are decomposed. Wiped, because it may be a password.
pub(super) fn comparable(text: &str) -> Zeroizing<String> {
    let mut comparable = Zeroizing::new(String::with_capacity(text.len() * MOST_GROWTH));
    comparable.extend(text.nfc().flat_map(char::to_lowercase).nfc());
    comparable
}

/// The characters of a text, wiped.
pub(super) fn characters(text: &str) -> Zeroizing<Vec<char>> {
    let mut characters = Zeroizing::new(Vec::with_capacity(text.len()));
    characters.extend(text.chars());
    characters
}

/// By how much NFC (three times at most) and lower case (one and a half times) can lengthen UTF-8 text. Room is made for
/// it at once: a buffer that has to grow leaves a copy behind that nobody wipes.
const MOST_GROWTH: usize = 5;

/// Attribute values shorter than this, in characters, would refuse passwords by mere chance.
const SHORTEST_VALUE: usize = 3;

/// The characters that lengths, counts and runs are taken of.
fn exact(text: &str) -> Zeroizing<Vec<char>> {
    let mut characters = Zeroizing::new(Vec::with_capacity(text.len() * MOST_GROWTH));
    characters.extend(text.nfc());
    characters
}

/// The rules that look at nothing but the password.
fn composition(policy: &PasswordPolicy, password: &[char]) -> Vec<Violation> {
    let count = |is: fn(char) -> bool| password.iter().filter(|c| is(**c)).count() as i64;
    let length = password.len() as i64;
    let letters = count(char::is_alphabetic);
    let upper = count(char::is_uppercase);
    let lower = count(char::is_lowercase);
    let digits = count(is_digit);
    let special = count(is_special);
    let types = [upper, lower, digits, special].into_iter().filter(|count| *count > 0).count() as i64;
    let longest_run = password.chunk_by(|a, b| a == b).map(<[char]>::len).max().unwrap_or_default() as i64;

    let mut violations = Vec::new();
    if policy.max_length > 0 && length > policy.max_length {
        violations.push(Violation::TooLong { max: policy.max_length });
    }
    let found = [length, letters, upper, lower, digits, special, types];
    let broken = least(policy).into_iter().zip(found).filter(|((min, _), found)| found < min);
    violations.extend(broken.map(|((_, violation), _)| violation));
    if policy.max_repeated_chars > 0 && longest_run > policy.max_repeated_chars {
        violations.push(Violation::Repeated { max: policy.max_repeated_chars });
    }
    violations
}

/// A digit of any script. Some numerals are letters too (`Ⅷ`); they count as letters only.
fn is_digit(c: char) -> bool {
    c.is_numeric() && !c.is_alphabetic()
}

/// Neither letter nor digit. White space is allowed but counts as nothing, as in Active Directory's complexity rule:
/// whoever passes here with a space would be refused there. An accent that NFC could not join to its letter belongs to
/// that letter.
fn is_special(c: char) -> bool {
    !c.is_alphanumeric() && !c.is_whitespace() && !is_combining_mark(c)
}

fn contains_value(password: &str, value: &str) -> bool {
    let value = comparable(value.trim());
    value.chars().count() >= SHORTEST_VALUE && password.contains(value.as_str())
}

/// Whether `run` characters in a row of `name` are in a row in the password too; below 1: all of them.
fn shares_run(password: &[char], name: &[char], run: i64) -> bool {
    let run = usize::try_from(run).ok().filter(|run| *run > 0).unwrap_or(name.len());
    run > 0 && name.windows(run).any(|part| password.windows(run).any(|window| window == part))
}
