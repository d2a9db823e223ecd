//! Signing in on the pages, being known there, and leaving.

use chrono::TimeDelta;
use lockstep::app::session::Proof;
use lockstep::app::sign_in::{Purpose, sign_in};
use lockstep::app::{Error, session};
use lockstep_core::auth_org::{AuthOrg, SessionConfig};
use lockstep_core::password::Password;
use lockstep_store::{auth_org, identity};

use super::{NEW, PASSWORD, application, start, with_passwords};
use crate::browser::Browser;
use crate::harness::Harness;

const SESSION: &str = "__Host-lockstep-session";

#[tokio::test]
async fn a_person_comes_in_by_name_and_password_and_goes_where_they_wanted() {
    let harness = start().await;
    let mut browser = Browser::new(&harness);
    assert_eq!(browser.visit("/").await.sent_to(), "/passwords");
    let page = browser.come_in("abby.smith", PASSWORD, "/passwords").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("Abby Smith") && page.text.contains("Sign out"), "{}", page.text);
    assert_eq!(browser.visit("/sign-in").await.sent_to(), "/passwords", "who is in need not sign in");
    for other in ["https://evil.example.test/", "//evil.example.test/passwords", "/sign-out"] {
        let page = browser.visit(&format!("/sign-in?to={other}")).await;
        assert_eq!(page.sent_to(), "/passwords", "{other}");
    }

    let page = browser.visit("/passwords").await;
    let left = browser.submit(&page, "/sign-out", &[]).await;
    assert_eq!(left.status, 200, "{}", left.text);
    assert!(!browser.cookies.contains_key(SESSION));
    assert_eq!(browser.visit("/passwords").await.sent_to(), "/sign-in?to=/passwords");
    assert!(harness.audited().await.contains(&"SIGNED_OUT".to_owned()));
    harness.stop().await;
}

