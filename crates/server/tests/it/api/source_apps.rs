//! source-apps.

use lockstep_core::id::SourceId;
use serde_json::{Value, json};

use crate::harness::{Answer, Harness};

const PATH: &str = "/v2024/source-apps";

pub(super) async fn create(harness: &Harness, token: &str, name: &str, source: SourceId, shown: bool) -> Value {
    let body = json!({
        "name": name, "description": "For a test",
        "accountSource": { "id": source, "type": "SOURCE", "useForPasswordManagement": shown },
    });
    Answer::of(harness.ask("POST", PATH, token).json(&body)).await.with_status(200)
}

fn one(app: &Value) -> String {
    format!("{PATH}/{}", app["id"].as_str().expect("an id"))
}

async fn patch(harness: &Harness, token: &str, app: &Value, operations: Value) -> Answer {
    let request = harness.ask("PATCH", &one(app), token).header("content-type", "application/json-patch+json");
    Answer::of(request.body(operations.to_string())).await
}

#[tokio::test]
async fn an_application_is_made_read_patched_and_deleted() {
    let harness = Harness::start_without_worker().await;
    let token = harness.admin_token().await;
    let app = create(&harness, &token, "Mail", harness.world.billing, true).await;
    assert_eq!((&app["enabled"], &app["matchAllAccounts"]), (&json!(true), &json!(true)));
    assert_eq!(app["accountSource"]["name"], "Billing");
    let id = app["id"].as_str().expect("an id");
    let read = Answer::of(harness.ask("GET", &format!("/source-apps/v1/{id}"), &token)).await;
    let tag = read.etag();
    assert_eq!(read.with_status(200), app);

    let hidden = json!([{ "op": "replace", "path": "/accountSource/useForPasswordManagement", "value": false }]);
    let hidden = patch(&harness, &token, &app, hidden).await.with_status(200);
    assert_eq!(hidden["accountSource"]["useForPasswordManagement"], false);
    // Another source, and as hidden as before; what is so already may be said.
    let moved = json!([
        { "op": "replace", "path": "/accountSource", "value": { "id": harness.world.lone } },
        { "op": "replace", "path": "/name", "value": "Letters" },
        { "op": "replace", "path": "/enabled", "value": true },
    ]);
    let moved = patch(&harness, &token, &app, moved).await.with_status(200);
    assert_eq!((&moved["name"], &moved["accountSource"]["name"]), (&json!("Letters"), &json!("Lone")));
    assert_eq!(moved["accountSource"]["useForPasswordManagement"], false);
    let shown = json!([{ "op": "replace", "path": "/accountSource/useForPasswordManagement", "value": true }]);
    let shown = patch(&harness, &token, &app, shown).await.with_status(200);
    assert_eq!(shown["accountSource"]["useForPasswordManagement"], true);

    let outdated = harness.ask("PATCH", &one(&app), &token).header("if-match", &tag).json(&json!([]));
    Answer::of(outdated).await.refused(412, "412 Precondition failed");
    let outdated = harness.ask("DELETE", &one(&app), &token).header("if-match", tag);
    Answer::of(outdated).await.refused(412, "412 Precondition failed");
    let deleted = Answer::of(harness.ask("DELETE", &one(&app), &token)).await.with_status(200);
    assert_eq!(deleted, shown);
    for method in ["GET", "DELETE"] {
        Answer::of(harness.ask(method, &one(&app), &token)).await.refused(404, "404 Not found");
    }
    patch(&harness, &token, &app, json!([])).await.refused(404, "404 Not found");
    let audited = harness.audited().await;
    let expected = [
        "APPLICATION_CREATED",
        "APPLICATION_DELETED",
        "APPLICATION_UPDATED",
        "APPLICATION_UPDATED",
        "APPLICATION_UPDATED",
    ];
    assert_eq!(audited, expected);
    harness.stop().await;
}

