//! Sealing: what is secret in a row of the database is encrypted, and bound to that row.
//!
//! A sealed blob opens only under the [`Binding`] it was sealed under, so whoever can write to the database can
//! destroy secrets but cannot move one to another row, person, account or system. Sealing hides the content, not the
//! length.

use aws_lc_rs::aead::{AES_256_GCM, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk};
use lockstep_core::id::{AccountId, ChangeId, IdentityId, SourceId, TransportKeyId};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::aead;
use crate::key_ring::{DataKey, KeyRing, Purpose};

/// What a sealed blob belongs to: associated data of the encryption, and never optional.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding<'a> {
    /// The payload of a queued password change.
    Payload {
        /// The change.
        change: ChangeId,
        /// Whose password.
        identity: IdentityId,
        /// The account that was named.
        account: AccountId,
        /// The source that was named.
        source: SourceId,
    },
    /// The private half of a transport key.
    TransportKey(TransportKeyId),
    /// A secret that a connector signs in with.
    ConnectorSecret {
        /// The source whose connector it is.
        source: SourceId,
        /// Which of its secrets, by the name that the configuration has for it.
        name: &'a str,
    },
    /// The private half of a key that signs access tokens, by its key id.
    TokenSigningKey(Uuid),
    /// What the codes of a person's second factor are computed from.
    TotpSecret(IdentityId),
}

/// Why a sealed blob was not opened. It does not say more, because nobody who may see it needs more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Altered, cut short, or sealed for something else.
    #[error("the sealed value cannot be opened")]
    CannotBeOpened,
    /// Sealed under a data key that this key ring does not have.
    #[error("the sealed value is under the unknown data key {0}")]
    UnknownKey(Uuid),
}

const VERSION: u8 = 1;

impl KeyRing {
    /// Encrypts `plaintext` for `binding`.
    ///
    /// The result is a version byte (1), the data key's id (16 bytes), a nonce (12 bytes), the ciphertext and a tag
    /// (16 bytes): 45 bytes more than the plaintext.
    pub fn seal(&self, binding: &Binding<'_>, plaintext: &[u8]) -> Vec<u8> {
        let key = self.current(binding.purpose());
        let associated = binding.associated(key.id);
        let mut sealed = Vec::new();
        sealed.push(VERSION);
        sealed.extend_from_slice(key.id.as_bytes());
        aead::encrypt(cipher(key, &associated), &associated, plaintext, &mut sealed);
        sealed
    }

    /// Decrypts what [`KeyRing::seal`] made for the same binding.
    ///
    /// # Errors
    /// Anything else, see [`OpenError`].
    pub fn open_sealed(&self, binding: &Binding<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (head, rest) = sealed.split_first_chunk::<17>().ok_or(OpenError::CannotBeOpened)?;
        let [VERSION, id @ ..] = *head else { return Err(OpenError::CannotBeOpened) };
        let id = Uuid::from_bytes(id);
        let key = self.find(id).ok_or(OpenError::UnknownKey(id))?;
        if key.purpose != binding.purpose() {
            return Err(OpenError::CannotBeOpened);
        }
        let associated = binding.associated(id);
        aead::decrypt(cipher(key, &associated), &associated, rest).ok_or(OpenError::CannotBeOpened)
    }
}

impl Binding<'_> {
    fn purpose(&self) -> Purpose {
        match self {
            Self::Payload { .. } => Purpose::Payload,
            Self::TransportKey(_) => Purpose::TransportPrivate,
            Self::ConnectorSecret { .. } | Self::TotpSecret(_) => Purpose::ConnectorSecret,
            Self::TokenSigningKey(_) => Purpose::TokenSigning,
        }
    }

    /// Version, data key, kind and ids. Every part but the last has a fixed length, so no two bindings have the same
    /// bytes.
    fn associated(&self, key: Uuid) -> Vec<u8> {
        let mut bytes = b"lockstep seal\0".to_vec();
        bytes.push(VERSION);
        bytes.extend_from_slice(key.as_bytes());
        let (kind, ids, name): (u8, &[Uuid], &str) = match *self {
            Self::Payload { change, identity, account, source } => {
                (1, &[change.0, identity.0, account.0, source.0], "")
            }
            Self::TransportKey(id) => (2, &[id.0], ""),
            Self::ConnectorSecret { source, name } => (3, &[source.0], name),
            Self::TokenSigningKey(id) => (4, &[id], ""),
            Self::TotpSecret(identity) => (5, &[identity.0], ""),
        };
        bytes.push(kind);
        bytes.extend(ids.iter().flat_map(|id| *id.as_bytes()));
        bytes.extend_from_slice(name.as_bytes());
        bytes
    }
}

