//! A broken rule, and how it is said to a person.
//!
//! A violation is made of the policy's numbers only. Neither the password nor what it was compared with is in it, so it
//! can be shown, logged and stored.

use std::fmt;

/// A rule of the policy that a password breaks.
///
/// Its text ends a sentence that begins with "The password".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Violation {
    /// `maxLength`.
    TooLong {
        /// The greatest length in characters.
        max: i64,
    },
    /// `minLength`.
    TooShort {
        /// The least length in characters.
        min: i64,
    },
    /// `minAlpha`.
    TooFewLetters {
        /// How many are needed.
        min: i64,
    },
    /// `minUpper`.
    TooFewUpper {
        /// How many are needed.
        min: i64,
    },
    /// `minLower`.
    TooFewLower {
        /// How many are needed.
        min: i64,
    },
    /// `minNumeric`.
    TooFewDigits {
        /// How many are needed.
        min: i64,
    },
    /// `minSpecial`.
    TooFewSpecial {
        /// How many are needed.
        min: i64,
    },
    /// `minCharacterTypes`.
    TooFewTypes {
        /// How many are needed.
        min: i64,
    },
    /// `maxRepeatedChars`.
    Repeated {
        /// How often a character may stand in a row.
        max: i64,
    },
    /// `useAccountAttributes`.
    AccountAttribute,
    /// `useIdentityAttributes`.
    IdentityAttribute,
    /// `validateAgainstAccountId`.
    AccountId {
        /// `accountIdMinWordLength`; below 1: the whole id.
        run: i64,
    },
    /// `validateAgainstAccountName`.
    AccountName {
        /// `accountNameMinWordLength`; below 1: the whole name.
        run: i64,
    },
    /// `useDictionary`.
    DictionaryWord,
    /// `useBreachCheck`.
    Common,
    /// `history`. [`super::check`] never says it: whoever compares with the older passwords does.
    Reused {
        /// How many old passwords may not come back.
        history: i64,
    },
}

impl Violation {
    /// The field of the policy that asks for it.
    pub fn field(self) -> &'static str {
        match self {
            Self::TooLong { .. } => "maxLength",
            Self::TooShort { .. } => "minLength",
            Self::TooFewLetters { .. } => "minAlpha",
            Self::TooFewUpper { .. } => "minUpper",
            Self::TooFewLower { .. } => "minLower",
            Self::TooFewDigits { .. } => "minNumeric",
            Self::TooFewSpecial { .. } => "minSpecial",
            Self::TooFewTypes { .. } => "minCharacterTypes",
            Self::Repeated { .. } => "maxRepeatedChars",
            Self::AccountAttribute => "useAccountAttributes",
            Self::IdentityAttribute => "useIdentityAttributes",
            Self::AccountId { .. } => "validateAgainstAccountId",
            Self::AccountName { .. } => "validateAgainstAccountName",
            Self::DictionaryWord => "useDictionary",
            Self::Common => "useBreachCheck",
            Self::Reused { .. } => "history",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooLong { max } => write!(f, "must have at most {}", Counted(max, "character")),
            Self::TooShort { min } => write!(f, "must have at least {}", Counted(min, "character")),
            Self::TooFewLetters { min } => write!(f, "must have at least {}", Counted(min, "letter")),
            Self::TooFewUpper { min } => write!(f, "must have at least {}", Counted(min, "upper-case letter")),
            Self::TooFewLower { min } => write!(f, "must have at least {}", Counted(min, "lower-case letter")),
            Self::TooFewDigits { min } => write!(f, "must have at least {}", Counted(min, "digit")),
            Self::TooFewSpecial { min } => write!(f, "must have at least {}", Counted(min, "special character")),
            Self::TooFewTypes { min } => write!(
                f,
                "must have at least {min} of these: upper-case letters, lower-case letters, digits, special characters"
            ),
            Self::Repeated { max: 1 } => write!(f, "must not have the same character twice in a row"),
            Self::Repeated { max } => write!(f, "must not have the same character more than {max} times in a row"),
            Self::AccountAttribute => write!(f, "must not contain details of the account"),
            Self::IdentityAttribute => write!(f, "must not contain your name or other personal details"),
            Self::AccountId { run: ..1 } => write!(f, "must not contain the account's id"),
            Self::AccountId { run } => {
                write!(f, "must not contain {} in a row of the account's id", Counted(run, "character"))
            }
            Self::AccountName { run: ..1 } => write!(f, "must not contain the account's name"),
            Self::AccountName { run } => {
                write!(f, "must not contain {} in a row of the account's name", Counted(run, "character"))
            }
            Self::DictionaryWord => write!(f, "must not contain a word that your organisation has excluded"),
            Self::Common => write!(f, "is one of the commonest passwords, which are guessed first"),
            Self::Reused { history: 1 } => write!(f, "must not be the last one again"),
            Self::Reused { history } => write!(f, "must not be one of the last {history}"),
        }
    }
}

/// A number with its noun: "1 digit", "2 digits".
struct Counted(i64, &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}
