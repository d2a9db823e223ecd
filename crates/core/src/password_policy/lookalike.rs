//! Names in disguise: `p0LL23fb` for a user called Poll.
//!
//! Three steps, after Microsoft Entra's published way of comparing passwords with banned words: lower case, signs and
//! digits for the letters they stand for, then a search for the name with at most one letter wrong. It is used for names
//! and attributes only, where a policy asks for it, and it is no measure of strength.

use zeroize::Zeroizing;

use super::rules::{characters, comparable};

/// Names shorter than this, in characters, are inside too many innocent passwords.
const SHORTEST_WORD: usize = 4;

/// From this length on, a name with one letter wrong still counts. "Poll" with one letter less is in "collect".
const SHORTEST_MISSPELT: usize = 6;

/// Comparable text with one letter for all the signs that can stand for it. Both sides of a comparison are folded, so
/// `1`, which may be an `i` or an `l`, needs no second guess: all three become `l`.
pub(super) fn fold(comparable: &str) -> Zeroizing<Vec<char>> {
    let mut folded = characters(comparable);
    for c in folded.iter_mut() {
        *c = match *c {
            '0' => 'o',
            '1' | '!' | '|' | 'i' => 'l',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' | '+' => 't',
            '8' => 'b',
            '9' => 'g',
            other => other,
        };
    }
    folded
}

/// Whether the comparable `password` has `value`, or a word of it, inside in disguise. Words are what lies between
/// characters that are neither letters nor digits: `Abby` and `Smith` of `Abby.Smith@example.com`.
pub(super) fn resembles_part_of(password: &str, value: &str) -> bool {
    let password = fold(password);
    let value = comparable(value.trim());
    std::iter::once(value.as_str())
        .chain(value.split(|c: char| !c.is_alphanumeric()))
        .map(fold)
        .filter(|word| word.len() >= SHORTEST_WORD)
        .any(|word| least_distance(&password, &word) <= usize::from(word.len() >= SHORTEST_MISSPELT))
}

/// The least edit distance between `word` and any part of `text`: letters put in, left out or changed (Sellers 1980).
fn least_distance(text: &[char], word: &[char]) -> usize {
    // distances[n]: between the first n letters of the word and the part of the text that ends here and fits best.
    let mut distances: Vec<usize> = (0..=word.len()).collect();
    let mut least = word.len();
    for c in text {
        let mut diagonal = 0;
        for (n, letter) in word.iter().enumerate() {
            let changed = diagonal + usize::from(letter != c);
            diagonal = distances[n + 1];
            distances[n + 1] = changed.min(diagonal + 1).min(distances[n] + 1);
        }
        least = least.min(distances[word.len()]);
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resembles(password: &str, value: &str) -> bool {
        resembles_part_of(&comparable(password), value)
    }

    #[test]
    fn a_name_in_disguise_is_found() {
        for (password, value) in [
            ("p0LL23fb", "Poll"),
            ("xx$m1th!!", "Abby Smith"),
            ("my4bbyword", "abby.smith@example.com"),
            ("3x4mp1e-corp", "abby@example.com"),
            ("M4rt1nezz-and-more", "Martinez"),
            ("martimez-and-more", "Martinez"),
            ("matinez-and-more", "Martinez"),
            ("marrtinez-and-more", "Martinez"),
            ("\u{e9}m1le-and-more", "E\u{301}mile"),
        ] {
            assert!(resembles(password, value), "{password} {value}");
        }
    }

    #[test]
    fn every_sign_has_its_letter() {
        let folded: String = fold("0 1!|i 3 4@ 5$ 7+ 8 9 z6").iter().collect();
        assert_eq!(folded, "o llll e aa ss tt b g z6");
    }

    #[test]
    fn what_only_sounds_alike_is_not() {
        for (password, value) in [
            ("collect-and-more", "Poll"),
            ("pol-and-more", "Poll"),
            ("annual-and-more", "Ann"),
            ("mattinex-and-more", "Martinez"),
            ("correct horse battery", ""),
            ("", "Poll"),
        ] {
            assert!(!resembles(password, value), "{password} {value}");
        }
    }

    #[test]
    fn the_distance_is_that_of_the_best_part() {
        for (text, word, distance) in
            [("xxabcxx", "abc", 0), ("xxabxx", "abc", 1), ("xxacxx", "abc", 1), ("", "abc", 3), ("xyz", "abc", 3)]
        {
            assert_eq!(least_distance(&characters(text), &characters(word)), distance, "{text} {word}");
        }
    }
}
