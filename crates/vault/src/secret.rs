//! Drawing secrets and ids from the operating system.
//!
//! This is the only place of the vault that draws randomness by itself (the libraries draw their own for RSA keys and
//! blinding). What a secret is for, and how its hash is kept, is not decided here.

use std::fmt;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use uuid::Uuid;
use zeroize::Zeroizing;

/// A secret that is shown to its owner once: wiped when dropped, redacted in `Debug`, neither displayed nor serialised
/// by itself.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret that somebody presented, for example to compare its keyed hash.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself, for the one reply that shows it or for its keyed hash.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// The secret of an API client or of a personal access token: 32 random bytes as 64 lower-case hexadecimal digits,
/// the shape that the contract gives both (section 3).
pub fn draw_client_secret() -> Secret {
    let bytes = Zeroizing::new(random::<32>());
    Secret::new(hex::encode(*bytes))
}

/// A code or token that is handed out once: 32 random bytes as 43 characters that need no escape in an address.
pub fn draw_token() -> Secret {
    let bytes = Zeroizing::new(random::<32>());
    Secret::new(URL_SAFE_NO_PAD.encode(*bytes))
}

/// A random id: a UUID of version 4 (122 random bits, RFC 9562 section 5.4). Written without dashes it is the 32
/// hexadecimal digits that the contract shows for a personal access token.
pub fn draw_id() -> Uuid {
    uuid::Builder::from_random_bytes(random()).into_uuid()
}

/// An id that is ordered by time: a UUID of version 7 (74 random bits after the milliseconds, RFC 9562 section 5.7). For
/// rows of which there are many: those of a moment lie together in an index.
pub fn draw_id_at(now: DateTime<Utc>) -> Uuid {
    let milliseconds = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &random()).into_uuid()
}

/// `N` random bytes, for whoever turns randomness into something of its own, such as the digits of a digit token.
pub fn draw_bytes<const N: usize>() -> Zeroizing<[u8; N]> {
    Zeroizing::new(random())
}

/// Fills a slice with random bytes, for whoever draws until it fits.
pub fn fill(bytes: &mut [u8]) {
    SystemRandom::new().fill(bytes).expect("AWS-LC ends the process rather than go on without randomness");
}

/// Random bytes of the operating system's quality.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_secret_has_64_hexadecimal_digits_and_is_new_each_time() {
        let (one, two) = (draw_client_secret(), draw_client_secret());
        assert_eq!(one.expose().len(), 64);
        assert!(one.expose().bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        assert_ne!(one.expose(), two.expose());
    }

    #[test]
    fn an_id_is_a_random_uuid() {
        let id = draw_id();
        assert_eq!(id.get_version_num(), 4);
        assert_eq!(id.simple().to_string().len(), 32);
        assert_ne!(id, draw_id());
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("c0ffee".to_owned())), "Secret(redacted)");
    }
}
