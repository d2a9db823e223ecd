//! How hard a password is to guess, roughly, for whoever writes it. No rule rests on it: what a policy asks for is in `rules`.
//!
//! What an attacker has in lists (common passwords, what the person and their account are called) counts for little, and so does
//! what goes on as it began: repeated letters, `abcd`, `4321`, `qwertz`. Letters in a word count for half of what drawn ones do
//! (Shannon measured between 0.6 and 2.6 bits a letter of English text, doi:10.1002/j.1538-7305.1951.tb01366.x). The sum is a
//! guess at the bits, and the steps are wide.

use zeroize::Zeroizing;

use super::common::{SHORTEST, is_common, is_listed};
use crate::password::Password;

/// How hard a password is to guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Guessed at once.
    Weak,
    /// Guessed by whoever takes a day.
    Fair,
    /// Not guessed at a sign-in; whoever gets at its hash may.
    Good,
    /// Not guessed.
    Strong,
}

/// From so many bits on.
const STEPS: [(f64, Strength); 3] = [(60.0, Strength::Strong), (42.0, Strength::Good), (28.0, Strength::Fair)];

/// What a listed password, or a name of the person's, is worth in bits.
const LISTED: f64 = 13.0;
const KNOWN: f64 = 2.0;

/// What a letter in a word is worth, one that goes on as the ones before, and one that stands for itself alone.
const IN_WORD: f64 = 2.6;
const GOES_ON: f64 = 0.7;

/// The longest listed password that is looked for within another.
const LONGEST_LISTED: usize = 20;

/// The fewest letters that are a word.
const WORD: usize = 4;

/// More than this adds nothing.
const LOOKED_AT: usize = 64;

/// What lies side by side on keyboards.
const ROWS: [&str; 5] = ["qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm"];

/// How hard `password` is to guess for somebody who knows these names of its person.
pub fn strength(password: &Password, names: &[&str]) -> Strength {
    let mut lower = Zeroizing::new(String::with_capacity(3 * password.expose().len()));
    lower.extend(password.expose().chars().flat_map(char::to_lowercase));
    if is_common(&lower) {
        return Strength::Weak;
    }
    let (written, folded) = (first(password.expose()), first(&lower));
    let (mut bits, mut place) = (0.0, 0);
    let each = drawn(&written);
    while place < folded.len() {
        let rest = &folded[place..];
        let (length, worth) = match (known(rest, names), listed(rest)) {
            (Some(length), _) => (length, KNOWN),
            (None, Some(length)) => (length, LISTED),
            (None, None) => (1, single(&folded, place, each)),
        };
        bits += worth;
        place += length;
    }
    STEPS.iter().find(|(from, _)| bits >= *from).map_or(Strength::Weak, |(_, strength)| *strength)
}

/// The characters that are looked at, in one piece of memory from the beginning: what grows leaves pieces behind.
fn first(text: &str) -> Zeroizing<Vec<char>> {
    let mut first = Zeroizing::new(Vec::with_capacity(LOOKED_AT));
    first.extend(text.chars().take(LOOKED_AT));
    first
}

/// Whether a character is of a kind.
type Kind = fn(&char) -> bool;

/// What a character is worth that was drawn from all of the kinds that are there.
fn drawn(written: &[char]) -> f64 {
    let kinds: [(Kind, f64); 5] = [
        (|c| c.is_ascii_lowercase(), 26.0),
        (|c| c.is_ascii_uppercase(), 26.0),
        (|c| c.is_ascii_digit(), 10.0),
        (|c| c.is_ascii() && !c.is_ascii_alphanumeric(), 33.0),
        (|c| !c.is_ascii(), 100.0),
    ];
    let pool: f64 = kinds.iter().filter(|(is, _)| written.iter().any(is)).map(|(_, count)| count).sum();
    pool.max(2.0).log2()
}

/// How many characters at the beginning are a name of the person's.
fn known(rest: &[char], names: &[&str]) -> Option<usize> {
    let parts = names.iter().flat_map(|name| name.split(|c: char| !c.is_alphanumeric()));
    let begins = |part: &str| {
        let folded: Vec<char> = part.to_lowercase().chars().collect();
        (folded.len() >= 3 && rest.starts_with(&folded)).then_some(folded.len())
    };
    parts.filter_map(begins).max()
}

/// How many are on the list of the commonest passwords.
fn listed(rest: &[char]) -> Option<usize> {
    let longest = rest.len().min(LONGEST_LISTED);
    (SHORTEST..=longest).rev().find(|length| {
        let mut part = Zeroizing::new(String::with_capacity(4 * LONGEST_LISTED));
        part.extend(&rest[..*length]);
        is_listed(&part)
    })
}

/// What one character is worth in its place.
fn single(folded: &[char], place: usize, each: f64) -> f64 {
    let here = folded[place];
    if place > 0 && goes_on(folded[place - 1], here) {
        return GOES_ON;
    }
    let is_letter = |at: &&char| at.is_alphabetic();
    let before = folded[..place].iter().rev().take_while(is_letter).count();
    let after = folded[place..].iter().take_while(is_letter).count();
    match here.is_alphabetic() && before + after >= WORD {
        true => IN_WORD.min(each),
        false => each,
    }
}

/// Whether a character is the one before it again, or its neighbour.
fn goes_on(before: char, here: char) -> bool {
    let (one, other) = (u32::from(before), u32::from(here));
    let beside = |row: &str| {
        let at = |c: char| row.chars().position(|known| known == c);
        at(before).zip(at(here)).is_some_and(|(one, other)| one.abs_diff(other) == 1)
    };
    one.abs_diff(other) <= 1 || ROWS.iter().any(|row| beside(row))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Strength {
        strength(&Password::try_from(text).expect("printable"), &["Abby Smith", "abby.smith@example.test"])
    }

    #[test]
    fn what_is_in_everybodys_lists_is_weak_and_what_was_drawn_is_not() {
        for text in [
            "password",
            "Password1",
            "iloveyouiloveyou",
            "abbysmith1",
            "qwertzuiopasdf",
            "aaaaaaaaaaaaaaaa",
            "12345678901234",
            "x",
        ] {
            assert_eq!(of(text), Strength::Weak, "{text}");
        }
        for text in ["Summer2026!", "abby-kettle-9"] {
            assert!((Strength::Fair..=Strength::Good).contains(&of(text)), "{text} {:?}", of(text));
        }
        for text in ["kX9#mQ2$", "hidden lantern over"] {
            assert!(of(text) >= Strength::Good, "{text} {:?}", of(text));
        }
        for text in [
            "correct horse battery staple",
            "Quiet-Lantern-Over-Harbour-42",
            "v8$Kq2!mWz7pR4",
            "grüne Wellen über alten Mauern",
        ] {
            assert_eq!(of(text), Strength::Strong, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_looked_at_and_more_is_never_worth_nothing_at_all(text in "\\PC{1,80}", more in "[a-z]{1,20}") {
            prop_assume!(Password::try_from(text.as_str()).is_ok());
            let _ = of(&text);
            let longer = format!("Tk4$zW9!qB2&{more}");
            prop_assert_eq!(of(&longer), Strength::Strong);
        }
    }
}
