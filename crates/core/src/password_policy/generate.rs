//! Passwords that Lockstep makes up: for a person who asks for one, and for tests.
//!
//! Randomness is an argument. History is not looked at: a made-up password does not come back.

use zeroize::Zeroizing;

use super::PasswordPolicy;
use super::rules::{Context, check};
use crate::password::Password;

/// No password was found that passes: the policy's rules exclude one another, or almost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no password could be made up that passes the policy {policy}")]
pub struct CannotGenerate {
    /// The policy's name.
    pub policy: String,
}

/// Makes up a password that passes `policy`.
///
/// It has 20 characters (or what the policy's bounds force), all of them ASCII: letters and digits that cannot be
/// mistaken for each other when read aloud or copied by hand, and only as many special characters as the policy asks
/// for. Each character is chosen with equal chances from its set, and so is each place. Twenty letters and digits are
/// worth 115 bits.
///
/// The policy is one that [`PasswordPolicy::validate`] accepts. `random` fills a slice with random bytes; it must be a cryptographic source, and one that only ever gave 255 would
/// never let this return.
pub fn generate(
    policy: &PasswordPolicy,
    context: &Context<'_>,
    random: &mut impl FnMut(&mut [u8]),
) -> Result<Password, CannotGenerate> {
    let cannot = || CannotGenerate { policy: policy.name.clone() };
    let sets = character_sets(policy).ok_or_else(cannot)?;
    for _ in 0..ATTEMPTS {
        let mut text = Zeroizing::new(Vec::with_capacity(sets.len()));
        text.extend(sets.iter().map(|set| set[below(set.len() as u8, random)]));
        for last in (1..text.len()).rev() {
            text.swap(last, below(last as u8 + 1, random));
        }
        if let Ok(password) = Password::from_bytes(text)
            && check(policy, &password, context).is_ok()
        {
            return Ok(password);
        }
    }
    Err(cannot())
}

/// A whole number from 0 to `bound` - 1, each with equal chances: bytes that would favour the small numbers are thrown
/// away. A bound of 0 gives 0.
pub(crate) fn below(bound: u8, random: &mut impl FnMut(&mut [u8])) -> usize {
    let bound = u16::from(bound.max(1));
    let fair = 256 - 256 % bound;
    loop {
        let mut byte = [0];
        random(&mut byte);
        if u16::from(byte[0]) < fair {
            return usize::from(u16::from(byte[0]) % bound);
        }
    }
}

/// How many candidates are tried before the policy counts as impossible.
const ATTEMPTS: usize = 1000;

/// The usual length.
const LENGTH: i64 = 20;

/// The longest that a policy can make us produce; places are drawn with one byte.
const LONGEST: i64 = 245;

// Without 0 and O, 1, I and l.
const UPPER: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
const LOWER: &[u8] = b"abcdefghijkmnopqrstuvwxyz";
const DIGITS: &[u8] = b"23456789";
// What no shell, directory or form treats specially, and no `:`, which the contract's owner refuses.
const SPECIAL: &[u8] = b"-_.+=@%";
const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const ANY: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";

/// The set that each character is drawn from, or none where the bounds leave no room.
fn character_sets(policy: &PasswordPolicy) -> Option<Vec<&'static [u8]>> {
    let mut counts = [
        (LOWER, policy.min_lower.max(0)),
        (UPPER, policy.min_upper.max(0)),
        (DIGITS, policy.min_numeric.max(0)),
        (SPECIAL, policy.min_special.max(0)),
    ];
    let missing = policy.min_character_types - counts.iter().filter(|(_, count)| *count > 0).count() as i64;
    let absent = counts.iter_mut().filter(|(_, count)| *count == 0);
    absent.take(usize::try_from(missing).unwrap_or_default()).for_each(|(_, count)| *count = 1);

    let letters = (policy.min_alpha - counts[0].1 - counts[1].1).max(0);
    let needed = letters + counts.iter().map(|(_, count)| count).sum::<i64>();
    let longest = if policy.max_length > 0 { policy.max_length.min(LONGEST) } else { LONGEST };
    let least = needed.max(policy.min_length);
    if least > longest {
        return None;
    }
    let rest = LENGTH.clamp(least, longest) - needed;
    let counted = counts.into_iter().chain([(LETTERS, letters), (ANY, rest)]);
    Some(
        counted.flat_map(|(set, count)| std::iter::repeat_n(set, usize::try_from(count).unwrap_or_default())).collect(),
    )
}

