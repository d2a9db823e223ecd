//! Accounts over the API: lists, one of them, and unlocking, enabling and disabling.

use std::collections::BTreeSet;

use lockstep_core::audit::Action;
use lockstep_core::scope::UserLevel;
use lockstep_store::{audit, identity, sign_in_password};
use serde_json::{Value, json};

use crate::harness::Harness;

/// The account that a filter finds.
async fn one(harness: &Harness, token: &str, filters: &str) -> Value {
    let url = reqwest::Url::parse_with_params(&harness.url("/v2024/accounts"), [("filters", filters)]).expect("a URL");
    let found = harness.get(&url.as_str()[harness.base.len()..], token).await.with_status(200);
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
    found[0].clone()
}

#[tokio::test]
async fn accounts_are_found_by_person_source_and_name() {
    let harness = Harness::start_without_worker().await;
    let ada = harness.person_token(harness.world.ada).await;
    let answer = harness.get("/v2024/accounts?count=true", &ada).await;
    assert_eq!(answer.headers["x-total-count"], "12");
    let of_abby = format!("/v2024/accounts?filters=identityId+eq+%22{}%22&sorters=nativeIdentity", harness.world.abby);
    let of_abby = harness.get(&of_abby, &ada).await.with_status(200);
    assert_eq!(of_abby.as_array().map(Vec::len), Some(6));
    let filter = format!("sourceId eq \"{}\" and nativeIdentity eq \"ABBY1\"", harness.world.twins);
    let twin = one(&harness, &ada, &filter).await;
    assert_eq!((&twin["sourceName"], &twin["identity"]["name"]), (&json!("Twins"), &json!("Abby Smith")));
    assert_eq!(
        (&twin["uncorrelated"], &twin["disabled"], &twin["locked"]),
        (&json!(false), &json!(false), &json!(false))
    );
    let id = twin["id"].as_str().expect("an id");
    assert_eq!(harness.get(&format!("/accounts/v1/{id}"), &ada).await.with_status(200), twin);
    harness.get("/v2024/accounts/00000000000000000000000000000000", &ada).await.refused(404, "404 Not found");
    harness.stop().await;
}

#[tokio::test]
async fn what_a_source_cannot_do_is_said() {
    let harness = Harness::start_without_worker().await;
    let ada = harness.person_token(harness.world.ada).await;
    let filter = format!("sourceId eq \"{}\"", harness.world.lone);
    let id = one(&harness, &ada, &filter).await["id"].as_str().expect("an id").to_owned();
    for (verb, feature) in [("unlock", "UNLOCK"), ("enable", "ENABLE"), ("disable", "ENABLE")] {
        let path = format!("/v2024/accounts/{id}/{verb}");
        let said = harness
            .post(&path, &ada, &json!({ "forceProvisioning": true }))
            .await
            .refused(400, "400.1 Bad Request Content");
        assert_eq!(said, format!("the source has not the feature {feature}"));
    }
    let nobody = "/v2024/accounts/00000000000000000000000000000000/unlock";
    harness.post(nobody, &ada, &Value::Null).await.refused(404, "404 Not found");
    harness.stop().await;
}

#[tokio::test]
async fn disabling_the_built_in_account_disables_the_person() {
    let mut harness = Harness::start_without_worker().await;
    let ada = harness.person_token(harness.world.ada).await;
    let abby = harness.person_token(harness.world.abby).await;
    let waiting = harness.change_request(&abby, "Some-Password-1").await;
    let change = harness.post("/v2024/set-password", &abby, &waiting).await.with_status(202);

    let path = format!("/v2024/accounts/{}", harness.world.abby);
    assert_eq!(
        harness.post(&format!("{path}/disable"), &ada, &Value::Null).await.with_status(202)["id"],
        json!(harness.world.abby)
    );
    assert_eq!(harness.get(&path, &ada).await.with_status(200)["disabled"], true);
    let ask = json!({ "userName": "Abby.Smith" });
    harness.post("/v2024/query-password-info", &abby, &ask).await.with_status(401);
    harness.start_worker().await;
    let status = harness.final_status(&ada, change["requestId"].as_str().expect("an id")).await;
    assert_eq!(status["state"], "FAILED", "{status}");

    harness.post(&format!("{path}/enable"), &ada, &Value::Null).await.with_status(202);
    harness.post("/v2024/query-password-info", &abby, &ask).await.with_status(401);
    let again = harness.person_token(harness.world.abby).await;
    harness.post("/v2024/query-password-info", &again, &ask).await.with_status(200);
    let actions: Vec<Action> =
        harness.read(|tx| Box::pin(audit::newest(tx, 100))).await.iter().map(|event| event.action).collect();
    assert!(actions.contains(&Action::AccountDisabled) && actions.contains(&Action::AccountEnabled), "{actions:?}");
    harness.stop().await;
}

