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

/// Everybody comes from 127.0.0.1 here, as from a proxy; whose failures are counted is told by the header.
#[tokio::test]
async fn failures_are_counted_by_whom_a_trusted_proxy_asks_for() {
    const FAILURES: usize = 20;
    let id = "e1267ecd-fcd9-4c73-9c55-12555efad136";
    let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", "wrong")];
    for (trusted, counted_apart) in [("127.0.0.0/8", true), ("10.0.0.0/8", false)] {
        let harness = Harness::start_with(&format!("[proxy]\ntrusted-proxies = [\"{trusted}\"]\n")).await;
        let fail = |forwarded: String| {
            let request = harness.http.post(harness.url("/oauth/token")).form(&form);
            // What stands further left is what the client sent itself.
            Answer::of(request.header("x-forwarded-for", forwarded).header("forwarded", "for=203.0.113.9"))
        };
        for attempt in 0..FAILURES {
            fail(format!("203.0.113.{attempt}, 198.51.100.1")).await.with_status(401);
        }
        fail("203.0.113.77, 198.51.100.1".to_owned()).await.with_status(429);
        fail("198.51.100.1, 198.51.100.2".to_owned()).await.with_status(if counted_apart { 401 } else { 429 });
        harness.stop().await;
    }
}
