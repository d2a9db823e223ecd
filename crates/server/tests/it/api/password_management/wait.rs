//! `Prefer: wait` of set-password.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value;

use crate::harness::{Answer, Harness};

async fn set(harness: &Harness, token: &str, request: &Value, prefer: &str) -> Answer {
    let post = harness.http.post(harness.url("/v2024/set-password")).bearer_auth(token).json(request);
    Answer::of(post.header("prefer", prefer)).await
}

#[tokio::test]
async fn an_answer_is_held_until_the_change_is_final() {
    let harness = Harness::start().await;
    let token = harness.client_token("sp:scopes:all").await;
    let request = harness.change_request(&token, "Waiting-Password-1").await;
    let answer = set(&harness, &token, &request, "respond-async, wait=20").await;
    assert_eq!(answer.headers["preference-applied"], "wait=20");
    assert_eq!(answer.with_status(202)["state"], "FINISHED");

    // A final change needs no wait.
    let again = set(&harness, &token, &request, "wait=20").await;
    assert!(!again.headers.contains_key("preference-applied"));
    assert_eq!(again.with_status(202)["state"], "FINISHED");
    harness.stop().await;
}

#[tokio::test]
async fn it_is_held_no_longer_than_wished_and_four_at_once() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let mut requests = Vec::new();
    for number in 0..6 {
        requests.push(harness.change_request(&token, &format!("Waiting-Password-{number}")).await);
    }
    let timed = |request| {
        let (harness, token) = (&harness, &token);
        async move {
            let started = Instant::now();
            let answer = set(harness, token, request, "wait=2").await;
            let held = answer.headers.contains_key("preference-applied");
            assert_eq!(answer.with_status(202)["state"], "IN_PROGRESS");
            assert_eq!(held, started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
            held
        }
    };
    let held = join_all(requests.iter().map(timed)).await;
    assert_eq!(held.iter().filter(|held| **held).count(), 4);
    let mut harness = harness;
    harness.start_worker().await;
    harness.settled().await;
    harness.stop().await;
}

#[tokio::test]
async fn a_wish_that_makes_no_sense_is_ignored() {
    let harness = Harness::start().await;
    let token = harness.client_token("sp:scopes:all").await;
    let request = harness.change_request(&token, "Ignored-Wish-1").await;
    for prefer in ["", "wait", "wait=soon", "wait=-5", "wait=99999999999999999999999", "handling=strict"] {
        let answer = set(&harness, &token, &request, prefer).await;
        assert!(!answer.headers.contains_key("preference-applied"), "{prefer}");
        answer.with_status(202);
    }
    harness.settled().await;
    harness.stop().await;
}
