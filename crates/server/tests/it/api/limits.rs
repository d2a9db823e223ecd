//! The rate limits.

use serde_json::json;

use crate::harness::{Answer, Harness};

#[tokio::test]
async fn a_client_has_so_many_requests_for_each_version() {
    let harness = Harness::start_with("[limits]\nrequests = 3\nper = \"1h\"\n").await;
    let token = harness.client_token("sp:scopes:all").await;
    let other = harness.client_token("sp:scopes:all").await;
    let ask = |path: &'static str, token: &str| {
        let request = harness.http.get(harness.url(path)).bearer_auth(token);
        Answer::of(request)
    };
    let missing = "/v2024/password-change-status/089899f13a8f4da7824996191587bab9";
    for _ in 0..3 {
        ask(missing, &token).await.refused(404, "404 Not found");
    }
    let answer = ask(missing, &token).await;
    let wait: u64 = answer.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=1200).contains(&wait), "{wait}");
    assert_eq!(answer.with_status(429), json!({ "message": " Rate Limit Exceeded " }));

    let other_operation =
        harness.post("/v2024/query-password-info", &token, &json!({ "userName": "Abby.Smith" })).await;
    other_operation.with_status(429);
    ask("/password-change-status/v1/089899f13a8f4da7824996191587bab9", &token).await.with_status(404);
    ask(missing, &other).await.with_status(404);
    harness.stop().await;
}

#[tokio::test]
async fn who_guesses_secrets_is_made_to_wait_and_others_are_not() {
    let harness = Harness::start_without_worker().await;
    let (guessed, other) = (harness.client("sp:scopes:all").await, harness.client("sp:scopes:all").await);
    let ask = |secret: String| {
        let form = [
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", guessed.id.clone()),
            ("client_secret", secret),
        ];
        Answer::of(harness.http.post(harness.url("/oauth/token")).form(&form))
    };
    for guess in 0..20 {
        ask(guess.to_string()).await.with_status(401);
    }
    let answer = ask(guessed.secret.expose().to_owned()).await;
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(answer.with_status(429), json!({ "message": " Rate Limit Exceeded " }));
    harness.token(&other).await;
    harness.stop().await;
}
