//! A forgotten password: with the help desk's code a new one is set, once, by whom it was given to.

mod interleaved;

use lockstep::app::sign_in::{Purpose, sign_in};
use lockstep_core::id::{IdentityId, PasswordPolicyId};
use lockstep_core::org_config::PasswordOrgConfig;
use lockstep_core::password::Password;
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_store::{org_config, password_policy, sign_in_password};
use serde_json::json;

use super::{NEW, PASSWORD, start};
use crate::browser::{Browser, Page};
use crate::harness::{Answer, Harness};

const SESSION: &str = "__Host-lockstep-session";
const PATH: &str = "/passwordreset";
const WRONG: &str = "Check the user name and the code";

/// A server whose help desk draws codes, and a token of the help desk's.
async fn with_codes() -> (Harness, String) {
    let harness = start().await;
    let now = harness.app.clock.utc();
    let config = PasswordOrgConfig { digit_token_enabled: true, ..Default::default() };
    harness.write(move |tx| Box::pin(async move { org_config::put(tx, &config, now).await })).await;
    let token = harness.client_token("idn:password-digit-token:create").await;
    (harness, token)
}

/// What the help desk reads to somebody.
async fn draw(harness: &Harness, token: &str, alias: &str) -> String {
    let post = harness.http.post(harness.url("/v2024/generate-password-reset-token/digit"));
    let post = post.bearer_auth(token).header("X-SailPoint-Experimental", "true").json(&json!({ "userId": alias }));
    let drawn = Answer::of(post).await.with_status(200);
    drawn["digitToken"].as_str().expect("digits").to_owned()
}

/// Shows a code.
async fn show(browser: &mut Browser<'_>, alias: &str, code: &str) -> Page {
    let page = browser.visit(PATH).await;
    browser.submit(&page, PATH, &[("user_name", alias), ("code", code)]).await
}

/// Sends a new password from the page that asks for one.
async fn set(browser: &mut Browser<'_>, page: &Page, password: &str) -> Page {
    browser.submit(page, PATH, &[("new_password", password), ("repeated", password)]).await
}

/// Whether somebody signs in with this. A wrong try is forgotten again, so that it locks nobody.
async fn signs_in(harness: &Harness, identity: IdentityId, alias: &str, password: &str) -> bool {
    let password = Password::try_from(password).expect("a password");
    let right = sign_in(&harness.app, alias, password, Purpose::Proof).await.expect("a database").is_some();
    harness.write(move |tx| Box::pin(sign_in_password::unlock(tx, identity))).await;
    right
}

