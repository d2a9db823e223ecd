//! Sources over the API: making, reading, changing and deleting them, their policies, and the test of their connection.

use lockstep_core::audit::Action;
use lockstep_core::id::{PasswordPolicyId, SourceId};
use lockstep_store::{audit, source_secret};
use serde_json::{Value, json};

use crate::harness::{Answer, Harness};

/// A source that can be made: an application's table in SQLite.
fn draft(harness: &Harness, name: &str) -> Value {
    json!({
        "name": name,
        "owner": { "type": "IDENTITY", "id": harness.world.ada, "name": "ignored" },
        "connector": "sql",
        "connectorAttributes": {
            "url": format!("sqlite:{}", harness.file("lone.db").display()),
            "hash": "argon2id",
            "statement": "UPDATE person SET secret = :hash WHERE name = :account",
            "verify": "SELECT secret FROM person WHERE name = :account",
        },
    })
}

fn at(id: &Value) -> String {
    format!("/v2024/sources/{}", id.as_str().expect("an id"))
}

#[tokio::test]
async fn a_source_is_made_tested_and_takes_passwords_once_a_patch_says_so() {
    let harness = Harness::start().await;
    let ada = harness.person_token(harness.world.ada).await;
    let made = harness.post("/v2024/sources", &ada, &draft(&harness, "Intranet")).await;
    assert!(made.headers.contains_key("etag"));
    let made = made.with_status(201);
    assert_eq!(
        (&made["features"], &made["type"], &made["owner"]),
        (&json!(["AUTHENTICATE"]), &json!("SQL"), &Value::Null)
    );

    let test = format!("{}/connector/check-connection", at(&made["id"]));
    let tested = harness.post(&test, &ada, &Value::Null).await.with_status(200);
    assert_eq!((&tested["status"], &tested["name"]), (&json!("SUCCESS"), &json!("Intranet")), "{tested}");

    let client = harness.client_token("sp:scopes:all").await;
    let question = json!({ "userName": "Abby.Smith", "sourceName": "intranet" });
    harness.post("/v2024/query-password-info", &client, &question).await.refused(400, "400.1 Bad Request Content");
    let patch = json!([{ "op": "add", "path": "/features/-", "value": "PASSWORD" }]);
    let patched = harness.patch(&at(&made["id"]), &ada, &patch).await.with_status(200);
    assert_eq!(patched["features"], json!(["AUTHENTICATE", "PASSWORD"]));
    assert_eq!(harness.info(&client, "Abby.Smith", "intranet").await["accounts"], json!([]));

    // All of it under the other form of address, too.
    let read =
        harness.get(&format!("/sources/v1/{}", made["id"].as_str().expect("an id")), &ada).await.with_status(200);
    assert_eq!(read, patched);
    harness.stop().await;
}

#[tokio::test]
async fn a_test_is_of_the_source_as_it_was_changed_a_moment_ago() {
    let harness = Harness::start_without_worker().await;
    let ada = harness.person_token(harness.world.ada).await;
    let made = harness.post("/v2024/sources", &ada, &draft(&harness, "Intranet")).await.with_status(201);
    let test = format!("{}/connector/check-connection", at(&made["id"]));
    assert_eq!(harness.post(&test, &ada, &Value::Null).await.with_status(200)["status"], "SUCCESS");
    let elsewhere = format!("sqlite:{}", harness.file("nowhere.db").display());
    let patch = json!([{ "op": "replace", "path": "/connectorAttributes/url", "value": elsewhere }]);
    harness.patch(&at(&made["id"]), &ada, &patch).await.with_status(200);
    let tested = harness.post(&test, &ada, &Value::Null).await.with_status(200);
    assert_eq!(tested["status"], "FAILURE", "{tested}");
    harness.stop().await;
}

