//! Passkeys: making one, coming in with it, and what is no passkey of this server.

use lockstep_core::client::ClientKind;
use lockstep_core::identity::Identity;
use lockstep_store::identity;
use lockstep_vault::secret::draw_id;

use super::{NEW, PASSWORD, draw_code, start, start_named};
use crate::authenticator::{Authenticator, Says};
use crate::browser::{Browser, Page};
use crate::harness::Harness;
use crate::sign_in::Portal;

const SESSION: &str = "__Host-lockstep-session";

/// What is made false of the truth.
type Lie = fn(&mut Says);

fn truth() -> Says {
    Says::truth("http://localhost", "localhost")
}

/// Makes a passkey of whoever is signed in. Gives what was shown then.
async fn make(browser: &mut Browser<'_>) -> (Authenticator, Page) {
    let page = browser.visit("/security/passkey").await;
    assert_eq!(page.status, 200, "{}", page.text);
    let (made, sent) = Authenticator::make(&page.asks("data-make"), truth());
    let shown = browser.submit(&page, "/security/passkey", &[("passkey", &sent)]).await;
    (made, shown)
}

async fn come_in<'a>(harness: &'a Harness, alias: &str) -> Browser<'a> {
    let mut browser = Browser::new(harness);
    browser.come_in(alias, PASSWORD, "/security").await;
    browser
}

/// Shows a passkey on the sign-in page.
async fn enter(browser: &mut Browser<'_>, authenticator: &mut Authenticator) -> Page {
    let page = browser.visit("/sign-in").await;
    let sent = authenticator.show(&page.asks("data-ask"));
    browser.submit(&page, "/sign-in", &[("user_name", ""), ("password", ""), ("passkey", &sent)]).await
}

#[tokio::test]
async fn a_passkey_signs_in_alone_and_each_answer_once() {
    let harness = start_named().await;
    let (mut abby, mut elsewhere) = (come_in(&harness, "Abby.Smith").await, come_in(&harness, "Abby.Smith").await);
    let (mut telephone, shown) = make(&mut abby).await;
    assert_eq!(shown.text.matches("<li><code>").count(), 10, "{}", shown.text);
    elsewhere.visit("/passwords").await.sent_to();

    let (mut browser, mut thief) = (Browser::new(&harness), Browser::new(&harness));
    let page = browser.visit("/sign-in").await;
    let sent = telephone.show(&page.asks("data-ask"));
    let same = |user_name| [("user_name", user_name), ("password", ""), ("passkey", sent.as_str())];
    let page_of_thief = thief.visit("/sign-in").await;
    assert_eq!(thief.submit(&page_of_thief, "/sign-in", &same("")).await.status, 400, "it is another browser's");
    // Whatever stands in the form besides.
    assert_eq!(browser.submit(&page, "/sign-in", &same("Bea.Jones")).await.sent_to(), "/passwords");
    let page = browser.visit("/passwords").await;
    assert!(page.text.contains("Abby"), "{}", page.text);
    browser.cookies.remove(SESSION);
    let again = browser.visit("/sign-in").await;
    assert_eq!(browser.submit(&again, "/sign-in", &same("")).await.status, 400, "it was another question");

    // The same question and answer twice, from the browser that was asked.
    let mut browser = Browser::new(&harness);
    let page = browser.visit("/sign-in").await;
    let (kept, sent) = (browser.cookies.clone(), telephone.show(&page.asks("data-ask")));
    let filled = [("user_name", ""), ("password", ""), ("passkey", sent.as_str())];
    browser.submit(&page, "/sign-in", &filled).await.sent_to();
    browser.cookies = kept;
    assert_eq!(browser.submit(&page, "/sign-in", &filled).await.status, 400, "an answer is good once");
    assert!(harness.audited().await.contains(&"AUTHENTICATION-240".to_owned()));
    harness.stop().await;
}

