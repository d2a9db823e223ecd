//! A second factor: setting it up, being asked for it, and doing without the device.

use std::time::Duration;

use chrono::TimeDelta;
use lockstep_core::client::ClientKind;
use lockstep_vault::totp::TotpSecret;

use super::{NEW, PASSWORD, lock_after, start};
use crate::browser::{Browser, Page};
use crate::harness::Harness;
use crate::sign_in::{Portal, TRIES};

const SESSION: &str = "__Host-lockstep-session";

/// What Abby's telephone and her paper have.
pub(super) struct Kept {
    secret: TotpSecret,
    recovery_codes: Vec<String>,
}

impl Kept {
    /// The code of now, or of so many steps later: each works once.
    fn code(&self, harness: &Harness, steps_later: i64) -> String {
        let at = harness.app.clock.utc() + TimeDelta::seconds(30 * steps_later);
        self.secret.code_at(at).expect("a code")
    }
}

/// What stands between two texts, each time.
fn between<'a>(page: &'a Page, before: &str, after: &str) -> Vec<&'a str> {
    page.text.split(before).skip(1).filter_map(|rest| rest.split(after).next()).collect()
}

/// Base32 as the page shows it.
fn decoded(key: &str) -> TotpSecret {
    let letters = key.bytes().filter(u8::is_ascii_alphanumeric);
    let bits = letters.flat_map(|letter| {
        let value = if letter.is_ascii_digit() { letter - b'2' + 26 } else { letter - b'A' };
        (0..5).rev().map(move |bit| value >> bit & 1)
    });
    let bits: Vec<u8> = bits.collect();
    let bytes: Vec<u8> = bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | bit)).collect();
    TotpSecret::from_bytes(&bytes).expect("20 bytes")
}

/// Sets a second factor up, with the code of the step before.
pub(super) async fn set_up(browser: &mut Browser<'_>) -> Kept {
    let page = browser.visit("/security").await;
    let begun = browser.submit(&page, "/security/totp", &[]).await;
    let page = browser.visit(&begun.sent_to()).await;
    let secret = decoded(between(&page, "<p class=\"key\"><code>", "<")[0]);
    for wrong in ["", "000000", "1234567"] {
        let refused = browser.submit(&page, "/security/totp/confirm", &[("second", wrong)]).await;
        assert_eq!((refused.status, refused.alert().is_some()), (400, true), "{}", refused.text);
    }
    let mut kept = Kept { secret, recovery_codes: Vec::new() };
    let code = kept.code(browser.harness, -1);
    let shown = browser.submit(&page, "/security/totp/confirm", &[("second", &code)]).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    kept.recovery_codes = between(&shown, "<li><code>", "<").into_iter().map(str::to_owned).collect();
    assert_eq!(kept.recovery_codes.len(), 10);
    kept
}

/// Sends the password, and then what is asked for besides.
async fn sign_in(browser: &mut Browser<'_>, second: &str) -> Page {
    let page = browser.visit("/sign-in").await;
    let half = browser.submit(&page, "/sign-in", &[("user_name", "Abby.Smith"), ("password", PASSWORD)]).await;
    assert_eq!(half.status, 200, "{}", half.text);
    assert!(half.text.contains("name=\"second\"") && !half.text.contains("name=\"password\""), "{}", half.text);
    assert!(!browser.cookies.contains_key(SESSION), "nobody is signed in yet");
    browser.submit(&half, "/sign-in", &[("second", second)]).await
}

#[tokio::test]
async fn whoever_has_a_second_factor_shows_it_and_each_code_works_once() {
    let harness = start().await;
    let (mut abby, mut elsewhere) = (Browser::new(&harness), Browser::new(&harness));
    for browser in [&mut abby, &mut elsewhere] {
        browser.come_in("Abby.Smith", PASSWORD, "/security").await;
    }
    let kept = set_up(&mut abby).await;
    assert!(abby.visit("/security").await.text.contains("10\u{2069} recovery codes are left"));
    elsewhere.visit("/passwords").await.sent_to();

    let mut browser = Browser::new(&harness);
    let used = kept.code(&harness, -1);
    let refused = sign_in(&mut browser, &used).await;
    assert_eq!((refused.status, browser.cookies.contains_key(SESSION)), (400, false), "it was used to set it up");
    let now = kept.code(&harness, 0);
    let came = browser.submit(&refused, "/sign-in", &[("second", &now)]).await;
    assert_eq!(came.sent_to(), "/passwords");
    assert_eq!(browser.visit("/passwords").await.status, 200);
    let again = Browser::new(&harness).submit_elsewhere(&browser, &refused, &now).await;
    assert_ne!(again.status, 303, "half an entry is good for one");
    assert_eq!(sign_in(&mut Browser::new(&harness), &now).await.status, 400, "a code is good for one");

    // A recovery code, as somebody types it; it is gone then.
    let typed = kept.recovery_codes[3].to_uppercase().replace('-', " ");
    assert_eq!(sign_in(&mut Browser::new(&harness), &typed).await.sent_to(), "/passwords");
    assert_eq!(sign_in(&mut Browser::new(&harness), &typed).await.status, 400);
    assert!(abby.visit("/security").await.text.contains("9\u{2069} recovery codes are left"));
    for action in ["SECOND_FACTOR_ADDED", "RECOVERY_CODE_USED", "MFA_VERIFICATION_FAILED"] {
        assert!(harness.audited().await.contains(&action.to_owned()), "{action}");
    }
    harness.stop().await;
}

