//! Every key and every ciphertext of Lockstep.
//!
//! This is the only crate that touches keys. It keeps nothing: what it returns sealed or hashed, the server stores and
//! brings back. It knows no database, no network and no clock, and decides no rule about passwords.
//!
//! ```text
//! master key (file, environment, systemd)         master_key
//!   └─ wraps the data keys, one a purpose         key_ring
//!        ├─ seal rows, each bound to its place    seal
//!        │    ├─ transport keys                   transport
//!        │    ├─ token signing keys               token
//!        │    ├─ payloads of queued changes
//!        │    ├─ secrets of connectors
//!        │    └─ secrets of second factors        totp
//!        ├─ pepper of password hashes             hash
//!        └─ key of the keyed hashes               hash
//! ```
//!
//! [`Vault`] ties it together: one value, made at start and passed down. What a person's passkey signed is verified here too
//! ([`passkey`]), with a key that is no secret.

mod aead;
pub mod hash;
pub mod key_ring;
pub mod master_key;
pub mod passkey;
pub mod seal;
pub mod secret;
pub mod token;
pub mod totp;
pub mod transport;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use lockstep_core::id::TransportKeyId;
use lockstep_core::password::Password;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use hash::{Fingerprint, Fingerprinter, HashCost, HashPurpose, KeyedHasher, PasswordHasher};
use key_ring::{KeyRing, WrappedKey};
use master_key::MasterKey;
use seal::{Binding, OpenError};
use token::{Claims, Jwks, SigningError, SigningKey, TokenError, TokenSettings, Tokens};
use transport::{GenerateError, TransportKey, TransportKeySize, TransportPadding};

/// The unlocked vault. Cloning it is cheap and gives the same vault. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    ring: KeyRing,
    passwords: PasswordHasher,
    keyed: KeyedHasher,
    fingerprints: Fingerprinter,
    transport_keys: RwLock<HashMap<TransportKeyId, Arc<TransportKey>>>,
    tokens: RwLock<Arc<Tokens>>,
}

/// A transport key that was just made: what the server stores and publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTransportKey {
    /// Its id.
    pub id: TransportKeyId,
    /// How its payloads are padded.
    pub padding: TransportPadding,
    /// Base64 of the DER SubjectPublicKeyInfo, on one line.
    pub public_key: String,
    /// The length in bytes that every payload for it has.
    pub ciphertext_length: usize,
    /// The sealed private half.
    pub sealed: Vec<u8>,
}

impl Vault {
    /// Unlocks the vault. It signs no token until [`Vault::use_signing_keys`] gave it a key to sign with.
    pub fn new(ring: KeyRing, cost: HashCost, tokens: TokenSettings) -> Self {
        Self(Arc::new(Inner {
            passwords: PasswordHasher::new(&ring, cost),
            keyed: KeyedHasher::new(&ring),
            fingerprints: Fingerprinter::new(),
            transport_keys: RwLock::default(),
            tokens: RwLock::new(Arc::new(Tokens::new(tokens, Vec::new()))),
            ring,
        }))
    }

    /// The stored form of the same data keys under another master key.
    pub fn rewrap(&self, master: &MasterKey) -> Vec<WrappedKey> {
        self.0.ring.rewrap(master)
    }

    /// Encrypts what is secret in a row, bound to that row.
    pub fn seal(&self, binding: &Binding<'_>, plaintext: &[u8]) -> Vec<u8> {
        self.0.ring.seal(binding, plaintext)
    }

    /// Decrypts what [`Vault::seal`] made for the same row.
    pub fn open(&self, binding: &Binding<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.0.ring.open_sealed(binding, sealed)
    }

    /// Hashes and verifies sign-in passwords and history.
    pub fn passwords(&self) -> &PasswordHasher {
        &self.0.passwords
    }

    /// Stands for `password` in memory, to see whether two unfinished changes have the same.
    pub fn fingerprint(&self, password: &Password) -> Fingerprint {
        self.0.fingerprints.fingerprint(password)
    }

