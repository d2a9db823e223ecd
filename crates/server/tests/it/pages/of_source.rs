//! People who sign in with the password of a source: it is asked, and nobody else; while it is away, nobody's try counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use lockstep::app::apply::{self, Reference};
use lockstep::app::session;
use lockstep::app::sign_in::{Purpose, sign_in};
use lockstep_core::account::Account;
use lockstep_core::client::ClientKind;
use lockstep_core::id::{IdentityId, SourceId};
use lockstep_core::identity::Identity;
use lockstep_core::password::Password;
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_core::scope::UserLevel;
use lockstep_core::session::Origin;
use lockstep_core::source::{Feature, Source};
use lockstep_store::{account, identity, password_policy, source};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{NEW, PASSWORD, draw_code, lock_after, start};
use crate::browser::{Browser, Page};
use crate::harness::{FIRST_PASSWORD, Harness};
use crate::sign_in::{Portal, TRIES, set_password};
use crate::system::directory::{Directory, dn};

const SESSION: &str = "__Host-lockstep-session";

/// A server where Abby signs in with Billing's password, and Bea with the built-in one.
async fn with_billing() -> Harness {
    let harness = start().await;
    change_source(&harness, |source| _ = source.features.insert(Feature::Authenticate)).await;
    signs_in_with(&harness, harness.world.abby, harness.world.billing).await;
    harness
}

async fn change_source(harness: &Harness, change: fn(&mut Source)) {
    let (billing, now) = (harness.world.billing, harness.app.clock.utc());
    harness
        .write(move |tx| {
            Box::pin(async move {
                let mut row = source::find(tx, billing).await?.expect("Billing");
                change(&mut row);
                source::put(tx, &row, now).await
            })
        })
        .await;
}

async fn signs_in_with(harness: &Harness, whom: IdentityId, source: SourceId) {
    let now = harness.app.clock.utc();
    harness
        .write(move |tx| {
            Box::pin(async move {
                let person = identity::get(tx, whom).await?;
                identity::put(tx, &Identity { sign_in_source: source, ..person }, now).await
            })
        })
        .await;
}

async fn attempt(browser: &mut Browser<'_>, alias: &str, password: &str) -> Page {
    let page = browser.visit("/sign-in").await;
    browser.submit(&page, "/sign-in", &[("user_name", alias), ("password", password)]).await
}

#[tokio::test]
async fn the_source_knows_the_password_and_the_built_in_one_is_nobodys() {
    let harness = with_billing().await;
    let mut browser = Browser::new(&harness);
    let refused = attempt(&mut browser, "Abby.Smith", PASSWORD).await;
    assert_eq!((refused.status, browser.cookies.contains_key(SESSION)), (400, false), "{}", refused.text);
    assert_eq!(attempt(&mut browser, "abby.smith", FIRST_PASSWORD).await.sent_to(), "/passwords");
    assert_eq!(attempt(&mut Browser::new(&harness), "Bea.Jones", PASSWORD).await.sent_to(), "/passwords");
    let refused = attempt(&mut Browser::new(&harness), "Bea.Jones", FIRST_PASSWORD).await;
    assert_eq!(refused.status, 400, "what Billing knows of Bea is not what she signs in with");
    for action in ["AUTHENTICATION-100", "AUTHENTICATION-240"] {
        assert!(harness.audited().await.contains(&action.to_owned()), "{action}");
    }

    // Showing once more who one is, and at a client.
    harness.outdate_proofs().await;
    let to = browser.visit("/security/totp").await.sent_to();
    let page = browser.visit(&to).await;
    assert_eq!(browser.submit(&page, "/prove", &[("current", PASSWORD)]).await.status, 400);
    assert_eq!(browser.submit(&page, "/prove", &[("current", FIRST_PASSWORD)]).await.sent_to(), "/security/totp");
    let portal = Portal::make(&harness, ClientKind::Confidential).await;
    let mut elsewhere = Browser::new(&harness);
    let page = elsewhere.open(&portal.asks()).await;
    let filled = [("user_name", "Abby.Smith"), ("password", FIRST_PASSWORD)];
    assert!(elsewhere.submit(&page, "/oauth/authorize", &filled).await.returned("code").is_some());

    // Nobody signs in with a source that is not for that any more, or that is no longer theirs.
    change_source(&harness, |source| source.features = BTreeSet::from([Feature::Password])).await;
    assert_eq!(attempt(&mut Browser::new(&harness), "Abby.Smith", FIRST_PASSWORD).await.status, 400);
    harness.stop().await;
}

