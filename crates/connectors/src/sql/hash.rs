//! The password hashes that applications keep in their own tables: made and checked here, in the declared format.
//!
//! Not Lockstep's own hashes, which live in the vault. A stored hash is read with limits on its cost: it comes from
//! somebody else's table and must not be able to keep this process busy for hours.

use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _, password_hash};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use lockstep_core::password::Password;
use sha_crypt::ShaCrypt;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Bytes of randomness in every salt.
pub(super) const SALT_BYTES: usize = 16;
/// bcrypt ignores what comes after.
pub(super) const BCRYPT_MAX_BYTES: usize = 72;
/// SHA-512-crypt salts have at most 16 characters, which are 12 bytes.
const SHA_CRYPT_SALT_BYTES: usize = 12;
/// Output of the PBKDF2 formats: one block of SHA-256.
const PBKDF2_BYTES: usize = 32;

/// Limits for stored hashes.
const MAX_ARGON2_KIB: u32 = 1024 * 1024;
const MAX_ARGON2_PASSES: u32 = 64;
const MAX_BCRYPT_COST: u32 = 17;
const MAX_ROUNDS: u32 = 10_000_000;

/// A format and what a new hash of it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Format {
    /// `$argon2id$v=19$m=…,t=…,p=…$salt$hash` (RFC 9106, PHC string).
    Argon2id { memory_kib: u32, passes: u32, lanes: u32 },
    /// `$2b$12$…`. `$2y$` and `$2a$` are the same hash under the names that PHP and older libraries gave it.
    Bcrypt { cost: u32, prefix: BcryptPrefix },
    /// `$pbkdf2-sha256$i=…,l=32$salt$hash` (PHC string). Not passlib's format of the same name without `i=`.
    Pbkdf2Sha256 { rounds: u32 },
    /// `pbkdf2_sha256$rounds$salt$hash`, as Django writes it.
    DjangoPbkdf2Sha256 { rounds: u32 },
    /// `$6$rounds=…$salt$hash` of crypt(3).
    Sha512Crypt { rounds: u32 },
}

/// The version tag that the application expects on its bcrypt hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
pub(super) enum BcryptPrefix {
    #[serde(rename = "2a")]
    A,
    #[default]
    #[serde(rename = "2b")]
    B,
    #[serde(rename = "2y")]
    Y,
}

/// Why no hash was made or checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum HashError {
    #[error("the password has more than {BCRYPT_MAX_BYTES} bytes, and bcrypt would ignore the rest")]
    TooLong,
    #[error("the stored hash is not in the declared format")]
    OtherFormat,
    #[error("the stored hash would cost more to check than is reasonable")]
    TooCostly,
    #[error("the hash could not be computed with the configured cost")]
    Cost,
}

impl Format {
    /// The longest password whose every byte counts.
    pub(super) fn max_password_bytes(&self) -> Option<usize> {
        matches!(self, Self::Bcrypt { .. }).then_some(BCRYPT_MAX_BYTES)
    }

    /// The text to store. Takes as long as the cost says: tens of milliseconds and more.
    pub(super) fn hash(&self, password: &Password, salt: &[u8; SALT_BYTES]) -> Result<Zeroizing<String>, HashError> {
        let secret = password.expose().as_bytes();
        let text = match *self {
            Self::Argon2id { memory_kib, passes, lanes } => {
                let params = argon2::Params::new(memory_kib, passes, lanes, None).map_err(|_| HashError::Cost)?;
                Argon2::from(params).hash_password_with_salt(secret, salt).map_err(|_| HashError::Cost)?.to_string()
            }
            Self::Bcrypt { cost, prefix } => {
                if secret.len() > BCRYPT_MAX_BYTES {
                    return Err(HashError::TooLong);
                }
                let version = match prefix {
                    BcryptPrefix::A => bcrypt::Version::TwoA,
                    BcryptPrefix::B => bcrypt::Version::TwoB,
                    BcryptPrefix::Y => bcrypt::Version::TwoY,
                };
                bcrypt::hash_with_salt(secret, cost, *salt).map_err(|_| HashError::Cost)?.format_for_version(version)
            }
            Self::Pbkdf2Sha256 { rounds } => {
                let hash = STANDARD_NO_PAD.encode(pbkdf2_sha256(secret, salt, rounds));
                format!("$pbkdf2-sha256$i={rounds},l={PBKDF2_BYTES}${}${hash}", STANDARD_NO_PAD.encode(salt))
            }
            Self::DjangoPbkdf2Sha256 { rounds } => {
                // Django hashes the salt's characters, whatever they stand for.
                let salt = hex::encode(salt);
                format!(
                    "pbkdf2_sha256${rounds}${salt}${}",
                    STANDARD.encode(pbkdf2_sha256(secret, salt.as_bytes(), rounds))
                )
            }
            Self::Sha512Crypt { rounds } => {
                let params = sha_crypt::Params::new(rounds).map_err(|_| HashError::Cost)?;
                let hasher = ShaCrypt::new(sha_crypt::Algorithm::Sha512Crypt, params);
                let salt = &salt[..SHA_CRYPT_SALT_BYTES];
                let hash = sha_crypt::PasswordHasher::hash_password_with_salt(&hasher, secret, salt);
                hash.map_err(|_| HashError::Cost)?.to_string()
            }
        };
        Ok(Zeroizing::new(text))
    }

