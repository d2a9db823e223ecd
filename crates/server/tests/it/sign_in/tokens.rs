//! Codes and refresh tokens: each is good once, for the client that it was given to.

use chrono::TimeDelta;
use lockstep_core::audit::Action;
use lockstep_core::client::ClientKind;
use lockstep_store::{audit, authorization_code};
use lockstep_vault::hash::HashPurpose;
use serde_json::{Value, json};

use super::{CALLBACK, PASSWORD, Portal, VERIFIER, lives, start, text};
use crate::browser::Browser;
use crate::harness::{Answer, Harness};

#[track_caller]
fn invalid_grant(answer: Answer) {
    assert_eq!((answer.status, &answer.body["error"]), (400, &json!("invalid_grant")), "{}", answer.body);
}

async fn reuse_is_audited(harness: &Harness) -> bool {
    let abby = harness.world.abby;
    let events = harness.read(move |tx| Box::pin(audit::list_of(tx, abby, 50))).await;
    events.iter().any(|event| event.action == Action::TokenReuse)
}

#[tokio::test]
async fn a_code_that_comes_twice_ends_what_it_gave() {
    let (harness, portal) = start(ClientKind::Confidential).await;
    let code = Browser::new(&harness).sign_in(&portal, "Abby.Smith", PASSWORD).await;
    let tokens = portal.exchange(&harness, &code).await.with_status(200);
    assert!(lives(&harness, &tokens).await);
    invalid_grant(portal.exchange(&harness, &code).await);
    assert!(!lives(&harness, &tokens).await);
    invalid_grant(portal.refresh(&harness, text(&tokens, "refresh_token")).await);
    assert!(reuse_is_audited(&harness).await);
    harness.stop().await;
}

#[tokio::test]
async fn a_code_is_good_for_its_client_its_address_and_its_verifier_only() {
    let (harness, portal) = start(ClientKind::Confidential).await;
    let other = Portal::make(&harness, ClientKind::Public).await;
    let code = Browser::new(&harness).sign_in(&portal, "Abby.Smith", PASSWORD).await;
    invalid_grant(other.exchange(&harness, &code).await);
    let with = |name: &'static str, value: &'static str| {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        form.iter_mut().filter(|(known, _)| *known == name).for_each(|(_, old)| *old = value);
        form
    };
    for (name, value, error) in [
        ("redirect_uri", "https://portal.example.org/other", "invalid_grant"),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXX", "invalid_grant"),
        // As if the challenge had been sent in the clear.
        ("code_verifier", super::CHALLENGE, "invalid_grant"),
        ("code", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "invalid_grant"),
        ("code_verifier", "", "invalid_request"),
        ("redirect_uri", "", "invalid_request"),
        ("code", "", "invalid_request"),
    ] {
        let body = portal.token(&harness, &with(name, value)).await.with_status(400);
        assert_eq!(body["error"], error, "{name}={value}");
    }
    let thief = Portal { secret: None, ..portal.clone() };
    thief.exchange(&harness, &code).await.with_status(401);
    portal.exchange(&harness, &code).await.with_status(200);
    harness.stop().await;
}

#[tokio::test]
async fn a_code_is_dead_after_a_minute_and_when_the_password_changes() {
    let (harness, portal) = start(ClientKind::Confidential).await;
    let hashed = |code: &str| harness.app.vault.keyed_hash(HashPurpose::AuthorizationCode, code.as_bytes());
    let code = Browser::new(&harness).sign_in(&portal, "Abby.Smith", PASSWORD).await;
    let (hash, now) = (hashed(&code), harness.app.clock.utc());
    let row = harness.write(move |tx| Box::pin(async move { authorization_code::hold(tx, &hash).await })).await;
    let row = row.expect("the code");
    assert!(row.expires_at <= now + TimeDelta::seconds(60));
    let abby = harness.world.abby;
    harness
        .write(move |tx| {
            let over = authorization_code::AuthorizationCode { expires_at: now, ..row.clone() };
            Box::pin(async move {
                authorization_code::remove_of(tx, abby).await?;
                authorization_code::insert(tx, &hash, &over).await
            })
        })
        .await;
    invalid_grant(portal.exchange(&harness, &code).await);

    let code = Browser::new(&harness).sign_in(&portal, "Abby.Smith", PASSWORD).await;
    harness.write(move |tx| Box::pin(lockstep_store::identity::end_tokens(tx, abby, None, now))).await;
    invalid_grant(portal.exchange(&harness, &code).await);
    harness.stop().await;
}

