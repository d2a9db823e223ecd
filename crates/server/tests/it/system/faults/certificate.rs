//! A directory whose certificate is not to be believed hears no password: an administrator's mistake or an impostor, so
//! that nothing is tried again.

use std::path::Path;
use std::process::Command;

use super::{ABBY, only_line};
use crate::system::directory::{DIRECTORY, Directory, dn};
use crate::system::fresh_password;
use crate::system::installation::{Installation, quick};
use crate::system::state::State;

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_gets_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = folder.path().join("other.pem");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "other.key",
        ])
        .args(["-out", "other.pem", "-days", "2", "-subj", "/CN=Another CA"])
        .args(["-addext", "basicConstraints=critical,CA:TRUE"])
        .current_dir(folder.path())
        .output();
    assert!(made.expect("openssl runs").status.success());
    refused(Directory::own().await, Some(&authority)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_name_gets_nothing() {
    refused(Directory::own_named("DNS:elsewhere.test").await, None).await;
}

async fn refused(mut directory: Directory, authority: Option<&Path>) {
    let old = fresh_password("old");
    directory.reset([ABBY.1], &old).await;
    let mut source = directory.source();
    if let Some(authority) = authority {
        source.config.insert("ca_file".to_owned(), authority.to_str().expect("text").into());
    }
    let mut state = State::alone(source);
    state.person(ABBY.0, None, |_| dn(ABBY.1));
    let mut installation = Installation::new(quick(), &state).await;
    installation.start().await;
    let api = installation.api().await;

    let new = fresh_password("new");
    let status = api.change(ABBY.0, DIRECTORY, &new).await;
    assert_eq!(status.state, "FAILED");
    let line = only_line(&status.errors, DIRECTORY);
    assert!(line.contains("its certificate is not trusted"), "{line}");
    assert!(!line.contains("may or may not"), "nothing was sent: {line}");
    assert!(directory.signs_in(ABBY.1, &old).await);
    assert!(!directory.signs_in(ABBY.1, &new).await);
    assert!(installation.stop().await.success());
    directory.stop().await;
}
