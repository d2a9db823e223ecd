//! What an apply file asks for that has to wait until nothing is under way: disabling a person, giving an account to
//! another, taking one for gone.

use std::sync::Arc;

use lockstep::app::apply::{self, Done, Entry};
use lockstep_core::id::IdentityId;
use lockstep_store::{account, intent};
use serde_json::{Value, json};

use crate::harness::{FIRST_PASSWORD, Harness};

async fn apply(harness: &Harness, text: &str) -> Vec<Entry> {
    let wanted = toml::from_str(text).expect("a file");
    let follow = Arc::new(|_: &apply::Reference| Err("there is nothing to follow".to_owned()));
    apply::apply(&harness.app, Arc::new(wanted), follow).await.expect("applied").entries
}

/// Waits until the engine has carried out every intent about a person.
async fn carried_out(harness: &Harness, identity: IdentityId) {
    for _ in 0..400 {
        if harness.read(move |tx| Box::pin(intent::list_of(tx, identity))).await.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("an intent was never carried out");
}

async fn accepted(harness: &Harness, token: &str, password: &str) -> String {
    let request = harness.change_request(token, password).await;
    let accepted = harness.post("/v2024/set-password", token, &request).await.with_status(202);
    accepted["requestId"].as_str().expect("an id").to_owned()
}

fn errors(status: &Value) -> (&str, String) {
    (status["state"].as_str().expect("a state"), status["errors"].to_string())
}

#[tokio::test]
async fn what_waits_is_not_delivered_once_the_person_is_disabled() {
    let mut harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let change = accepted(&harness, &token, "Never-Delivered-1").await;
    let entries = apply(&harness, "[[identity]]\nalias = \"Abby.Smith\"\nenabled = false").await;
    assert_eq!(entries[0].done, Done::Changed(vec!["enabled".to_owned()]));

    harness.start_worker().await;
    let status = harness.final_status(&token, &change).await;
    let (state, said) = errors(&status);
    assert!(state == "FAILED" && said.contains("the identity was disabled"), "{status}");
    carried_out(&harness, harness.world.abby).await;
    assert!(harness.signs_in("billing.db", "abby", FIRST_PASSWORD).await);
    harness.stop().await;
}

#[tokio::test]
async fn an_account_that_is_given_away_gets_the_password_of_its_new_owner_only() {
    let mut harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let change = accepted(&harness, &token, "From-Abby-12345").await;
    let give = "[[identity]]\nalias = \"Bea.Jones\"\n[[identity.account]]\nsource = \"Billing\"\nnative-id = \"abby\"";
    let entries = apply(&harness, give).await;
    assert_eq!((entries[0].kind, &entries[0].done), ("account", &Done::Changed(vec!["identity".to_owned()])));
    assert_eq!(apply(&harness, give).await, [], "it is on its way already");

    harness.start_worker().await;
    let status = harness.final_status(&token, &change).await;
    let (state, said) = errors(&status);
    assert!(state == "FAILED" && said.contains("does not belong to this identity any more"), "{status}");
    assert!(harness.signs_in("billing.db", "abby", FIRST_PASSWORD).await);
    carried_out(&harness, harness.world.abby).await;
    assert_eq!(apply(&harness, give).await, [], "it is so");

    let info = harness.info(&token, "Bea.Jones", "Billing").await;
    let request = json!({
        "identityId": info["identityId"], "sourceId": info["sourceId"], "publicKeyId": info["publicKeyId"],
        "accountId": "abby", "encryptedPassword": crate::harness::encrypt(&info, b"From-Bea-123456"),
    });
    let accepted = harness.post("/v2024/set-password", &token, &request).await.with_status(202);
    let status = harness.final_status(&token, accepted["requestId"].as_str().expect("an id")).await;
    assert_eq!(status["state"], "FINISHED", "{status}");
    assert!(harness.signs_in("billing.db", "abby", "From-Bea-123456").await);
    harness.stop().await;
}

#[tokio::test]
async fn what_is_taken_back_in_time_never_was() {
    let mut harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let abby = "[[identity]]\nalias = \"Abby.Smith\"";
    let account = "[[identity.account]]\nsource = \"Billing\"\nnative-id = \"abby\"";
    apply(&harness, &format!("{abby}\nenabled = false")).await;
    apply(&harness, &format!("{abby}\nenabled = true")).await;
    apply(&harness, &format!("{abby}\n{account}\ngone = true")).await;
    apply(&harness, &format!("{abby}\n{account}\ngone = false")).await;
    apply(&harness, &format!("[[identity]]\nalias = \"Bea.Jones\"\n{account}")).await;
    apply(&harness, &format!("{abby}\n{account}")).await;
    let owner = harness.world.abby;
    assert_eq!(harness.read(move |tx| Box::pin(intent::list_of(tx, owner))).await, []);

    let change = accepted(&harness, &token, "Delivered-After-All-1").await;
    harness.start_worker().await;
    assert_eq!(harness.final_status(&token, &change).await["state"], "FINISHED");
    harness.stop().await;
}

#[tokio::test]
async fn an_account_that_is_gone_becomes_a_tombstone_and_comes_back() {
    let harness = Harness::start().await;
    let account = "[[identity]]\nalias = \"Abby.Smith\"\n[[identity.account]]\nsource = \"Lone\"\nnative-id = \"abby\"";
    let gone = |gone: bool| format!("{account}\ngone = {gone}");
    let vanished = async || {
        let (abby, lone) = (harness.world.abby, harness.world.lone);
        let accounts = harness.read(move |tx| Box::pin(account::list_of(tx, abby))).await;
        accounts.into_iter().find(|account| account.source == lone).expect("kept").vanished
    };
    let entries = apply(&harness, &gone(true)).await;
    assert_eq!(entries[0].done, Done::Changed(vec!["gone".to_owned()]));
    carried_out(&harness, harness.world.abby).await;
    assert!(vanished().await);
    assert_eq!(apply(&harness, &gone(true)).await, []);
    apply(&harness, &gone(false)).await;
    assert!(!vanished().await);
    harness.stop().await;
}
