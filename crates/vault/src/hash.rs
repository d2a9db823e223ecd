//! What is kept only to be recognised: hashes of passwords, tokens and codes.
//!
//! Passwords are guessable, so they go through Argon2id (RFC 9106) with a salt and a pepper. Tokens and client secrets
//! have 256 random bits, so a keyed hash is enough, and an expensive one on every request would be a denial of
//! service. Digit codes are short lived and limited in tries; the key is what protects them. Passwords in transit are
//! not here, see `transport`; the hash formats of applications' own tables are the connectors' business.

mod memory;

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::hmac;
use lockstep_core::password::Password;
use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::key_ring::{KeyRing, Purpose};
use crate::secret;
use memory::Memory;

/// What an Argon2id evaluation costs. Kept with every hash, so that it can be raised without making old hashes
/// unverifiable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HashCost {
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
}

/// Outside what RFC 9106 allows or this crate is willing to spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid Argon2id cost: 1 to 64 iterations, 1 to 16 lanes, and memory from 8 KiB a lane to {} KiB",
    HashCost::MOST_MEMORY_KIB
)]
pub struct InvalidHashCost;

impl HashCost {
    /// The most memory that an evaluation may take: 1 GiB.
    pub const MOST_MEMORY_KIB: u32 = 1024 * 1024;

    /// Checks a cost: memory in KiB, number of passes, number of lanes (computed one after another here).
    pub fn new(memory_kib: u32, iterations: u32, lanes: u32) -> Result<Self, InvalidHashCost> {
        let fits = memory_kib <= Self::MOST_MEMORY_KIB && (1..=64).contains(&iterations) && (1..=16).contains(&lanes);
        if !fits || Params::new(memory_kib, iterations, lanes, Some(32)).is_err() {
            return Err(InvalidHashCost);
        }
        Ok(Self { memory_kib, iterations, lanes })
    }
}

impl Default for HashCost {
    /// 19 MiB, two passes, one lane: the OWASP Password Storage cheat sheet's first recommendation with one lane.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, iterations: 2, lanes: 1 }
    }
}

/// The salt of one identity: 16 random bytes, the same for its sign-in password and its whole history, so that a
/// candidate is compared with all of them for one evaluation. Not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Salt(pub [u8; 16]);

impl Salt {
    /// A new salt for a new identity.
    pub fn draw() -> Self {
        Self(secret::random())
    }
}

/// A password's hash and what it cost. Compared in constant time only, by [`PasswordHasher`].
#[derive(Clone)]
pub struct PasswordHash {
    cost: HashCost,
    digest: [u8; 32],
}

/// The bytes are not a stored password hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored password hash cannot be read")]
pub struct InvalidPasswordHash;

impl PasswordHash {
    const VERSION: u8 = 1;
    const LENGTH: usize = 1 + 3 * 4 + 32;

    /// The form that is stored: a version byte (1), memory in KiB, iterations and lanes (32-bit, big-endian), 32 bytes
    /// of hash. 45 bytes in all; the salt is kept with the identity.
    pub fn to_bytes(&self) -> Vec<u8> {
        let HashCost { memory_kib, iterations, lanes } = self.cost;
        let mut bytes = Vec::with_capacity(Self::LENGTH);
        bytes.push(Self::VERSION);
        for number in [memory_kib, iterations, lanes] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.digest);
        bytes
    }

    /// Reads what [`PasswordHash::to_bytes`] gave. A cost beyond the bounds of [`HashCost`] is refused, so that an
    /// altered row cannot exhaust the memory.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidPasswordHash> {
        let bytes: &[u8; Self::LENGTH] = bytes.try_into().map_err(|_| InvalidPasswordHash)?;
        let [Self::VERSION, rest @ ..] = bytes else { return Err(InvalidPasswordHash) };
        let (numbers, digest) = rest.split_at(12);
        let number = |at: usize| u32::from_be_bytes([numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3]]);
        let cost = HashCost::new(number(0), number(4), number(8)).map_err(|_| InvalidPasswordHash)?;
        Ok(Self { cost, digest: digest.try_into().map_err(|_| InvalidPasswordHash)? })
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash(redacted, {:?})", self.cost)
    }
}

/// Hashes and verifies sign-in passwords and password history.
///
/// Passwords are normalised to NFC (Unicode Standard Annex 15) first, so that a person is recognised whichever way a
/// keyboard composes an accent. Every call computes for tens of milliseconds and takes the memory of its cost: call it
/// where blocking is allowed, and only so many at a time.
pub struct PasswordHasher {
    cost: HashCost,
    pepper: Zeroizing<[u8; 32]>,
}

