//! Transport keys: the RSA key pairs that clients encrypt new passwords with.
//!
//! Opening a payload gives no verdict on its padding. Every documented client of the contract uses PKCS#1 v1.5
//! padding, and whoever can tell good padding from bad, by a status, a text or a time, can decrypt a captured payload
//! (Bleichenbacher 1998, and every "ROBOT" since). So [`TransportKey::open`] cannot fail: where padding is bad it gives
//! other bytes, see [`implicit_rejection`], and they take the same way as any payload.
//!
//! What remains: AWS-LC checks the padding in constant time but then branches once on the result (it copies the
//! plaintext, or notes an error), and its safe interface offers no unpadded decryption that would avoid the branch.
//! The difference is well below a microsecond in about a millisecond. That is why payloads are opened by the worker
//! and never while the request that brought them waits, and why a failure that precedes delivery becomes visible on a
//! fixed tick only.
//!
//! When keys are made, published and destroyed is told in [`rotation`]; where they are stored is not this crate's
//! business.

mod encrypt;
pub mod implicit_rejection;
pub mod rotation;

pub use encrypt::{TooLong, encrypt};

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lockstep_core::id::TransportKeyId;
use lockstep_core::password::{InvalidPassword, Password};
use subtle::{Choice, ConditionallySelectable};
use zeroize::Zeroizing;

use crate::key_ring::KeyRing;
use crate::seal::{Binding, OpenError};
use implicit_rejection::ImplicitRejection;

/// How large a transport key is. Every size is at least what NIST SP 800-131A asks for (2048 bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransportKeySize {
    /// 2048 bits: the default, since a key lives two days.
    Rsa2048,
    /// 3072 bits.
    Rsa3072,
    /// 4096 bits.
    Rsa4096,
}

impl TransportKeySize {
    /// Every size with its number of bits, as the configuration and the store keep it.
    pub const BITS: [(Self, u16); 3] = [(Self::Rsa2048, 2048), (Self::Rsa3072, 3072), (Self::Rsa4096, 4096)];
}

/// How payloads for a transport key are padded. The key's id fixes it; no payload is tried both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransportPadding {
    /// RSAES-PKCS1-v1_5 (RFC 8017 section 7.2): what `openssl pkeyutl -encrypt` does and every documented client
    /// sends. Leaves 11 bytes less than the key's size for the password.
    Pkcs1v15,
    /// RSAES-OAEP with SHA-256 for both hashes and no label (RFC 8017 section 7.1), for callers that ask for it.
    /// Leaves 66 bytes less than the key's size.
    OaepSha256,
}

impl TransportPadding {
    /// Every padding with the name that the store and the header `X-Lockstep-Padding` have for it.
    pub const NAMES: [(Self, &str); 2] = [(Self::Pkcs1v15, "pkcs1v15"), (Self::OaepSha256, "oaep-sha256")];

    /// The bytes that padding takes from a block of the key's size.
    fn overhead(self) -> usize {
        match self {
            Self::Pkcs1v15 => 11,
            Self::OaepSha256 => 66,
        }
    }
}

/// The library could not make or encode an RSA key, which means that it has no memory or no randomness left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a transport key cannot be generated")]
pub struct GenerateError;

/// A transport key with its private half. The library wipes it when dropped; its `Debug` shows id and padding only.
pub struct TransportKey {
    /// The id that is published with the public half.
    pub id: TransportKeyId,
    /// How its payloads are padded.
    pub padding: TransportPadding,
    private: PrivateDecryptingKey,
    opener: Opener,
    rejection: ImplicitRejection,
    public: String,
}

enum Opener {
    Pkcs1v15(Pkcs1PrivateDecryptingKey),
    OaepSha256(OaepPrivateDecryptingKey),
}

impl TransportKey {
    /// Makes a new key pair.
    ///
    /// This computes: about 100 ms for 2048 bits and seconds for 4096, with a wide spread. Call it where blocking is
    /// allowed, ahead of need.
    pub fn generate(
        id: TransportKeyId,
        size: TransportKeySize,
        padding: TransportPadding,
    ) -> Result<Self, GenerateError> {
        let size = match size {
            TransportKeySize::Rsa2048 => KeySize::Rsa2048,
            TransportKeySize::Rsa3072 => KeySize::Rsa3072,
            TransportKeySize::Rsa4096 => KeySize::Rsa4096,
        };
        let private = PrivateDecryptingKey::generate(size).map_err(|_| GenerateError)?;
        let der: Pkcs8V1Der<'_> = private.as_der().map_err(|_| GenerateError)?;
        Self::of(id, padding, private, der.as_ref()).ok_or(GenerateError)
    }

    /// The public half as clients get it: base64 of the DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) on one
    /// line, without PEM armour.
    pub fn public_spki_base64(&self) -> &str {
        &self.public
    }

