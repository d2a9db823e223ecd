//! Codes by the clock (RFC 6238), as every authenticator app computes them: SHA-1, six digits, a new one every 30 seconds.
//!
//! A code of the step before or after now is right too, since clocks differ. That each works once is whoever stores the
//! last step's business.

use std::fmt;

use chrono::{DateTime, Utc};
use totp_rs::{Algorithm, Builder, Totp};
use zeroize::Zeroizing;

use crate::secret::{self, Secret};

/// Seconds for which a code is the current one.
const STEP: u64 = 30;

/// The secret that a person's app and Lockstep share: 160 bits, as RFC 4226 (section 4) recommends.
#[derive(Clone)]
pub struct TotpSecret(Zeroizing<[u8; 20]>);

impl TotpSecret {
    /// A new one.
    pub fn draw() -> Self {
        Self(Zeroizing::new(secret::random()))
    }

    /// One that was stored; none where these are not its bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// For storing it, sealed.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// The time step that `code` belongs to, if it is right and later than `used`, the step of the last code that was.
    pub fn step_of(&self, code: &str, now: DateTime<Utc>, used: i64) -> Option<i64> {
        let now = u64::try_from(now.timestamp()).ok()?;
        // Apps show it in two halves.
        let code: Zeroizing<String> = Zeroizing::new(code.chars().filter(|c| !c.is_whitespace()).collect());
        let step = i64::try_from(self.totp("", "")?.check(&code, now)?).ok()?;
        (step > used).then_some(step)
    }

    /// The code of a moment.
    pub fn code_at(&self, at: DateTime<Utc>) -> Option<String> {
        Some(self.totp("", "")?.generate(u64::try_from(at.timestamp()).ok()?).to_string())
    }

    /// The secret as people type it into an app: base32 (RFC 4648) without padding.
    pub fn base32(&self) -> Option<Secret> {
        let link = self.link("Lockstep", "x")?;
        let (_, rest) = link.expose().split_once("secret=")?;
        Some(Secret::new(rest.split('&').next()?.to_owned()))
    }

    /// What an app reads from the picture: whose codes they are, and for what.
    pub fn link(&self, issuer: &str, account: &str) -> Option<Secret> {
        self.totp(issuer, account)?.to_url().ok().map(Secret::new)
    }

    fn totp(&self, issuer: &str, account: &str) -> Option<Totp> {
        // A colon parts the one from the other there.
        let plain = |text: &str| text.replace(':', " ");
        let mut builder =
            Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_skew(1).with_step_duration(STEP);
        if !account.is_empty() {
            builder = builder.with_account_name(plain(account)).with_issuer(Some(plain(issuer)));
        }
        builder.with_secret(totp_rs::Secret::new(Box::from(self.0.as_slice()))).build().ok()
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(redacted)")
    }
}

/// A code for the day on which the telephone is gone: ten characters, 50 random bits, good once.
pub fn draw_recovery_code() -> Secret {
    /// Crockford's base32: nothing in it is mistaken for something else, nor for a word.
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let bytes = Zeroizing::new(secret::random::<10>());
    let mut code: String = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    code.insert(5, '-');
    Secret::new(code)
}

/// A recovery code as it was typed, in the one spelling that is hashed.
pub fn plain_recovery_code(typed: &str) -> Zeroizing<String> {
    let letters = typed.chars().filter(char::is_ascii_alphanumeric).map(|letter| match letter.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        letter => letter,
    });
    Zeroizing::new(letters.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret and the times of RFC 6238, appendix B; six digits of its eight.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let secret = TotpSecret::from_bytes(b"12345678901234567890").expect("20 bytes");
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            let at = DateTime::from_timestamp(seconds, 0).expect("a time");
            assert_eq!(secret.code_at(at).as_deref(), Some(code));
            assert_eq!(secret.step_of(code, at, 0), Some(seconds / 30));
            assert_eq!(secret.step_of(&format!(" {} {} ", &code[..3], &code[3..]), at, 0), Some(seconds / 30));
        }
        assert_eq!(secret.base32().expect("base32").expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn a_code_is_good_a_step_either_side_and_once() {
        let secret = TotpSecret::draw();
        let at = |step: i64| DateTime::from_timestamp(step * 30 + 7, 0).expect("a time");
        let code = secret.code_at(at(1000)).expect("a code");
        for (step, good) in [(998, false), (999, true), (1000, true), (1001, true), (1002, false)] {
            assert_eq!(secret.step_of(&code, at(step), 0).is_some(), good, "{step}");
        }
        assert_eq!(secret.step_of(&code, at(1000), 1000), None, "it was used");
        assert_eq!(secret.step_of("", at(1000), 0), None);
        assert_eq!(secret.step_of("１２３４５６", at(1000), 0), None);
    }

    #[test]
    fn a_recovery_code_is_read_as_people_write_it() {
        let code = draw_recovery_code();
        assert_eq!(code.expose().len(), 11);
        let typed = format!(" {} ", code.expose().to_uppercase().replace('-', " ").replace('0', "O").replace('1', "l"));
        assert_eq!(*plain_recovery_code(&typed), code.expose().replace('-', ""));
    }

    #[test]
    fn the_link_names_whose_it_is_and_is_not_shown_by_accident() {
        let secret = TotpSecret::draw();
        let link = secret.link("Example: Corp", "abby@example.test").expect("a link");
        assert!(
            link.expose().starts_with("otpauth://totp/Example%20%20Corp:abby%40example.test?secret="),
            "{}",
            link.expose()
        );
        assert_eq!(format!("{secret:?} {link:?}"), "TotpSecret(redacted) Secret(redacted)");
    }
}
