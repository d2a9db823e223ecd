//! A request that somebody captured, sent again a day and two days later to a server that was started anew, changes
//! nothing. The server's clock is moved by libfaketime; its monotonic clock is not.
//!
//! What the same ciphertext is worth to somebody else, and sixteen at once, is tested over the API.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::installation::{Installation, quick};
use super::state::State;
use super::tables::{CANTEEN, SqliteTable, bcrypt};
use super::{fresh_password, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_captured_request_changes_nothing_however_much_later_it_is_sent() {
    let logins = ["captured", "thief"].map(str::to_owned);
    let canteen = SqliteTable::new(&logins, "nothing yet").await;
    let mut state = State { source: vec![canteen.source(bcrypt())], ..State::default() };
    for login in &logins {
        state.person(login, None, |_| login.clone());
    }
    let mut installation = Installation::new(quick(), &state).await;
    installation.start().await;
    let api = installation.api().await;
    let captured = api.ask("captured", CANTEEN).await.change_to(&fresh_password("first-of-two"));
    let thief = api.ask("thief", CANTEEN).await;
    let id = api.try_set(&captured).await.expect("accepted");
    let first = api.settled(&id).await;
    assert_eq!(first.state, "FINISHED", "{first:?}");
    assert_eq!(api.change("captured", CANTEEN, &fresh_password("second-of-two")).await.state, "FINISHED");
    assert!(installation.stop().await.success());
    let mut for_another = captured.clone();
    for_another["identityId"] = json!(thief.identity_id);
    for_another["accountId"] = json!(thief.accounts[0].account_id);
    let held = canteen.stored().await;

    // After a day another key is published and this one is still accepted; after two it is no more; an hour after that
    // it is gone, and nobody can open what was encrypted with it.
    for (hours, key_is_gone) in [(24, false), (50, false), (52, true)] {
        installation.under = later(hours);
        installation.start().await;
        let api = installation.api().await;
        until("the clock was moved, so another key is published", Duration::from_secs(30), async || {
            let today = api.ask("captured", CANTEEN).await.public_key_id;
            (captured["publicKeyId"] != today).then_some(())
        })
        .await;
        let again: Value = match key_is_gone {
            false => {
                let (status, body) = api.post_set(&captured).await;
                assert_eq!(status, 202, "{body}");
                body
            }
            true => {
                until("the key is destroyed", Duration::from_secs(30), async || {
                    let (status, body) = api.post_set(&captured).await;
                    (status == 400).then_some(body)
                })
                .await
            }
        };
        match key_is_gone {
            false => assert_eq!(again, json!({ "requestId": id, "state": "FINISHED" }), "{hours} hours later"),
            true => assert!(again.to_string().contains("publicKeyId"), "{again}"),
        }
        let (status, refusal) = api.post_set(&for_another).await;
        assert_eq!(status, 400, "{hours} hours later: {refusal}");
        assert!(installation.stop().await.success());
        assert_eq!(installation.store().count("SELECT '', count(*) FROM change").await, 2, "{hours} hours later");
        assert_eq!(canteen.stored().await, held, "{hours} hours later");
    }
}

/// Executes the server with its calendar moved ahead.
fn later(hours: u32) -> Vec<String> {
    let library = format!("LD_PRELOAD={}", library().display());
    let moved = format!("FAKETIME=+{hours}h");
    ["env", &library, &moved, "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"].map(str::to_owned).into()
}

/// Debian keeps it in a folder that is named after the machine's kind.
fn library() -> PathBuf {
    let kinds = std::fs::read_dir("/usr/lib").expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut libraries = kinds.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    libraries.find(|path| path.exists()).expect("the package faketime is not installed: run cargo xtask test")
}
