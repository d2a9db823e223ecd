//! password-policies.

use lockstep_core::id::PasswordPolicyId;
use serde_json::{Value, json};

use crate::harness::{Answer, Harness};

const PATH: &str = "/v2024/password-policies";

async fn create(harness: &Harness, token: &str, body: &Value) -> Answer {
    Answer::of(harness.ask("POST", PATH, token).json(body)).await
}

fn one(policy: &Value) -> String {
    format!("{PATH}/{}", policy["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn a_policy_is_made_read_changed_and_deleted() {
    let harness = Harness::start_without_worker().await;
    let token = harness.admin_token().await;
    let created =
        create(&harness, &token, &json!({ "name": "Strict", "minLength": 12, "history": 3, "extra": 1 })).await;
    let tag = created.etag();
    let policy = created.with_status(200);
    assert_eq!((&policy["minLength"], &policy["history"], &policy["maxLength"]), (&json!(12), &json!(3), &json!(0)));
    assert_eq!((&policy["minCharacterTypes"], &policy["passwordExpiration"]), (&json!(-1), &json!(90)));
    assert_eq!((&policy["sourceIds"], &policy["defaultPolicy"]), (&json!([]), &json!(false)));
    assert!(policy["dateCreated"].as_i64().is_some_and(|at| at > 1_700_000_000_000));
    assert_eq!((&policy["lastUpdated"], &policy["modified"]), (&Value::Null, &Value::Null));

    // Both spellings of the id, every form of the address.
    let id = policy["id"].as_str().expect("an id");
    let dashed = uuid::Uuid::parse_str(id).expect("a UUID").hyphenated();
    for path in [
        one(&policy),
        format!("/v3/password-policies/{dashed}"),
        format!("/beta/password-policies/{id}"),
        format!("/v2025/password-policies/{id}"),
        format!("/password-policies/v1/{id}"),
    ] {
        let answer = Answer::of(harness.ask("GET", &path, &token)).await;
        assert_eq!(answer.etag(), tag);
        assert_eq!(answer.with_status(200), policy, "{path}");
    }

    // What is left out is off, and what is told can be sent back.
    let mut wanted = policy.clone();
    wanted["minLength"] = json!(14);
    wanted.as_object_mut().expect("an object").remove("history");
    let outdated = harness.ask("PUT", &one(&policy), &token).header("if-match", "\"another\"").json(&wanted);
    Answer::of(outdated).await.refused(412, "412 Precondition failed");
    let replaced = harness.ask("PUT", &one(&policy), &token).header("if-match", &tag).json(&wanted);
    let replaced = Answer::of(replaced).await;
    assert_ne!(replaced.etag(), tag);
    let now = replaced.with_status(200);
    assert_eq!((&now["minLength"], &now["history"]), (&json!(14), &json!(0)));
    assert!(now["lastUpdated"].is_i64() && now["modified"].is_string());

    let outdated = harness.ask("DELETE", &one(&policy), &token).header("if-match", tag);
    Answer::of(outdated).await.refused(412, "412 Precondition failed");
    Answer::of(harness.ask("DELETE", &one(&policy), &token)).await.with_status(204);
    for method in ["GET", "DELETE"] {
        Answer::of(harness.ask(method, &one(&policy), &token)).await.refused(404, "404 Not found");
    }
    Answer::of(harness.ask("PUT", &one(&policy), &token).json(&wanted)).await.refused(404, "404 Not found");
    let actions = ["PASSWORD_POLICY_CREATED", "PASSWORD_POLICY_DELETED", "PASSWORD_POLICY_UPDATED"];
    assert_eq!(harness.audited().await, actions);
    harness.stop().await;
}

#[tokio::test]
async fn they_are_listed_in_parts_with_where_they_bind() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("idn:password-policy:read").await;
    let all = harness.get(PATH, &token).await.with_status(200);
    let names: Vec<&str> = all.as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["Anything", "Default", "Everyday"]);
    assert_eq!(all[0]["sourceIds"], json!([harness.world.lone.to_string()]));
    // A group's policy binds by the group.
    assert_eq!(all[2]["sourceIds"], json!([]));
    assert_eq!(all[1]["defaultPolicy"], true);

    let part = harness.get(&format!("{PATH}?offset=1&limit=1&count=true"), &token).await;
    assert_eq!(part.headers["x-total-count"], "3");
    assert_eq!(part.with_status(200), json!([all[1]]));
    for query in ["limit=251", "filters=name%20eq%20%22x%22", "sorters=name"] {
        harness.get(&format!("{PATH}?{query}"), &token).await.refused(400, "400.1.3 Illegal value");
    }
    harness.stop().await;
}