/// Random bytes for tests: a small generator (xorshift), even enough to be counted and the same for the same seed.
#[cfg(test)]
pub(crate) fn seeded(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut state = seed | 1;
    move |bytes| {
        bytes.fill_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password_policy::dictionary::Dictionary;

    fn nobody(dictionary: &Dictionary) -> Context<'_> {
        let (account_id, account_name) = ("", "");
        Context { account_id, account_name, identity_attributes: vec![], account_attributes: vec![], dictionary }
    }

    #[test]
    fn a_password_has_twenty_characters_that_cannot_be_mistaken() {
        let dictionary = Dictionary::default();
        let password = generate(&PasswordPolicy::default(), &nobody(&dictionary), &mut seeded(7)).expect("a password");
        assert_eq!(password.expose().len(), 20);
        assert!(password.expose().chars().all(|c| c.is_ascii_alphanumeric() && !"0O1Il".contains(c)));
    }

    #[test]
    fn the_bounds_of_the_policy_force_the_length() {
        let dictionary = Dictionary::default();
        for (min_length, max_length, length) in [(0, 10, 10), (30, 0, 30), (0, 0, 20), (20, 20, 20), (245, 0, 245)] {
            let policy = PasswordPolicy { min_length, max_length, ..PasswordPolicy::unrestricted() };
            let password = generate(&policy, &nobody(&dictionary), &mut seeded(3)).expect("a password");
            assert_eq!(password.expose().len(), length);
        }
    }

    #[test]
    fn what_must_occur_is_at_any_place() {
        let policy = PasswordPolicy { min_upper: 1, min_lower: 1, max_length: 2, ..PasswordPolicy::unrestricted() };
        let dictionary = Dictionary::default();
        let mut random = seeded(5);
        let upper_first = (0..2000).filter(|_| {
            let password = generate(&policy, &nobody(&dictionary), &mut random).expect("a password");
            password.expose().starts_with(char::is_uppercase)
        });
        // Six standard deviations around 1000.
        let upper_first = upper_first.count();
        assert!((866..=1134).contains(&upper_first), "{upper_first}");
    }

    #[test]
    fn every_number_below_a_bound_is_as_likely_as_any_other() {
        for bound in [1, 7, 10, 57, 200, 255] {
            let mut random = seeded(42);
            let mut counts = vec![0u32; usize::from(bound)];
            let draws = 2000 * u32::from(bound);
            for _ in 0..draws {
                counts[below(bound, &mut random)] += 1;
            }
            // Six standard deviations around 2000. A plain remainder of 200 would give the first 56 twice as often.
            assert!(counts.iter().all(|count| (1730..=2270).contains(count)), "{bound}: {counts:?}");
        }
    }

    #[test]
    fn bytes_that_would_favour_small_numbers_are_thrown_away() {
        let mut bytes = [255, 250, 249, 0].into_iter();
        let mut random = |slice: &mut [u8]| slice.fill_with(|| bytes.next().expect("four bytes"));
        assert_eq!(below(10, &mut random), 9);
        assert_eq!(below(10, &mut random), 0);
    }

    #[test]
    fn a_policy_that_excludes_every_password_is_named() {
        let policy = PasswordPolicy {
            name: "Impossible".to_owned(),
            min_numeric: 9,
            max_length: 8,
            ..PasswordPolicy::unrestricted()
        };
        let dictionary = Dictionary::default();
        let error = generate(&policy, &nobody(&dictionary), &mut seeded(1)).expect_err("impossible");
        assert_eq!(error.policy, "Impossible");

        let everything = ('a'..='z').chain('0'..='9').map(|c| format!("{c}\n")).collect::<String>();
        let dictionary = Dictionary::parse(everything.as_bytes()).expect("words");
        let policy = PasswordPolicy { use_dictionary: true, ..PasswordPolicy::unrestricted() };
        assert!(generate(&policy, &nobody(&dictionary), &mut seeded(1)).is_err());
    }
}
