//! Health and counters.

use serde_json::json;

use crate::harness::{Answer, Harness};

#[tokio::test]
async fn a_running_server_lives_and_is_ready() {
    let harness = Harness::start().await;
    let get = |path: &str| Answer::of(harness.http.get(harness.url(path)));
    assert_eq!(get("/healthz").await.with_status(200), json!({ "status": "ok" }));
    assert_eq!(get("/readyz").await.with_status(200), json!({ "status": "ready" }));
    harness.stop().await;
}

#[tokio::test]
async fn a_server_without_its_database_lives_and_is_not_ready() {
    let mut harness = Harness::start().await;
    harness.stop_worker().await;
    harness.app.store.close().await;
    let get = |path: &str| Answer::of(harness.http.get(harness.url(path)));
    get("/healthz").await.with_status(200);
    assert_eq!(get("/readyz").await.with_status(503), json!({ "status": "not ready" }));

    // What fails inside is told in the contract's shape, and not why.
    let form = [("grant_type", "client_credentials"), ("client_id", "x"), ("client_secret", "y")];
    let answer = Answer::of(harness.http.post(harness.url("/oauth/token")).form(&form)).await;
    let said = answer.refused(500, "500.0 Internal Fault");
    assert!(!said.to_lowercase().contains("database") && !said.contains("sqlite"), "{said}");
    harness.abandon().await;
}

#[tokio::test]
async fn requests_and_the_queue_are_counted_by_pattern_and_without_names() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let id = "089899f13a8f4da7824996191587bab9";
    harness.get(&format!("/v3/password-change-status/{id}?Secret=1"), &token).await.with_status(404);
    Answer::of(harness.http.get(harness.url("/Secret"))).await.with_status(404);
    let request = harness.change_request(&token, "Some-Password-1").await;
    harness.post("/v2024/set-password", &token, &request).await.with_status(202);

    let answer = harness.http.get(harness.url("/metrics")).send().await.expect("sent");
    assert!(answer.headers()["content-type"].to_str().expect("text").starts_with("application/openmetrics-text"));
    let text = answer.text().await.expect("text");
    for line in [
        "lockstep_requests_total{method=\"GET\",route=\"/v3/password-change-status/{id}\",status=\"404\"} 1",
        "lockstep_requests_total{method=\"GET\",route=\"no address\",status=\"404\"} 1",
        "lockstep_requests_total{method=\"POST\",route=\"/v2024/set-password\",status=\"202\"} 1",
        "lockstep_changes_unfinished 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
    for secret in [id, "Secret", "Abby", "abby"] {
        assert!(!text.contains(secret), "{secret}");
    }
    let mut harness = harness;
    harness.start_worker().await;
    harness.settled().await;
    harness.stop().await;
}