impl PasswordHasher {
    pub(crate) fn new(ring: &KeyRing, cost: HashCost) -> Self {
        Self { cost, pepper: ring.current(Purpose::Pepper).secret.clone() }
    }

    /// The hash of a new password, at today's cost.
    pub fn hash(&self, password: &Password, salt: &Salt) -> PasswordHash {
        PasswordHash { cost: self.cost, digest: *self.evaluate(password, salt, self.cost) }
    }

    /// Whether `password` is the one that was hashed, at the cost that is stored with the hash.
    pub fn verify(&self, password: &Password, salt: &Salt, hash: &PasswordHash) -> bool {
        self.evaluate(password, salt, hash.cost).ct_eq(&hash.digest).into()
    }

    /// Whether the hash was made at another cost than today's, so that it should be made anew at the next sign-in.
    pub fn is_outdated(&self, hash: &PasswordHash) -> bool {
        hash.cost != self.cost
    }

    /// The hash of a new password, at today's cost, and which of `history`, by position, is that same password. One
    /// evaluation for each different cost, which is one in all unless the cost was raised lately.
    pub fn hash_and_find(
        &self,
        password: &Password,
        salt: &Salt,
        history: &[PasswordHash],
    ) -> (PasswordHash, Option<usize>) {
        let hash = self.hash(password, salt);
        let mut evaluated = vec![(self.cost, Zeroizing::new(hash.digest))];
        let mut found = None;
        for (position, old) in history.iter().enumerate() {
            if !evaluated.iter().any(|(cost, _)| *cost == old.cost) {
                evaluated.push((old.cost, self.evaluate(password, salt, old.cost)));
            }
            let is_equal = evaluated.iter().any(|(cost, digest)| *cost == old.cost && digest.ct_eq(&old.digest).into());
            if is_equal && found.is_none() {
                found = Some(position);
            }
        }
        (hash, found)
    }

    /// Spends what [`PasswordHasher::verify`] would spend at today's cost: for a sign-in with a name that does not
    /// exist, which must take as long as one with a name that does.
    pub fn spend(&self, password: &Password) {
        std::hint::black_box(self.evaluate(password, &Salt([0; 16]), self.cost));
    }

    fn evaluate(&self, password: &Password, salt: &Salt, cost: HashCost) -> Zeroizing<[u8; 32]> {
        let text = password.expose();
        // NFC makes UTF-8 text at most three times as long (Unicode Standard Annex 15, section 9), so this never grows
        // and leaves no copy behind.
        let mut normalised = Zeroizing::new(String::with_capacity(3 * text.len()));
        normalised.extend(text.nfc());
        let mut digest = Zeroizing::new([0; 32]);
        Params::new(cost.memory_kib, cost.iterations, cost.lanes, Some(32))
            .and_then(|params| {
                let memory = Memory::new(params.block_count());
                Argon2::new_with_secret(self.pepper.as_ref(), Algorithm::Argon2id, Version::V0x13, params)?
                    .hash_password_into_with_memory(normalised.as_bytes(), &salt.0, digest.as_mut(), memory)
            })
            .expect("a checked cost and a salt of 16 bytes are valid Argon2id parameters");
        digest
    }
}

impl fmt::Debug for PasswordHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHasher(redacted, {:?})", self.cost)
    }
}

/// What a keyed hash is for. The same bytes have another hash for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashPurpose {
    /// The secret of an API client.
    ClientSecret,
    /// The secret of a personal access token.
    PersonalAccessToken,
    /// A refresh token.
    RefreshToken,
    /// A decoded ciphertext, for the row that makes a retry the same change.
    Ciphertext,
    /// An authorization code.
    AuthorizationCode,
    /// The code that a person sets a first password with.
    Enrolment,
    /// What the browser of somebody who signed in has.
    Session,
    /// The code of a link that signs in once.
    SignInLink,
    /// What a form must send back, together with the cookie that it belongs to.
    FormToken,
    /// The stored hash of a client's secret, for the tokens that are dead once it has another.
    SecretGeneration,
    /// A digit token together with the identity it is for.
    DigitToken,
    /// What the page of somebody who sets a forgotten password anew brings back.
    Recovery,
    /// A recovery code together with the identity it is for.
    RecoveryCode,
    /// What a passkey is asked to sign, together with the form that asks.
    PasskeyChallenge,
    /// The head of the audit chain.
    AuditHead,
}

