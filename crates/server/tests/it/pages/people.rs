//! Helping others: who may, whom, and what they see.

use lockstep_core::id::IdentityId;
use lockstep_core::org_config::PasswordOrgConfig;
use lockstep_core::scope::UserLevel;
use lockstep_store::{identity, org_config};
use lockstep_vault::seal::Binding;
use lockstep_vault::totp::TotpSecret;

use super::{NEW, PASSWORD, application, start};
use crate::browser::{Browser, Page};
use crate::harness::Harness;
use crate::sign_in::{TRIES, set_password};

async fn make(harness: &Harness, whom: IdentityId, level: UserLevel) {
    let now = harness.app.clock.utc();
    harness.write(move |tx| Box::pin(async move { identity::set_levels(tx, whom, &[level].into(), now).await })).await;
}

async fn give_second_factor(harness: &Harness, whom: IdentityId) {
    let sealed = harness.app.vault.seal(&Binding::TotpSecret(whom), TotpSecret::draw().as_bytes());
    let now = harness.app.clock.utc();
    harness
        .write(move |tx| {
            let sealed = sealed.clone();
            Box::pin(async move {
                lockstep_store::second_factor::begin_totp(tx, whom, &sealed).await?;
                lockstep_store::second_factor::confirm_totp(tx, whom, now).await
            })
        })
        .await;
}

/// A server where Abby is somebody's help, Bea somebody who needs it, and Ada an administrator.
async fn with_help(level: UserLevel) -> Harness {
    let harness = start().await;
    set_password(&harness, harness.world.ada, PASSWORD, false).await;
    make(&harness, harness.world.abby, level).await;
    make(&harness, harness.world.ada, UserLevel::OrgAdmin).await;
    let now = harness.app.clock.utc();
    let config = PasswordOrgConfig { digit_token_enabled: true, ..Default::default() };
    harness.write(move |tx| Box::pin(async move { org_config::put(tx, &config, now).await })).await;
    harness
}

impl Browser<'_> {
    /// Sends a form of a person's page, whether or not the page shows it.
    async fn help(&mut self, whom: IdentityId, action: &str) -> Page {
        let (place, path) = (format!("/people/{whom}"), format!("/people/{whom}/{action}"));
        let mut page = self.visit(&place).await;
        page.text = page.text.replace(&format!("action=\"{place}/unlock\""), &format!("action=\"{path}\""));
        self.submit(&page, &path, &[]).await
    }
}

#[tokio::test]
async fn a_help_desk_finds_somebody_and_helps_them_to_a_new_password() {
    let harness = with_help(UserLevel::HelpDesk).await;
    let (bea, billing) = (harness.world.bea, harness.world.billing);
    application(&harness, "Invoices", billing).await;
    let mut theirs = Browser::new(&harness);
    theirs.come_in("Bea.Jones", PASSWORD, "/passwords").await;
    let mut desk = Browser::new(&harness);
    let page = desk.come_in("Abby.Smith", PASSWORD, "/people").await;
    assert!(page.text.contains(">People<"), "{}", page.text);
    for sought in ["bea", "BEA.JONES", " bea "] {
        let found = desk.visit(&format!("/people?q={}", sought.replace(' ', "+"))).await;
        assert!(found.text.contains("Bea Jones") && !found.text.contains("Ada"), "{sought}: {}", found.text);
    }
    for nothing in ["%22%20or%20alias%20pr", "ones", "%25", "%5C"] {
        let found = desk.visit(&format!("/people?q={nothing}")).await;
        assert!(found.status == 200 && found.text.contains("Nobody is found"), "{nothing}: {}", found.text);
    }

    let person = desk.visit(&format!("/people/{bea}")).await;
    for text in ["Bea Jones", "Billing", "Signed in in one place", "Not locked out here"] {
        assert!(person.text.replace(['\u{2068}', '\u{2069}'], "").contains(text), "{text}: {}", person.text);
    }
    assert!(!person.text.contains("type=\"password\""), "nobody chooses a password here");
    let drawn = desk.help(bea, "code").await;
    let digits = drawn.text.split("<code>").nth(1).and_then(|rest| rest.split('<').next()).expect("digits").to_owned();
    assert_eq!((drawn.status, digits.len()), (200, 6), "{}", drawn.text);
    assert_eq!(drawn.headers["cache-control"], "no-store");

    let mut browser = Browser::new(&harness);
    let page = browser.visit("/passwordreset").await;
    let page = browser.submit(&page, "/passwordreset", &[("user_name", "Bea.Jones"), ("code", &digits)]).await;
    let done = browser.submit(&page, "/passwordreset", &[("new_password", NEW), ("repeated", NEW)]).await;
    assert!(done.text.contains("Your password is set"), "{}", done.text);
    let person = desk.visit(&format!("/people/{bea}")).await;
    let link = person.text.split(&format!("/people/{bea}/changes/")).nth(1).and_then(|rest| rest.split('"').next());
    let change = desk.visit(&format!("/people/{bea}/changes/{}", link.expect("a change"))).await;
    assert!(change.text.contains("The password is changed"), "{}", change.text);
    harness.stop().await;
}

