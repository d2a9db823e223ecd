//! Where a new password comes from: a prompt that shows nothing, or one line of standard input.
//!
//! Whether it satisfies a policy is not asked here: only the server knows the rules of every system.

use std::io::{self, Read};

use anyhow::{Context, Result, bail};
use lockstep_core::password::Password;
use zeroize::Zeroizing;

/// Asks twice on the terminal, whatever standard input is.
pub(super) fn from_prompt() -> Result<Password> {
    const HINT: &str = "cannot ask for the password; without a terminal use --stdin";
    let first = Zeroizing::new(rpassword::prompt_password("New password: ").context(HINT)?);
    let second = Zeroizing::new(rpassword::prompt_password("The same again: ").context(HINT)?);
    if first != second {
        bail!("the two passwords are not the same; nothing was sent");
    }
    password(first.as_bytes())
}

/// Reads the first line of standard input. Only the line end is taken away: spaces belong to the password.
pub(super) fn from_stdin() -> Result<Password> {
    // Room for the longest password, its line end and one byte more, which shows that it is too long. Reading never
    // grows the buffer, so no copy is left behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(Password::MAX_BYTES + 3));
    let limit = bytes.capacity() as u64;
    io::stdin().take(limit).read_to_end(&mut bytes).context("cannot read the password from standard input")?;
    password(first_line(&bytes))
}

fn first_line(bytes: &[u8]) -> &[u8] {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn password(bytes: &[u8]) -> Result<Password> {
    if bytes.is_empty() {
        bail!("the password is empty; nothing was sent");
    }
    Password::from_bytes(Zeroizing::new(bytes.to_vec())).ok().with_context(|| {
        format!(
            "the password cannot be sent: it must be UTF-8 text of at most {} bytes without control characters",
            Password::MAX_BYTES
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_line_end_is_taken_away() {
        for (input, line) in [
            ("myPassword\n", "myPassword"),
            ("myPassword", "myPassword"),
            (" my Password \r\n", " my Password "),
            ("first\nsecond\n", "first"),
            ("\n", ""),
            ("", ""),
        ] {
            assert_eq!(first_line(input.as_bytes()), line.as_bytes(), "{input:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_password_is_refused_before_anything_is_sent() {
        assert!(password(b"").is_err());
        assert!(password(b"a\tb").is_err());
        assert!(password(&[b'x'; Password::MAX_BYTES + 1]).is_err());
        assert!(password(&[0xff, 0xfe]).is_err());
        assert_eq!(password("p\u{e4}ss w\u{1F511}rd".as_bytes()).unwrap().expose(), "p\u{e4}ss w\u{1F511}rd");
    }
}