#[tokio::test]
async fn what_was_signed_for_another_page_or_by_another_key_lets_nobody_in() {
    let harness = start_named().await;
    let (mut telephone, _) = make(&mut come_in(&harness, "Abby.Smith").await).await;
    let (mut other, _) = make(&mut come_in(&harness, "Bea.Jones").await).await;
    let lies: [(&str, Lie); 5] = [
        ("of another origin", |says| says.origin = "https://localhost.evil.example.test".to_owned()),
        ("for another server", |says| says.host = "evil.example.test".to_owned()),
        ("without verifying who it is", |says| says.verified = false),
        ("within somebody else's page", |says| says.cross_origin = true),
        ("that makes a passkey", |says| says.kind = "webauthn.create"),
    ];
    for (what, lie) in lies {
        lie(&mut telephone.says);
        let mut browser = Browser::new(&harness);
        assert_eq!(enter(&mut browser, &mut telephone).await.status, 400, "{what}");
        assert!(!browser.cookies.contains_key(SESSION), "{what}");
        telephone.says = truth();
    }
    // Bea's passkey that says it is Abby's, and a key that says it is Abby's passkey.
    other.claims_to_be(harness.world.abby.0.as_bytes());
    assert_eq!(enter(&mut Browser::new(&harness), &mut other).await.status, 400);
    let asked = serde_json::json!({ "user": { "id": "AAAAAAAAAAAAAAAAAAAAAA" }, "challenge": "AA" });
    let (mut forged, _) = Authenticator::make(&asked, truth());
    forged.takes_the_name_of(&telephone);
    assert_eq!(enter(&mut Browser::new(&harness), &mut forged).await.status, 400);
    // It has signed twice, and its copy once.
    telephone.counter += 1;
    enter(&mut Browser::new(&harness), &mut telephone).await.sent_to();
    telephone.counter -= 1;
    assert_eq!(enter(&mut Browser::new(&harness), &mut telephone).await.status, 400, "there are two of it");
    for nonsense in ["x", "{}", "[]", "null"] {
        let mut browser = Browser::new(&harness);
        let page = browser.visit("/sign-in").await;
        assert_eq!(browser.submit(&page, "/sign-in", &[("passkey", nonsense)]).await.status, 400, "{nonsense}");
    }
    let (abby, now) = (harness.world.abby, harness.app.clock.utc());
    harness
        .write(move |tx| {
            Box::pin(async move {
                let abby = identity::get(tx, abby).await?;
                identity::put(tx, &Identity { enabled: false, ..abby }, now).await
            })
        })
        .await;
    telephone.counter += 5;
    assert_eq!(enter(&mut Browser::new(&harness), &mut telephone).await.status, 400, "whoever is disabled");
    harness.stop().await;
}

#[tokio::test]
async fn whoever_has_a_passkey_is_asked_for_it_after_the_password() {
    let harness = start_named().await;
    let mut abby = come_in(&harness, "Abby.Smith").await;
    let (mut telephone, shown) = make(&mut abby).await;
    let (mut other, _) = make(&mut come_in(&harness, "Bea.Jones").await).await;
    let recovery_code = shown.text.split("<li><code>").nth(1).and_then(|rest| rest.split('<').next()).expect("a code");

    let half = async |browser: &mut Browser<'_>| {
        let page = browser.visit("/sign-in").await;
        let half = browser.submit(&page, "/sign-in", &[("user_name", "Abby.Smith"), ("password", PASSWORD)]).await;
        assert!(half.text.contains("Recovery code") && !browser.cookies.contains_key(SESSION), "{}", half.text);
        half
    };
    let mut browser = Browser::new(&harness);
    let page = half(&mut browser).await;
    let asked = page.asks("data-ask");
    assert_eq!(asked["allowCredentials"][0]["id"], telephone.credential());
    for wrong in [other.show(&asked), "x".to_owned()] {
        let refused = browser.submit(&page, "/sign-in", &[("passkey", &wrong)]).await;
        assert_eq!((refused.status, browser.cookies.contains_key(SESSION)), (400, false), "{}", refused.text);
    }
    let sent = telephone.show(&asked);
    assert_eq!(browser.submit(&page, "/sign-in", &[("passkey", &sent)]).await.sent_to(), "/passwords");
    let mut browser = Browser::new(&harness);
    let page = half(&mut browser).await;
    browser.submit(&page, "/sign-in", &[("second", recovery_code)]).await.sent_to();

    // Showing it once more.
    harness.outdate_proofs().await;
    let to = abby.visit("/security/passkey").await.sent_to();
    let page = abby.visit(&to).await;
    let wrong = other.show(&page.asks("data-ask"));
    assert_eq!(abby.submit(&page, "/prove", &[("passkey", &wrong)]).await.status, 400);
    let sent = telephone.show(&page.asks("data-ask"));
    assert_eq!(abby.submit(&page, "/prove", &[("passkey", &sent)]).await.sent_to(), "/security/passkey");

    // Taking it away: the password is enough again, and the recovery codes are gone with it.
    let page = abby.visit("/security").await;
    let gone = abby.submit(&page, "/security/passkey/remove", &[]).await;
    assert_eq!(gone.sent_to(), "/security");
    let page = abby.visit("/security").await;
    assert!(!page.text.contains("/security/recovery-codes"), "{}", page.text);
    come_in(&harness, "Abby.Smith").await;
    assert_eq!(enter(&mut Browser::new(&harness), &mut telephone).await.status, 400, "it is gone");
    harness.stop().await;
}