#[tokio::test]
async fn a_help_desk_lets_somebody_in_again_and_signs_them_out() {
    let harness = with_help(UserLevel::HelpDesk).await;
    let bea = harness.world.bea;
    let mut theirs = Browser::new(&harness);
    theirs.come_in("Bea.Jones", PASSWORD, "/passwords").await;
    let mut other = Browser::new(&harness);
    let page = other.visit("/sign-in").await;
    for _ in 0..TRIES {
        other.submit(&page, "/sign-in", &[("user_name", "Bea.Jones"), ("password", "wrong")]).await;
    }
    let right = [("user_name", "Bea.Jones"), ("password", PASSWORD)];
    assert_eq!(other.submit(&page, "/sign-in", &right).await.status, 400, "locked");
    let mut desk = Browser::new(&harness);
    desk.come_in("Abby.Smith", PASSWORD, "/people").await;
    assert!(desk.visit(&format!("/people/{bea}")).await.text.contains("Locked out after wrong tries"));
    assert_eq!(desk.help(bea, "unlock").await.sent_to(), format!("/people/{bea}"));
    assert_eq!(other.submit(&page, "/sign-in", &right).await.status, 303);
    desk.help(bea, "sessions").await.sent_to();
    for browser in [&mut theirs, &mut other] {
        assert_eq!(browser.visit("/passwords").await.sent_to(), "/sign-in?to=/passwords");
    }
    assert_eq!(desk.visit("/people").await.status, 200);
    harness.outdate_proofs().await;
    assert_eq!(
        desk.help(bea, "unlock").await.sent_to(),
        format!("/prove?to=/people/{bea}"),
        "who helps shows who they are"
    );
    harness.stop().await;
}

#[tokio::test]
async fn nobody_is_helped_by_whom_they_should_not_be() {
    let harness = with_help(UserLevel::HelpDesk).await;
    let (ada, bea) = (harness.world.ada, harness.world.bea);
    let mut plain = Browser::new(&harness);
    let page = plain.come_in("Bea.Jones", PASSWORD, "/passwords").await;
    assert!(!page.text.contains("/people"), "{}", page.text);
    for path in ["/people", "/people?q=ada", &format!("/people/{bea}"), &format!("/people/{ada}")] {
        assert_eq!(plain.visit(path).await.status, 404, "{path}");
    }
    give_second_factor(&harness, ada).await;
    let mut desk = Browser::new(&harness);
    desk.come_in("Abby.Smith", PASSWORD, "/people").await;
    for action in ["code", "unlock", "sessions"] {
        assert_eq!(desk.help(ada, action).await.status, 403, "{action} for an administrator");
    }
    // Without the second factor, a code would make a help desk anybody.
    give_second_factor(&harness, bea).await;
    let person = desk.visit(&format!("/people/{bea}")).await;
    assert!(person.text.contains("A second factor is asked for") && !person.text.contains("Remove the second"));
    assert_eq!(desk.help(bea, "second-factor").await.status, 404);
    // Nor does it go on guessing.
    let mut theirs = Browser::new(&harness);
    let page = theirs.visit("/sign-in").await;
    let half = theirs.submit(&page, "/sign-in", &[("user_name", "Bea.Jones"), ("password", PASSWORD)]).await;
    for _ in 0..=TRIES {
        theirs.submit(&half, "/sign-in", &[("second", "000000")]).await;
    }
    desk.help(bea, "unlock").await.sent_to();
    assert!(desk.visit(&format!("/people/{bea}")).await.text.contains("an ORG_ADMIN unlocks it"));
    harness.stop().await;

    let harness = with_help(UserLevel::OrgAdmin).await;
    let bea = harness.world.bea;
    give_second_factor(&harness, bea).await;
    let mut admin = Browser::new(&harness);
    admin.come_in("Abby.Smith", PASSWORD, "/people").await;
    admin.help(bea, "second-factor").await.sent_to();
    assert!(!admin.visit(&format!("/people/{bea}")).await.text.contains("A second factor is asked for"));
    let mut theirs = Browser::new(&harness);
    assert_eq!(theirs.come_in("Bea.Jones", PASSWORD, "/passwords").await.status, 200);
    assert!(harness.audited().await.contains(&"SECOND_FACTOR_REMOVED".to_owned()));
    harness.stop().await;
}

#[tokio::test]
async fn what_fails_is_listed_with_its_reason_and_tried_at_once_for_whoever_asks() {
    let harness = with_help(UserLevel::HelpDesk).await;
    let (bea, billing) = (harness.world.bea, harness.world.billing);
    application(&harness, "Invoices", billing).await;
    // The table is away for a while.
    let (table, away) = (harness.file("billing.db"), harness.file("away.db"));
    std::fs::rename(&table, &away).expect("moved");
    let mut theirs = Browser::new(&harness);
    theirs.come_in("Bea.Jones", PASSWORD, "/passwords").await;
    let asked = theirs.change(billing, &[("new_password", NEW), ("repeated", NEW)]).await.sent_to();
    let id = asked.rsplit('/').next().expect("an id").to_owned();
    let mut desk = Browser::new(&harness);
    desk.come_in("Abby.Smith", PASSWORD, "/people").await;
    let retry = format!("/people/{bea}/retry");
    let page = loop {
        let page = desk.visit("/people").await;
        if page.text.contains(&retry) {
            break page;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert!(page.text.contains("Billing") && page.text.contains("Bea Jones"), "{}", page.text);
    std::fs::rename(&away, &table).expect("moved back");
    let watched = desk.submit(&page, &retry, &[]).await.sent_to();
    assert_eq!(watched, format!("/people/{bea}/changes/{id}"));
    harness.settled().await;
    assert!(desk.visit(&watched).await.text.contains("The password is changed"));
    assert!(!desk.visit("/people").await.text.contains(&retry));
    assert!(harness.audited().await.contains(&"DELIVERY_RETRIED".to_owned()));
    // Whoever helps nobody sees nothing of it.
    assert_eq!(theirs.visit("/people").await.status, 404);
    harness.stop().await;
}
