//! The way from a client to the page and back.

use lockstep_core::client::ClientKind;
use serde_json::json;

use super::{CALLBACK, Portal, lives, start, text};
use crate::browser::{Browser, Page};

#[tokio::test]
async fn a_person_signs_in_and_the_client_acts_as_that_person() {
    for kind in [ClientKind::Confidential, ClientKind::Public] {
        let (harness, portal) = start(kind).await;
        let mut browser = Browser::new(&harness);
        let page = browser.open(&portal.asks()).await;
        assert_eq!(page.status, 200);
        for (name, part) in [
            ("content-security-policy", "default-src 'none'"),
            ("content-security-policy", "form-action 'self' https://portal.example.org;"),
            ("content-security-policy", "frame-ancestors 'none'"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("set-cookie", "__Host-lockstep-form="),
            ("set-cookie", "; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ] {
            let value = page.headers[name].to_str().expect("text");
            assert!(value.contains(part), "{name}: {value}");
        }
        assert!(page.text.contains("The &#60;Portal&#62;") && !page.text.contains("<script"), "{}", page.text);

        let filled = [("user_name", "abby.SMITH"), ("password", super::PASSWORD)];
        let sent = browser.submit(&page, "/oauth/authorize", &filled).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        assert!(sent.location().expect("an address").as_str().starts_with(&format!("{CALLBACK}?")));
        assert_eq!(sent.returned("state").as_deref(), Some("a <state> & more"));
        assert_eq!(sent.returned("iss"), Some(harness.app.config.public_url()));

        let tokens = portal.exchange(&harness, &sent.returned("code").expect("a code")).await.with_status(200);
        assert_eq!(tokens["identity_id"], json!(harness.world.abby.to_string()));
        assert_eq!((&tokens["user_name"], &tokens["expires_in"]), (&json!("Abby.Smith"), &json!(750)));
        let access = text(&tokens, "access_token");
        harness.info(access, "Abby.Smith", "Billing").await;
        let other = json!({ "userName": "Bea.Jones" });
        harness.post("/v2024/query-password-info", access, &other).await.refused(403, "403 Forbidden");
        let told = harness.get("/oauth/info", access).await.with_status(200);
        assert_eq!((&told["client_id"], &told["authorities"]), (&json!(portal.id()), &json!([])));
        assert_eq!(told["scope"], json!(["idn:password-info:read", "idn:password-change:manage"]));
        harness.stop().await;
    }
}

#[tokio::test]
async fn where_the_client_or_its_address_is_unknown_nobody_is_sent_anywhere() {
    let (harness, portal) = start(ClientKind::Confidential).await;
    let with = |name: &str, value: &str| {
        let mut asks = portal.asks();
        asks.iter_mut().filter(|(known, _)| known == name).for_each(|(_, old)| *old = value.to_owned());
        asks
    };
    let mut cases = vec![
        with("client_id", ""),
        with("client_id", "e1267ecd-fcd9-4c73-9c55-12555efad136"),
        with("client_id", "' OR '1'='1"),
    ];
    for uri in [
        "",
        "https://portal.example.org/callback/",
        "https://portal.example.org/callback/../evil",
        "https://portal.example.org/callback?next=https://evil.example",
        "https://portal.example.org/callback%2f..",
        "https://portal.example.org/%63allback",
        "https://portal.example.org/callback#x",
        "https://PORTAL.example.org/callback",
        "https://portal.example.org:443/callback",
        "https://portal.example.org.evil.example/callback",
        "https://portal.example.org@evil.example/callback",
        "https://evil.example/https://portal.example.org/callback",
        "http://portal.example.org/callback",
        "//portal.example.org/callback",
        "http://127.0.0.1:1/callback",
        "javascript:alert(1)",
    ] {
        cases.push(with("redirect_uri", uri));
    }
    let mut twice = portal.asks();
    twice.push(("redirect_uri".to_owned(), "https://evil.example/".to_owned()));
    cases.push(twice);
    let mut twice = portal.asks();
    twice.push(("client_id".to_owned(), portal.id()));
    cases.push(twice);
    for asks in cases {
        let page = Browser::new(&harness).open(&asks).await;
        assert_eq!((page.status, page.location()), (400, None), "{asks:?}");
        assert!(!page.text.contains("<form"), "{asks:?}");
    }
    let disabled =
        Portal { row: lockstep_store::client::Client { enabled: false, ..portal.row.clone() }, ..portal.clone() };
    disabled.store(&harness).await;
    assert_eq!(Browser::new(&harness).open(&portal.asks()).await.status, 400);
    harness.stop().await;
}

#[tokio::test]
async fn a_loopback_address_is_compared_with_its_port() {
    let (harness, mut portal) = start(ClientKind::Public).await;
    portal.row.settings.redirect_uris = vec!["http://127.0.0.1:4711/cb".parse().expect("an address")];
    portal.store(&harness).await;
    for (uri, status) in [
        ("http://127.0.0.1:4711/cb", 200),
        ("http://127.0.0.1:4712/cb", 400),
        ("http://127.0.0.1/cb", 400),
        ("http://localhost:4711/cb", 400),
    ] {
        let mut asks = portal.asks();
        asks.iter_mut().filter(|(name, _)| name == "redirect_uri").for_each(|(_, old)| *old = uri.to_owned());
        assert_eq!(Browser::new(&harness).open(&asks).await.status, status, "{uri}");
    }
    harness.stop().await;
}

#[tokio::test]
async fn what_else_is_wrong_is_told_to_the_client() {
    let (harness, portal) = start(ClientKind::Confidential).await;
    for (name, value, error) in [
        ("response_type", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "code id_token", "unsupported_response_type"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("scope", "idn:nothing", "invalid_scope"),
    ] {
        let mut asks = portal.asks();
        asks.iter_mut().filter(|(known, _)| known == name).for_each(|(_, old)| *old = value.to_owned());
        let page = Browser::new(&harness).open(&asks).await;
        assert_eq!((page.status, page.returned("error").as_deref()), (303, Some(error)), "{name}={value}");
        assert_eq!(page.returned("state").as_deref(), Some("a <state> & more"));
        assert_eq!(page.returned("iss"), Some(harness.app.config.public_url()));
        assert!(page.returned("code").is_none());
    }
    let mut twice = portal.asks();
    twice.push(("scope".to_owned(), "sp:scopes:all".to_owned()));
    assert_eq!(Browser::new(&harness).open(&twice).await.returned("error").as_deref(), Some("invalid_request"));
    harness.stop().await;
}

#[tokio::test]
async fn a_form_is_taken_from_our_own_page_and_whoever_was_shown_it() {
    let (harness, portal) = start(ClientKind::Confidential).await;
    let filled = [("user_name", "Abby.Smith"), ("password", super::PASSWORD)];
    let own = harness.app.config.public_url();
    for (origin, taken) in [
        (vec![("origin", own.clone())], true),
        (vec![("origin", "null".to_owned()), ("sec-fetch-site", "same-origin".to_owned())], true),
        (vec![("sec-fetch-site", "same-origin".to_owned())], true),
        (vec![("origin", "https://evil.example".to_owned())], false),
        (vec![("origin", "https://evil.example".to_owned()), ("sec-fetch-site", "same-origin".to_owned())], false),
        (vec![("origin", format!("{own}.evil.example"))], false),
        (vec![("origin", "null".to_owned())], false),
        (vec![("origin", "null".to_owned()), ("sec-fetch-site", "cross-site".to_owned())], false),
        (vec![("sec-fetch-site", "same-site".to_owned())], false),
        (vec![], false),
    ] {
        let mut browser = Browser::new(&harness);
        browser.origin = origin.clone();
        let page = browser.open(&portal.asks()).await;
        let sent = browser.submit(&page, "/oauth/authorize", &filled).await;
        assert_eq!(sent.status, if taken { 303 } else { 403 }, "{origin:?}");
    }

    // Without the cookie, with another browser's, and for another request.
    let mut browser = Browser::new(&harness);
    let page = browser.open(&portal.asks()).await;
    let cookies = std::mem::take(&mut browser.cookies);
    assert_eq!(browser.submit(&page, "/oauth/authorize", &filled).await.status, 403);
    let mut other = Browser::new(&harness);
    other.open(&portal.asks()).await;
    browser.cookies = other.cookies.clone();
    assert_eq!(browser.submit(&page, "/oauth/authorize", &filled).await.status, 403);
    browser.cookies = cookies;
    let mut asks = portal.asks();
    asks.iter_mut().filter(|(name, _)| name == "state").for_each(|(_, old)| *old = "another".to_owned());
    let mut mixed = browser.open(&asks).await;
    let token = |page: &Page| {
        let hidden = page.hidden("/oauth/authorize");
        hidden.into_iter().find(|(name, _)| name == "form_token").expect("one").1
    };
    mixed.text = mixed.text.replace(&token(&mixed), &token(&page));
    assert_eq!(browser.submit(&mixed, "/oauth/authorize", &filled).await.status, 403);
    assert_eq!(browser.submit(&page, "/oauth/authorize", &filled).await.status, 303);
    harness.stop().await;
}

#[tokio::test]
async fn nobody_is_signed_in_by_a_cookie() {
    let (harness, portal) = start(ClientKind::Confidential).await;
    let mut browser = Browser::new(&harness);
    // As if somebody else had planted it.
    browser.cookies = [("__Host-lockstep-form".to_owned(), "A".repeat(43))].into();
    let planted = browser.cookies.clone();
    let code = browser.sign_in(&portal, "Abby.Smith", super::PASSWORD).await;
    assert!(browser.cookies.is_empty(), "it is taken back");
    assert!(lives(&harness, &portal.exchange(&harness, &code).await.with_status(200)).await);
    for cookies in [planted, Default::default()] {
        browser.cookies = cookies;
        let page = browser.open(&portal.asks()).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("type=\"password\""), "the password is asked for again");
    }
    harness.stop().await;
}
