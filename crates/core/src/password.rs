//! A plaintext password in memory, and what bytes may become one.

use std::fmt;

use zeroize::Zeroizing;

/// A plaintext password: the only type that ever holds one.
///
/// It is wiped when dropped, its `Debug` is redacted, it cannot be serialised or displayed, and it compares only in
/// tests. It is printable UTF-8 text without control characters, so it can be handed to any system without a second
/// check. It is kept exactly as it was sent: no trimming, no case folding, no normalisation.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// The bytes are not a password: not UTF-8, empty, longer than [`Password::MAX_BYTES`], or with a control character.
/// It does not say which, because the answer to a client must not either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the password change payload is invalid")]
pub struct InvalidPassword;

impl Password {
    /// The longest password accepted, in bytes: what PKCS#1 v1.5 padding leaves of a 4096-bit transport key.
    pub const MAX_BYTES: usize = 501;

    /// Takes the opened bytes of a payload as a password.
    pub fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Result<Self, InvalidPassword> {
        let text = std::str::from_utf8(&bytes).map_err(|_| InvalidPassword)?;
        if text.is_empty() || text.len() > Self::MAX_BYTES || text.chars().any(unprintable) {
            return Err(InvalidPassword);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The password itself, for whoever hashes, compares or delivers it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

impl TryFrom<&str> for Password {
    type Error = InvalidPassword;

    fn try_from(text: &str) -> Result<Self, InvalidPassword> {
        Self::from_bytes(Zeroizing::new(text.as_bytes().to_vec()))
    }
}

/// Control characters, NUL and line separators: a newline would inject a second line into `chpasswd`.
fn unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let password = Password::try_from("myPassword").expect("printable");
        assert_eq!(format!("{password:?}"), "Password(redacted)");
    }

    #[test]
    fn text_is_kept_exactly() {
        for text in [" a b ", "p:q\"'\\", "e\u{301}", "\u{1F511}", "x"] {
            assert_eq!(Password::try_from(text).expect(text).expose(), text);
        }
    }

    #[test]
    fn what_could_break_a_line_is_invalid() {
        for text in ["", "a\nb", "a\0b", "a\rb", "\u{85}", "a\u{2028}b", "\u{7f}"] {
            assert_eq!(Password::try_from(text).err(), Some(InvalidPassword), "{text:?}");
        }
        assert!(Password::from_bytes(Zeroizing::new(vec![0xff, 0xfe])).is_err());
        assert!(Password::try_from("x".repeat(Password::MAX_BYTES + 1).as_str()).is_err());
    }
}