    /// The only length in bytes that a payload for this key can have. Any other is refused at acceptance: a length is
    /// public.
    pub fn ciphertext_length(&self) -> usize {
        self.private.key_size_bytes()
    }

    /// The private half and its padding, sealed for the store: a key whose padding was altered there does not open.
    pub fn seal(&self, ring: &KeyRing) -> Result<Vec<u8>, GenerateError> {
        let der: Pkcs8V1Der<'_> = self.private.as_der().map_err(|_| GenerateError)?;
        let mut plaintext = Zeroizing::new(Vec::with_capacity(1 + der.as_ref().len()));
        plaintext.push(match self.padding {
            TransportPadding::Pkcs1v15 => 1,
            TransportPadding::OaepSha256 => 2,
        });
        plaintext.extend_from_slice(der.as_ref());
        Ok(ring.seal(&Binding::TransportKey(self.id), &plaintext))
    }

    /// The key that [`TransportKey::seal`] sealed.
    ///
    /// # Errors
    /// Sealed under another data key, for another id, or altered.
    pub fn unseal(ring: &KeyRing, id: TransportKeyId, sealed: &[u8]) -> Result<Self, OpenError> {
        let plaintext = ring.open_sealed(&Binding::TransportKey(id), sealed)?;
        let (padding, der) = match plaintext.split_first() {
            Some((1, der)) => (TransportPadding::Pkcs1v15, der),
            Some((2, der)) => (TransportPadding::OaepSha256, der),
            _ => return Err(OpenError::CannotBeOpened),
        };
        let private = PrivateDecryptingKey::from_pkcs8(der).map_err(|_| OpenError::CannotBeOpened)?;
        Self::of(id, padding, private, der).ok_or(OpenError::CannotBeOpened)
    }

    /// Opens a payload. There is no failure and no way to ask whether there was one: where the padding is bad, or the
    /// ciphertext has the wrong length or value, the result is synthetic, the same for the same ciphertext and key.
    ///
    /// `policy_minimum` is the fewest characters that the password policy in charge accepts, 0 if it says nothing;
    /// see [`implicit_rejection`] for what it is needed for.
    pub fn open(&self, ciphertext: &[u8], policy_minimum: usize) -> Zeroizing<Vec<u8>> {
        let size = self.ciphertext_length();
        let largest = size - self.padding.overhead();
        let synthetic = self.rejection.plaintext(ciphertext, size, largest, policy_minimum);

        let mut opened = Zeroizing::new(vec![0; size]);
        let result = match &self.opener {
            Opener::Pkcs1v15(key) => key.decrypt(ciphertext, &mut opened),
            Opener::OaepSha256(key) => key.decrypt(&OAEP_SHA256_MGF1SHA256, ciphertext, &mut opened, None),
        };
        let (good, length) = result.map_or((0, 0), |plaintext| (1, plaintext.len()));

        // From here on the same work is done whatever came out.
        let good = Choice::from(good);
        for (byte, other) in opened.iter_mut().zip(synthetic.bytes.iter()) {
            *byte = u8::conditional_select(other, byte, good);
        }
        let length = u64::conditional_select(&(synthetic.length as u64), &(length as u64), good);
        opened.truncate(length as usize);
        opened
    }

    /// Opens a payload as a password. Real and synthetic bytes are judged by the same rule, [`Password::from_bytes`].
    ///
    /// # Errors
    /// The bytes are no password, which says nothing about the padding.
    pub fn open_password(&self, ciphertext: &[u8], policy_minimum: usize) -> Result<Password, InvalidPassword> {
        Password::from_bytes(self.open(ciphertext, policy_minimum))
    }

    fn of(id: TransportKeyId, padding: TransportPadding, private: PrivateDecryptingKey, der: &[u8]) -> Option<Self> {
        let public: PublicKeyX509Der<'_> = private.public_key().as_der().ok()?;
        let opener = match padding {
            TransportPadding::Pkcs1v15 => Opener::Pkcs1v15(Pkcs1PrivateDecryptingKey::new(private.clone()).ok()?),
            TransportPadding::OaepSha256 => Opener::OaepSha256(OaepPrivateDecryptingKey::new(private.clone()).ok()?),
        };
        Some(Self {
            id,
            padding,
            opener,
            rejection: ImplicitRejection::of(der),
            public: STANDARD.encode(public.as_ref()),
            private,
        })
    }
}

