//! set-password.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use lockstep_core::audit::Action;
use lockstep_core::id::TransportKeyId;
use lockstep_store::{audit, change, lane, transport_key};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{SPECIAL_TEXTS, bad_texts};
use crate::harness::{Answer, FIRST_PASSWORD, Harness, encrypt, encrypt_oaep};

const PATH: &str = "/v2024/set-password";

/// `request` with one field set.
fn with(request: &Value, field: &str, value: Value) -> Value {
    let mut request = request.clone();
    request[field] = value;
    request
}

fn id(accepted: &Value) -> String {
    accepted["requestId"].as_str().expect("an id").to_owned()
}

async fn unfinished(harness: &Harness) -> i64 {
    let counts = harness.read(|tx| Box::pin(lane::counts(tx))).await;
    counts.changes.iter().map(|(_, count)| count).sum()
}

#[tokio::test]
async fn a_change_reaches_every_system_of_its_group_from_every_address() {
    let harness = Harness::start().await;
    let token = harness.client_token("sp:scopes:all").await;
    let addresses = [
        "/v2024/set-password",
        "/v3/set-password",
        "/beta/set-password",
        "/v2025/set-password",
        "/v2026/set-password",
        "/set-password/v1",
    ];
    for (number, address) in addresses.into_iter().enumerate() {
        let password = format!("Some-Password-{number}");
        let request = harness.change_request(&token, &password).await;
        let accepted = harness.post(address, &token, &request).await.with_status(202);
        assert_eq!(accepted["state"], "IN_PROGRESS");
        assert_eq!(accepted.as_object().expect("an object").len(), 2);
        let id = id(&accepted);
        assert!(id.len() == 32 && id.ends_with(&harness.world.abby.to_string()[30..]), "{id}");
        let status = harness.final_status(&token, &id).await;
        assert_eq!((&status["state"], &status["errors"]), (&json!("FINISHED"), &json!([])));
        let listed = status["sourceIds"].as_array().expect("a list");
        let sources: BTreeSet<String> = listed.iter().map(|id| id.as_str().expect("an id").to_owned()).collect();
        assert_eq!(sources, BTreeSet::from([harness.world.billing.to_string(), harness.world.payroll.to_string()]));
        for file in ["billing.db", "payroll.db"] {
            assert!(harness.signs_in(file, "abby", &password).await, "{file} {address}");
            assert!(!harness.signs_in(file, "abby", FIRST_PASSWORD).await, "{file} {address}");
        }
        assert!(harness.signs_in("lone.db", "abby", FIRST_PASSWORD).await);
    }
    let abby = harness.world.abby;
    let events = harness.read(move |tx| Box::pin(async move { audit::list_of(tx, abby, 100).await })).await;
    assert_eq!(events.iter().filter(|event| event.action == Action::PasswordsRequestStart).count(), 6);
    harness.stop().await;
}

#[tokio::test]
async fn ids_and_payload_are_read_in_every_spelling() {
    let harness = Harness::start().await;
    let token = harness.client_token("sp:scopes:all").await;
    let info = harness.info(&token, "Abby.Smith", "Lone").await;
    for (number, account) in [json!("abby"), json!("ABBY"), Value::Null, json!("")].into_iter().enumerate() {
        let password = format!("Spelling-{number}-x");
        let encrypted = encrypt(&info, password.as_bytes());
        let wrapped: Vec<&str> =
            encrypted.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).expect("text")).collect();
        let request = json!({
            "identityId": harness.world.abby.0.hyphenated().to_string(),
            "sourceId": harness.world.lone.0.hyphenated().to_string().to_uppercase(),
            "encryptedPassword": format!(" {}\r\n", wrapped.join("\n")),
            "publicKeyId": info["publicKeyId"],
            "accountId": account,
            "somethingElse": [null],
        });
        let accepted = harness.post(PATH, &token, &request).await.with_status(202);
        let status = harness.final_status(&token, &id(&accepted)).await;
        assert_eq!(status["state"], "FINISHED", "{status}");
        assert!(harness.signs_in("lone.db", "abby", &password).await);
    }
    harness.stop().await;
}