#[tokio::test]
async fn people_see_what_is_theirs_to_see() {
    let harness = Harness::start_without_worker().await;
    let token = harness.admin_token().await;
    for (name, source, shown) in [
        ("Mail", harness.world.billing, true),
        ("Wiki", harness.world.lone, true),
        ("Vault", harness.world.billing, false),
    ] {
        create(&harness, &token, name, source, shown).await;
    }
    let names = async |path: &str, token: &str| {
        let list = Answer::of(harness.ask("GET", path, token)).await.with_status(200);
        let names = list.as_array().expect("a list").iter().map(|app| app["name"].as_str().expect("a name").to_owned());
        names.collect::<Vec<_>>()
    };
    let bea = harness.person_token(harness.world.bea).await;
    assert_eq!(names(&format!("{PATH}?sorters=name"), &bea).await, ["Mail", "Wiki"]);
    assert_eq!(names(&format!("{PATH}/assigned"), &bea).await, ["Mail"]);
    assert_eq!(names(&format!("{PATH}/all?sorters=-name"), &token).await, ["Wiki", "Vault", "Mail"]);
    assert_eq!(names(&format!("{PATH}/all?sorters=name&offset=1&limit=1"), &token).await, ["Vault"]);
    let on_billing = format!("accountSource.id%20eq%20%22{}%22", harness.world.billing);
    assert_eq!(names(&format!("{PATH}/all?filters={on_billing}&sorters=name"), &token).await, ["Mail", "Vault"]);
    assert_eq!(names(&format!("{PATH}/all?filters=name%20sw%20%22w%22"), &token).await, ["Wiki"]);
    assert_eq!(names(&format!("{PATH}/all?filters=enabled%20eq%20false"), &token).await, [""; 0]);
    let counted = format!("{PATH}/all?filters={on_billing}&count=true&limit=0");
    assert_eq!(Answer::of(harness.ask("GET", &counted, &token)).await.headers["x-total-count"], "2");
    for query in ["filters=name", "filters=colour%20eq%20%22x%22", "sorters=colour"] {
        let answer = Answer::of(harness.ask("GET", &format!("{PATH}?{query}"), &token)).await;
        answer.refused(400, "400.1.3 Illegal value");
    }
    harness.stop().await;
}

#[tokio::test]
async fn what_cannot_be_an_application_is_refused() {
    let harness = Harness::start_without_worker().await;
    let token = harness.admin_token().await;
    let app = create(&harness, &token, "Mail", harness.world.billing, true).await;
    create(&harness, &token, "Wiki", harness.world.billing, true).await;
    let source = json!({ "id": harness.world.lone });
    for (body, code, field) in [
        (json!({ "accountSource": source }), "400.1.0 Required Data Missing Or Empty", "name"),
        (json!({ "name": "x" }), "400.1.0 Required Data Missing Or Empty", "accountSource"),
        (json!({ "name": "x", "accountSource": {} }), "400.1.0 Required Data Missing Or Empty", "accountSource.id"),
        (json!({ "name": "x", "accountSource": { "id": "x" } }), "400.1.3 Illegal value", "accountSource.id"),
        (
            json!({ "name": "x", "accountSource": { "id": app["id"] } }),
            "400.1.404 Referenced object not found",
            "accountSource.id",
        ),
        (json!({ "name": "Mail", "accountSource": source }), "400.1.409 Reference conflict", "name"),
        (json!({ "name": " ", "accountSource": source }), "400.1.3 Illegal value", "name"),
        (
            json!({ "name": "x", "accountSource": source, "matchAllAccounts": "no" }),
            "400.1.3 Illegal value",
            "matchAllAccounts",
        ),
    ] {
        let said = Answer::of(harness.ask("POST", PATH, &token).json(&body)).await.refused(400, code);
        assert!(said.contains(field), "{body}: {said}");
    }
    // What the vendor's Python clients send where nobody said anything.
    let sent = json!({ "name": "Forms", "accountSource": source, "matchAllAccounts": false });
    let told = Answer::of(harness.ask("POST", PATH, &token).json(&sent)).await.with_status(200);
    assert_eq!(told["matchAllAccounts"], true);
    for (operations, code) in [
        (json!([{ "op": "replace", "path": "/id", "value": "x" }]), "400.1.1 Illegal update attempt"),
        (json!([{ "op": "replace", "path": "/enabled", "value": false }]), "400.1.1 Illegal update attempt"),
        (json!([{ "op": "replace", "path": "/owner", "value": { "id": "x" } }]), "400.1.1 Illegal update attempt"),
        (json!([{ "op": "add", "path": "/accessProfiles/-", "value": "x" }]), "400.1.1 Illegal update attempt"),
        (json!([{ "op": "remove", "path": "/name" }]), "400.1.0 Required Data Missing Or Empty"),
        (json!([{ "op": "replace", "path": "/name", "value": 7 }]), "400.1.3 Illegal value"),
        (json!([{ "op": "replace", "path": "/name", "value": "Wiki" }]), "400.1.409 Reference conflict"),
    ] {
        patch(&harness, &token, &app, operations).await.refused(400, code);
    }
    let without = harness.get(PATH, &token).await.with_status(400);
    assert_eq!(without, json!({ "error": "Experimental Header is missing or invalid." }));
    harness.get("/beta/source-apps", &token).await.with_status(200);
    harness.stop().await;
}