#[tokio::test]
async fn wrong_passwords_lock_and_a_source_that_is_away_is_told_and_counts_for_nothing() {
    let harness = with_billing().await;
    change_source(&harness, |source| source.config["url"] = json!("sqlite:/nowhere/at-all.db")).await;
    let mut browser = Browser::new(&harness);
    for _ in 0..=TRIES {
        let told = attempt(&mut browser, "Abby.Smith", FIRST_PASSWORD).await;
        assert_eq!(told.status, 503, "{}", told.text);
        assert!(told.alert().is_some_and(|why| why.contains("cannot be asked at the moment")), "{}", told.text);
    }
    let refused = attempt(&mut browser, "Nobody", FIRST_PASSWORD).await;
    assert_eq!(refused.status, 400);
    // As it was: from the harness's own folder.
    let (billing, url) = (harness.world.billing, format!("sqlite:{}", harness.file("billing.db").display()));
    let now = harness.app.clock.utc();
    harness
        .write(move |tx| {
            let url = url.clone();
            Box::pin(async move {
                let mut row = source::find(tx, billing).await?.expect("Billing");
                row.config["url"] = Value::String(url);
                source::put(tx, &row, now).await
            })
        })
        .await;
    assert_eq!(attempt(&mut browser, "Abby.Smith", FIRST_PASSWORD).await.sent_to(), "/passwords");

    let mut browser = Browser::new(&harness);
    for _ in 0..TRIES {
        assert_eq!(attempt(&mut browser, "Abby.Smith", "wrong").await.status, 400);
    }
    assert_eq!(attempt(&mut browser, "Abby.Smith", FIRST_PASSWORD).await.status, 400, "locked");
    assert!(harness.audited().await.contains(&"AUTHENTICATION-245".to_owned()));
    // The help desk sees it, and lets her in.
    let (bea, now) = (harness.world.bea, harness.app.clock.utc());
    let level = BTreeSet::from([UserLevel::HelpDesk]);
    harness
        .write(move |tx| {
            let level = level.clone();
            Box::pin(async move { identity::set_levels(tx, bea, &level, now).await })
        })
        .await;
    let mut desk = Browser::new(&harness);
    let place = format!("/people/{}", harness.world.abby);
    let page = desk.come_in("Bea.Jones", PASSWORD, &place).await;
    assert!(page.text.contains("Locked"), "{}", page.text);
    desk.submit(&page, &format!("{place}/unlock"), &[]).await.sent_to();
    assert_eq!(attempt(&mut browser, "Abby.Smith", FIRST_PASSWORD).await.sent_to(), "/passwords");

    // With fewer tries fewer lock, and with more again what there was does not.
    lock_after(&harness, 2).await;
    let mut browser = Browser::new(&harness);
    for password in ["wrong", "wrong", FIRST_PASSWORD] {
        assert_eq!(attempt(&mut browser, "Abby.Smith", password).await.status, 400);
    }
    lock_after(&harness, TRIES).await;
    assert!(!desk.visit(&place).await.text.contains("Locked"));
    assert_eq!(attempt(&mut browser, "Abby.Smith", FIRST_PASSWORD).await.sent_to(), "/passwords");
    harness.stop().await;
}