    /// Whether the stored text is a hash of this password in this format, at whatever cost it was made.
    pub(super) fn verify(&self, password: &Password, stored: &str) -> Result<bool, HashError> {
        let secret = password.expose().as_bytes();
        match self {
            Self::Argon2id { .. } => verify_argon2id(secret, stored),
            Self::Bcrypt { .. } => verify_bcrypt(secret, stored),
            Self::Pbkdf2Sha256 { .. } => verify_pbkdf2(secret, stored),
            Self::DjangoPbkdf2Sha256 { .. } => verify_django(secret, stored),
            Self::Sha512Crypt { .. } => verify_sha512_crypt(secret, stored),
        }
    }
}

fn verify_argon2id(secret: &[u8], stored: &str) -> Result<bool, HashError> {
    let hash = password_hash::phc::PasswordHash::new(stored).map_err(|_| HashError::OtherFormat)?;
    if hash.algorithm != argon2::ARGON2ID_IDENT {
        return Err(HashError::OtherFormat);
    }
    let params = argon2::Params::try_from(&hash).map_err(|_| HashError::OtherFormat)?;
    if params.m_cost() > MAX_ARGON2_KIB || params.t_cost() > MAX_ARGON2_PASSES {
        return Err(HashError::TooCostly);
    }
    right_or_wrong(Argon2::default().verify_password(secret, &hash))
}

fn verify_bcrypt(secret: &[u8], stored: &str) -> Result<bool, HashError> {
    let parts: bcrypt::HashParts = stored.parse().map_err(|_| HashError::OtherFormat)?;
    if parts.get_cost() > MAX_BCRYPT_COST {
        return Err(HashError::TooCostly);
    }
    // A longer password would match the hash of its own beginning.
    if secret.len() > BCRYPT_MAX_BYTES {
        return Ok(false);
    }
    bcrypt::verify(secret, stored).map_err(|_| HashError::OtherFormat)
}

fn verify_pbkdf2(secret: &[u8], stored: &str) -> Result<bool, HashError> {
    let fields = stored.strip_prefix("$pbkdf2-sha256$").ok_or(HashError::OtherFormat)?;
    let [params, salt, hash] = split3(fields)?;
    let mut rounds = None;
    for param in params.split(',') {
        match param.split_once('=') {
            Some(("i", value)) => rounds = Some(value),
            Some(("l", _)) => {}
            _ => return Err(HashError::OtherFormat),
        }
    }
    let rounds = parse_rounds(rounds.ok_or(HashError::OtherFormat)?)?;
    let salt = STANDARD_NO_PAD.decode(salt).map_err(|_| HashError::OtherFormat)?;
    let hash = STANDARD_NO_PAD.decode(hash).map_err(|_| HashError::OtherFormat)?;
    same_pbkdf2(secret, &salt, rounds, &hash)
}

fn verify_django(secret: &[u8], stored: &str) -> Result<bool, HashError> {
    let [rounds, salt, hash] = split3(stored.strip_prefix("pbkdf2_sha256$").ok_or(HashError::OtherFormat)?)?;
    let hash = STANDARD.decode(hash).map_err(|_| HashError::OtherFormat)?;
    same_pbkdf2(secret, salt.as_bytes(), parse_rounds(rounds)?, &hash)
}

fn verify_sha512_crypt(secret: &[u8], stored: &str) -> Result<bool, HashError> {
    let fields = stored.strip_prefix("$6$").ok_or(HashError::OtherFormat)?;
    if let Some(rounds) = fields.strip_prefix("rounds=") {
        parse_rounds(rounds.split('$').next().unwrap_or_default())?;
    }
    right_or_wrong(sha_crypt::PasswordVerifier::verify_password(&ShaCrypt::default(), secret, stored))
}

fn right_or_wrong(result: password_hash::Result<()>) -> Result<bool, HashError> {
    match result {
        Ok(()) => Ok(true),
        Err(password_hash::Error::PasswordInvalid) => Ok(false),
        Err(_) => Err(HashError::OtherFormat),
    }
}

fn split3(fields: &str) -> Result<[&str; 3], HashError> {
    let parts = fields.split('$').collect::<Vec<_>>();
    parts.try_into().map_err(|_| HashError::OtherFormat)
}

fn parse_rounds(text: &str) -> Result<u32, HashError> {
    let rounds: u32 = text.parse().map_err(|_| HashError::OtherFormat)?;
    match rounds {
        0 => Err(HashError::OtherFormat),
        1..=MAX_ROUNDS => Ok(rounds),
        _ => Err(HashError::TooCostly),
    }
}

fn same_pbkdf2(secret: &[u8], salt: &[u8], rounds: u32, hash: &[u8]) -> Result<bool, HashError> {
    if hash.len() != PBKDF2_BYTES {
        return Err(HashError::OtherFormat);
    }
    Ok(pbkdf2_sha256(secret, salt, rounds).ct_eq(hash).into())
}