#[tokio::test]
async fn at_a_client_the_second_factor_is_asked_for_too() {
    let harness = start().await;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/security").await;
    let kept = set_up(&mut browser).await;
    let portal = Portal::make(&harness, ClientKind::Confidential).await;
    let mut browser = Browser::new(&harness);
    let page = browser.open(&portal.asks()).await;
    let filled = [("user_name", "Abby.Smith"), ("password", PASSWORD)];
    let half = browser.submit(&page, "/oauth/authorize", &filled).await;
    assert_eq!((half.status, half.returned("code")), (200, None), "{}", half.text);
    let wrong = browser.submit(&half, "/oauth/authorize", &[("second", "000000")]).await;
    assert_eq!((wrong.status, wrong.returned("code")), (400, None), "{}", wrong.text);
    let code = kept.code(&harness, 0);
    let sent = browser.submit(&wrong, "/oauth/authorize", &[("second", &code)]).await;
    assert!(sent.returned("code").is_some(), "{}", sent.text);
    harness.stop().await;
}

#[tokio::test]
async fn guessing_the_second_factor_locks_it_and_the_right_password_does_not_help() {
    let harness = start().await;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/security").await;
    let kept = set_up(&mut browser).await;
    for _ in 0..TRIES {
        assert_eq!(sign_in(&mut Browser::new(&harness), "000000").await.status, 400);
    }
    let code = kept.code(&harness, 0);
    assert_eq!(sign_in(&mut Browser::new(&harness), &code).await.status, 400, "locked for a while");
    assert_eq!(sign_in(&mut Browser::new(&harness), &kept.recovery_codes[0]).await.status, 400, "whatever it is");
    assert!(harness.audited().await.contains(&"AUTHENTICATION-245".to_owned()));
    // With more tries, what there was does not lock.
    lock_after(&harness, TRIES + 1).await;
    assert_eq!(sign_in(&mut Browser::new(&harness), &code).await.status, 303);
    lock_after(&harness, 2).await;
    for wrong in ["000000", "000000", &kept.recovery_codes[0]] {
        assert_eq!(sign_in(&mut Browser::new(&harness), wrong).await.status, 400, "two lock");
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_password_does_not_take_the_second_factor_away() {
    let harness = start().await;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/security").await;
    let kept = set_up(&mut browser).await;
    let page = browser.visit("/security").await;
    harness.outdate_proofs().await;
    for path in ["/security/totp/remove", "/security/recovery-codes"] {
        assert_eq!(browser.submit(&page, path, &[]).await.sent_to(), "/prove?to=/security", "{path}");
    }
    let form = browser.visit("/prove?to=/security").await;
    assert!(!form.text.contains("name=\"current\""), "{}", form.text);
    for wrong in [[("current", PASSWORD)], [("second", PASSWORD)], [("second", "")]] {
        assert_eq!(browser.submit(&form, "/prove", &wrong).await.status, 400, "{wrong:?}");
    }
    let code = kept.code(&harness, 1);
    assert_eq!(browser.submit(&form, "/prove", &[("second", &code)]).await.sent_to(), "/security");

    let page = browser.visit("/security").await;
    let renewed = browser.submit(&page, "/security/recovery-codes", &[]).await;
    let fresh = between(&renewed, "<li><code>", "<")[0].to_owned();
    assert_eq!(
        sign_in(&mut Browser::new(&harness), &kept.recovery_codes[0]).await.status,
        400,
        "those before are dead"
    );
    assert_eq!(sign_in(&mut Browser::new(&harness), &fresh).await.sent_to(), "/passwords");

    let page = browser.visit("/security").await;
    assert_eq!(browser.submit(&page, "/security/totp/remove", &[]).await.sent_to(), "/security");
    let mut plain = Browser::new(&harness);
    assert_eq!(plain.come_in("Abby.Smith", PASSWORD, "/passwords").await.status, 200, "the password is enough again");
    harness.stop().await;
}

#[tokio::test]
async fn half_an_entry_ends_with_the_password_that_it_began_with() {
    let harness = start().await;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/security").await;
    let kept = set_up(&mut browser).await;
    let mut halfway = Browser::new(&harness);
    let page = halfway.visit("/sign-in").await;
    let half = halfway.submit(&page, "/sign-in", &[("user_name", "Abby.Smith"), ("password", PASSWORD)]).await;
    let built_in = lockstep_core::id::SourceId::IDENTITY_NOW;
    browser.change(built_in, &[("new_password", NEW), ("repeated", NEW)]).await.sent_to();
    harness.settled().await;
    let code = kept.code(&harness, 0);
    assert_eq!(halfway.submit(&half, "/sign-in", &[("second", &code)]).await.status, 400);
    assert!(!halfway.cookies.contains_key(SESSION));
    harness.stop().await;
}

#[tokio::test]
async fn whoever_took_too_long_begins_again_and_a_removed_factor_is_not_asked_for() {
    let harness = start().await;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/security").await;
    let kept = set_up(&mut browser).await;
    let mut late = Browser::new(&harness);
    let page = late.visit("/sign-in").await;
    let filled = [("user_name", "Abby.Smith"), ("password", PASSWORD)];
    let half = late.submit(&page, "/sign-in", &filled).await;
    harness.put_half_sessions_back(lockstep_core::session::FRESH).await;
    let over = late.submit(&half, "/sign-in", &[("second", &kept.code(&harness, 0))]).await;
    assert!(over.text.contains("took too long") && over.text.contains("name=\"password\""), "{}", over.text);

    let half = late.submit(&page, "/sign-in", &filled).await;
    let page = browser.visit("/security").await;
    browser.submit(&page, "/security/totp/remove", &[]).await.sent_to();
    let refused = late.submit(&half, "/sign-in", &[("second", "")]).await;
    assert_eq!(refused.status, 400, "whoever else was coming in has to begin again: {}", refused.text);
    assert!(!late.cookies.contains_key(SESSION));
    harness.stop().await;
}

#[tokio::test]
async fn a_person_sees_where_they_are_signed_in_and_signs_out_there() {
    let harness = start().await;
    let mut browsers = Vec::new();
    for _ in 0..3 {
        let mut browser = Browser::new(&harness);
        browser.come_in("Abby.Smith", PASSWORD, "/security").await;
        browsers.push(browser);
        // The list is in the order of time.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut bea = Browser::new(&harness);
    bea.come_in("Bea.Jones", PASSWORD, "/security").await;
    let page = browsers[0].visit("/security").await;
    let others: Vec<String> =
        between(&page, "name=\"session\" value=\"", "\"").into_iter().map(str::to_owned).collect();
    assert_eq!((others.len(), page.text.matches("this browser").count()), (2, 1), "{}", page.text);

    // Nobody ends another person's.
    let own = bea.visit("/security").await;
    assert_eq!(bea.submit_bare(&own, "/security/sessions", &[("session", &others[0])]).await.sent_to(), "/security");
    assert_eq!(browsers[2].visit("/passwords").await.status, 200);

    let ended = browsers[0].submit_bare(&page, "/security/sessions", &[("session", &others[0])]).await;
    assert_eq!(ended.sent_to(), "/security");
    browsers[2].visit("/passwords").await.sent_to();
    assert_eq!(browsers[1].visit("/passwords").await.status, 200);
    browsers[0].submit_bare(&page, "/security/sessions", &[]).await.sent_to();
    browsers[1].visit("/passwords").await.sent_to();
    assert_eq!(browsers[0].visit("/passwords").await.status, 200);
    assert_eq!(bea.visit("/passwords").await.status, 200);
    harness.stop().await;
}

impl Browser<'_> {
    /// Sends somebody else's form of the second step from here.
    async fn submit_elsewhere(&mut self, other: &Browser<'_>, page: &Page, second: &str) -> Page {
        self.cookies = other.cookies.clone();
        self.cookies.remove(SESSION);
        self.submit(page, "/sign-in", &[("second", second)]).await
    }

    /// Sends a form to this address that has nothing hidden in it but the token of the page's forms.
    pub(super) async fn submit_bare(&mut self, page: &Page, path: &str, filled: &[(&str, &str)]) -> Page {
        let token =
            page.hidden("/security/totp").into_iter().find(|(name, _)| name == "form_token").expect("a token").1;
        let text = format!("action=\"{path}\"><input type=\"hidden\" name=\"form_token\" value=\"{token}\"></form>");
        let bare = Page { status: page.status, headers: page.headers.clone(), text };
        self.submit(&bare, path, filled).await
    }
}
