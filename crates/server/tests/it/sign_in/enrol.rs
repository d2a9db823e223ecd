//! A person who has a code sets their first password.

use chrono::TimeDelta;
use lockstep::app::enrol::{invite, link};
use lockstep_core::client::ClientKind;
use lockstep_store::enrolment;
use lockstep_vault::hash::HashPurpose;

use super::Portal;
use crate::browser::{Browser, Page};
use crate::harness::Harness;

const GOOD: &str = "Quiet-Lantern-Over-Harbour-42";

async fn attempt(harness: &Harness, code: &str, password: &str, repeated: &str) -> Page {
    let mut browser = Browser::new(harness);
    let page = browser.get(&harness.url("/enrol")).await;
    assert_eq!(page.status, 200);
    let filled = [("code", code), ("new_password", password), ("repeated", repeated)];
    browser.submit(&page, "/enrol", &filled).await
}

#[tokio::test]
async fn a_code_sets_a_password_once_and_then_the_person_signs_in() {
    let harness = Harness::start().await;
    let portal = Portal::make(&harness, ClientKind::Public).await;
    let first = invite(&harness.app, "bea.jones").await.expect("a code");
    let code = invite(&harness.app, "Bea.Jones").await.expect("a code");
    let link = link(&harness.app, &code);
    let expected = format!("{}/enrol#{}", harness.app.config.public_url(), code.expose());
    assert_eq!(link.expose(), expected);
    let code = code.expose();

    for (code, password, repeated) in [
        (first.expose(), GOOD, GOOD),
        ("", GOOD, GOOD),
        ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", GOOD, GOOD),
        (code, GOOD, "another"),
        (code, "", ""),
        (code, "short", "short"),
        (code, &"long-".repeat(60), &"long-".repeat(60)),
    ] {
        let page = attempt(&harness, code, password, repeated).await;
        assert_eq!(page.status, 400, "{password}");
        assert!(page.text.contains("role=\"alert\"") && !page.text.contains(GOOD), "{}", page.text);
    }
    let page = attempt(&harness, code, GOOD, GOOD).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert_eq!(attempt(&harness, code, GOOD, GOOD).await.status, 400, "a code works once");
    let given = Browser::new(&harness).sign_in(&portal, "Bea.Jones", GOOD).await;
    portal.exchange(&harness, &given).await.with_status(200);
    harness.stop().await;
}

#[tokio::test]
async fn a_code_that_is_over_or_a_disabled_persons_is_good_for_nothing() {
    let harness = Harness::start().await;
    assert!(invite(&harness.app, "Dora.Gone").await.is_err());
    assert!(invite(&harness.app, "Nobody").await.is_err());
    let code = invite(&harness.app, "Bea.Jones").await.expect("a code");
    let hash = harness.app.vault.keyed_hash(HashPurpose::Enrolment, code.expose().as_bytes());
    let (bea, now) = (harness.world.bea, harness.app.clock.utc());
    let (_, expires_at) =
        harness.read(move |tx| Box::pin(async move { enrolment::find(tx, &hash).await })).await.expect("kept");
    assert!(expires_at <= now + TimeDelta::hours(24));
    harness.write(move |tx| Box::pin(async move { enrolment::put(tx, bea, &hash, now).await })).await;
    assert_eq!(attempt(&harness, code.expose(), GOOD, GOOD).await.status, 400);
    harness.stop().await;
}

#[tokio::test]
async fn the_page_has_one_script_of_ours_and_the_form_is_not_taken_from_elsewhere() {
    let harness = Harness::start_without_worker().await;
    let mut browser = Browser::new(&harness);
    let page = browser.get(&harness.url("/enrol")).await;
    let policy = page.headers["content-security-policy"].to_str().expect("text");
    assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.text.matches("<script").count(), 1);
    browser.origin = vec![("origin", "https://evil.example".to_owned())];
    assert_eq!(browser.submit(&page, "/enrol", &[("code", "x")]).await.status, 403);
    for (path, kind) in [("/assets/lockstep.css", "text/css"), ("/assets/enrol.js", "text/javascript")] {
        let asset = browser.get(&harness.url(path)).await;
        assert!(asset.headers["content-type"].to_str().expect("text").starts_with(kind), "{path}");
    }
    harness.stop().await;
}