#[tokio::test]
async fn every_source_is_listed_in_order_and_counted() {
    let harness = Harness::start_without_worker().await;
    let ada = harness.person_token(harness.world.ada).await;
    let answer = harness.get("/v2024/sources?limit=2&offset=1&count=true&sorters=name", &ada).await;
    assert_eq!(answer.headers["x-total-count"], "7");
    let names: Vec<Value> =
        answer.with_status(200).as_array().expect("a list").iter().map(|row| row["name"].clone()).collect();
    assert_eq!(names, ["Billing", "Empty"]);
    let chosen = "/v2024/sources?filters=features+ca+(%22PASSWORD%22)+and+name+sw+%22L%22&count=true";
    let answer = harness.get(chosen, &ada).await;
    assert_eq!(answer.headers["x-total-count"], "1");
    assert_eq!(answer.with_status(200)[0]["name"], "Lone");
    let wrong = harness.get("/v2024/sources?filters=name+lk+%22L%22", &ada).await.refused(400, "400.1.3 Illegal value");
    assert!(wrong.starts_with("filters cannot be read at character 6"), "{wrong}");
    assert_eq!(harness.get("/v2024/sources?limit=0", &ada).await.with_status(200), json!([]));
    harness.get("/v2024/sources?limit=251", &ada).await.refused(400, "400.1.3 Illegal value");
    harness.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let harness = Harness::start_without_worker().await;
    let ada = harness.person_token(harness.world.ada).await;
    let good = draft(&harness, "Intranet");
    let with = |field: &str, value: Value| {
        let mut changed = good.clone();
        changed[field] = value;
        changed
    };
    for (body, code, text) in [
        (with("name", Value::Null), "400.1.0 Required Data Missing Or Empty", "name is required"),
        (with("name", json!("billing")), "400.1.409 Reference conflict", "another source has this name"),
        (with("name", json!("x".repeat(129))), "400.1.4 Limit violation", "name must have at most 128 characters"),
        (with("connector", json!("fax")), "400.1.3 Illegal value", "connector is wrong"),
        (with("features", json!(["FLY"])), "400.1.3 Illegal value", "features must be some of"),
        (with("concurrency", json!(0)), "400.1.3 Illegal value", "concurrency must be at least 1"),
        (
            with("connectorAttributes", json!({ "url": "sqlite:/x" })),
            "400.1.3 Illegal value",
            "connectorAttributes are wrong",
        ),
        (with("connectorAttributes", json!({ "password": 1 })), "400.1.3 Illegal value", "connectorAttributes have"),
        (with("connectorAttributes", json!([])), "400.1.3 Illegal value", "connectorAttributes has the wrong type"),
    ] {
        let said = harness.post("/v2024/sources", &ada, &body).await.refused(400, code);
        assert!(said.starts_with(text), "{said}");
    }
    harness.get("/v2024/sources/00000000000000000000000000000000", &ada).await.refused(404, "404 Not found");
    harness.stop().await;
}

#[tokio::test]
async fn a_patch_changes_what_may_be_changed_and_nothing_else() {
    let harness = Harness::start_without_worker().await;
    let ada = harness.person_token(harness.world.ada).await;
    let path = format!("/v2024/sources/{}", harness.world.lone);
    let before = harness.get(&path, &ada).await.with_status(200);
    for field in ["id", "type", "connector", "owner", "passwordPolicies", "created", "authoritative", "status"] {
        let patch = json!([{ "op": "replace", "path": format!("/{field}"), "value": "x" }]);
        harness.patch(&path, &ada, &patch).await.refused(400, "400.1.1 Illegal update attempt");
    }
    let wrong = json!([{ "op": "replace", "path": "/concurrency", "value": "many" }]);
    harness.patch(&path, &ada, &wrong).await.refused(400, "400.1 Bad Request Content");
    harness.patch(&path, &ada, &json!({ "op": "add" })).await.refused(400, "400.1.3 Illegal value");
    assert_eq!(harness.get(&path, &ada).await.with_status(200), before, "nothing was changed");

    let patch = json!([
        { "op": "replace", "path": "/description", "value": "For everybody" },
        { "op": "replace", "path": "/concurrency", "value": 3 },
    ]);
    let after = harness.patch(&path, &ada, &patch).await.with_status(200);
    assert_eq!((&after["description"], &after["concurrency"]), (&json!("For everybody"), &json!(3)));
    let built_in = format!("/v2024/sources/{}", SourceId::IDENTITY_NOW);
    let described = json!([{ "op": "replace", "path": "/description", "value": "Our own" }]);
    assert_eq!(harness.patch(&built_in, &ada, &described).await.with_status(200)["description"], "Our own");
    let renamed = json!([{ "op": "replace", "path": "/name", "value": "Mine" }]);
    harness.patch(&built_in, &ada, &renamed).await.refused(400, "400.1 Bad Request Content");
    harness.stop().await;
}

