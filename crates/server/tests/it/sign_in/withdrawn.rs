//! What ends a token, by whoever may, and asking whether one lives.

use std::collections::BTreeSet;

use lockstep::app::{App, Role};
use lockstep::auth::authenticate;
use lockstep_core::client::ClientKind;
use lockstep_store::{client, identity, personal_access_token};
use serde_json::{Value, json};

use super::{Portal, lives, start, text};
use crate::harness::{Answer, Harness};

async fn post(harness: &Harness, path: &str, portal: &Portal, token: &str) -> Answer {
    let id = portal.id();
    let mut form = vec![("client_id", id.as_str()), ("token", token)];
    form.extend(portal.secret.as_ref().map(|secret| ("client_secret", secret.expose())));
    Answer::of(harness.http.post(harness.url(path)).form(&form)).await
}

#[tokio::test]
async fn whatever_ends_a_sign_in_ends_its_tokens_at_once() {
    let (harness, portal) = start(ClientKind::Confidential).await;
    let (abby, ada, now) = (harness.world.abby, harness.world.ada, harness.app.clock.utc());
    let tokens = portal.signed_in(&harness, "Abby.Smith").await;
    let mut disabled = portal.clone();
    disabled.row.enabled = false;
    disabled.store(&harness).await;
    assert!(!lives(&harness, &tokens).await, "a disabled client");
    portal.store(&harness).await;
    assert!(lives(&harness, &tokens).await);
    let mut rekeyed = portal.clone();
    rekeyed.row.secret_hash = vec![7; 32];
    rekeyed.store(&harness).await;
    assert!(!lives(&harness, &tokens).await, "a client with another secret");
    portal.store(&harness).await;

    harness.write(move |tx| Box::pin(identity::end_tokens(tx, abby, None, now))).await;
    assert!(!lives(&harness, &tokens).await, "another password");
    let refused = portal.refresh(&harness, text(&tokens, "refresh_token")).await.with_status(400);
    assert_eq!(refused["error"], "invalid_grant");

    let tokens = portal.signed_in(&harness, "Abby.Smith").await;
    let mut person = harness.read(move |tx| Box::pin(identity::get(tx, abby))).await;
    person.enabled = false;
    harness
        .write(move |tx| {
            let person = person.clone();
            Box::pin(async move { identity::put(tx, &person, now).await })
        })
        .await;
    assert!(!lives(&harness, &tokens).await, "a disabled identity");
    portal.refresh(&harness, text(&tokens, "refresh_token")).await.with_status(400);

    let tokens = portal.signed_in(&harness, "Ada.Admin").await;
    let told = harness.get("/oauth/info", text(&tokens, "access_token")).await.with_status(200);
    assert_eq!(told["authorities"], json!(["ORG_ADMIN"]));
    harness.write(move |tx| Box::pin(async move { identity::set_levels(tx, ada, &BTreeSet::new(), now).await })).await;
    let told = harness.get("/oauth/info", text(&tokens, "access_token")).await.with_status(200);
    assert_eq!(told["authorities"], json!([]), "a level that was taken");

    let id = portal.row.id;
    assert!(harness.write(move |tx| Box::pin(client::remove(tx, id))).await);
    assert!(!lives(&harness, &tokens).await, "a deleted client");
    harness.stop().await;
}

/// The other node is another process's worth of memory on the same database.
#[tokio::test]
async fn what_ends_here_has_ended_on_another_node() {
    let (harness, mut portal) = start(ClientKind::Confidential).await;
    let other = App::open(harness.app.config.clone(), Role::Tool).await.expect("another node");
    let lives_there = async |tokens: &Value| authenticate(&other, text(tokens, "access_token")).await.is_ok();
    let program = harness.client("sp:scopes:all").await;
    let person = harness.personal_access_token(harness.world.bea, "sp:scopes:all").await;
    let of_program = json!({ "access_token": harness.token(&program).await });
    let of_person = json!({ "access_token": harness.token(&person).await });
    let alone = portal.signed_in(&harness, "Abby.Smith").await;
    let family = portal.signed_in(&harness, "Abby.Smith").await;
    let of_client = portal.signed_in(&harness, "Ada.Admin").await;
    for tokens in [&of_program, &of_person, &alone, &family, &of_client] {
        assert!(lives_there(tokens).await);
    }
    post(&harness, "/oauth/revoke", &portal, text(&alone, "access_token")).await.with_status(200);
    assert!(!lives_there(&alone).await, "revoked by itself");
    let used = text(&family, "refresh_token");
    portal.refresh(&harness, used).await.with_status(200);
    portal.refresh(&harness, used).await.with_status(400);
    assert!(!lives_there(&family).await, "its refresh token came twice");
    let id = person.id.parse().expect("an id");
    assert!(harness.write(move |tx| Box::pin(personal_access_token::remove(tx, id))).await);
    assert!(!lives_there(&of_person).await, "its personal access token was deleted");
    let id = program.id.parse().expect("an id");
    assert!(harness.write(move |tx| Box::pin(client::remove(tx, id))).await);
    assert!(!lives_there(&of_program).await, "its client was deleted");
    assert!(lives_there(&of_client).await);
    portal.row.enabled = false;
    portal.store(&harness).await;
    assert!(!lives_there(&of_client).await, "its client was disabled");
    other.close().await;
    harness.stop().await;
}

