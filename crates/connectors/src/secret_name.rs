//! Which attributes and columns hold passwords, hashes or keys, told by their names: those are never read.
//!
//! It is a guard against a mistake in the settings, not against whoever writes them: the same value under another name
//! passes.

/// Names in which nothing tells that they are secret, without case, hyphens and underscores.
const SECRET: [&str; 16] = [
    "2.5.4.35", // userPassword, as a number
    "apikey",
    "authtoken",
    "dbcspwd",
    "krbextradata",
    "krbmkey",
    "krbprincipalkey",
    "lmpwdhistory",
    "ntpwdhistory",
    "privatekey",
    "pwdhistory",
    "pw",
    "pass",
    "secretkey",
    "supplementalcredentials",
    "userpkcs12",
];
/// Words at the end of a name that make it secret.
const SECRET_ENDINGS: [&str; 10] =
    ["hash", "hashes", "pwd", "salt", "secret", "digest", "token", "privatekey", "credentials", "credential"];
/// Words that make a name secret wherever they stand.
const SECRET_WORDS: [&str; 5] = ["password", "passwd", "passphrase", "passwort", "motdepasse"];
/// Ends of names that tell something about a password and not the password: `password_changed_at`, `passwordExpirationTime`.
const HARMLESS_ENDINGS: [&str; 13] = [
    "at",
    "time",
    "date",
    "changed",
    "expired",
    "expires",
    "expiration",
    "lastset",
    "lastchange",
    "count",
    "age",
    "days",
    "mustchange",
];

/// Whether an attribute or column of that name is never read.
pub(crate) fn is_secret(name: &str) -> bool {
    let plain: String = name.to_lowercase().chars().filter(|c| !matches!(c, '_' | '-' | ' ')).collect();
    if SECRET.contains(&plain.as_str()) || SECRET_ENDINGS.iter().any(|ending| plain.ends_with(ending)) {
        return true;
    }
    SECRET_WORDS.iter().any(|word| plain.contains(word))
        && !HARMLESS_ENDINGS.iter().any(|ending| plain.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in [
            "userPassword",
            "USERPASSWORD",
            "2.5.4.35",
            "unicodePwd",
            "sambaNTPassword",
            "ipaNTHash",
            "krbPrincipalKey",
            "pwdHistory",
            "password",
            "password_hash",
            "hashed_password",
            "password_bcrypt",
            "passwd",
            "pwd",
            "pass",
            "pw_hash",
            "salt",
            "reset_token",
            "totp_secret",
        ] {
            assert!(is_secret(name), "{name}");
        }
    }

    #[test]
    fn what_only_tells_about_a_password_is_read() {
        for name in [
            "uid",
            "mail",
            "password_changed_at",
            "passwordExpirationTime",
            "pwdChangedTime",
            "pwdAccountLockedTime",
            "passport",
            "sshPublicKey",
            "compass",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