#[tokio::test]
async fn a_whole_source_is_replaced_by_what_is_read_of_it() {
    let harness = Harness::start_without_worker().await;
    let ada = harness.person_token(harness.world.ada).await;
    let path = format!("/v2024/sources/{}", harness.world.billing);
    let mut body = harness.get(&path, &ada).await.with_status(200);
    assert_eq!(harness.put(&path, &ada, &body).await.with_status(200), body, "nothing to do");
    body["name"] = json!("Invoicing");
    assert_eq!(harness.put(&path, &ada, &body).await.with_status(200)["name"], "Invoicing");
    body["connector"] = json!("ldap");
    harness.put(&path, &ada, &body).await.refused(400, "400.1.1 Illegal update attempt");
    harness.stop().await;
}

#[tokio::test]
async fn who_has_not_seen_the_last_change_does_not_undo_it() {
    let harness = Harness::start_without_worker().await;
    let ada = harness.person_token(harness.world.ada).await;
    let path = format!("/v2024/sources/{}", harness.world.lone);
    let seen = harness.get(&path, &ada).await.headers["etag"].clone();
    let patch = json!([{ "op": "replace", "path": "/description", "value": "First" }]);
    let send = |patch: Value| {
        let request = harness.http.patch(harness.url(&path)).header("content-type", "application/json-patch+json");
        Answer::of(request.header("if-match", seen.clone()).bearer_auth(&ada).body(patch.to_string()))
    };
    send(patch.clone()).await.with_status(200);
    send(patch.clone()).await.refused(412, "412 Precondition failed");
    let delete = harness.http.delete(harness.url(&path)).header("if-match", seen.clone()).bearer_auth(&ada);
    Answer::of(delete).await.refused(412, "412 Precondition failed");
    let holders =
        harness.http.patch(harness.url(&format!("{path}/password-policies"))).header("if-match", seen.clone());
    Answer::of(holders.bearer_auth(&ada).json(&json!([]))).await.refused(412, "412 Precondition failed");
    harness.stop().await;
}

#[tokio::test]
async fn a_secret_is_never_told_and_does_not_follow_a_source_that_is_pointed_elsewhere() {
    let harness = Harness::start_without_worker().await;
    let ada = harness.person_token(harness.world.ada).await;
    let mut body = draft(&harness, "Database");
    body["connectorAttributes"]["url"] = json!("postgres://app@127.0.0.1:1/app");
    body["connectorAttributes"]["password"] = json!("Service-Secret-1");
    let made = harness.post("/v2024/sources", &ada, &body).await.with_status(201);
    assert!(!made.to_string().contains("Service-Secret"), "{made}");
    let path = at(&made["id"]);
    let id: SourceId = made["id"].as_str().expect("an id").parse().expect("an id");
    let secret = async || harness.read(move |tx| Box::pin(source_secret::list(tx, id))).await["password"].clone();
    let stored = secret().await;

    let described = json!([{ "op": "replace", "path": "/description", "value": "x" }]);
    harness.patch(&path, &ada, &described).await.with_status(200);
    assert_eq!(secret().await, stored, "it stays");

    let pointed =
        json!([{ "op": "replace", "path": "/connectorAttributes/url", "value": "postgres://app@198.51.100.1/app" }]);
    let said = harness.patch(&path, &ada, &pointed).await.refused(400, "400.1.3 Illegal value");
    assert!(said.contains("\"password\" must be given again"), "{said}");
    let mut replaced = made.clone();
    replaced["connectorAttributes"]["url"] = json!("postgres://app@198.51.100.1/app");
    harness.put(&path, &ada, &replaced).await.refused(400, "400.1.3 Illegal value");
    assert_eq!(secret().await, stored, "nothing was changed");

    let both = json!([pointed[0].clone(), { "op": "add", "path": "/connectorAttributes/password", "value": "Service-Secret-2" }]);
    let moved = harness.patch(&path, &ada, &both).await.with_status(200);
    assert!(!moved.to_string().contains("Service-Secret"), "{moved}");
    assert_ne!(secret().await, stored);

    let told = harness.read(move |tx| Box::pin(audit::newest(tx, 100))).await;
    let updates: Vec<bool> = told
        .iter()
        .rev()
        .filter(|event| event.action == Action::SourceUpdated && event.source == Some(id))
        .map(|event| event.detail.get("destination").is_some())
        .collect();
    assert_eq!(updates, [false, true], "where passwords go was changed once");
    harness.stop().await;
}