#[tokio::test]
async fn with_the_help_desks_code_a_new_password_is_set_and_nobody_is_signed_in() {
    let (harness, desk) = with_codes().await;
    let mut signed_in = Browser::new(&harness);
    signed_in.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    let code = draw(&harness, &desk, "Abby.Smith").await;
    let mut browser = Browser::new(&harness);
    // As people write down what is read to them.
    let spelled = format!(" {} {} ", &code[..3], &code[3..]);
    let page = show(&mut browser, "abby.smith", &spelled).await;
    assert!(page.status == 200 && page.text.contains("name=\"new_password\""), "{}", page.text);
    for (password, why) in [("short", "does not keep every rule"), ("", "at least one character")] {
        let refused = set(&mut browser, &page, password).await;
        assert!(refused.status == 400 && refused.text.contains(why), "{}", refused.text);
    }
    let before = browser.cookies.clone();
    let done = set(&mut browser, &page, NEW).await;
    assert!(done.text.contains("Your password is set"), "{}", done.text);
    assert!(!browser.cookies.contains_key(SESSION), "nobody is signed in by it");
    signed_in.visit("/passwords").await.sent_to();
    browser.cookies = before;
    let again = set(&mut browser, &page, "Another-Good-Password-77").await;
    assert_eq!(again.status, 409, "{}", again.text);
    assert!(show(&mut browser, "Abby.Smith", &code).await.text.contains(WRONG), "a code works once");
    let audited = harness.audited().await;
    for action in ["DIGIT_TOKEN_VERIFICATION_PASSED", "DIGIT_TOKEN_VERIFICATION_FAILED", "forgotPasswordChange"] {
        assert!(audited.contains(&action.to_owned()), "{action} {audited:?}");
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_password_that_is_refused_late_does_not_use_the_code_up() {
    let (harness, desk) = with_codes().await;
    let now = harness.app.clock.utc();
    // What is compared with older passwords shows only when it is carried out.
    harness
        .write(move |tx| {
            Box::pin(async move {
                let found = password_policy::find(tx, PasswordPolicyId::DEFAULT).await?.expect("the Default policy");
                password_policy::put(tx, &PasswordPolicy { history: 3, ..found }, now).await
            })
        })
        .await;
    let mut browser = Browser::new(&harness);
    for (old, new) in [(None, NEW), (Some(NEW), "Another-Good-Password-77")] {
        let code = draw(&harness, &desk, "Abby.Smith").await;
        let mut page = show(&mut browser, "Abby.Smith", &code).await;
        if let Some(old) = old {
            let changed = set(&mut browser, &page, "Yet-Another-Good-Password-5").await;
            assert!(changed.text.contains("Your password is set"), "{}", changed.text);
            let code = draw(&harness, &desk, "Abby.Smith").await;
            page = show(&mut browser, "Abby.Smith", &code).await;
            page = set(&mut browser, &page, old).await;
            assert!(page.status == 400 && page.text.contains("name=\"new_password\""), "{}", page.text);
        }
        let done = set(&mut browser, &page, new).await;
        assert!(done.text.contains("Your password is set"), "{}", done.text);
    }
    harness.stop().await;
}

#[tokio::test]
async fn five_wrong_tries_void_a_code_and_everybody_reads_the_same() {
    let (harness, desk) = with_codes().await;
    let code = draw(&harness, &desk, "Abby.Smith").await;
    let wrong = if code == "123456" { "654321" } else { "123456" };
    let mut seen = std::collections::BTreeSet::new();
    let mut tries = vec![("Nobody", wrong), ("Bea.Jones", wrong), ("Dora.Gone", wrong), ("Abby.Smith", "")];
    tries.extend([("Abby.Smith", wrong); 4]);
    tries.push(("Abby.Smith", &code));
    for (alias, code) in tries {
        let mut browser = Browser::new(&harness);
        let page = browser.visit(PATH).await;
        let token = page.hidden(PATH).into_iter().find(|(name, _)| name == "form_token").expect("one").1;
        let refused = browser.submit(&page, PATH, &[("user_name", alias), ("code", code)]).await;
        let text = refused.text.replace(&token, "").replace(&format!("value=\"{alias}\""), "");
        seen.insert((refused.status, text));
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
    harness.stop().await;
}

#[tokio::test]
async fn a_code_and_what_it_began_die_with_the_password_and_with_their_time() {
    let (harness, desk) = with_codes().await;
    let (abby, now) = (harness.world.abby, harness.app.clock.utc());
    let mut browser = Browser::new(&harness);
    let code = draw(&harness, &desk, "Abby.Smith").await;
    let page = show(&mut browser, "Abby.Smith", &code).await;
    let later = draw(&harness, &desk, "Abby.Smith").await;
    // Somebody set the password meanwhile.
    harness.write(move |tx| Box::pin(lockstep_store::identity::end_tokens(tx, abby, None, now))).await;
    assert_eq!(set(&mut browser, &page, NEW).await.status, 409);
    assert!(show(&mut browser, "Abby.Smith", &later).await.text.contains(WRONG));

    let code = draw(&harness, &desk, "Abby.Smith").await;
    let page = show(&mut browser, "Abby.Smith", &code).await;
    harness.put_recoveries_back(lockstep_core::recovery::LIFE).await;
    assert_eq!(set(&mut browser, &page, NEW).await.status, 409);
    assert!(signs_in(&harness, abby, "Abby.Smith", PASSWORD).await, "nothing was changed");
    harness.stop().await;
}
