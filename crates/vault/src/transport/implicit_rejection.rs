//! The synthetic plaintext that stands in where padding is bad.
//!
//! It follows draft-irtf-cfrg-rsa-guidance ("Implementation Guidance for the PKCS #1 RSA Cryptography Specification"):
//! a secret of the private key and the ciphertext give a pseudo-random length and pseudo-random bytes, always
//! computed, used where the padding is bad. To whoever does not hold the private key they look like a plaintext that
//! somebody encrypted.
//!
//! One thing differs, because here a plaintext does not just fail later in a protocol: it becomes somebody's password
//! if it is printable and passes policy. The draft's length is spread evenly from zero up, and random bytes are
//! printable text with a notable probability as long as they are few: 1 in 3 for one byte, 1 in 13 for three, 1 in 675
//! for eight. A payload damaged on its way, or encrypted with the wrong key, must not be set as a password with
//! such a probability. From 64 bytes on it is below 2^-70 (each further byte more than halves it).
//!
//! To take no short length at all would be the simple cure, and would give away more than the draft does: a result
//! that *is* text (refused by policy as too short, say) would then prove that the padding was good, and an attacker
//! who multiplies a captured ciphertext at will sees such a proof about every 2^26 tries. So short lengths stay,
//! below `policy_minimum`, with the probability that the draft gives them: text so short fails the policy, real or
//! synthetic, with the same words. The lengths between, those that a policy might accept, are moved up by 64. Thus:
//!
//! - a synthetic plaintext passes the policy with a probability below 2^-70;
//! - short text is more likely behind bad padding than behind padding that an attacker made good by chance (with a
//!   minimum of 8 and a 2048-bit key: 1 in 365 against 1 in 1000), so that seeing it proves nothing;
//! - where a policy asks for no length, `policy_minimum` is 0 and the first of these two is kept.

use aws_lc_rs::{digest, hmac};
use subtle::{ConditionallySelectable, ConstantTimeLess};
use zeroize::Zeroizing;

/// From this length in bytes on, random bytes are practically never text.
pub const LEAST_LONG: usize = 64;

/// The secret of one private key from which its synthetic plaintexts are derived.
pub(super) struct ImplicitRejection(hmac::Key);

/// A plaintext that nobody encrypted: the first `length` of `bytes`.
pub(super) struct Synthetic {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) length: usize,
}

impl ImplicitRejection {
    /// The secret of a private key, given as it is stored. (The draft hashes the private exponent alone. What matters
    /// is that nobody else has it and that it stays the same.)
    pub(super) fn of(private_key: &[u8]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"lockstep implicit rejection\0");
        context.update(private_key);
        Self(hmac::Key::new(hmac::HMAC_SHA256, context.finish().as_ref()))
    }

    /// `size` bytes, and a length of at most `largest`. Takes the same time whatever comes out.
    pub(super) fn plaintext(&self, ciphertext: &[u8], size: usize, largest: usize, policy_minimum: usize) -> Synthetic {
        let seed = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&self.0, ciphertext).as_ref());
        let length = draft_length(&seed, largest as u32);

        // Both bounds are public; `length` is not, so it is moved without a branch.
        let short = policy_minimum.min(LEAST_LONG) as u32;
        let in_between = !length.ct_lt(&short) & length.ct_lt(&(LEAST_LONG as u32));
        let length = u32::conditional_select(&length, &(length + LEAST_LONG as u32), in_between);

        Synthetic { bytes: expand(&seed, b"message", size), length: length as usize }
    }
}

/// The draft's choice of a length from 0 to `largest`: the last of 128 candidates, each masked to the power of two
/// above, that is not too large. That none fits has a probability below 2^-128, and gives 0.
fn draft_length(seed: &hmac::Key, largest: u32) -> u32 {
    let mask = (largest + 1).next_power_of_two() - 1;
    let mut length = 0;
    for candidate in expand(seed, b"length", 256).chunks_exact(2) {
        let candidate = u32::from(u16::from_be_bytes([candidate[0], candidate[1]])) & mask;
        length.conditional_assign(&candidate, candidate.ct_lt(&(largest + 1)));
    }
    length
}