#[tokio::test]
async fn what_others_rely_on_stays_and_they_are_named() {
    let harness = Harness::start_without_worker().await;
    let ada = harness.person_token(harness.world.ada).await;
    let billing = format!("/v2024/sources/{}", harness.world.billing);
    let refused = harness.delete(&billing, &ada).await;
    let causes: Vec<&str> =
        refused.body["causes"].as_array().expect("causes").iter().filter_map(|cause| cause["text"].as_str()).collect();
    assert!(causes.contains(&"the sync group \"Everyday\" has it"), "{causes:?}");
    assert!(causes.contains(&"it has 3 accounts of people"), "{causes:?}");
    refused.refused(400, "400.2.1.0 Object in use by another");
    let patch = json!([{ "op": "replace", "path": "/features", "value": ["AUTHENTICATE"] }]);
    harness.patch(&billing, &ada, &patch).await.refused(400, "400.2.1.0 Object in use by another");

    let empty = format!("/v2024/sources/{}", harness.world.empty);
    assert_eq!(harness.delete(&empty, &ada).await.with_status(202)["type"], "TASK_RESULT");
    harness.get(&empty, &ada).await.refused(404, "404 Not found");
    harness.delete(&empty, &ada).await.refused(404, "404 Not found");
    let built_in = format!("/v2024/sources/{}", SourceId::IDENTITY_NOW);
    harness.delete(&built_in, &ada).await.refused(400, "400.1 Bad Request Content");
    harness.stop().await;
}

#[tokio::test]
async fn the_policies_of_a_source_are_a_plain_list() {
    let harness = Harness::start_without_worker().await;
    let ada = harness.person_token(harness.world.ada).await;
    let path = format!("/v2024/sources/{}/password-policies", harness.world.lone);
    let holders = json!([
        { "policyId": PasswordPolicyId::DEFAULT, "selectors": { "identityAttr": [{ "name": "country", "value": "Canada" }] } },
        { "policyId": PasswordPolicyId::DEFAULT, "policyName": "whatever", "selectors": null },
    ]);
    let mut expected = holders.clone();
    expected[0]["policyName"] = json!("Default");
    expected[1]["policyName"] = json!("Default");
    assert_eq!(harness.patch_json(&path, &ada, &holders).await.with_status(200), expected);
    let client = harness.client_token("sp:scopes:all").await;
    let rules = harness.info(&client, "Abby.Smith", "Lone").await["policies"].clone();
    assert!(rules.to_string().contains("passwordMinLength is 15"), "{rules}");

    let unknown = json!([{ "policyId": "00000000000000000000000000000001" }]);
    harness.patch_json(&path, &ada, &unknown).await.refused(400, "400.1.404 Referenced object not found");
    harness.patch_json(&path, &ada, &json!([{}])).await.refused(400, "400.1.0 Required Data Missing Or Empty");
    harness.patch_json(&path, &ada, &json!([])).await.with_status(200);
    harness.stop().await;
}

#[tokio::test]
async fn a_source_that_cannot_be_reached_is_told_as_such() {
    let harness = Harness::start_without_worker().await;
    let ada = harness.person_token(harness.world.ada).await;
    let mut body = draft(&harness, "Far away");
    body["connectorAttributes"]["url"] = json!("postgres://app@127.0.0.1:1/app");
    let made = harness.post("/v2024/sources", &ada, &body).await.with_status(201);
    for name in ["check-connection", "test-configuration"] {
        let path = format!("{}/connector/{name}", at(&made["id"]));
        let tested = harness.post(&path, &ada, &Value::Null).await.with_status(200);
        assert_eq!(tested["status"], "FAILURE");
        assert!(tested["details"]["error"].is_string(), "{tested}");
    }
    harness.stop().await;
}