fn pbkdf2_sha256(secret: &[u8], salt: &[u8], rounds: u32) -> [u8; PBKDF2_BYTES] {
    pbkdf2::pbkdf2_hmac_array::<Sha256, PBKDF2_BYTES>(secret, salt, rounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: [u8; SALT_BYTES] = *b"0123456789abcdef";

    fn password(text: &str) -> Password {
        Password::try_from(text).expect("printable")
    }

    fn all() -> [Format; 5] {
        [
            Format::Argon2id { memory_kib: 64, passes: 1, lanes: 1 },
            Format::Bcrypt { cost: 4, prefix: BcryptPrefix::B },
            Format::Pbkdf2Sha256 { rounds: 1000 },
            Format::DjangoPbkdf2Sha256 { rounds: 1000 },
            Format::Sha512Crypt { rounds: 1000 },
        ]
    }

    /// Hashes made elsewhere. argon2: the reference implementation's test program; bcrypt: the crypt_blowfish test
    /// suite; PBKDF2: RFC 7914 §11; SHA-512-crypt: the test suite of its specification; Django's form: Python's
    /// `hashlib`.
    #[test]
    fn independent_vectors_are_right() {
        let [argon2id, bcrypt, pbkdf2, django, sha512_crypt] = all();
        for (format, text, stored) in [
            (
                &argon2id,
                "password",
                "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            ),
            (&bcrypt, "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            (&bcrypt, "U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
            (
                &sha512_crypt,
                "Hello world!",
                "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
            ),
            (
                &sha512_crypt,
                "Hello world!",
                "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
            ),
            (&django, "lètmein", "pbkdf2_sha256$20000$seasalt$oBSd886ysm3AqYun62DOdin8YcfbU1z9cksZSuLP9r0="),
        ] {
            assert_eq!(format.verify(&password(text), stored), Ok(true), "{stored}");
            assert_eq!(format.verify(&password("another"), stored), Ok(false), "{stored}");
        }
        let rfc = hex::decode("4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56").expect("hex");
        assert_eq!(pbkdf2_sha256(b"Password", b"NaCl", 80_000)[..], rfc);
        let phc = "$pbkdf2-sha256$i=80000,l=32$TmFDbA$TdzY9guYviGDDO5e8icB+WQaRBjQTAQUrv8Ih2s0q1Y";
        assert_eq!(pbkdf2.verify(&password("Password"), phc), Ok(true));
    }

    #[test]
    fn what_is_hashed_is_verified() {
        for format in all() {
            for text in ["x", " p:q\"'\\ ", "\u{1F511}é", &"y".repeat(72)] {
                let hash = format.hash(&password(text), &SALT).expect("hashed");
                assert_eq!(format.verify(&password(text), &hash), Ok(true), "{format:?}");
                assert_eq!(format.verify(&password("wrong"), &hash), Ok(false), "{format:?}");
            }
        }
    }

    #[test]
    fn bcrypt_takes_no_password_that_it_would_cut() {
        let bcrypt = Format::Bcrypt { cost: 4, prefix: BcryptPrefix::Y };
        assert_eq!(bcrypt.hash(&password(&"y".repeat(73)), &SALT), Err(HashError::TooLong));
        let hash = bcrypt.hash(&password(&"y".repeat(72)), &SALT).expect("72 bytes");
        assert!(hash.starts_with("$2y$04$"), "{}", hash.as_str());
        assert_eq!(bcrypt.verify(&password(&"y".repeat(73)), &hash), Ok(false));
    }

    #[test]
    fn other_formats_are_never_right() {
        let hashes = all().map(|format| format.hash(&password("x"), &SALT).expect("hashed"));
        for (i, format) in all().iter().enumerate() {
            for (j, hash) in hashes.iter().enumerate() {
                let expected = if i == j { Ok(true) } else { Err(HashError::OtherFormat) };
                assert_eq!(format.verify(&password("x"), hash), expected, "{format:?} {}", hash.as_str());
            }
            for text in ["", "x", "$", "$$$$$", "$argon2id$", "$2b$", "$6$", "pbkdf2_sha256$0$a$", "é"] {
                assert_eq!(format.verify(&password("x"), text), Err(HashError::OtherFormat), "{format:?} {text}");
            }
        }
    }

    #[test]
    fn a_stored_hash_cannot_ask_for_hours_of_work() {
        let [argon2id, bcrypt, pbkdf2, django, sha512_crypt] = all();
        for (format, stored) in [
            (argon2id, "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
            (bcrypt, "$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            (pbkdf2, "$pbkdf2-sha256$i=4000000000,l=32$TmFDbA$TdzY9guYviGDDO5e8icB+WQaRBjQTAQUrv8Ih2s0q1Y"),
            (django, "pbkdf2_sha256$4000000000$seasalt$r1uLUxoxpP2Ued/qxvmje7UH9PUJBkRrvf9gGPL7Cps="),
            (sha512_crypt, "$6$rounds=999999999$saltstring$svn8"),
        ] {
            assert_eq!(format.verify(&password("x"), stored), Err(HashError::TooCostly), "{stored}");
        }
    }
}