#[tokio::test]
async fn without_a_source_it_is_the_sign_in_password() {
    let harness = Harness::start().await;
    let token = harness.client_token("sp:scopes:all").await;
    let info = harness.info(&token, "Bea.Jones", "IdentityNow").await;
    for source in [Value::Null, json!("")] {
        let request = json!({
            "identityId": info["identityId"], "publicKeyId": info["publicKeyId"], "sourceId": source,
            "encryptedPassword": encrypt(&info, b"Sign-In-Password-1"),
        });
        let accepted = harness.post(PATH, &token, &request).await.with_status(202);
        let status = harness.final_status(&token, &id(&accepted)).await;
        assert_eq!(status["state"], "FINISHED", "{status}");
        assert_eq!(status["sourceIds"], json!([info["sourceId"]]));
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_key_for_oaep_takes_oaep() {
    let harness = Harness::start().await;
    harness.oaep_key_published().await;
    let token = harness.client_token("sp:scopes:all").await;
    let question = harness.http.post(harness.url("/v3/query-password-info")).bearer_auth(&token);
    let question = question.header("x-lockstep-padding", "oaep-sha256");
    let info =
        Answer::of(question.json(&json!({ "userName": "Abby.Smith", "sourceName": "Lone" }))).await.with_status(200);
    for (encrypted, state) in
        [(encrypt_oaep(&info, b"Oaep-Password-1"), "FINISHED"), (encrypt(&info, b"Oaep-Password-2"), "FAILED")]
    {
        let request = json!({
            "identityId": info["identityId"], "sourceId": info["sourceId"], "publicKeyId": info["publicKeyId"],
            "encryptedPassword": encrypted,
        });
        let accepted = harness.post(PATH, &token, &request).await.with_status(202);
        assert_eq!(harness.final_status(&token, &id(&accepted)).await["state"], state);
    }
    assert!(harness.signs_in("lone.db", "abby", "Oaep-Password-1").await);
    harness.stop().await;
}

#[tokio::test]
async fn the_same_request_again_is_the_same_change_whatever_became_of_key_and_account() {
    let harness = Harness::start().await;
    let token = harness.client_token("sp:scopes:all").await;
    let request = harness.change_request(&token, "Again-Password-1").await;
    let first = id(&harness.post(PATH, &token, &request).await.with_status(202));
    harness.final_status(&token, &first).await;

    let key = STANDARD.decode(request["publicKeyId"].as_str().expect("text")).expect("base64");
    let key: TransportKeyId = std::str::from_utf8(&key).expect("text").parse().expect("an id");
    let now = harness.app.clock.utc();
    for (from, to) in [("published", "accepting"), ("accepting", "retired")] {
        let advance =
            harness.write(move |tx| Box::pin(async move { transport_key::advance(tx, key, from, to, now).await }));
        assert!(advance.await, "{from}");
    }
    for path in [PATH, "/set-password/v1"] {
        let again = harness.post(path, &token, &request).await.with_status(202);
        assert_eq!(again, json!({ "requestId": first, "state": "FINISHED" }));
    }
    // Another account with the same ciphertext is a request of its own, and the key is not accepted any more.
    let other = harness.post(PATH, &token, &with(&request, "accountId", json!("ABBY"))).await;
    assert!(other.refused(400, "400.1.3 Illegal value").contains("publicKeyId"));
    harness.stop().await;
}

#[tokio::test]
async fn the_same_ciphertext_for_another_source_is_another_change() {
    let harness = Harness::start().await;
    let token = harness.client_token("sp:scopes:all").await;
    let request = harness.change_request(&token, "Shared-Password-1").await;
    let lone = with(&request, "sourceId", json!(harness.world.lone.to_string()));
    let one = id(&harness.post(PATH, &token, &request).await.with_status(202));
    let two = id(&harness.post(PATH, &token, &lone).await.with_status(202));
    assert_ne!(one, two);
    for (id, file) in [(&one, "billing.db"), (&two, "lone.db")] {
        assert_eq!(harness.final_status(&token, id).await["state"], "FINISHED");
        assert!(harness.signs_in(file, "abby", "Shared-Password-1").await);
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_captured_ciphertext_is_of_no_use_to_anybody_else() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let thief = harness.client_token("sp:scopes:all").await;
    let request = harness.change_request(&token, "Captured-Password").await;
    harness.post(PATH, &token, &request).await.with_status(202);

    let lone = with(&request, "sourceId", json!(harness.world.lone.to_string()));
    let for_bea = with(&with(&request, "identityId", json!(harness.world.bea.to_string())), "accountId", json!("bea"));
    for (token, request) in [(&thief, &request), (&thief, &lone), (&thief, &for_bea), (&token, &for_bea)] {
        let said = harness.post(PATH, token, request).await.refused(400, "400.1.3 Illegal value");
        assert!(said.contains("encryptedPassword"), "{said}");
    }
    assert_eq!(unfinished(&harness).await, 1);
    let mut harness = harness;
    harness.start_worker().await;
    harness.settled().await;
    harness.stop().await;
}

#[tokio::test]
async fn sixteen_identical_requests_at_once_are_one_change() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let request = harness.change_request(&token, "Sixteen-Password").await;
    let answers = join_all((0..16).map(|_| harness.post(PATH, &token, &request))).await;
    let ids: BTreeSet<String> = answers.into_iter().map(|answer| id(&answer.with_status(202))).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(unfinished(&harness).await, 1);
    let abby = harness.world.abby;
    let changes = harness.read(move |tx| Box::pin(async move { change::list_of(tx, abby, 100).await })).await;
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].seq, 1);
    let mut harness = harness;
    harness.start_worker().await;
    harness.settled().await;
    assert!(harness.signs_in("billing.db", "abby", "Sixteen-Password").await);
    harness.stop().await;
}

