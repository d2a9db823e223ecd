//! password-change-status.

use lockstep_core::change::INVALID_PAYLOAD;
use serde_json::{Value, json};

use crate::harness::{Harness, encrypt};

async fn change(harness: &Harness, token: &str, info: &Value, encrypted: String) -> Value {
    let request = json!({
        "identityId": info["identityId"], "sourceId": info["sourceId"], "publicKeyId": info["publicKeyId"],
        "encryptedPassword": encrypted,
    });
    let accepted = harness.post("/v2024/set-password", token, &request).await.with_status(202);
    harness.final_status(token, accepted["requestId"].as_str().expect("an id")).await
}

#[tokio::test]
async fn every_address_tells_the_same() {
    let harness = Harness::start().await;
    let token = harness.client_token("sp:scopes:all").await;
    let info = harness.info(&token, "Abby.Smith", "Lone").await;
    let status = change(&harness, &token, &info, encrypt(&info, b"Status-Password-1")).await;
    let id = status["requestId"].as_str().expect("an id");
    let uuid: uuid::Uuid = id.parse().expect("a UUID");
    for path in [
        format!("/v2024/password-change-status/{id}"),
        format!("/v3/password-change-status/{id}"),
        format!("/beta/password-change-status/{id}"),
        format!("/v2025/password-change-status/{id}"),
        format!("/v2026/password-change-status/{id}"),
        format!("/password-change-status/v1/{id}"),
        format!("/password-change-status/v1/{}", uuid.hyphenated()),
        format!("/v2024/password-change-status/{}", id.to_uppercase()),
    ] {
        assert_eq!(harness.get(&path, &token).await.with_status(200), status, "{path}");
    }
    let expected = json!({ "requestId": id, "state": "FINISHED", "errors": [], "sourceIds": [info["sourceId"]] });
    assert_eq!(status, expected);
    harness.stop().await;
}

#[tokio::test]
async fn an_unknown_id_of_any_shape_is_not_found() {
    let harness = Harness::start_without_worker().await;
    let program = harness.client_token("sp:scopes:all").await;
    let person = harness.person_token(harness.world.abby).await;
    for id in [
        "089899f13a8f4da7824996191587bab9",
        "00000000-0000-0000-0000-000000000000",
        "x",
        "%00",
        "%ff%fe",
        "'%20OR%20'1'='1",
        "..%2f..%2fetc%2fpasswd",
        "%E2%80%AE",
        "089899f13a8f4da7824996191587bab99",
    ] {
        for token in [&program, &person] {
            let answer = harness.get(&format!("/v2024/password-change-status/{id}"), token).await;
            answer.refused(404, "404 Not found");
        }
    }
    harness.stop().await;
}

#[tokio::test]
async fn payloads_that_cannot_be_read_all_end_in_the_same_line() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    let harness = Harness::start().await;
    let token = harness.client_token("sp:scopes:all").await;
    let info = harness.info(&token, "Abby.Smith", "Billing").await;
    let mut corrupted = STANDARD.decode(encrypt(&info, b"Corrupted-Password")).expect("base64");
    corrupted[128] ^= 1;
    let payloads = [
        (true, STANDARD.encode(corrupted)),
        (true, STANDARD.encode([0xff; 256])),
        (true, STANDARD.encode([0; 256])),
        (false, encrypt(&info, b"")),
        (false, encrypt(&info, &[0xff, 0xfe, 0x80, 0x81])),
        (false, encrypt(&info, b"Line\nfeed-123")),
        (false, encrypt(&info, b"Nul\0Password")),
    ];
    let mut short = 0;
    for (badly_padded, payload) in payloads {
        let status = change(&harness, &token, &info, payload).await;
        assert_eq!(status["state"], "FAILED");
        // What stands in for a payload with bad padding is a text that is too short in 1 of 365 cases, on purpose.
        if badly_padded && status["errors"].to_string().contains("at least 8 characters") {
            short += 1;
        } else {
            assert_eq!(status["errors"], json!([INVALID_PAYLOAD]));
        }
        assert_eq!(status["sourceIds"], json!([info["sourceId"]]));
    }
    assert!(short < 3, "1 of 365 is not each time");
    assert!(harness.signs_in("billing.db", "abby", crate::harness::FIRST_PASSWORD).await);
    harness.stop().await;
}

#[tokio::test]
async fn a_password_against_the_policy_fails_in_words_and_reaches_nothing() {
    let harness = Harness::start().await;
    let token = harness.client_token("sp:scopes:all").await;
    let info = harness.info(&token, "Abby.Smith", "Billing").await;
    let status = change(&harness, &token, &info, encrypt(&info, b"short")).await;
    assert_eq!(status["state"], "FAILED");
    let errors = status["errors"].as_array().expect("a list");
    assert_eq!(errors.len(), 1);
    assert!(errors[0].as_str().is_some_and(|line| line.contains('8') && !line.contains("short")), "{errors:?}");
    for file in ["billing.db", "payroll.db"] {
        assert!(harness.signs_in(file, "abby", crate::harness::FIRST_PASSWORD).await);
    }
    harness.stop().await;
}

#[tokio::test]
async fn while_a_change_is_under_way_there_are_no_errors() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let request = harness.change_request(&token, "Under-Way-Password").await;
    let accepted = harness.post("/v2024/set-password", &token, &request).await.with_status(202);
    let path = format!("/v2024/password-change-status/{}", accepted["requestId"].as_str().expect("an id"));
    let status = harness.get(&path, &token).await.with_status(200);
    assert_eq!((&status["state"], &status["errors"]), (&json!("IN_PROGRESS"), &json!([])));
    assert_eq!(status["sourceIds"], json!([request["sourceId"]]));
    let mut harness = harness;
    harness.start_worker().await;
    harness.settled().await;
    harness.stop().await;
}
