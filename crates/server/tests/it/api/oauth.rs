//! `/oauth/token` and the keys that its tokens are verified with.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lockstep_core::audit::Action;
use lockstep_core::id::PersonalAccessTokenId;
use lockstep_store::{audit, personal_access_token};
use serde_json::{Value, json};

use crate::harness::{Answer, Credentials, Harness};

fn form(credentials: &Credentials) -> Vec<(&'static str, String)> {
    vec![
        ("grant_type", "client_credentials".to_owned()),
        ("client_id", credentials.id.clone()),
        ("client_secret", credentials.secret.expose().to_owned()),
    ]
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("JSON")
}

#[tokio::test]
async fn every_encoding_and_place_of_the_credentials_gets_a_token() {
    let harness = Harness::start_without_worker().await;
    let url = harness.url("/oauth/token");
    let post = || harness.http.post(&url);
    let client = harness.client("idn:password-info:read idn:password-change:read").await;
    let person = harness.personal_access_token(harness.world.abby, "sp:scopes:all").await;
    let dashed = Credentials { id: dashes(&person.id), ..person.clone() };
    let plain = Credentials { id: client.id.replace('-', ""), ..client.clone() };
    for credentials in [client, person, dashed, plain] {
        let form = form(&credentials);
        let query = form.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        let multipart: String = form
            .iter()
            .map(|(name, value)| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"))
            .collect();
        let basic = STANDARD.encode(format!("{}:{}", credentials.id, credentials.secret.expose()));
        let multipart_type = ("content-type", "multipart/form-data; boundary=b");
        let requests = [
            post().form(&form),
            post().header(multipart_type.0, multipart_type.1).body(multipart + "--b--\r\n"),
            harness.http.post(format!("{url}?{query}")),
            post().form(&form[..1]).header("authorization", format!("Basic {basic}")),
            // The Go SDK asks for a token with what it has.
            post().form(&form).bearer_auth(""),
        ];
        for request in requests {
            let body = Answer::of(request).await.with_status(200);
            let claims = claims(body["access_token"].as_str().expect("a token"));
            assert_eq!((&body["token_type"], &body["jti"]), (&json!("bearer"), &claims["jti"]));
            harness
                .get("/v2024/password-change-status/x", body["access_token"].as_str().expect("a token"))
                .await
                .with_status(404);
        }
    }
    harness.stop().await;
}

#[tokio::test]
async fn the_reply_and_the_claims_say_whose_the_token_is() {
    let harness = Harness::start_without_worker().await;
    let url = harness.url("/oauth/token");
    let client = harness.client("idn:password-info:read idn:password-change:read").await;
    let mut body = Answer::of(harness.http.post(&url).form(&form(&client))).await.with_status(200);
    let token = body["access_token"].take();
    let jti = body["jti"].take();
    assert_eq!(
        body,
        json!({
            "access_token": null, "token_type": "bearer", "expires_in": 749,
            "scope": "idn:password-info:read idn:password-change:read",
            "tenant_id": "lockstep", "pod": "lockstep", "org": "lockstep", "identity_id": null,
            "strong_auth": false, "strong_auth_supported": false, "internal": false, "jti": null
        })
    );
    let found = claims(token.as_str().expect("a token"));
    assert_eq!((&found["jti"], &found["client_id"]), (&jti, &json!(client.id)));
    assert_eq!(found["scope"], json!(["idn:password-info:read", "idn:password-change:read"]));
    assert!(found.get("identity_id").is_none() && found.get("user_name").is_none());
    assert_eq!(found["exp"].as_i64().expect("exp") - found["iat"].as_i64().expect("iat"), 749);

    let person = harness.personal_access_token(harness.world.ada, "sp:scopes:all").await;
    let body = Answer::of(harness.http.post(&url).form(&form(&person))).await.with_status(200);
    let found = claims(body["access_token"].as_str().expect("a token"));
    assert_eq!(
        (&body["identity_id"], &body["user_name"]),
        (&json!(harness.world.ada.to_string()), &json!("Ada.Admin"))
    );
    assert_eq!((&found["identity_id"], &found["user_name"]), (&body["identity_id"], &body["user_name"]));
    assert_eq!((&found["authorities"], &found["client_id"]), (&json!(["ORG_ADMIN"]), &json!(person.id)));
    assert_eq!((&body["expires_in"], &body["scope"]), (&json!(43200), &json!("sp:scopes:all")));

    let id: PersonalAccessTokenId = person.id.parse().expect("an id");
    let row = harness.read(move |tx| Box::pin(async move { personal_access_token::find(tx, id).await })).await;
    assert!(row.expect("the token").last_used_at.is_some());
    let ada = harness.world.ada;
    let events = harness.read(move |tx| Box::pin(async move { audit::list_of(tx, ada, 10).await })).await;
    assert_eq!(events[0].action, Action::PersonalAccessTokenUsed);
    harness.stop().await;
}

#[tokio::test]
async fn a_scope_may_be_narrowed_and_never_widened() {
    let harness = Harness::start_without_worker().await;
    let client = harness.client("idn:password-info:read idn:password-change:read").await;
    for (scope, answer) in [
        ("idn:password-info:read", Ok("idn:password-info:read")),
        ("", Ok("idn:password-info:read idn:password-change:read")),
        ("idn:password-change:manage", Err("invalid_scope")),
        ("sp:scopes:all", Err("invalid_scope")),
        ("nonsense", Err("invalid_scope")),
    ] {
        let mut form = form(&client);
        form.push(("scope", scope.to_owned()));
        let got = Answer::of(harness.http.post(harness.url("/oauth/token")).form(&form)).await;
        match answer {
            Ok(scopes) => assert_eq!(got.with_status(200)["scope"], scopes),
            Err(error) => assert_eq!(got.with_status(400)["error"], error),
        }
    }
    harness.stop().await;
}

#[tokio::test]
async fn wrong_credentials_are_refused_in_one_way_whichever_half_is_wrong() {
    let harness = Harness::start_without_worker().await;
    let right = harness.client("sp:scopes:all").await;
    let gone = harness.personal_access_token(harness.world.dora, "sp:scopes:all").await;
    let other = harness.personal_access_token(harness.world.abby, "sp:scopes:all").await;
    let secret = |credentials: &Credentials| credentials.secret.expose().to_owned();
    let wrong = [
        (right.id.clone(), "0".repeat(64)),
        (right.id.clone(), secret(&other)),
        (right.id.clone(), format!("{}0", secret(&right))),
        (other.id.clone(), secret(&right)),
        ("e1267ecd-fcd9-4c73-9c55-12555efad136".to_owned(), secret(&right)),
        ("00000000-0000-0000-0000-000000000000".to_owned(), secret(&right)),
        ("' OR '1'='1".to_owned(), secret(&right)),
        ("a\0b".to_owned(), "\0".to_owned()),
        ("\u{202e}\u{1F511}".to_owned(), "x".repeat(100_000)),
        (gone.id.clone(), secret(&gone)),
    ];
    let mut bodies = std::collections::BTreeSet::new();
    for (id, secret) in wrong {
        let form = [("grant_type", "client_credentials"), ("client_id", &id), ("client_secret", &secret)];
        let answer = Answer::of(harness.http.post(harness.url("/oauth/token")).form(&form)).await;
        bodies.insert(answer.with_status(401).to_string());
    }
    assert_eq!(bodies.len(), 1);
    assert!(bodies.iter().all(|body| body.contains("\"error\":\"invalid_client\"")), "{bodies:?}");
    harness.stop().await;
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_in_oauths_words() {
    let harness = Harness::start_without_worker().await;
    let client = harness.client("sp:scopes:all").await;
    let form = form(&client);
    let with = |name: &str, value: &str| {
        let mut form = form.clone();
        form.iter_mut().filter(|(field, _)| *field == name).for_each(|(_, old)| *old = value.to_owned());
        form
    };
    let mut twice = form.clone();
    twice.push(("client_id", client.id.clone()));
    for (form, error) in [
        (with("grant_type", ""), "invalid_request"),
        (with("client_id", ""), "invalid_request"),
        (with("client_secret", ""), "invalid_request"),
        (with("grant_type", "authorization_code"), "invalid_request"),
        (with("grant_type", "refresh_token"), "invalid_request"),
        (with("grant_type", "password"), "unsupported_grant_type"),
        (twice, "invalid_request"),
        (Vec::new(), "invalid_request"),
    ] {
        let answer = Answer::of(harness.http.post(harness.url("/oauth/token")).form(&form)).await;
        let body = answer.with_status(400);
        assert_eq!(body["error"], error, "{form:?}");
        assert!(body["error_description"].is_string());
    }
    harness.stop().await;
}

#[tokio::test]
async fn the_key_set_has_the_key_that_signed_and_no_private_half() {
    let harness = Harness::start_without_worker().await;
    let token = harness.client_token("sp:scopes:all").await;
    let header = token.split('.').next().expect("a header");
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).expect("base64")).expect("JSON");
    for path in ["/oauth/jwks", "/.well-known/jwks.json"] {
        let set = Answer::of(harness.http.get(harness.url(path))).await.with_status(200);
        let key = &set["keys"][0];
        assert_eq!((&key["kid"], &key["alg"], &key["kty"]), (&header["kid"], &json!("RS256"), &json!("RSA")));
        assert!(key.get("d").is_none() && key["n"].is_string());
    }
    harness.stop().await;
}

fn dashes(id: &str) -> String {
    [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-")
}