#[tokio::test]
async fn a_retry_after_a_lost_reply_is_the_same_change() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let abby = harness.world.abby;
    let accepted = async || {
        let changes = harness.read(move |tx| Box::pin(async move { change::list_of(tx, abby, 100).await })).await;
        changes.iter().map(|change| change.id.to_string()).collect::<BTreeSet<String>>()
    };
    let mut known = BTreeSet::new();
    for round in 0..10 {
        let request = harness.change_request(&token, &format!("Lost-Reply-{round}")).await;
        let body = request.to_string();
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nHost: lockstep\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut connection = TcpStream::connect(harness.base.trim_start_matches("http://")).await.expect("connected");
        connection.write_all(format!("{head}{body}").as_bytes()).await.expect("sent");
        // Gone at once, while the request is under way; or after it was accepted, with the answer unread.
        if round % 2 == 0 {
            while accepted().await.len() == round {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        drop(connection);
        known.insert(id(&harness.post(PATH, &token, &request).await.with_status(202)));
        assert_eq!(accepted().await, known, "round {round}");
    }
    let mut harness = harness;
    harness.start_worker().await;
    harness.settled().await;
    assert!(harness.signs_in("billing.db", "abby", "Lost-Reply-9").await);
    harness.stop().await;
}

#[tokio::test]
async fn what_can_be_judged_without_the_password_is_answered_at_once_and_changes_nothing() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let good = harness.change_request(&token, "Never-Delivered-1").await;
    let world = &harness.world;
    let unknown = json!("089899f13a8f4da7824996191587bab9");
    let unknown_key = json!(STANDARD.encode("e1267ecd-fcd9-4c73-9c55-12555efad136"));
    let to = |source: lockstep_core::id::SourceId, account: Value| {
        with(&with(&good, "sourceId", json!(source.to_string())), "accountId", account)
    };
    let of = |identity: lockstep_core::id::IdentityId, account: &str| {
        with(&with(&good, "identityId", json!(identity.to_string())), "accountId", json!(account))
    };
    let payload = |bytes: Vec<u8>| with(&good, "encryptedPassword", json!(STANDARD.encode(bytes)));
    for (request, code, names) in [
        (with(&good, "identityId", unknown.clone()), "400.1.404 Referenced object not found", "identityId"),
        (with(&good, "sourceId", unknown.clone()), "400.1.404 Referenced object not found", "sourceId"),
        (with(&good, "accountId", json!("nobody")), "400.1.404 Referenced object not found", "accountId"),
        (with(&good, "accountId", json!("bea")), "400.1.404 Referenced object not found", "accountId"),
        (with(&good, "publicKeyId", unknown_key), "400.1.404 Referenced object not found", "publicKeyId"),
        (of(world.dora, "dora"), "400.1 Bad Request Content", "disabled"),
        (to(world.archive, Value::Null), "400.1 Bad Request Content", "passwords"),
        (to(world.empty, Value::Null), "400.1 Bad Request Content", "no account"),
        (to(world.twins, Value::Null), "400.1 Bad Request Content", "several accounts"),
        (to(world.empty, json!("abby")), "400.1.404 Referenced object not found", "accountId"),
        (payload(vec![7; 255]), "400.1.3 Illegal value", "256 bytes"),
        (payload(vec![7; 257]), "400.1.3 Illegal value", "256 bytes"),
        (payload(vec![7; 1]), "400.1.3 Illegal value", "256 bytes"),
    ] {
        let said = harness.post(PATH, &token, &request).await.refused(400, code);
        assert!(said.contains(names), "{said}");
    }
    assert_eq!(unfinished(&harness).await, 0);
    harness.stop().await;
}