/// The draft's pseudo-random function: HMAC-SHA-256 of a counter, the label and the number of bits, block by block.
fn expand(seed: &hmac::Key, label: &[u8], bytes: usize) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(vec![0; bytes]);
    let bits = (bytes as u16 * 8).to_be_bytes();
    for (counter, block) in (0u16..).zip(out.chunks_mut(32)) {
        let mut context = hmac::Context::with_key(seed);
        context.update(&counter.to_be_bytes());
        context.update(label);
        context.update(&bits);
        block.copy_from_slice(&context.sign().as_ref()[..block.len()]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use lockstep_core::password::Password;

    fn lengths(policy_minimum: usize, largest: usize) -> Vec<usize> {
        let rejection = ImplicitRejection::of(b"a private key");
        (0..4000u32).map(|n| rejection.plaintext(&n.to_be_bytes(), 256, largest, policy_minimum).length).collect()
    }

    /// The probability that `n` random bytes are taken as a password, for every `n` up to `longest`: the last
    /// character has one to four bytes, and what is before it is a password too.
    fn probability_of_text(longest: usize) -> Vec<f64> {
        let mut characters = [0.0f64; 5];
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            if Password::try_from(c.encode_utf8(&mut [0; 4]) as &str).is_ok() {
                characters[c.len_utf8()] += 1.0;
            }
        }
        let mut text = vec![1.0];
        for n in 1..=longest {
            let last = |bytes: usize| text[n - bytes] * characters[bytes] / 256f64.powi(bytes as i32);
            let probability = (1..=n.min(4)).map(last).sum();
            text.push(probability);
        }
        text
    }

    #[test]
    fn the_figures_of_the_module_are_right() {
        let text = probability_of_text(LEAST_LONG);
        for (bytes, one_in) in [(1, 3.0), (3, 13.0), (8, 675.0)] {
            assert_eq!((1.0 / text[bytes]).round(), one_in, "{bytes} bytes");
        }
        assert!(text[LEAST_LONG] < 2f64.powi(-70), "{}", text[LEAST_LONG].log2());
        assert!(text.windows(2).all(|pair| pair[1] < pair[0] / 2.0), "each byte more than halves it");

        // Behind bad padding the 246 lengths are equally likely. Behind good padding made by chance the first zero
        // byte, with 1 in 256 at each place after the eight that must not be zero, decides the length.
        let chance = |n: usize| text[n] * (255f64 / 256.0).powi(256 - 3 - n as i32) / 256.0;
        let behind_bad = text[1..8].iter().sum::<f64>() / 246.0;
        let behind_good = (1..8).map(chance).sum::<f64>() / (255f64 / 256.0).powi(8);
        assert!((360.0..370.0).contains(&(1.0 / behind_bad)), "{}", 1.0 / behind_bad);
        assert!((950.0..1050.0).contains(&(1.0 / behind_good)), "{}", 1.0 / behind_good);
        // What a synthetic plaintext that is never short would prove, per try of a multiplied ciphertext.
        let proof = (1..=LEAST_LONG).map(chance).sum::<f64>() / 65536.0;
        assert_eq!(proof.log2().round(), -26.0);
    }

    #[test]
    fn no_length_lies_where_a_policy_might_accept_text() {
        for (largest, minimum) in [(245, 0), (245, 8), (245, 15), (190, 8), (245, 64), (245, 1000)] {
            for length in lengths(minimum, largest) {
                assert!(length <= largest);
                assert!(length < minimum.min(LEAST_LONG) || length >= LEAST_LONG, "{length} with {minimum}");
            }
        }
    }

    #[test]
    fn short_lengths_are_as_frequent_as_the_draft_makes_them() {
        let seen = lengths(8, 245);
        for short in 0..8 {
            // 4000 draws over 246 lengths: 16.3 expected, and more than 6 standard deviations of room.
            let count = seen.iter().filter(|length| **length == short).count();
            assert!((1..=41).contains(&count), "{short}: {count}");
        }
        // What would lie between 8 and 63 is added to 72..=127, so these come twice as often.
        let doubled = seen.iter().filter(|length| (72..=127).contains(*length)).count();
        assert!((1650..=2000).contains(&doubled), "{doubled}");
    }

    #[test]
    fn the_length_is_the_drafts_where_no_policy_interferes() {
        let seed = hmac::Key::new(hmac::HMAC_SHA256, b"seed");
        let candidates = expand(&seed, b"length", 256);
        let expected =
            candidates.chunks(2).rev().map(|pair| u32::from(pair[1])).find(|candidate| *candidate <= 245).unwrap();
        assert_eq!(draft_length(&seed, 245), expected);
    }

    #[test]
    fn blocks_of_the_pseudo_random_function_are_counted_and_labelled() {
        let seed = hmac::Key::new(hmac::HMAC_SHA256, b"seed");
        let out = expand(&seed, b"message", 40);
        assert_eq!(out[..32], *hmac::sign(&seed, b"\0\0message\x01\x40").as_ref());
        assert_eq!(out[32..], hmac::sign(&seed, b"\0\x01message\x01\x40").as_ref()[..8]);
    }
}
