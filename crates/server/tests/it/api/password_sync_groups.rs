//! password-sync-groups.

use lockstep_core::id::PasswordPolicyId;
use serde_json::{Value, json};

use crate::harness::{Answer, Harness};

const PATH: &str = "/v2024/password-sync-groups";

async fn create(harness: &Harness, token: &str, body: &Value) -> Answer {
    harness.post(PATH, token, body).await
}

fn one(group: &Value) -> String {
    format!("{PATH}/{}", group["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn a_group_is_made_read_changed_and_deleted() {
    let mut harness = Harness::start_without_worker().await;
    let token = harness.admin_token().await;
    let (lone, twins, empty) = (harness.world.lone, harness.world.twins, harness.world.empty);
    let policy = PasswordPolicyId::DEFAULT;
    let wanted = json!({ "name": "Second", "passwordPolicyId": policy, "sourceIds": [lone, twins] });
    let created = create(&harness, &token, &wanted).await;
    let tag = created.etag();
    let group = created.with_status(200);
    assert_eq!((&group["sourceIds"], &group["passwordPolicyId"]), (&json!([lone, twins]), &json!(policy)));
    assert!(group["created"].is_string() && group["modified"].is_null());
    let id = group["id"].as_str().expect("an id");
    let dashed = uuid::Uuid::parse_str(id).expect("a UUID").hyphenated();
    for path in [one(&group), format!("/password-sync-groups/v1/{dashed}"), format!("/v2026/password-sync-groups/{id}")]
    {
        let read = harness.get(&path, &token).await;
        assert_eq!(read.etag(), tag);
        assert_eq!(read.with_status(200), group);
    }

    // What bound on a source that leaves binds there still.
    let other = json!({ "name": "Third", "passwordPolicyId": policy, "sourceIds": [twins, empty] });
    let outdated = harness.ask("PUT", &one(&group), &token).header("if-match", "\"x\"").json(&other);
    Answer::of(outdated).await.refused(412, "412 Precondition failed");
    let changed = harness.ask("PUT", &one(&group), &token).header("if-match", &tag).json(&other);
    let changed = Answer::of(changed).await.with_status(200);
    assert_eq!((&changed["name"], &changed["sourceIds"]), (&json!("Third"), &json!([twins, empty])));
    let told = harness.info(&token, "Abby.Smith", "Lone").await;
    assert!(told["policies"].as_array().expect("rules").contains(&json!("passwordMinLength is 15")), "{told}");

    let outdated = harness.ask("DELETE", &one(&group), &token).header("if-match", tag);
    Answer::of(outdated).await.refused(412, "412 Precondition failed");
    Answer::of(harness.ask("DELETE", &one(&group), &token)).await.with_status(204);
    for method in ["GET", "DELETE"] {
        Answer::of(harness.ask(method, &one(&group), &token)).await.refused(404, "404 Not found");
    }
    Answer::of(harness.ask("PUT", &one(&group), &token).json(&other)).await.refused(404, "404 Not found");
    let source = harness.read(move |tx| Box::pin(lockstep_store::source::get(tx, twins))).await;
    assert_eq!(source.policy_holders.len(), 1);
    assert_eq!((source.policy_holders[0].policy_id, &source.policy_holders[0].selectors), (policy, &None));

    let mut expected = [
        vec!["PASSWORD_SYNC_GROUP_CREATED", "PASSWORD_SYNC_GROUP_UPDATED", "PASSWORD_SYNC_GROUP_DELETED"],
        vec!["PASSWORD_SYNC_GROUP_SOURCE_ADDED"; 3],
        vec!["PASSWORD_SYNC_GROUP_SOURCE_REMOVED"; 3],
        vec!["SOURCE_PASSWORD_POLICY_ASSIGNED"; 3],
    ]
    .concat();
    expected.sort_unstable();
    assert_eq!(harness.audited().await, expected);
    harness.abandon().await;
}

#[tokio::test]
async fn a_change_reaches_a_source_that_was_added() {
    let harness = Harness::start().await;
    let token = harness.admin_token().await;
    let all = harness.get(PATH, &token).await.with_status(200);
    let mut group = all[0].clone();
    let lone = json!(harness.world.lone);
    group["sourceIds"].as_array_mut().expect("members").push(lone.clone());
    Answer::of(harness.ask("PUT", &one(&group), &token).json(&group)).await.with_status(200);
    let request = harness.change_request(&token, "Shared-Password-1").await;
    let change = harness.post("/v2024/set-password", &token, &request).await.with_status(202);
    let status = harness.final_status(&token, change["requestId"].as_str().expect("an id")).await;
    assert_eq!(status["state"], "FINISHED");
    assert!(status["sourceIds"].as_array().expect("sources").contains(&lone), "{status}");
    assert!(harness.signs_in("lone.db", "abby", "Shared-Password-1").await);
    harness.stop().await;
}

#[tokio::test]
async fn they_are_listed_in_parts() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("idn:password-sync-group:read").await;
    let all = harness.get(&format!("{PATH}?count=true"), &token).await;
    assert_eq!(all.headers["x-total-count"], "1");
    let all = all.with_status(200);
    assert_eq!((&all[0]["name"], all.as_array().map(Vec::len)), (&json!("Everyday"), Some(1)));
    assert_eq!(harness.get(&format!("{PATH}?offset=1"), &token).await.with_status(200), json!([]));
    harness.get(&format!("{PATH}?sorters=name"), &token).await.refused(400, "400.1.3 Illegal value");
    harness.stop().await;
}

#[tokio::test]
async fn what_cannot_be_kept_in_step_is_refused() {
    let harness = Harness::start_without_worker().await;
    let token = harness.admin_token().await;
    let world = &harness.world;
    let (lone, twins, archive, billing) = (world.lone, world.twins, world.archive, world.billing);
    let body = |name: &str, sources: Value| json!({ "name": name, "passwordPolicyId": PasswordPolicyId::DEFAULT, "sourceIds": sources });
    let nothing = "00000000000000000000000000000009";
    for (body, code, field) in [
        (json!({}), "400.1.0 Required Data Missing Or Empty", "name"),
        (json!({ "name": "x" }), "400.1.0 Required Data Missing Or Empty", "passwordPolicyId"),
        (body("x", Value::Null), "400.1.0 Required Data Missing Or Empty", "sourceIds"),
        (body("x", json!([])), "400.1.3 Illegal value", "sourceIds"),
        (body("x", json!([lone])), "400.1.3 Illegal value", "sourceIds"),
        (body("x", json!([lone, lone])), "400.1.3 Illegal value", "sourceIds"),
        (body("x", json!([lone, "x"])), "400.1.3 Illegal value", "sourceIds"),
        (body("x", json!("x")), "400.1.3 Illegal value", "sourceIds"),
        (body("x", json!([lone, nothing])), "400.1.404 Referenced object not found", "sourceIds"),
        (body("x", json!([lone, archive])), "400.1 Bad Request Content", "Archive"),
        (body("x", json!([lone, billing])), "400.1.409 Reference conflict", "Everyday"),
        (body("Everyday", json!([lone, twins])), "400.1.409 Reference conflict", "name"),
        (body(&"x".repeat(256), json!([lone, twins])), "400.1.4 Limit violation", "name"),
        (
            json!({ "name": "x", "passwordPolicyId": nothing, "sourceIds": [lone, twins] }),
            "400.1.404 Referenced object not found",
            "passwordPolicyId",
        ),
    ] {
        let said = create(&harness, &token, &body).await.refused(400, code);
        assert!(said.contains(field), "{body}: {said}");
    }
    harness.stop().await;
}