    /// HMAC-SHA-256 of `bytes` for `purpose`: what is stored of a token or code, and looked up by.
    pub fn keyed_hash(&self, purpose: HashPurpose, bytes: &[u8]) -> [u8; 32] {
        self.0.keyed.hash(purpose, bytes)
    }

    /// Whether `stored` is the keyed hash of `bytes`, in a time that does not depend on how much of it agrees.
    pub fn verify_keyed_hash(&self, purpose: HashPurpose, bytes: &[u8], stored: &[u8]) -> bool {
        self.keyed_hash(purpose, bytes).ct_eq(stored).into()
    }

    /// Makes a transport key. This computes, see [`TransportKey::generate`].
    pub fn generate_transport_key(
        &self,
        id: TransportKeyId,
        size: TransportKeySize,
        padding: TransportPadding,
    ) -> Result<NewTransportKey, GenerateError> {
        let key = TransportKey::generate(id, size, padding)?;
        Ok(NewTransportKey {
            id,
            padding,
            public_key: key.public_spki_base64().to_owned(),
            ciphertext_length: key.ciphertext_length(),
            sealed: key.seal(&self.0.ring)?,
        })
    }

    /// The transport key `id`, whose sealed private half is `sealed`. It is unsealed once and then kept in memory until
    /// [`Vault::forget_transport_key`].
    pub fn transport_key(&self, id: TransportKeyId, sealed: &[u8]) -> Result<Arc<TransportKey>, OpenError> {
        if let Some(key) = self.cached_transport_key(id) {
            return Ok(key);
        }
        // Two callers may both unseal it the first time; that is cheaper than to make everybody wait.
        let key = Arc::new(TransportKey::unseal(&self.0.ring, id, sealed)?);
        let mut keys = self.0.transport_keys.write().unwrap_or_else(PoisonError::into_inner);
        Ok(keys.entry(id).or_insert(key).clone())
    }

    /// The transport key `id`, if it is in memory, which spares loading its sealed half.
    pub fn cached_transport_key(&self, id: TransportKeyId) -> Option<Arc<TransportKey>> {
        self.0.transport_keys.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Drops a destroyed transport key from memory. The last opening that is under way wipes it.
    pub fn forget_transport_key(&self, id: TransportKeyId) {
        self.0.transport_keys.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Makes a key that signs access tokens and gives its sealed form. This computes, see
    /// [`SigningKey::generate_sealed`].
    pub fn generate_signing_key(&self, id: Uuid) -> Result<Vec<u8>, SigningError> {
        SigningKey::generate_sealed(&self.0.ring, id)
    }

    /// From now on signs with the first of these keys (id and sealed form) and verifies with all. If one cannot be
    /// opened, nothing changes.
    pub fn use_signing_keys<'a>(&self, sealed: impl IntoIterator<Item = (Uuid, &'a [u8])>) -> Result<(), OpenError> {
        let keys = sealed
            .into_iter()
            .map(|(id, sealed)| SigningKey::unseal(&self.0.ring, id, sealed))
            .collect::<Result<Vec<_>, _>>()?;
        let mut tokens = self.0.tokens.write().unwrap_or_else(PoisonError::into_inner);
        *tokens = Arc::new(tokens.with_keys(keys));
        Ok(())
    }

    /// A signed access token with these claims.
    pub fn issue_token(&self, claims: &Claims) -> Result<String, SigningError> {
        self.tokens().issue(claims)
    }

    /// The claims of an access token that was issued here and has not expired at `now`.
    pub fn verify_token(&self, token: &str, now: DateTime<Utc>) -> Result<Claims, TokenError> {
        self.tokens().verify(token, now)
    }

    /// What others verify our tokens with.
    pub fn jwks(&self) -> Jwks {
        self.tokens().jwks()
    }

    fn tokens(&self) -> Arc<Tokens> {
        self.0.tokens.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(redacted)")
    }
}