/// Judged, and then something else happens before it counts.
#[tokio::test]
async fn a_right_password_is_worth_nothing_once_it_or_what_it_is_for_was_changed() {
    let harness = with_billing().await;
    let (abby, billing, now) = (harness.world.abby, harness.world.billing, harness.app.clock.utc());
    let judged = async || {
        let password = Password::try_from(FIRST_PASSWORD).expect("a password");
        sign_in(&harness.app, "Abby.Smith", password, Purpose::Session).await.expect("asked").expect("right")
    };
    let comes_in = async |signed_in| {
        session::begin(&harness.app, signed_in, Origin::default()).await.expect("a database").is_some()
    };
    assert!(comes_in(judged().await).await);
    let proof = judged().await;
    harness.write(move |tx| Box::pin(async move { identity::end_tokens(tx, abby, None, now).await })).await;
    assert!(!comes_in(proof).await, "the password was changed meanwhile");
    assert!(comes_in(judged().await).await);
    let proof = judged().await;
    change_source(&harness, |source| _ = source.features.remove(&Feature::Authenticate)).await;
    assert!(!comes_in(proof).await, "the source signs nobody in any more");
    change_source(&harness, |source| _ = source.features.insert(Feature::Authenticate)).await;
    let proof = judged().await;
    signs_in_with(&harness, abby, SourceId::IDENTITY_NOW).await;
    assert!(!comes_in(proof).await, "it is not what she signs in with");
    signs_in_with(&harness, abby, billing).await;
    let proof = judged().await;
    harness
        .write(move |tx| {
            Box::pin(async move {
                let own = account::list_of(tx, abby).await?.into_iter().find(|own| own.source == billing);
                let gone = Account { vanished: true, ..own.expect("an account") };
                account::put(tx, &gone, &gone.native_id, now).await
            })
        })
        .await;
    assert!(!comes_in(proof).await, "the account is gone");
    harness.stop().await;
}

/// With two accounts there, the one of one's own name is the one.
#[tokio::test]
async fn of_two_accounts_the_one_that_is_called_like_the_person_signs_in_and_is_set_anew() {
    let harness = with_billing().await;
    let (abby, twins, now) = (harness.world.abby, harness.world.twins, harness.app.clock.utc());
    harness
        .write(move |tx| {
            Box::pin(async move {
                let mut row = source::find(tx, twins).await?.expect("Twins");
                row.features.insert(Feature::Authenticate);
                source::put(tx, &row, now).await
            })
        })
        .await;
    signs_in_with(&harness, abby, twins).await;
    assert_eq!(attempt(&mut Browser::new(&harness), "Abby.Smith", FIRST_PASSWORD).await.status, 400, "which?");
    harness
        .write(move |tx| {
            Box::pin(async move {
                let own = account::list_of(tx, abby).await?.into_iter().find(|own| own.native_id == "abby2");
                let named = Account { name: "ABBY.SMITH".to_owned(), ..own.expect("an account") };
                account::put(tx, &named, &named.native_id, now).await
            })
        })
        .await;
    let mut signed_in = Browser::new(&harness);
    signed_in.come_in("Abby.Smith", FIRST_PASSWORD, "/passwords").await;
    let code = draw_code(&harness, "Abby.Smith").await;
    let mut browser = Browser::new(&harness);
    let page = browser.visit("/passwordreset").await;
    let page = browser.submit(&page, "/passwordreset", &[("user_name", "Abby.Smith"), ("code", &code)]).await;
    let done = browser.submit(&page, "/passwordreset", &[("new_password", NEW), ("repeated", NEW)]).await;
    assert!(done.text.contains("Your password is set"), "{}", done.text);
    assert!(harness.signs_in("twins.db", "abby2", NEW).await);
    assert!(harness.signs_in("twins.db", "abby1", FIRST_PASSWORD).await, "the other is left alone");
    signed_in.visit("/passwords").await.sent_to();
    harness.stop().await;
}

#[tokio::test]
async fn a_new_password_of_the_source_is_the_one_here_and_ends_the_other_sessions() {
    let harness = with_billing().await;
    let (mut abby, mut elsewhere) = (Browser::new(&harness), Browser::new(&harness));
    for browser in [&mut abby, &mut elsewhere] {
        browser.come_in("Abby.Smith", FIRST_PASSWORD, "/passwords").await;
    }
    let page = abby.visit("/passwords").await;
    assert!(page.text.contains("Everyday") && page.text.contains("Signing in here"), "{}", page.text);
    let billing = harness.world.billing;
    let asked = abby.change(billing, &[("new_password", NEW), ("repeated", NEW)]).await.sent_to();
    harness.settled().await;
    assert_eq!(abby.visit(&asked).await.status, 200, "it was asked for in this session");
    elsewhere.visit("/passwords").await.sent_to();
    assert_eq!(attempt(&mut elsewhere, "Abby.Smith", FIRST_PASSWORD).await.status, 400);
    assert_eq!(attempt(&mut elsewhere, "Abby.Smith", NEW).await.sent_to(), "/passwords");

    // Forgotten, it is set anew where it is.
    let code = draw_code(&harness, "Abby.Smith").await;
    let mut browser = Browser::new(&harness);
    let page = browser.visit("/passwordreset").await;
    let page = browser.submit(&page, "/passwordreset", &[("user_name", "Abby.Smith"), ("code", &code)]).await;
    let filled = [("new_password", "Another-Good-Password-77"), ("repeated", "Another-Good-Password-77")];
    let done = browser.submit(&page, "/passwordreset", &filled).await;
    assert!(done.text.contains("Your password is set"), "{}", done.text);
    abby.visit("/passwords").await.sent_to();
    let came = attempt(&mut Browser::new(&harness), "Abby.Smith", "Another-Good-Password-77").await;
    assert_eq!(came.sent_to(), "/passwords");
    harness.stop().await;
}