#[tokio::test]
async fn whoever_administers_is_reached_by_administrators_only_and_the_last_one_stays() {
    let harness = Harness::start().await;
    let (helga, ada) = (harness.person_token(harness.world.helga).await, harness.person_token(harness.world.ada).await);
    for verb in ["unlock", "enable", "disable"] {
        let path = format!("/v2024/accounts/{}/{verb}", harness.world.ada);
        harness.post(&path, &helga, &Value::Null).await.refused(403, "403 Forbidden");
    }
    let last = format!("/v2024/accounts/{}/disable", harness.world.ada);
    harness.post(&last, &ada, &Value::Null).await.refused(400, "400.1 Bad Request Content");
    let program = harness.admin_token().await;
    harness.post(&last, &program, &Value::Null).await.refused(400, "400.1 Bad Request Content");
    harness
        .post(&format!("/v2024/accounts/{}/disable", harness.world.helga), &ada, &Value::Null)
        .await
        .with_status(202);

    // On every source, not only on the built-in one.
    let now = harness.app.clock.utc();
    let bea = harness.world.bea;
    let levels = BTreeSet::from([UserLevel::HelpDesk]);
    harness.write(move |tx| Box::pin(async move { identity::set_levels(tx, bea, &levels, now).await })).await;
    let desk = harness.person_token(bea).await;
    let filter = format!("sourceId eq \"{}\"", harness.world.lone);
    let id = one(&harness, &ada, &filter).await["id"].as_str().expect("an id").to_owned();
    let path = format!("/v2024/accounts/{id}/disable");
    harness.post(&path, &desk, &Value::Null).await.refused(400, "400.1 Bad Request Content");
    let (abby, levels) = (harness.world.abby, BTreeSet::from([UserLevel::SourceAdmin]));
    harness.write(move |tx| Box::pin(async move { identity::set_levels(tx, abby, &levels, now).await })).await;
    harness.post(&path, &desk, &Value::Null).await.refused(403, "403 Forbidden");
    harness.post(&path, &ada, &Value::Null).await.refused(400, "400.1 Bad Request Content");
    harness.stop().await;
}

#[tokio::test]
async fn unlocking_the_built_in_account_forgives_wrong_sign_ins() {
    let harness = Harness::start().await;
    let (abby, now) = (harness.world.abby, harness.app.clock.utc());
    let token = harness.person_token(abby).await;
    let info = harness.info(&token, "Abby.Smith", "IdentityNow").await;
    let set = json!({
        "identityId": info["identityId"],
        "encryptedPassword": crate::harness::encrypt(&info, b"A-Long-Sign-In-Password-1"),
        "publicKeyId": info["publicKeyId"],
        "sourceId": info["sourceId"],
    });
    let client = harness.client_token("sp:scopes:all").await;
    let change = harness.post("/v2024/set-password", &client, &set).await.with_status(202);
    assert_eq!(harness.final_status(&client, change["requestId"].as_str().expect("an id")).await["state"], "FINISHED");
    harness.write(move |tx| Box::pin(async move { sign_in_password::tried(tx, abby, 3, now).await })).await;

    let helga = harness.person_token(harness.world.helga).await;
    harness.post(&format!("/v2024/accounts/{abby}/unlock"), &helga, &Value::Null).await.with_status(202);
    let stored = harness.read(move |tx| Box::pin(sign_in_password::find(tx, abby))).await.expect("a password");
    assert_eq!(stored.failures, 0);
    harness.stop().await;
}