impl HashPurpose {
    fn name(self) -> &'static [u8] {
        match self {
            Self::ClientSecret => b"client-secret",
            Self::PersonalAccessToken => b"personal-access-token",
            Self::RefreshToken => b"refresh-token",
            Self::Ciphertext => b"ciphertext",
            Self::AuthorizationCode => b"authorization-code",
            Self::Enrolment => b"enrolment",
            Self::Session => b"session",
            Self::SignInLink => b"sign-in-link",
            Self::FormToken => b"form-token",
            Self::SecretGeneration => b"secret-generation",
            Self::DigitToken => b"digit-token",
            Self::Recovery => b"recovery",
            Self::RecoveryCode => b"recovery-code",
            Self::PasskeyChallenge => b"passkey-challenge",
            Self::AuditHead => b"audit-head",
        }
    }
}

/// Computes keyed hashes: HMAC-SHA-256 (RFC 2104) of the purpose and the bytes, under a key of the key ring.
pub(crate) struct KeyedHasher(hmac::Key);

impl KeyedHasher {
    pub(crate) fn new(ring: &KeyRing) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, ring.current(Purpose::TokenMac).secret.as_ref()))
    }

    pub(crate) fn hash(&self, purpose: HashPurpose, bytes: &[u8]) -> [u8; 32] {
        // No purpose's name holds a zero byte, so the name and what follows cannot be mistaken for another pair.
        let mut context = hmac::Context::with_key(&self.0);
        context.update(purpose.name());
        context.update(&[0]);
        context.update(bytes);
        first_32(&context.sign())
    }
}

/// Stands for a password of an unfinished change in memory: tells whether two are the same, and nothing else.
///
/// It is made under a key of this process only and means nothing after it. Passwords count as the same if every byte
/// is, because that is what targets receive.
#[derive(Clone)]
pub struct Fingerprint([u8; 32]);

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Fingerprint {}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(redacted)")
    }
}

/// Makes fingerprints that can be compared with each other.
pub(crate) struct Fingerprinter(hmac::Key);

impl Fingerprinter {
    pub(crate) fn new() -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &*secret::draw_bytes::<32>()))
    }

    pub(crate) fn fingerprint(&self, password: &Password) -> Fingerprint {
        Fingerprint(first_32(&hmac::sign(&self.0, password.expose().as_bytes())))
    }
}