/// The key of one row: HKDF-SHA-256 (RFC 5869, expand) of the data key and the binding.
///
/// Random nonces allow 2^32 encryptions under one key (NIST SP 800-38D section 8.3), which a busy installation would
/// reach with one key for all payloads. A key a row never gets there.
fn cipher(key: &DataKey, associated: &[u8]) -> UnboundKey {
    let secret = Prk::new_less_safe(HKDF_SHA256, key.secret.as_ref());
    let info = [associated];
    UnboundKey::from(secret.expand(&info, &AES_256_GCM).expect("HKDF-SHA-256 gives up to 8160 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master_key::MasterKey;
    use proptest::prelude::*;

    fn ring() -> KeyRing {
        KeyRing::create(&MasterKey::generate()).0
    }

    fn payload(change: u128, identity: u128, account: u128, source: u128) -> Binding<'static> {
        Binding::Payload {
            change: ChangeId(Uuid::from_u128(change)),
            identity: IdentityId(Uuid::from_u128(identity)),
            account: AccountId(Uuid::from_u128(account)),
            source: SourceId(Uuid::from_u128(source)),
        }
    }

    fn secret(source: u128, name: &str) -> Binding<'_> {
        Binding::ConnectorSecret { source: SourceId(Uuid::from_u128(source)), name }
    }

    #[test]
    fn a_blob_opens_under_its_own_binding_only() {
        let ring = ring();
        let bindings = [
            payload(1, 2, 3, 4),
            payload(5, 2, 3, 4),
            payload(1, 5, 3, 4),
            payload(1, 2, 5, 4),
            payload(1, 2, 3, 5),
            payload(2, 1, 3, 4),
            Binding::TransportKey(TransportKeyId(Uuid::from_u128(1))),
            Binding::TransportKey(TransportKeyId(Uuid::from_u128(2))),
            Binding::TokenSigningKey(Uuid::from_u128(1)),
            secret(1, "password"),
            secret(1, "passwords"),
            secret(1, ""),
            secret(2, "password"),
        ];
        for sealed_for in &bindings {
            let sealed = ring.seal(sealed_for, b"content");
            for opened_for in &bindings {
                let opened = ring.open_sealed(opened_for, &sealed);
                if sealed_for == opened_for {
                    assert_eq!(opened.unwrap().as_slice(), b"content");
                } else {
                    assert_eq!(opened, Err(OpenError::CannotBeOpened), "{sealed_for:?} as {opened_for:?}");
                }
            }
        }
    }

    #[test]
    fn another_ring_says_which_key_it_lacks() {
        let (one, other) = (ring(), ring());
        let sealed = one.seal(&secret(1, "password"), b"content");
        let id = one.current(Purpose::ConnectorSecret).id;
        assert_eq!(other.open_sealed(&secret(1, "password"), &sealed), Err(OpenError::UnknownKey(id)));
    }

    #[test]
    fn a_master_key_change_leaves_old_blobs_readable() {
        let (ring, _) = KeyRing::create(&MasterKey::generate());
        let sealed = ring.seal(&payload(1, 2, 3, 4), b"content");
        let new = MasterKey::generate();
        let reopened = KeyRing::open(std::slice::from_ref(&new), &ring.rewrap(&new)).unwrap();
        assert_eq!(reopened.open_sealed(&payload(1, 2, 3, 4), &sealed).unwrap().as_slice(), b"content");
    }

    #[test]
    fn the_same_content_is_never_sealed_to_the_same_bytes() {
        let ring = ring();
        let (one, two) = (ring.seal(&secret(1, "a"), b"x"), ring.seal(&secret(1, "a"), b"x"));
        assert_ne!(one, two);
        assert_eq!(one.len(), 45 + 1);
    }

    proptest! {
        #[test]
        fn whatever_is_sealed_opens_and_one_wrong_bit_or_length_does_not(
            content in proptest::collection::vec(any::<u8>(), 0..600),
            at in any::<prop::sample::Index>(),
            bit in 0..8u8,
        ) {
            let ring = ring();
            let binding = secret(1, "password");
            let sealed = ring.seal(&binding, &content);
            let opened = ring.open_sealed(&binding, &sealed).unwrap();
            prop_assert_eq!(opened.as_slice(), content.as_slice());

            let mut altered = sealed.clone();
            altered[at.index(sealed.len())] ^= 1 << bit;
            prop_assert!(ring.open_sealed(&binding, &altered).is_err());
            prop_assert!(ring.open_sealed(&binding, &sealed[..at.index(sealed.len())]).is_err());
            altered = sealed;
            altered.push(0);
            prop_assert!(ring.open_sealed(&binding, &altered).is_err());
        }
    }
}
