//! After success, refusal and a kill, with the log at its most talkative, no password stands in any file of the data
//! folder: not in clear, nor in the forms in which one may slip through.
//!
//! It is a canary. It looks at files only, not at memory, swap or what the targets keep.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::directory::{DIRECTORY, Directory, dn};
use super::fresh_password;
use super::installation::{Installation, files_below, quick};
use super::state::State;
use super::tables::{BILLING, PostgresTable};

const NUMBERS: std::ops::Range<usize> = 900..910;

#[tokio::test(flavor = "multi_thread")]
async fn no_password_is_in_any_file_after_success_refusal_and_a_kill() {
    let mut passwords = vec![fresh_password("initial-canary-1")];
    let logins: Vec<String> = NUMBERS.map(|number| format!("person{number}")).collect();
    let directory = Directory::shared();
    directory.reset(NUMBERS, &passwords[0]).await;
    let billing = PostgresTable::new("system_secrets", &logins, &passwords[0]).await;
    // The database hashes, so that the plaintext goes all the way.
    let by_database = toml::toml! {
        statement = "UPDATE people SET password = crypt(:password, gen_salt('bf', 4)) WHERE login = :account"
        verify = "SELECT password = crypt(:password, password) FROM people WHERE login = :account"
        hash = "database"
    };
    let sources = vec![directory.source(), billing.source(by_database)];
    let mut state = State::one_group(toml::toml! { minNumeric = 1 history = 3 }, sources);
    for (number, login) in NUMBERS.zip(&logins) {
        state.person(login, None, |source| if source == DIRECTORY { dn(number) } else { login.clone() });
    }
    let mut settings = quick();
    settings.insert("log".to_owned(), toml::toml! { filter = "trace" }.into());
    let mut installation = Installation::new(settings, &state).await;
    installation.start().await;
    let api = installation.api().await;

    let applied = fresh_password("applied-canary-1");
    assert_eq!(api.change(&logins[0], DIRECTORY, &applied).await.state, "FINISHED");
    let refused = "RefusedCanaryWithoutAnyDigit".to_owned();
    assert_eq!(api.change(&logins[0], DIRECTORY, &refused).await.state, "FAILED");
    let refused_there = passwords[0].clone();
    assert_eq!(api.change(&logins[0], BILLING, &refused_there).await.state, "FAILED");
    passwords.extend([applied, refused]);
    for login in &logins {
        let password = fresh_password("killed-canary-1");
        api.set(login, DIRECTORY, &password).await;
        passwords.push(password);
    }
    installation.kill().await;
    assert_eq!(found(&installation.data(), &passwords), [], "after the kill");

    installation.start().await;
    for login in &logins {
        let password = fresh_password("later-canary-1");
        api.change(login, DIRECTORY, &password).await;
        passwords.push(password);
    }
    assert!(installation.stop().await.success());
    assert!(files_below(&installation.data()).len() >= 5, "the search had nothing to look at");
    assert_eq!(found(&installation.data(), &passwords), [], "in the end");
}

#[test]
fn the_search_finds_what_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let password = fresh_password("planted-canary-1");
    for (index, form) in forms(&password).into_iter().enumerate() {
        let path = folder.path().join(format!("below{index}")).join("file");
        fs::create_dir(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, [b"before \xff\x00", form.as_slice(), b" after"].concat()).expect("written");
        assert_eq!(found(folder.path(), std::slice::from_ref(&password)), [(path.clone(), password.clone())]);
        fs::remove_file(path).expect("removed");
    }
    // Base64 of a text that the password is inside of, at each of the three places that base64 knows.
    for before in ["", "x", "xy"] {
        let path = folder.path().join("encoded");
        fs::write(&path, STANDARD_NO_PAD.encode(format!("{before}{password}, and more"))).expect("written");
        assert_eq!(found(folder.path(), std::slice::from_ref(&password)), [(path.clone(), password.clone())]);
        fs::remove_file(path).expect("removed");
    }
}

/// Which password is in which file.
fn found(folder: &Path, passwords: &[String]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for path in files_below(folder) {
        let content = fs::read(&path).expect("readable");
        for password in passwords {
            if forms(password).iter().any(|form| content.windows(form.len()).any(|window| window == form)) {
                found.push((path.clone(), password.clone()));
            }
        }
    }
    found
}

/// The bytes to look for: as it is, as hexadecimal digits of either case, as UTF-16 of either order, and as the part of
/// its base64 that does not depend on what stands before and after it.
fn forms(password: &str) -> Vec<Vec<u8>> {
    let bytes = password.as_bytes();
    let mut forms = vec![
        bytes.to_vec(),
        hex::encode(bytes).into_bytes(),
        hex::encode_upper(bytes).into_bytes(),
        password.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        password.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    ];
    for skipped in 0..3 {
        let rest = &bytes[skipped..];
        let whole = &rest[..rest.len() - rest.len() % 3];
        forms.push(STANDARD_NO_PAD.encode(whole).into_bytes());
        forms.push(URL_SAFE_NO_PAD.encode(whole).into_bytes());
    }
    forms
}