fn first_32(tag: &hmac::Tag) -> [u8; 32] {
    tag.as_ref().try_into().expect("HMAC-SHA-256 gives 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master_key::MasterKey;

    /// As cheap as Argon2id can be: these tests are about what is compared, not what it costs.
    fn cheap() -> HashCost {
        HashCost::new(8, 1, 1).unwrap()
    }

    fn ring() -> KeyRing {
        KeyRing::create(&MasterKey::generate()).0
    }

    fn password(text: &str) -> Password {
        Password::try_from(text).unwrap()
    }

    #[test]
    fn the_right_password_is_recognised_and_no_other() {
        let hasher = PasswordHasher::new(&ring(), HashCost::default());
        let salt = Salt::draw();
        let hash = hasher.hash(&password("myPassword"), &salt);
        assert!(hasher.verify(&password("myPassword"), &salt, &hash));
        assert!(!hasher.verify(&password("myPassword"), &Salt::draw(), &hash), "another salt");
        let other = PasswordHasher::new(&ring(), HashCost::default());
        assert!(!other.verify(&password("myPassword"), &salt, &hash), "another pepper");
        for wrong in ["mypassword", "myPassword ", " myPassword", "myPasswor", "myPassword1"] {
            assert!(!hasher.verify(&password(wrong), &salt, &hash), "{wrong}");
        }
    }

    #[test]
    fn an_accent_is_recognised_however_it_was_typed() {
        let hasher = PasswordHasher::new(&ring(), cheap());
        let salt = Salt::draw();
        let hash = hasher.hash(&password("caf\u{e9}"), &salt);
        assert!(hasher.verify(&password("cafe\u{301}"), &salt, &hash));
        assert!(!hasher.verify(&password("cafe"), &salt, &hash));
        // Compatibility forms are other characters: NFC keeps them apart, NFKC would not.
        assert!(!hasher.verify(&password("\u{ff23}af\u{e9}"), &salt, &hash));
    }

    #[test]
    fn normalisation_never_outgrows_its_room() {
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let grown: usize = c.nfc().map(char::len_utf8).sum();
            assert!(grown <= 3 * c.len_utf8(), "{c:?}");
        }
    }

    #[test]
    fn a_hash_is_stored_with_its_cost_and_read_back() {
        let hasher = PasswordHasher::new(&ring(), HashCost::new(64, 3, 2).unwrap());
        let salt = Salt::draw();
        let bytes = hasher.hash(&password("myPassword"), &salt).to_bytes();
        assert_eq!(bytes.len(), 45);
        let read = PasswordHash::from_bytes(&bytes).unwrap();
        assert!(hasher.verify(&password("myPassword"), &salt, &read));
        assert!(!hasher.is_outdated(&read));

        let dearer = PasswordHasher { cost: HashCost::new(128, 3, 2).unwrap(), pepper: hasher.pepper.clone() };
        assert!(dearer.is_outdated(&read));
        assert!(dearer.verify(&password("myPassword"), &salt, &read), "an old hash is verified at its own cost");
    }

    #[test]
    fn what_is_no_stored_hash_is_refused() {
        let hasher = PasswordHasher::new(&ring(), cheap());
        let good = hasher.hash(&password("myPassword"), &Salt::draw()).to_bytes();
        let mut version = good.clone();
        version[0] = 2;
        let mut memory = good.clone();
        memory[1] = 0xff;
        let mut lanes = good.clone();
        lanes[12] = 0;
        for bad in [&[][..], &good[..44], &[&good[..], &[0]].concat(), &version, &memory, &lanes] {
            assert!(PasswordHash::from_bytes(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_cost_has_bounds() {
        for (memory, iterations, lanes) in [(7, 1, 1), (8, 0, 1), (8, 1, 0), (8, 1, 2), (1 << 21, 1, 1), (8, 65, 1)] {
            assert_eq!(HashCost::new(memory, iterations, lanes), Err(InvalidHashCost), "{memory} {iterations} {lanes}");
        }
        assert_eq!(HashCost::new(19456, 2, 1), Ok(HashCost::default()));
    }

    #[test]
    fn history_is_searched_whatever_each_entry_cost() {
        let ring = ring();
        let (old, new) =
            (PasswordHasher::new(&ring, cheap()), PasswordHasher::new(&ring, HashCost::new(16, 1, 1).unwrap()));
        let salt = Salt::draw();
        let history = [
            new.hash(&password("third"), &salt),
            old.hash(&password("second"), &salt),
            old.hash(&password("first"), &salt),
        ];
        for (position, text) in ["third", "second", "first"].iter().enumerate() {
            assert_eq!(new.hash_and_find(&password(text), &salt, &history).1, Some(position));
        }
        assert_eq!(new.hash_and_find(&password("fourth"), &salt, &history).1, None);
        assert_eq!(new.hash_and_find(&password("third"), &Salt::draw(), &history).1, None);
        assert_eq!(new.hash_and_find(&password("third"), &salt, &[]).1, None);
    }

    #[test]
    fn keyed_hashes_depend_on_key_purpose_and_bytes() {
        let (one, other) = (KeyedHasher::new(&ring()), KeyedHasher::new(&ring()));
        let hash = one.hash(HashPurpose::ClientSecret, b"secret");
        assert_eq!(hash, one.hash(HashPurpose::ClientSecret, b"secret"));
        assert_ne!(hash, other.hash(HashPurpose::ClientSecret, b"secret"));
        assert_ne!(hash, one.hash(HashPurpose::PersonalAccessToken, b"secret"));
        assert_ne!(hash, one.hash(HashPurpose::ClientSecret, b"secret\0"));
    }

    #[test]
    fn fingerprints_tell_same_from_different_within_one_process_only() {
        let (here, elsewhere) = (Fingerprinter::new(), Fingerprinter::new());
        let print = here.fingerprint(&password("myPassword"));
        assert_eq!(print, here.fingerprint(&password("myPassword")));
        assert_ne!(print, here.fingerprint(&password("myPassword1")));
        assert_ne!(print, elsewhere.fingerprint(&password("myPassword")));
        assert_ne!(here.fingerprint(&password("\u{e9}")), here.fingerprint(&password("e\u{301}")), "other bytes");
    }

    #[test]
    fn debug_shows_no_hash_and_no_key() {
        let hasher = PasswordHasher::new(&ring(), cheap());
        let hash = hasher.hash(&password("myPassword"), &Salt::draw());
        let cost = "HashCost { memory_kib: 8, iterations: 1, lanes: 1 }";
        assert_eq!(format!("{hasher:?}"), format!("PasswordHasher(redacted, {cost})"));
        assert_eq!(format!("{hash:?}"), format!("PasswordHash(redacted, {cost})"));
        assert_eq!(format!("{:?}", Fingerprinter::new().fingerprint(&password("x"))), "Fingerprint(redacted)");
    }
}