const GIVEN: &str = "Given-By-An-Administrator-9";

/// A server where somebody signs in with the password of a directory.
async fn with_directory(history: u8) -> (Harness, Directory) {
    let (harness, directory) = (start().await, Directory::own().await);
    directory.forget_histories().await;
    let text = format!(
        "[[password-policy]]\nname = \"Kept\"\nhistory = {history}\n\
         [[source]]\nname = \"Directory\"\nconnector = \"ldap\"\npolicies = [{{ policy = \"Kept\" }}]\nsecrets = {{ password = {{ env = \"IT\" }} }}\n\
         [source.config]\nurl = \"{url}\"\nallow_plain = true\nbind_dn = \"cn=svc,dc=example,dc=test\"\n\
         [[application]]\nname = \"Mail\"\nsource = \"Directory\"\n\
         [[identity]]\nalias = \"user00009\"\nsign-in-source = \"Directory\"\n\
         [[identity.account]]\nsource = \"Directory\"\nnative-id = \"{dn}\"\n",
        url = directory.plain(),
        dn = dn(9),
    );
    let wanted = toml::from_str(&text).expect("a file");
    let follow = Arc::new(|_: &Reference| Ok(Zeroizing::new(b"svcsecret".to_vec())));
    apply::apply(&harness.app, Arc::new(wanted), follow).await.expect("applied");
    (harness, directory)
}

#[tokio::test]
async fn a_password_that_must_be_changed_at_its_source_leads_to_a_new_one_unless_it_came_from_here() {
    for history in [0, 3] {
        leads_to_a_new_one(history).await;
    }
}

async fn leads_to_a_new_one(history: u8) {
    let (harness, mut directory) = with_directory(history).await;
    directory.reset([9], GIVEN).await;
    let came = attempt(&mut Browser::new(&harness), "user00009", GIVEN).await;
    assert_eq!(came.sent_to(), "/passwords");

    directory.must_change(9).await;
    let source = harness.read(|tx| Box::pin(source::find_by_name(tx, "Directory"))).await.expect("applied").id;
    let (change, mut browser) = (format!("/passwords/{source}"), Browser::new(&harness));
    assert_eq!(attempt(&mut browser, "user00009", "Another-Password-9").await.status, 400, "a wrong one is wrong");
    attempt(&mut browser, "user00009", GIVEN).await.sent_to();
    assert_eq!(browser.visit("/passwords").await.sent_to(), change);
    let portal = Portal::make(&harness, ClientKind::Confidential).await;
    let mut client = Browser::new(&harness);
    let page = client.open(&portal.asks()).await;
    let filled = [("user_name", "user00009"), ("password", GIVEN)];
    assert_eq!(client.submit(&page, "/oauth/authorize", &filled).await.returned("code"), None);

    let same = browser.change(source, &[("new_password", GIVEN), ("repeated", GIVEN)]).await;
    assert_eq!((same.status, same.alert().is_some()), (400, true), "it is no new one: {}", same.text);
    let watched = browser.change(source, &[("new_password", NEW), ("repeated", NEW)]).await.sent_to();
    harness.settled().await;
    assert!(browser.visit(&watched).await.text.contains("Your password is changed"));
    assert_eq!(browser.visit("/passwords").await.status, 200);

    // Some directories want another one after every write that is not its person's own, and so after ours.
    directory.must_change(9).await;
    let mut again = Browser::new(&harness);
    attempt(&mut again, "user00009", NEW).await.sent_to();
    assert_eq!(again.visit("/passwords").await.status, 200);
    directory.reset([9], GIVEN).await;
    directory.must_change(9).await;
    let mut again = Browser::new(&harness);
    attempt(&mut again, "user00009", GIVEN).await.sent_to();
    // Without a history nobody knows which it is, before the directory says that it was changed.
    match history {
        0 => assert_eq!(again.visit("/passwords").await.status, 200),
        _ => assert_eq!(again.visit("/passwords").await.sent_to(), change),
    }
    harness.stop().await;
    directory.stop().await;
}