impl fmt::Debug for TransportKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransportKey({}, {:?})", self.id, self.padding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master_key::MasterKey;
    use aws_lc_rs::rsa::{OaepPublicEncryptingKey, Pkcs1PublicEncryptingKey};
    use uuid::Uuid;

    fn key(number: u128, padding: TransportPadding) -> TransportKey {
        TransportKey::generate(TransportKeyId(Uuid::from_u128(number)), TransportKeySize::Rsa2048, padding).unwrap()
    }

    fn encrypt(key: &TransportKey, plaintext: &[u8]) -> Vec<u8> {
        let public = key.private.public_key();
        let mut out = vec![0; key.ciphertext_length()];
        match key.padding {
            TransportPadding::Pkcs1v15 => {
                Pkcs1PublicEncryptingKey::new(public).unwrap().encrypt(plaintext, &mut out).unwrap();
            }
            TransportPadding::OaepSha256 => {
                let public = OaepPublicEncryptingKey::new(public).unwrap();
                public.encrypt(&OAEP_SHA256_MGF1SHA256, plaintext, &mut out, None).unwrap();
            }
        }
        out
    }

    #[test]
    fn passwords_of_every_length_that_fits_are_opened() {
        for (padding, largest) in [(TransportPadding::Pkcs1v15, 245), (TransportPadding::OaepSha256, 190)] {
            let key = key(1, padding);
            for length in [1, 2, 63, 64, largest - 1, largest] {
                let password = "p".repeat(length);
                let opened = key.open_password(&encrypt(&key, password.as_bytes()), 8).unwrap();
                assert_eq!(opened.expose(), password, "{padding:?} {length}");
            }
            assert!(key.open_password(&encrypt(&key, b""), 0).is_err());
        }
    }

    #[test]
    fn a_tampered_payload_opens_to_the_same_synthetic_bytes_each_time() {
        for padding in [TransportPadding::Pkcs1v15, TransportPadding::OaepSha256] {
            let (one, other) = (key(1, padding), key(2, padding));
            let good = encrypt(&one, b"myPassword");
            for at in [0, 1, 100, 255] {
                let mut tampered = good.clone();
                tampered[at] ^= 0x40;
                let first = one.open(&tampered, 0);
                assert_eq!(first, one.open(&tampered, 0), "the same key and ciphertext");
                assert_ne!(first, other.open(&tampered, 0), "another key");
                assert_ne!(first.as_slice(), b"myPassword");
                assert!(first.len() >= implicit_rejection::LEAST_LONG, "{}", first.len());
                assert!(one.open_password(&tampered, 0).is_err());
            }
            assert_ne!(other.open(&good, 0), one.open(&good, 0));
        }
    }

    #[test]
    fn no_input_at_all_fails_or_panics() {
        let key = key(1, TransportPadding::Pkcs1v15);
        for ciphertext in [vec![], vec![0; 255], vec![0; 256], vec![0xff; 256], vec![1; 257], vec![7; 5000]] {
            assert!(key.open(&ciphertext, 0).len() >= implicit_rejection::LEAST_LONG);
            assert!(key.open(&ciphertext, usize::MAX).len() <= 245);
        }
    }

    #[test]
    fn a_sealed_key_is_the_same_key_under_its_own_id_only() {
        let (ring, _) = KeyRing::create(&MasterKey::generate());
        for padding in [TransportPadding::Pkcs1v15, TransportPadding::OaepSha256] {
            let key = key(1, padding);
            let sealed = key.seal(&ring).unwrap();
            let unsealed = TransportKey::unseal(&ring, key.id, &sealed).unwrap();
            assert_eq!(unsealed.padding, padding);
            assert_eq!(unsealed.public_spki_base64(), key.public_spki_base64());
            let good = encrypt(&key, b"myPassword");
            assert_eq!(unsealed.open(&good, 0).as_slice(), b"myPassword");
            let mut bad = good;
            bad[9] ^= 1;
            assert_eq!(unsealed.open(&bad, 0), key.open(&bad, 0), "synthetic bytes outlive a restart");

            let foreign = TransportKeyId(Uuid::from_u128(2));
            assert_eq!(TransportKey::unseal(&ring, foreign, &sealed).err(), Some(OpenError::CannotBeOpened));
            assert!(sealed.windows(64).all(|w| !key.private.as_der().unwrap().as_ref().windows(64).any(|v| v == w)));
        }
    }

    #[test]
    fn larger_keys_work_alike() {
        for (size, bits) in TransportKeySize::BITS {
            let id = TransportKeyId(Uuid::from_u128(u128::from(bits)));
            let key = TransportKey::generate(id, size, TransportPadding::Pkcs1v15).unwrap();
            assert_eq!(key.ciphertext_length(), usize::from(bits) / 8);
            let longest = "x".repeat(key.ciphertext_length() - 11);
            assert_eq!(key.open_password(&encrypt(&key, longest.as_bytes()), 0).unwrap().expose(), longest);
            let mut bad = encrypt(&key, b"myPassword");
            bad[70] ^= 1;
            assert!(key.open(&bad, 0).len() >= implicit_rejection::LEAST_LONG);
        }
    }

    #[test]
    fn debug_shows_id_and_padding_only() {
        let key = key(1, TransportPadding::OaepSha256);
        assert_eq!(format!("{key:?}"), "TransportKey(00000000-0000-0000-0000-000000000001, OaepSha256)");
    }
}