#[tokio::test]
async fn a_refresh_token_gives_the_next_and_a_stolen_one_ends_the_sign_in() {
    for kind in [ClientKind::Confidential, ClientKind::Public] {
        let (harness, portal) = start(kind).await;
        let first = portal.signed_in(&harness, "Abby.Smith").await;
        let second = portal.refresh(&harness, text(&first, "refresh_token")).await.with_status(200);
        let third = portal.refresh(&harness, text(&second, "refresh_token")).await.with_status(200);
        assert_ne!(first["refresh_token"], second["refresh_token"]);
        assert_eq!(first["scope"], third["scope"]);
        for tokens in [&first, &second, &third] {
            assert!(lives(&harness, tokens).await);
        }
        // The thief's.
        invalid_grant(portal.refresh(&harness, text(&first, "refresh_token")).await);
        for tokens in [&first, &second, &third] {
            assert!(!lives(&harness, tokens).await);
        }
        invalid_grant(portal.refresh(&harness, text(&third, "refresh_token")).await);
        assert!(reuse_is_audited(&harness).await);
        // Another sign-in of the same person is another family.
        assert!(lives(&harness, &portal.signed_in(&harness, "Abby.Smith").await).await);
        harness.stop().await;
    }
}

#[tokio::test]
async fn of_two_who_refresh_at_once_both_lose() {
    let (harness, portal) = start(ClientKind::Confidential).await;
    let tokens = portal.signed_in(&harness, "Abby.Smith").await;
    let token = text(&tokens, "refresh_token");
    let (one, other) = tokio::join!(portal.refresh(&harness, token), portal.refresh(&harness, token));
    assert_eq!([one.status, other.status].iter().filter(|status| **status == 200).count(), 1);
    for answer in [one, other].into_iter().filter(|answer| answer.status == 200) {
        assert!(!lives(&harness, &answer.body).await);
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_refresh_narrows_and_never_widens() {
    let (harness, mut portal) = start(ClientKind::Confidential).await;
    let tokens = portal.signed_in(&harness, "Abby.Smith").await;
    let ask = async |token: &str, scope: &str| {
        portal.token(&harness, &[("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)]).await
    };
    let first = text(&tokens, "refresh_token");
    for more in ["sp:scopes:all", "idn:password-change:read", "idn:nothing"] {
        assert_eq!(ask(first, more).await.with_status(400)["error"], "invalid_scope", "{more}");
    }
    let narrow = ask(first, "idn:password-info:read").await.with_status(200);
    assert_eq!(narrow["scope"], "idn:password-info:read");
    portal.row.scopes = "idn:password-info:read".parse().expect("scopes");
    portal.store(&harness).await;
    let left: Value = portal.refresh(&harness, text(&narrow, "refresh_token")).await.with_status(200);
    assert_eq!(left["scope"], "idn:password-info:read", "what was taken from the client");
    harness.stop().await;
}

#[tokio::test]
async fn a_refresh_token_is_good_for_its_client_only() {
    let (harness, portal) = start(ClientKind::Confidential).await;
    let other = Portal::make(&harness, ClientKind::Confidential).await;
    let tokens = portal.signed_in(&harness, "Abby.Smith").await;
    invalid_grant(other.refresh(&harness, text(&tokens, "refresh_token")).await);
    assert!(!lives(&harness, &tokens).await, "who else has it has stolen it");
    invalid_grant(other.refresh(&harness, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await);
    harness.stop().await;
}