#[tokio::test]
async fn a_client_with_another_secret_has_no_living_tokens() {
    let harness = Harness::start_without_worker().await;
    let credentials = harness.client("sp:scopes:all").await;
    let token = json!({ "access_token": harness.token(&credentials).await });
    assert!(lives(&harness, &token).await);
    let (id, now) = (credentials.id.parse().expect("an id"), harness.app.clock.utc());
    harness
        .write(move |tx| {
            Box::pin(async move {
                let row = client::find(tx, id).await?.expect("the client");
                client::put(tx, &client::Client { secret_hash: vec![7; 32], ..row }, now).await
            })
        })
        .await;
    assert!(!lives(&harness, &token).await);
    harness.stop().await;
}

#[tokio::test]
async fn a_client_ends_its_own_tokens_and_nobody_elses() {
    let (harness, portal) = start(ClientKind::Confidential).await;
    let other = Portal::make(&harness, ClientKind::Public).await;
    let first = portal.signed_in(&harness, "Abby.Smith").await;
    let second = portal.refresh(&harness, text(&first, "refresh_token")).await.with_status(200);
    for token in [text(&first, "access_token"), text(&second, "refresh_token"), "nonsense", "a.b.c"] {
        assert_eq!(post(&harness, "/oauth/revoke", &other, token).await.with_status(200), json!({}));
    }
    assert!(lives(&harness, &first).await && lives(&harness, &second).await);

    post(&harness, "/oauth/revoke", &portal, text(&first, "access_token")).await.with_status(200);
    assert!(!lives(&harness, &first).await && lives(&harness, &second).await, "an access token ends alone");
    post(&harness, "/oauth/revoke", &portal, text(&second, "refresh_token")).await.with_status(200);
    assert!(!lives(&harness, &second).await, "a refresh token ends the sign-in");
    portal.refresh(&harness, text(&second, "refresh_token")).await.with_status(400);
    let thief = Portal { secret: None, ..portal.clone() };
    post(&harness, "/oauth/revoke", &thief, text(&second, "access_token")).await.with_status(401);

    // Those of programs, and of personal access tokens.
    for credentials in
        [harness.client("sp:scopes:all").await, harness.personal_access_token(harness.world.bea, "sp:scopes:all").await]
    {
        let tokens = json!({ "access_token": harness.token(&credentials).await });
        let stays = json!({ "access_token": harness.token(&credentials).await });
        let form = [
            ("client_id", credentials.id.as_str()),
            ("client_secret", credentials.secret.expose()),
            ("token", text(&tokens, "access_token")),
        ];
        Answer::of(harness.http.post(harness.url("/oauth/revoke")).form(&form)).await.with_status(200);
        assert!(!lives(&harness, &tokens).await && lives(&harness, &stays).await);
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_client_is_told_of_its_own_tokens_and_an_administrating_one_of_all() {
    let (harness, portal) = start(ClientKind::Confidential).await;
    let other = Portal::make(&harness, ClientKind::Confidential).await;
    let public = Portal::make(&harness, ClientKind::Public).await;
    let tokens = portal.signed_in(&harness, "Abby.Smith").await;
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    let own = post(&harness, "/oauth/introspect", &portal, access).await.with_status(200);
    for (field, value) in [
        ("active", json!(true)),
        ("username", json!("Abby.Smith")),
        ("sub", json!(harness.world.abby.to_string())),
        ("client_id", json!(portal.id())),
        ("token_type", json!("bearer")),
        ("iss", json!(harness.app.config.public_url())),
        ("jti", tokens["jti"].clone()),
    ] {
        assert_eq!(own[field], value, "{field}");
    }
    assert_eq!(post(&harness, "/oauth/introspect", &portal, refresh).await.with_status(200)["active"], true);
    let nothing: Value = json!({ "active": false });
    for token in [access, refresh, "nonsense"] {
        assert_eq!(post(&harness, "/oauth/introspect", &other, token).await.with_status(200), nothing);
    }
    assert!(matches!(post(&harness, "/oauth/introspect", &public, access).await.status, 400 | 401));
    let administrator = harness.administrator("sp:scopes:default").await;
    let form =
        [("client_id", administrator.id.as_str()), ("client_secret", administrator.secret.expose()), ("token", access)];
    let asked = Answer::of(harness.http.post(harness.url("/oauth/introspect")).form(&form)).await;
    assert_eq!(asked.with_status(200)["active"], true);

    post(&harness, "/oauth/revoke", &portal, refresh).await.with_status(200);
    for token in [access, refresh] {
        assert_eq!(post(&harness, "/oauth/introspect", &portal, token).await.with_status(200), nothing);
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_client_library_finds_every_endpoint() {
    let harness = Harness::start_without_worker().await;
    let request = harness.http.get(harness.url("/.well-known/oauth-authorization-server"));
    let found = Answer::of(request).await.with_status(200);
    let base = harness.app.config.public_url();
    assert_eq!(found["issuer"], json!(base));
    for field in
        ["authorization_endpoint", "token_endpoint", "revocation_endpoint", "introspection_endpoint", "jwks_uri"]
    {
        let path = text(&found, field).strip_prefix(&base).expect("an address of ours");
        let status = harness.http.get(harness.url(path)).send().await.expect("an answer").status().as_u16();
        assert!(matches!(status, 200 | 400 | 405), "{field}: {status}");
    }
    assert_eq!(found["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(found["authorization_response_iss_parameter_supported"], true);
    harness.stop().await;
}