#[tokio::test]
async fn a_new_passkey_is_taken_once_and_only_as_it_was_asked_for() {
    let harness = start_named().await;
    let mut abby = come_in(&harness, "Abby.Smith").await;
    let page = abby.visit("/security/passkey").await;
    let asked = page.asks("data-make");
    assert_eq!((&asked["rp"]["id"], &asked["user"]["name"]), (&"localhost".into(), &"Abby.Smith".into()));
    let lies: [Lie; 3] = [
        |says| says.origin = "http://localhost:81".to_owned(),
        |says| says.host = "example.test".to_owned(),
        |says| says.verified = false,
    ];
    for lie in lies {
        let mut says = truth();
        lie(&mut says);
        let (_, sent) = Authenticator::make(&asked, says);
        let refused = abby.submit(&page, "/security/passkey", &[("passkey", &sent)]).await;
        assert_eq!((refused.status, refused.alert().is_some()), (400, true), "{}", refused.text);
    }
    let (mut telephone, sent) = Authenticator::make(&asked, truth());
    assert_eq!(abby.submit(&page, "/security/passkey", &[("passkey", &sent)]).await.status, 200);
    assert_eq!(abby.submit(&page, "/security/passkey", &[("passkey", &sent)]).await.status, 400, "once");
    // Nobody else gets it.
    let mut bea = come_in(&harness, "Bea.Jones").await;
    let theirs = bea.visit("/security/passkey").await;
    assert_eq!(bea.submit(&theirs, "/security/passkey", &[("passkey", &sent)]).await.status, 400);
    enter(&mut Browser::new(&harness), &mut telephone).await.sent_to();
    // A second one draws no new recovery codes, and is told not to be made on the same device.
    let page = abby.visit("/security/passkey").await;
    assert_eq!(page.asks("data-make")["excludeCredentials"][0]["id"], telephone.credential());
    let (_, shown) = make(&mut abby).await;
    assert_eq!(shown.sent_to(), "/security");
    let another = format!("{}", draw_id().simple());
    let page = abby.visit("/security").await;
    let forged = Page { text: page.text.replace("name=\"passkey\" value=\"", "name=\"other\" value=\""), ..page };
    abby.submit(&forged, "/security/passkey/remove", &[("passkey", &another)]).await.sent_to();
    assert_eq!(
        abby.visit("/security").await.text.matches("/security/passkey/remove").count(),
        2,
        "nobody's is removed"
    );
    harness.stop().await;
}

#[tokio::test]
async fn at_a_client_and_for_a_forgotten_password_a_passkey_is_shown_too() {
    let harness = start_named().await;
    let mut abby = come_in(&harness, "Abby.Smith").await;
    let (mut telephone, _) = make(&mut abby).await;
    let portal = Portal::make(&harness, ClientKind::Confidential).await;
    let mut browser = Browser::new(&harness);
    let page = browser.open(&portal.asks()).await;
    // What was signed for one form is nothing in another of the same browser.
    let other = browser.visit("/sign-in").await;
    let sent = telephone.show(&other.asks("data-ask"));
    let refused = browser.submit(&page, "/oauth/authorize", &[("passkey", &sent)]).await;
    assert_eq!((refused.status, refused.returned("code")), (400, None), "{}", refused.text);
    assert!(refused.alert().is_some_and(|why| why.contains("stood open for too long")), "{}", refused.text);
    let sent = telephone.show(&refused.asks("data-ask"));
    assert!(browser.submit(&refused, "/oauth/authorize", &[("passkey", &sent)]).await.returned("code").is_some());

    let code = draw_code(&harness, "Abby.Smith").await;
    let mut browser = Browser::new(&harness);
    let page = browser.visit("/passwordreset").await;
    let page = browser.submit(&page, "/passwordreset", &[("user_name", "Abby.Smith"), ("code", &code)]).await;
    assert!(!page.text.contains("name=\"new_password\""), "{}", page.text);
    let asked = page.asks("data-ask");
    let refused = browser.submit(&page, "/passwordreset", &[("passkey", "{}")]).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    let sent = telephone.show(&asked);
    let page = browser.submit(&page, "/passwordreset", &[("passkey", &sent)]).await;
    let done = browser.submit(&page, "/passwordreset", &[("new_password", NEW), ("repeated", NEW)]).await;
    assert!(done.text.contains("Your password is set"), "{}", done.text);
    harness.stop().await;
}

#[tokio::test]
async fn at_an_address_without_a_name_there_are_none() {
    let harness = start().await;
    let mut abby = come_in(&harness, "Abby.Smith").await;
    assert!(!abby.visit("/security").await.text.contains("/security/passkey"));
    assert_eq!(abby.visit("/security/passkey").await.sent_to(), "/security");
    assert!(!Browser::new(&harness).visit("/sign-in").await.text.contains("data-ask"));
    harness.stop().await;
}