#[tokio::test]
async fn bad_fields_are_refused_and_change_nothing() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let good = harness.change_request(&token, "Never-Delivered-2").await;
    harness.post(PATH, &token, &json!({})).await.refused(400, "400.1.0 Required Data Missing Or Empty");
    for (field, longest, required) in [
        ("identityId", 64, true),
        ("encryptedPassword", 4096, true),
        ("publicKeyId", 64, true),
        ("sourceId", 64, false),
        ("accountId", 2048, false),
    ] {
        for (value, code) in bad_texts(longest) {
            let left_out = code == "400.1.0 Required Data Missing Or Empty";
            if left_out && !required {
                continue;
            }
            let answer = harness.post(PATH, &token, &with(&good, field, value.clone())).await;
            let said = answer.refused(400, code);
            assert!(said.contains(field), "{field} {value}: {said}");
        }
        for text in SPECIAL_TEXTS {
            let answer = harness.post(PATH, &token, &with(&good, field, json!(text))).await;
            assert_eq!(answer.status, 400, "{field} {text:?}");
            assert!(
                answer.body["detailCode"].as_str().is_some_and(|code| code.starts_with("400.1.")),
                "{}",
                answer.body
            );
        }
    }
    for payload in ["====", "not base64!", "\u{0}", "   ", "AAAA=AAA"] {
        let answer = harness.post(PATH, &token, &with(&good, "encryptedPassword", json!(payload))).await;
        assert_eq!(answer.status, 400, "{payload:?} {}", answer.body);
    }
    assert_eq!(unfinished(&harness).await, 0);
    harness.stop().await;
}

#[tokio::test]
async fn passwords_of_every_kind_arrive_as_they_were_sent() {
    let harness = Harness::start().await;
    let token = harness.client_token("sp:scopes:all").await;
    let info = harness.info(&token, "Abby.Smith", "Lone").await;
    assert_eq!(info["policies"], json!([]));
    let longest = "p".repeat(245);
    for password in
        ["x", " pa ss  word ", "quote\"'`\\", "co:lon:1x", "\u{1F511}", "e\u{301}clair", "\u{202e}drowssap", &longest]
    {
        let request = json!({
            "identityId": info["identityId"], "sourceId": info["sourceId"], "publicKeyId": info["publicKeyId"],
            "encryptedPassword": encrypt(&info, password.as_bytes()),
        });
        let accepted = harness.post(PATH, &token, &request).await.with_status(202);
        let status = harness.final_status(&token, &id(&accepted)).await;
        assert_eq!(status["state"], "FINISHED", "{password:?} {status}");
        assert!(harness.signs_in("lone.db", "abby", password).await, "{password:?}");
    }
    harness.stop().await;
}