#[tokio::test]
async fn what_binds_somewhere_stays() {
    let harness = Harness::start_without_worker().await;
    let token = harness.admin_token().await;
    let all = harness.get(PATH, &token).await.with_status(200);
    for (policy, cause) in [(&all[0], "source \"Lone\""), (&all[2], "sync group \"Everyday\"")] {
        let answer = Answer::of(harness.ask("DELETE", &one(policy), &token)).await;
        assert_eq!(answer.body["causes"][0]["text"], cause);
        answer.refused(400, "400.2.1.0 Object in use by another");
    }
    let default = &all[1];
    assert_eq!(default["id"], PasswordPolicyId::DEFAULT.to_string());
    Answer::of(harness.ask("DELETE", &one(default), &token)).await.refused(400, "400.1 Bad Request Content");
    let renamed = harness.ask("PUT", &one(default), &token).json(&json!({ "name": "Mine" }));
    Answer::of(renamed).await.refused(400, "400.1.1 Illegal update attempt");
    let rules = harness.ask("PUT", &one(default), &token).json(&json!({ "name": "Default", "minLength": 8 }));
    let rules = Answer::of(rules).await.with_status(200);
    assert_eq!((&rules["defaultPolicy"], &rules["minLength"]), (&json!(true), &json!(8)));
    harness.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let harness = Harness::start_without_worker().await;
    let token = harness.admin_token().await;
    for (body, code, field) in [
        (json!({}), "400.1.0 Required Data Missing Or Empty", "name"),
        (json!({ "name": null }), "400.1.0 Required Data Missing Or Empty", "name"),
        (json!({ "name": "  " }), "400.1.3 Illegal value", "name"),
        (json!({ "name": "x".repeat(256) }), "400.1.4 Limit violation", "name"),
        (json!({ "name": "a\u{0}" }), "400.1.3 Illegal value", "name"),
        (json!({ "name": "x", "description": "a\u{0}" }), "400.1.3 Illegal value", "description"),
        (json!({ "name": "Everyday" }), "400.1.409 Reference conflict", "name"),
        (json!({ "name": "x", "minLength": 8.0 }), "400.1.3 Illegal value", "minLength"),
        (json!({ "name": "x", "minLength": "8" }), "400.1.3 Illegal value", "minLength"),
        (json!({ "name": "x", "useDictionary": 1 }), "400.1.3 Illegal value", "useDictionary"),
        (json!({ "name": "x", "minLength": 246 }), "400.1.3 Illegal value", "minLength"),
        (json!({ "name": "x", "minLength": 9, "maxLength": 8 }), "400.1.3 Illegal value", "minLength"),
        (json!({ "name": "x", "defaultPolicy": true }), "400.1.1 Illegal update attempt", "defaultPolicy"),
        (json!({ "name": "x", "sourceIds": [harness.world.lone] }), "400.1.1 Illegal update attempt", "sourceIds"),
        (json!({ "name": "x", "sourceIds": ["x"] }), "400.1.3 Illegal value", "sourceIds"),
    ] {
        let said = create(&harness, &token, &body).await.refused(400, code);
        assert!(said.contains(field), "{body}: {said}");
    }
    let taken = create(&harness, &token, &json!({ "name": "Free" })).await.with_status(200);
    let renamed = harness.ask("PUT", &one(&taken), &token).json(&json!({ "name": "Everyday" }));
    Answer::of(renamed).await.refused(400, "400.1.409 Reference conflict");
    Answer::of(harness.ask("GET", &format!("{PATH}/x"), &token)).await.refused(404, "404 Not found");
    harness.stop().await;
}

#[tokio::test]
async fn clients_of_later_versions_say_that_they_know_it_may_change() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    for (path, status) in [
        ("/v2024/password-policies", 200),
        ("/v3/password-policies", 200),
        ("/beta/password-policies", 200),
        ("/password-policies/v1", 200),
        ("/v2025/password-policies", 400),
        ("/v2026/password-policies", 400),
    ] {
        assert_eq!(harness.get(path, &token).await.status, status, "{path}");
        Answer::of(harness.ask("GET", path, &token)).await.with_status(200);
    }
    harness.stop().await;
}

#[tokio::test]
async fn other_rules_bind_at_once() {
    let harness = Harness::start_without_worker().await;
    let token = harness.admin_token().await;
    let all = harness.get(PATH, &token).await.with_status(200);
    assert_eq!(harness.info(&token, "Abby.Smith", "Lone").await["policies"], json!([]));
    let rules = harness.ask("PUT", &one(&all[0]), &token).json(&json!({ "name": "Anything", "minLength": 9 }));
    Answer::of(rules).await.with_status(200);
    let told = harness.info(&token, "Abby.Smith", "Lone").await;
    assert_eq!(told["policies"], json!(["passwordMinLength is 9"]));
    harness.stop().await;
}