#[tokio::test]
async fn whoever_cannot_change_it_here_comes_in_with_a_password_that_its_source_wants_changed() {
    let (harness, mut directory) = with_directory(3).await;
    directory.reset([9], GIVEN).await;
    directory.must_change(9).await;
    let now = harness.app.clock.utc();
    harness
        .write(move |tx| {
            Box::pin(async move {
                let mut row = source::find_by_name(tx, "Directory").await?.expect("applied");
                row.features = BTreeSet::from([Feature::Authenticate]);
                source::put(tx, &row, now).await
            })
        })
        .await;
    let mut browser = Browser::new(&harness);
    attempt(&mut browser, "user00009", GIVEN).await.sent_to();
    assert_eq!(browser.visit("/passwords").await.status, 200);
    harness.stop().await;
    directory.stop().await;
}

#[tokio::test]
async fn what_was_chosen_here_is_not_reset_whatever_became_of_the_history() {
    let (harness, mut directory) = with_directory(3).await;
    directory.reset([9, 10], GIVEN).await;
    let text = format!(
        "[[identity]]\nalias = \"user00009\"\n\
         [[identity.account]]\nsource = \"Directory\"\nnative-id = \"{}\"\nname = \"other\"\n",
        dn(10)
    );
    let wanted = toml::from_str(&text).expect("a file");
    let follow = Arc::new(|_: &Reference| Ok(Zeroizing::new(b"svcsecret".to_vec())));
    apply::apply(&harness.app, Arc::new(wanted), follow).await.expect("applied");
    let source = harness.read(|tx| Box::pin(source::find_by_name(tx, "Directory"))).await.expect("applied").id;
    let mut browser = Browser::new(&harness);
    browser.come_in("user00009", GIVEN, "/passwords").await;
    for (account, password) in [(dn(9), NEW), (dn(10), "Of-The-Other-Account-77")] {
        let filled = [("account", account.as_str()), ("new_password", password), ("repeated", password)];
        browser.change(source, &filled).await.sent_to();
        harness.settled().await;
    }
    let comes_in = async |password: &str| {
        directory.must_change(9).await;
        let mut again = Browser::new(&harness);
        attempt(&mut again, "user00009", password).await.sent_to();
        assert_eq!(again.visit("/passwords").await.status, 200, "{password} was chosen here");
    };
    comes_in(NEW).await;

    // A history that is kept no more is that of older passwords.
    let now = harness.app.clock.utc();
    harness
        .write(move |tx| {
            Box::pin(async move {
                let all = password_policy::list(tx).await?;
                let kept = all.into_iter().find(|policy| policy.name == "Kept").expect("applied");
                password_policy::put(tx, &PasswordPolicy { history: 0, ..kept }, now).await
            })
        })
        .await;
    let (account, next) = (dn(9), "Chosen-Without-A-History-9");
    let filled = [("account", account.as_str()), ("new_password", next), ("repeated", next)];
    browser.change(source, &filled).await.sent_to();
    harness.settled().await;
    comes_in(next).await;
    harness.stop().await;
    directory.stop().await;
}

#[tokio::test]
async fn the_built_in_password_that_must_be_changed_is_no_new_one() {
    let harness = start().await;
    set_password(&harness, harness.world.abby, PASSWORD, true).await;
    let mut browser = Browser::new(&harness);
    attempt(&mut browser, "Abby.Smith", PASSWORD).await.sent_to();
    let same = browser.change(SourceId::IDENTITY_NOW, &[("new_password", PASSWORD), ("repeated", PASSWORD)]).await;
    assert_eq!((same.status, same.alert().is_some()), (400, true), "{}", same.text);
    browser.change(SourceId::IDENTITY_NOW, &[("new_password", NEW), ("repeated", NEW)]).await.sent_to();
    harness.settled().await;
    assert_eq!(browser.visit("/passwords").await.status, 200);
    harness.stop().await;
}
