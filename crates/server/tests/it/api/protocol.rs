//! What the contract says of every answer, whatever the operation.

use serde_json::{Value, json};

use crate::harness::{Answer, Harness};

#[tokio::test]
async fn every_error_of_the_framework_has_the_contracts_shape() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let http = &harness.http;
    let url = |path: &str| harness.url(path);
    let set = url("/v2024/set-password");

    for path in
        ["/v2024", "/nothing", "/v1/set-password", "/v2024/set-password/", "/v2024/password-change-status/", "/%ff"]
    {
        let answer = Answer::of(http.get(url(path)).bearer_auth(&token)).await;
        answer.refused(404, "404 Not found");
    }
    let unsupported = [
        (Answer::of(http.get(&set)).await, 405, "MethodNotAllowed"),
        (Answer::of(http.request(reqwest::Method::TRACE, &set)).await, 405, "MethodNotAllowed"),
        (Answer::of(http.request("WHAT".parse().expect("a word"), &set)).await, 405, "MethodNotAllowed"),
        (Answer::of(http.delete(url("/oauth/token"))).await, 405, "MethodNotAllowed"),
        (Answer::of(http.post(&set).bearer_auth(&token).header("accept", "text/html")).await, 406, "NotAcceptable"),
        (
            Answer::of(http.post(&set).bearer_auth(&token).header("content-type", "text/plain").body("x")).await,
            415,
            "UnsupportedMediaType",
        ),
        (Answer::of(http.post(&set).bearer_auth(&token)).await, 415, "UnsupportedMediaType"),
        (
            Answer::of(http.post(url("/oauth/token")).header("content-type", "application/json").body("{}")).await,
            415,
            "UnsupportedMediaType",
        ),
    ];
    for (answer, status, name) in unsupported {
        assert_eq!((answer.status, answer.body["errorName"].as_str()), (status, Some(name)), "{}", answer.body);
        assert!(answer.body["errorMessage"].is_string() && answer.body["trackingId"].is_string());
        assert_eq!(answer.headers.contains_key("allow"), status == 405, "{:?}", answer.headers);
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_refused_and_one_below_is_read() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let ask = |length: usize| {
        let body = json!({ "userName": "x", "unknown": "y".repeat(length) });
        harness.post_owned("/v2024/query-password-info", &token, body)
    };
    let answer = ask(1024 * 1024).await;
    assert_eq!((answer.status, &answer.body["errorName"]), (413, &json!("PayloadTooLarge")));
    ask(1000 * 1024).await.refused(400, "400.1.404 Referenced object not found");
    harness.stop().await;
}

#[tokio::test]
async fn a_body_that_cannot_be_parsed_is_refused_without_being_quoted() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let bodies: [(&[u8], &str); 10] = [
        (b"", "400.0 Bad Request Syntax"),
        (b"{", "400.0 Bad Request Syntax"),
        (b"{} trailing-Secret", "400.0 Bad Request Syntax"),
        (b"{\"userName\": \"\xff\xfe\"}", "400.0 Bad Request Syntax"),
        (b"{\"userName\": \"\\ud800\"}", "400.0 Bad Request Syntax"),
        (b"userName=Secret", "400.0 Bad Request Syntax"),
        (b"[\"Secret\"]", "400.1.3 Illegal value"),
        (b"\"Secret\"", "400.1.3 Illegal value"),
        (b"null", "400.1.3 Illegal value"),
        (b"{\"userName\": \"a\", \"userName\": \"Secret\"}", "400.1.3 Illegal value"),
    ];
    for path in ["/v2024/query-password-info", "/query-password-info/v1"] {
        for (body, code) in bodies {
            let request = harness.http.post(harness.url(path)).bearer_auth(&token);
            let answer = Answer::of(request.header("content-type", "application/json").body(body.to_vec())).await;
            let said = answer.refused(400, code);
            assert!(!said.contains("Secret"), "{said}");
        }
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_base_address_may_end_in_slashes() {
    let mut harness = Harness::start_without_worker().await;
    harness.base.push_str("//");
    let token = harness.client_token("sp:scopes:all").await;
    for path in ["/v2024/query-password-info", "//query-password-info///v1"] {
        let info: Value = harness.post(path, &token, &json!({ "userName": "Abby.Smith" })).await.with_status(200);
        assert_eq!(info["identityId"], harness.world.abby.to_string());
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_media_type_may_have_parameters_and_any_case() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let request = harness.http.post(harness.url("/v3/query-password-info")).bearer_auth(&token);
    let request =
        request.header("content-type", "Application/JSON; charset=utf-8").body("{\"userName\":\"ABBY.smith\"}");
    Answer::of(request).await.with_status(200);
    harness.stop().await;
}

#[tokio::test]
async fn every_request_has_its_own_id() {
    let harness = Harness::start_without_worker().await;
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let answer = Answer::of(harness.http.get(harness.url("/nothing"))).await;
        ids.insert(answer.headers["slpt-request-id"].to_str().expect("text").to_owned());
    }
    assert_eq!(ids.len(), 20);
    harness.stop().await;
}