#[tokio::test]
async fn whoever_is_not_let_in_reads_the_same_whatever_the_reason() {
    let harness = start().await;
    let mut seen = std::collections::BTreeSet::new();
    for (alias, password) in
        [("Abby.Smith", "wrong"), ("Nobody", PASSWORD), ("Dora.Gone", PASSWORD), ("Abby.Smith", "")]
    {
        let mut browser = Browser::new(&harness);
        let page = browser.visit("/sign-in").await;
        let refused = browser.submit(&page, "/sign-in", &[("user_name", alias), ("password", password)]).await;
        assert!(!browser.cookies.contains_key(SESSION));
        let token = page.hidden("/sign-in").into_iter().find(|(name, _)| name == "form_token").expect("one").1;
        let text = refused.text.replace(&token, "").replace(&format!("value=\"{alias}\""), "");
        seen.insert((refused.status, text));
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
    harness.stop().await;
}

#[tokio::test]
async fn the_cookie_is_for_this_host_alone_and_what_was_there_before_is_no_session() {
    let harness = start().await;
    let mut browser = Browser::new(&harness);
    // As if somebody had planted it, to be in the same session later.
    browser.cookies.insert(SESSION.to_owned(), "A".repeat(43));
    let page = browser.visit("/sign-in").await;
    let came = browser.submit(&page, "/sign-in", &[("user_name", "Abby.Smith"), ("password", PASSWORD)]).await;
    let set = came.headers.get_all("set-cookie").iter().map(|value| value.to_str().expect("text"));
    let set = set.into_iter().find(|set| set.starts_with(SESSION)).expect("a session");
    for part in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Domain") && !set.contains("Max-Age"), "{set}");
    assert_ne!(browser.cookies[SESSION], "A".repeat(43));
    let page = browser.visit("/passwords").await;
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    harness.stop().await;
}

#[tokio::test]
async fn a_session_ends_with_the_password_that_began_it_and_with_its_person() {
    let harness = start().await;
    let (mut here, mut there) = (Browser::new(&harness), Browser::new(&harness));
    for browser in [&mut here, &mut there] {
        assert_eq!(browser.come_in("Abby.Smith", PASSWORD, "/passwords").await.status, 200);
    }
    // Somebody has copied what the browser had.
    let mut thief = Browser::new(&harness);
    thief.cookies = here.cookies.clone();
    let built_in = lockstep_core::id::SourceId::IDENTITY_NOW;
    let changed = here.change(built_in, &[("new_password", NEW), ("repeated", NEW)]).await;
    let watched = changed.sent_to();
    assert_eq!(
        thief.visit("/passwords").await.sent_to(),
        "/sign-in?to=/passwords",
        "it is worth nothing after a change"
    );
    // Another one in the same session does not count.
    let lone = harness.world.lone;
    application(&harness, "Lonely", lone).await;
    here.change(lone, &[("new_password", NEW), ("repeated", NEW)]).await.sent_to();
    harness.settled().await;
    let page = here.visit(&watched).await;
    assert_eq!(page.status, 200, "the one that asked for it goes on: {}", page.text);
    assert!(page.text.contains("Your password is changed"), "{}", page.text);
    assert_eq!(there.visit("/passwords").await.sent_to(), "/sign-in?to=/passwords", "every other one is over");

    let (abby, now) = (harness.world.abby, harness.app.clock.utc());
    harness.write(move |tx| Box::pin(identity::end_tokens(tx, abby, None, now))).await;
    assert_eq!(here.visit("/passwords").await.sent_to(), "/sign-in?to=/passwords", "as when somebody is disabled");
    harness.stop().await;
}

#[tokio::test]
async fn a_session_that_nobody_uses_ends_by_itself() {
    let harness = start().await;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    let token = browser.cookies[SESSION].clone();
    let open = session::find(&harness.app, &token).await.expect("a database").expect("open");
    for (used, created, lives) in [(29, 29, true), (32, 32, false), (1, 721, false)] {
        let now = harness.app.clock.utc();
        let minutes = |ago| now - TimeDelta::minutes(ago);
        let id = open.session.id;
        harness.put_session_back(id, minutes(created), minutes(used)).await;
        let found = session::find(&harness.app, &token).await.expect("a database");
        assert_eq!(found.is_some(), lives, "used {used} minutes ago");
    }
    harness.stop().await;
}

/// Sets how long sessions go on, in minutes.
async fn set_minutes(harness: &Harness, max_idle_time: i64, max_session_time: i64) {
    let session = SessionConfig { max_idle_time, max_session_time, remember_me: false };
    let (settings, now) = (AuthOrg { session, ..AuthOrg::default() }, harness.app.clock.utc());
    harness.write(move |tx| Box::pin(async move { auth_org::put(tx, &settings, now).await })).await;
}

#[tokio::test]
async fn a_session_goes_on_for_as_long_as_the_organisation_has_set_also_one_that_is_there_already() {
    let harness = start().await;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    let token = browser.cookies[SESSION].clone();
    let open = session::find(&harness.app, &token).await.expect("a database").expect("open");
    for (idle, longest, used, created, lives) in [
        (5, 60, 4, 4, true),
        (5, 60, 7, 7, false),
        (10, 60, 7, 7, true),
        (10, 60, 1, 61, false),
        (1440, 10080, 1200, 1200, true),
        (1440, 10080, 1, 10081, false),
    ] {
        let now = harness.app.clock.utc();
        harness.put_session_back(open.session.id, now, now).await;
        set_minutes(&harness, idle, longest).await;
        let minutes = |ago| now - TimeDelta::minutes(ago);
        harness.put_session_back(open.session.id, minutes(created), minutes(used)).await;
        let settings = SessionConfig { max_idle_time: idle, max_session_time: longest, remember_me: false };
        let listed = session::list(&harness.app, harness.world.abby, &settings).await.expect("a list");
        let found = session::find(&harness.app, &token).await.expect("a database");
        let told = format!("used {used} and begun {created} minutes ago, {idle} and {longest} minutes");
        assert_eq!((found.is_some(), listed.len() == 1), (lives, lives), "{told}");
    }
    // Nobody sits down before a browser that was left alone, because somebody else had longer ones set.
    set_minutes(&harness, 5, 60).await;
    let now = harness.app.clock.utc();
    harness.put_session_back(open.session.id, now, now - TimeDelta::minutes(7)).await;
    set_minutes(&harness, 1440, 10080).await;
    assert!(session::find(&harness.app, &token).await.expect("a database").is_none());
    harness.stop().await;
}

#[tokio::test]
async fn a_session_that_may_still_go_on_is_not_forgotten() {
    let mut harness = with_passwords(Harness::start_without_worker().await).await;
    set_minutes(&harness, 1440, 10080).await;
    let mut tokens = Vec::new();
    for days in [6, 8] {
        let mut browser = Browser::new(&harness);
        browser.come_in("Abby.Smith", PASSWORD, "/passwords").await;
        let token = browser.cookies[SESSION].clone();
        let open = session::find(&harness.app, &token).await.expect("a database").expect("open");
        let now = harness.app.clock.utc();
        harness.put_session_back(open.session.id, now - TimeDelta::days(days), now).await;
        tokens.push((token, open.session.id));
    }
    let [(token, young), (_, old)] = &tokens[..] else { panic!("two") };
    let (young, old) = (*young, *old);
    harness.start_worker().await;
    for _ in 0..400 {
        if !harness.read(move |tx| Box::pin(lockstep_store::session::is_open(tx, old))).await {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert!(!harness.read(move |tx| Box::pin(lockstep_store::session::is_open(tx, old))).await, "it is forgotten");
    assert!(harness.read(move |tx| Box::pin(lockstep_store::session::is_open(tx, young))).await);
    assert!(session::find(&harness.app, token).await.expect("a database").is_some());
    harness.stop().await;
}

#[tokio::test]
async fn of_two_requests_with_one_token_the_first_renews_it_and_the_second_is_told() {
    let harness = start().await;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    let token = &browser.cookies[SESSION];
    let mut both = Vec::new();
    for _ in 0..2 {
        both.push(session::find(&harness.app, token).await.expect("a database").expect("open"));
    }
    let mut answers = Vec::new();
    for open in &mut both {
        let password = Password::try_from(PASSWORD).expect("a password");
        let signed_in = sign_in(&harness.app, "Abby.Smith", password, Purpose::Proof).await;
        let signed_in = signed_in.expect("a database").expect("right");
        answers.push(session::prove(&harness.app, open, Proof::Password(Box::new(signed_in))).await);
    }
    assert!(matches!(answers[..], [Ok(Some(_)), Err(Error::Outdated)]), "{answers:?}");
    harness.stop().await;
}

#[tokio::test]
async fn a_form_of_another_session_or_from_elsewhere_is_not_taken() {
    let harness = start().await;
    let (mut abby, mut bea) = (Browser::new(&harness), Browser::new(&harness));
    let own = abby.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    let page = bea.come_in("Bea.Jones", PASSWORD, "/passwords").await;
    assert_eq!(abby.submit(&page, "/sign-out", &[]).await.status, 403, "another person's");
    assert_eq!(abby.visit("/passwords").await.status, 200);
    for origin in [vec![("origin", "https://evil.example.test".to_owned())], vec![]] {
        let honest = std::mem::replace(&mut abby.origin, origin);
        assert_eq!(abby.submit(&own, "/sign-out", &[]).await.status, 403);
        abby.origin = honest;
    }
    // Somebody else's page has no cookie to send, and must not have it taken away.
    let (page, mut elsewhere) = (abby.visit("/passwords").await, Browser::new(&harness));
    elsewhere.origin = vec![("origin", "https://evil.example.test".to_owned())];
    let refused = elsewhere.submit(&page, "/sign-out", &[]).await;
    assert_eq!((refused.status, refused.headers.get("set-cookie")), (403, None));
    let mut bare = own;
    bare.text = bare.text.replace("form_token", "other");
    assert_eq!(abby.submit(&bare, "/sign-out", &[]).await.status, 403, "without its token");
    harness.stop().await;
}

#[tokio::test]
async fn the_api_takes_no_cookie_and_a_page_no_token() {
    let harness = start().await;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    assert_eq!(browser.visit("/v2024/public-identities").await.status, 401);
    let token = harness.person_token(harness.world.abby).await;
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let page = http.get(harness.url("/passwords")).bearer_auth(token).send().await.expect("an answer");
    assert_eq!(page.status(), 303);
    harness.stop().await;
}
