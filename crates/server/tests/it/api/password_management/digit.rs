//! generate-password-reset-token/digit.

use lockstep_core::digit_token::State;
use lockstep_core::org_config::PasswordOrgConfig;
use lockstep_store::{digit_token, org_config};
use lockstep_vault::hash::HashPurpose;
use serde_json::{Value, json};

use super::{SPECIAL_TEXTS, bad_texts};
use crate::harness::{Answer, Harness};

const PLAIN: [&str; 2] = ["/beta/generate-password-reset-token/digit", "/generate-password-reset-token/v1/digit"];
const EXPERIMENTAL: [&str; 4] = [
    "/v2024/generate-password-reset-token/digit",
    "/v3/generate-password-reset-token/digit",
    "/v2025/generate-password-reset-token/digit",
    "/v2026/generate-password-reset-token/digit",
];

async fn enabled() -> (Harness, String) {
    let harness = Harness::start_without_worker().await;
    configure(&harness, PasswordOrgConfig { digit_token_enabled: true, ..Default::default() }).await;
    let token = harness.client_token("idn:password-digit-token:create").await;
    (harness, token)
}

async fn configure(harness: &Harness, config: PasswordOrgConfig) {
    let now = harness.app.clock.utc();
    harness.write(move |tx| Box::pin(async move { org_config::put(tx, &config, now).await })).await;
}

async fn draw(harness: &Harness, token: &str, body: &Value) -> Answer {
    harness.post(PLAIN[1], token, body).await
}

#[tokio::test]
async fn a_code_is_drawn_at_every_address() {
    let (harness, token) = enabled().await;
    let body = json!({ "userId": "abby.smith", "length": null, "durationMinutes": null, "extra": 1 });
    for path in PLAIN.into_iter().chain(EXPERIMENTAL) {
        let post = harness.http.post(harness.url(path)).bearer_auth(&token).json(&body);
        let drawn = Answer::of(post.header("X-SailPoint-Experimental", "true")).await.with_status(200);
        let digits = drawn["digitToken"].as_str().expect("text");
        assert!(digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit()), "{digits}");
        let id = drawn["requestId"].as_str().expect("an id");
        assert!(id.len() == 36 && uuid::Uuid::try_parse(id).is_ok(), "{id}");
    }
    harness.stop().await;
}

#[tokio::test]
async fn the_header_is_required_where_clients_can_send_it() {
    let (harness, token) = enabled().await;
    let body = json!({ "userId": "Abby.Smith" });
    for path in EXPERIMENTAL {
        for value in [None, Some("false"), Some(""), Some("1"), Some("true, true")] {
            let mut post = harness.http.post(harness.url(path)).bearer_auth(&token).json(&body);
            if let Some(value) = value {
                post = post.header("X-SailPoint-Experimental", value);
            }
            let refused = Answer::of(post).await.with_status(400);
            assert_eq!(refused, json!({ "error": "Experimental Header is missing or invalid." }));
        }
    }
    for path in PLAIN {
        harness.post(path, &token, &body).await.with_status(200);
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_code_is_kept_as_a_hash_with_its_terms_and_voids_the_one_before() {
    let (harness, token) = enabled().await;
    let abby = harness.world.abby;
    let stored = || harness.read(move |tx| Box::pin(async move { digit_token::hold(tx, abby).await }));
    let mut earlier = None;
    for (length, minutes) in [(8, 30), (18, 60), (6, 1)] {
        let body = json!({ "userId": "Abby.Smith", "length": length, "durationMinutes": minutes });
        let drawn = draw(&harness, &token, &body).await.with_status(200);
        let digits = drawn["digitToken"].as_str().expect("text");
        assert_eq!(digits.len(), length);
        let kept = stored().await.expect("a code");
        assert_eq!(drawn["requestId"], kept.id.hyphenated().to_string());
        assert_eq!(kept.state, State::FRESH);
        assert_eq!((kept.expires_at - kept.created_at).num_minutes(), minutes);
        let hashed = [abby.0.as_bytes().as_slice(), digits.as_bytes()].concat();
        assert!(harness.app.vault.verify_keyed_hash(HashPurpose::DigitToken, &hashed, &kept.code_hash));
        assert_ne!(earlier.replace(kept.id), Some(kept.id));
    }
    harness.stop().await;
}

#[tokio::test]
async fn without_the_organisations_consent_there_is_none() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let refused = draw(&harness, &token, &json!({ "userId": "Abby.Smith" })).await.with_status(412);
    assert_eq!(refused, json!({ "message": " API/Feature not enabled for your organization." }));
    harness.stop().await;
}

#[tokio::test]
async fn terms_out_of_bounds_are_refused() {
    let (harness, token) = enabled().await;
    let config = PasswordOrgConfig { digit_token_enabled: true, digit_token_length: 9, ..Default::default() };
    configure(&harness, config).await;
    for (field, values) in [
        ("length", [json!(8), json!(19), json!(0), json!(-1), json!(9_223_372_036_854_775_807_i64)]),
        ("durationMinutes", [json!(0), json!(61), json!(-1), json!(1_000_000), json!(i64::MIN)]),
    ] {
        for value in values {
            let body = json!({ "userId": "Abby.Smith", field: value });
            let said = draw(&harness, &token, &body).await.refused(400, "400.1.3 Illegal value");
            assert!(said.contains(field), "{said}");
        }
        for wrong in [
            json!("8"),
            json!(8.0),
            json!(true),
            json!([]),
            json!({}),
            json!(1e99),
            json!(18_446_744_073_709_551_615_u64),
        ] {
            let body = json!({ "userId": "Abby.Smith", field: wrong });
            let said = draw(&harness, &token, &body).await.refused(400, "400.1.3 Illegal value");
            assert!(said.contains(field), "{said}");
        }
    }
    let drawn = draw(&harness, &token, &json!({ "userId": "Abby.Smith" })).await.with_status(200);
    assert_eq!(drawn["digitToken"].as_str().expect("text").len(), 9);
    harness.stop().await;
}

#[tokio::test]
async fn bad_and_unknown_people_are_refused() {
    let (harness, token) = enabled().await;
    draw(&harness, &token, &json!({})).await.refused(400, "400.1.0 Required Data Missing Or Empty");
    for (value, code) in bad_texts(2048) {
        let said = draw(&harness, &token, &json!({ "userId": value })).await.refused(400, code);
        assert!(said.contains("userId"), "{said}");
    }
    for text in SPECIAL_TEXTS {
        draw(&harness, &token, &json!({ "userId": text })).await.refused(400, "400.1.404 Referenced object not found");
    }
    draw(&harness, &token, &json!({ "userId": "Dora.Gone" })).await.refused(400, "400.1 Bad Request Content");
    harness.stop().await;
}
