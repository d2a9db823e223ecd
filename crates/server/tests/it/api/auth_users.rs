//! auth-users.

use lockstep_core::id::IdentityId;
use serde_json::{Value, json};

use crate::harness::{Answer, Harness};

fn path(id: IdentityId) -> String {
    format!("/v2024/auth-users/{id}")
}

async fn patch(harness: &Harness, token: &str, id: IdentityId, operations: Value) -> Answer {
    let request = harness.ask("PATCH", &path(id), token).header("content-type", "application/json-patch+json");
    Answer::of(request.body(operations.to_string())).await
}

fn become_(levels: &[&str]) -> Value {
    json!([{ "op": "replace", "path": "/capabilities", "value": levels }])
}

#[tokio::test]
async fn a_level_counts_at_once_also_for_tokens_that_live() {
    let harness = Harness::start_without_worker().await;
    let admin = harness.person_token(harness.world.ada).await;
    let (bea, person) = (harness.world.bea, harness.person_token(harness.world.bea).await);
    let about_abby = json!({ "userName": "Abby.Smith" });
    let ask = async || harness.post("/v2024/query-password-info", &person, &about_abby).await.status;
    assert_eq!(ask().await, 403);

    let read = harness.get(&path(bea), &admin).await;
    let tag = read.etag();
    let read = read.with_status(200);
    assert_eq!((&read["alias"], &read["capabilities"]), (&json!("Bea.Jones"), &json!([])));
    let granted = patch(&harness, &admin, bea, become_(&["HELPDESK", "SOURCE_ADMIN", "HELPDESK"])).await;
    assert_ne!(granted.etag(), tag);
    assert_eq!(granted.with_status(200)["capabilities"], json!(["HELPDESK", "SOURCE_ADMIN"]));
    assert_eq!(ask().await, 200);

    let outdated = harness.ask("PATCH", &path(bea), &admin).header("if-match", tag).json(&become_(&[]));
    Answer::of(outdated).await.refused(412, "412 Precondition failed");
    let removed = json!([{ "op": "test", "path": "/capabilities/0", "value": "HELPDESK" }, { "op": "remove", "path": "/capabilities/0" }]);
    assert_eq!(patch(&harness, &admin, bea, removed).await.with_status(200)["capabilities"], json!(["SOURCE_ADMIN"]));
    assert_eq!(ask().await, 403);
    patch(&harness, &admin, bea, become_(&["SOURCE_ADMIN"])).await.with_status(200);
    let audited = harness.audited().await;
    assert_eq!(audited.iter().filter(|action| *action == "USER_LEVELS_UPDATED").count(), 2, "{audited:?}");
    harness.stop().await;
}

#[tokio::test]
async fn the_last_administrator_stays_one_and_nobody_raises_themselves() {
    let harness = Harness::start_without_worker().await;
    let (ada, bea, dora) = (harness.world.ada, harness.world.bea, harness.world.dora);
    let admin = harness.person_token(ada).await;
    patch(&harness, &admin, ada, become_(&[])).await.refused(400, "400.1 Bad Request Content");
    let raised = patch(&harness, &admin, ada, become_(&["ORG_ADMIN", "SOURCE_ADMIN"])).await;
    assert!(raised.body["causes"][0]["text"].as_str().is_some_and(|text| text.contains("themselves")));
    raised.refused(403, "403 Forbidden");
    // Whoever is disabled administers nothing.
    patch(&harness, &admin, dora, become_(&["ORG_ADMIN"])).await.with_status(200);
    patch(&harness, &admin, ada, become_(&[])).await.refused(400, "400.1 Bad Request Content");

    patch(&harness, &admin, bea, become_(&["ORG_ADMIN"])).await.with_status(200);
    patch(&harness, &admin, ada, become_(&[])).await.with_status(200);
    patch(&harness, &admin, ada, become_(&["ORG_ADMIN"])).await.refused(403, "403 Forbidden");
    harness.stop().await;
}

#[tokio::test]
async fn what_cannot_be_patched_is_refused() {
    let harness = Harness::start_without_worker().await;
    let (token, bea) = (harness.admin_token().await, harness.world.bea);
    for (operations, code) in [
        (json!([{ "op": "replace", "path": "/alias", "value": "x" }]), "400.1.1 Illegal update attempt"),
        (json!([{ "op": "replace", "path": "", "value": {} }]), "400.1.1 Illegal update attempt"),
        (become_(&["USER"]), "400.1.3 Illegal value"),
        (become_(&["CERT_ADMIN"]), "400.1.3 Illegal value"),
        (json!([{ "op": "replace", "path": "/capabilities", "value": "ORG_ADMIN" }]), "400.1.3 Illegal value"),
        (json!([{ "op": "test", "path": "/capabilities", "value": ["HELPDESK"] }]), "400.1 Bad Request Content"),
        (json!([{ "op": "remove", "path": "/capabilities/7" }]), "400.1 Bad Request Content"),
        (json!({ "capabilities": [] }), "400.1.3 Illegal value"),
    ] {
        patch(&harness, &token, bea, operations).await.refused(400, code);
    }
    let nobody = IdentityId(uuid::Uuid::from_u128(9));
    harness.get(&path(nobody), &token).await.refused(404, "404 Not found");
    patch(&harness, &token, nobody, become_(&[])).await.refused(404, "404 Not found");
    let plain = harness.ask("PATCH", &path(bea), &token).header("content-type", "text/plain").body("[]");
    assert_eq!(Answer::of(plain).await.status, 415);
    harness.stop().await;
}
