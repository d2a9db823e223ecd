//! Seeing one's passwords, changing one, and watching where it arrives.

use std::time::Duration;

use chrono::TimeDelta;
use lockstep_core::account::Account;
use lockstep_core::application::Application;
use lockstep_core::client::ClientKind;
use lockstep_core::id::{AccountId, ApplicationId, SourceId};
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_core::source::Source;
use lockstep_store::sign_in_password::{self, SignInPassword};
use lockstep_store::{account, password_policy, password_set, source};
use lockstep_vault::secret::draw_id;
use serde_json::{Value, json};

use super::{NEW, PASSWORD, application, start};
use crate::browser::Browser;
use crate::harness::{FIRST_PASSWORD, Harness};
use crate::sign_in::{Portal, TRIES, set_password};

#[tokio::test]
async fn a_person_sees_what_shares_a_password_and_nothing_of_others() {
    let harness = start().await;
    application(&harness, "Invoices <b>", harness.world.billing).await;
    application(&harness, "Lonely", harness.world.lone).await;
    application(&harness, "First twin", harness.world.twins).await;
    application(&harness, "Second twin", harness.world.twins).await;
    application(&harness, "Nobody is here", harness.world.empty).await;
    let mut browser = Browser::new(&harness);
    let page = browser.come_in("Abby.Smith", PASSWORD, "/passwords").await.text;
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text:?} is not in {page}"));
    let order =
        ["Password groups", "Everyday", "Invoices &#60;b&#62;", "Payroll", "Applications with one account", "Twins"];
    assert!(order.map(place).is_sorted(), "{page}");
    assert!(place("Second twin") < place("Lonely") && page.contains("Signing in here"), "{page}");
    assert!(!page.contains("Nobody is here") && !page.contains("Archive"), "{page}");
    assert_eq!(page.matches("Not changed here yet").count(), 4, "{page}");

    let bea = Browser::new(&harness).come_in("Bea.Jones", PASSWORD, "/passwords").await.text;
    assert!(bea.contains("Everyday") && !bea.contains("Payroll") && !bea.contains("Lonely"), "{bea}");
    harness.stop().await;
}

#[tokio::test]
async fn a_change_reaches_everything_that_shares_the_password_and_the_page_says_so() {
    let harness = start().await;
    application(&harness, "Invoices", harness.world.billing).await;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    let billing = harness.world.billing;
    let form = browser.visit(&format!("/passwords/{billing}")).await.text;
    for text in ["Invoices", "Payroll", "has at least 8 characters", "has at least one letter"] {
        let form = form.replace(['\u{2068}', '\u{2069}'], "");
        assert!(form.contains(text), "{text:?} is not in {form}");
    }
    assert!(!form.contains("name=\"current\""), "who has just signed in is not asked again: {form}");

    for (password, repeated, why) in [
        (NEW, "another", "not the same"),
        ("", "", "at least one character"),
        ("1234567", "1234567", "does not keep every rule"),
        (&*"long-".repeat(60), &*"long-".repeat(60), "longer than 245 bytes"),
    ] {
        let refused = browser.change(billing, &[("new_password", password), ("repeated", repeated)]).await;
        assert_eq!(refused.status, 400);
        assert!(refused.text.contains("role=\"alert\"") && refused.text.contains(why), "{}", refused.text);
    }
    assert!(harness.signs_in("billing.db", "abby", FIRST_PASSWORD).await, "nothing was changed");

    let changed = browser.change(billing, &[("new_password", NEW), ("repeated", NEW)]).await;
    let watched = changed.sent_to();
    harness.settled().await;
    let page = browser.visit(&watched).await;
    assert!(page.text.contains("Your password is changed") && !page.text.contains("http-equiv"), "{}", page.text);
    assert_eq!(page.text.matches("is changed</span>").count(), 2, "{}", page.text);
    for file in ["billing.db", "payroll.db"] {
        assert!(harness.signs_in(file, "abby", NEW).await, "{file}");
    }
    assert!(harness.signs_in("lone.db", "abby", FIRST_PASSWORD).await);
    let list = browser.visit("/passwords").await.text;
    let today = harness.app.clock.utc().format("%Y-%m-%d").to_string();
    assert!(list.contains(&today), "{list}");

    // One that went away from the page finds it again.
    let changes = browser.visit("/passwords/changes").await.text;
    assert!(changes.contains(&format!("href=\"{watched}\"")) && changes.contains("Everyday"), "{changes}");

    // What became of it is nobody else's.
    let mut other = Browser::new(&harness);
    other.come_in("Bea.Jones", PASSWORD, "/passwords").await;
    assert_eq!(other.visit(&watched).await.status, 404);
    let none = other.visit("/passwords/changes").await.text;
    assert!(none.contains("There is none yet") && !none.contains("Everyday"), "{none}");
    assert_eq!(other.visit("/passwords/changes/2c918086749d78830174a1a40e121518").await.status, 404);
    assert_eq!(other.visit(&format!("/passwords/{}", harness.world.lone)).await.status, 404);
    harness.stop().await;
}

#[tokio::test]
async fn which_rules_a_password_keeps_is_told_while_it_is_written() {
    let harness = start().await;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    let path = format!("/passwords/{}", harness.world.billing);
    let mut form = browser.visit(&path).await;
    // The script sends the token of the form that it stands beside.
    form.text = form.text.replace(&format!("action=\"{path}\""), &format!("action=\"{path}/check\""));
    for (password, kept, strength, told) in [
        ("1234567", json!([false, false]), json!(1), "2 rules are not kept."),
        ("12345678", json!([true, false]), json!(1), "One rule is not kept."),
        (NEW, json!([true, true]), json!(4), "All rules are kept."),
        ("a\nb", json!([null, null]), json!(null), "A password has at least one character"),
    ] {
        let answer = browser.submit(&form, &format!("{path}/check"), &[("new_password", password)]).await;
        let said: Value = serde_json::from_str(&answer.text).expect("JSON");
        assert_eq!(said["kept"], kept, "{password}");
        assert_eq!(said["strength"][0], strength, "{password}");
        let text = said["told"].as_str().expect("a sentence").replace(['\u{2068}', '\u{2069}'], "");
        assert!(text.starts_with(told), "{text}");
    }
    browser.origin = vec![("origin", "https://evil.example.test".to_owned())];
    assert_eq!(browser.submit(&form, &format!("{path}/check"), &[("new_password", NEW)]).await.status, 403);
    assert!(harness.signs_in("billing.db", "abby", FIRST_PASSWORD).await, "nothing was changed");
    harness.stop().await;
}

#[tokio::test]
async fn a_password_that_is_made_up_keeps_the_rules_and_is_another_each_time() {
    let harness = start().await;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    let (path, billing) = (format!("/passwords/{}", harness.world.billing), harness.world.billing);
    let mut form = browser.visit(&path).await;
    form.text = form.text.replace(&format!("action=\"{path}\""), &format!("action=\"{path}/suggest\""));
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let answer = browser.submit(&form, &format!("{path}/suggest"), &[]).await;
        assert_eq!(answer.headers["cache-control"], "no-store");
        let said: Value = serde_json::from_str(&answer.text).expect("JSON");
        seen.insert(said["password"].as_str().expect("a password").to_owned());
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
    let made_up = seen.first().expect("one");
    browser.change(billing, &[("new_password", made_up), ("repeated", made_up)]).await.sent_to();
    harness.settled().await;
    assert!(harness.signs_in("billing.db", "abby", made_up).await);
    harness.stop().await;
}

#[tokio::test]
async fn of_several_accounts_one_is_chosen() {
    let harness = start().await;
    application(&harness, "First twin", harness.world.twins).await;
    let twins = harness.world.twins;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    let form = browser.visit(&format!("/passwords/{twins}")).await.text;
    assert_eq!(form.matches("type=\"radio\"").count(), 2, "{form}");
    let filled = [("account", "abby2"), ("new_password", NEW), ("repeated", NEW)];
    browser.change(twins, &filled).await.sent_to();
    harness.settled().await;
    assert!(harness.signs_in("twins.db", "abby2", NEW).await);
    assert!(harness.signs_in("twins.db", "abby1", FIRST_PASSWORD).await);
    for account in ["", "bea", "abby3"] {
        let filled = [
            ("account", account),
            ("new_password", "Another-Good-Password-7"),
            ("repeated", "Another-Good-Password-7"),
        ];
        let refused = browser.change(twins, &filled).await;
        assert_eq!(refused.status, 400, "{account:?}");
        assert!(refused.text.contains("Choose the account"), "{}", refused.text);
    }
    harness.stop().await;
}

#[tokio::test]
async fn an_account_that_takes_no_part_in_its_group_is_left_alone() {
    let harness = start().await;
    let (billing, abby, now) = (harness.world.billing, harness.world.abby, harness.app.clock.utc());
    harness
        .write(move |tx| {
            Box::pin(async move {
                let all = account::list_of(tx, abby).await?;
                let own = all.into_iter().find(|own| own.source == billing).expect("there");
                let mut privileged = own;
                privileged.id = lockstep_core::id::AccountId(lockstep_vault::secret::draw_id());
                (privileged.native_id, privileged.stable_id) = ("adm-abby".to_owned(), "adm-abby".to_owned());
                privileged.password_sync = false;
                account::put(tx, &privileged, "adm-abby", now).await
            })
        })
        .await;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    // Payroll has one account, so it names the group; the other way round the one that takes part is named.
    browser.visit(&format!("/passwords/{billing}")).await;
    let page = browser.visit("/passwords").await.text;
    let link = page.split("href=\"/passwords/").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
    let source = link.parse().expect("a source");
    assert_eq!(browser.visit(&format!("/passwords/{source}")).await.text.matches("type=\"radio\"").count(), 0);
    browser.change(source, &[("new_password", NEW), ("repeated", NEW)]).await.sent_to();
    harness.settled().await;
    for file in ["billing.db", "payroll.db"] {
        assert!(harness.signs_in(file, "abby", NEW).await, "{file}");
    }
    harness.stop().await;
}

#[tokio::test]
async fn who_signed_in_long_ago_shows_once_more_who_they_are() {
    let harness = start().await;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    let billing = harness.world.billing;
    harness.outdate_proofs().await;
    let before = browser.cookies.clone();
    let path = format!("/passwords/{billing}");
    let sent = browser.visit(&path).await.sent_to();
    assert_eq!(sent, format!("/prove?to={path}"));
    let form = browser.visit(&sent).await;
    assert!(form.text.contains("name=\"current\""), "{}", form.text);
    for current in ["", "wrong", NEW] {
        let refused = browser.submit(&form, "/prove", &[("current", current)]).await;
        assert_eq!(refused.status, 400, "{current:?}");
        assert!(refused.text.contains("not your sign-in password"), "{}", refused.text);
        assert_eq!(browser.cookies, before);
    }
    let proven = browser.submit(&form, "/prove", &[("current", PASSWORD)]).await;
    assert_eq!(proven.sent_to(), path);
    assert_ne!(browser.cookies["__Host-lockstep-session"], before["__Host-lockstep-session"]);
    let mut thief = Browser::new(&harness);
    thief.cookies = before;
    thief.visit("/passwords").await.sent_to();

    // A form that was open for too long changes nothing, and leads to the proof again.
    let form = browser.visit(&path).await;
    harness.outdate_proofs().await;
    let late = browser.submit(&form, &path, &[("new_password", NEW), ("repeated", NEW)]).await;
    assert_eq!(late.sent_to(), format!("/prove?to={path}"));
    let page = browser.visit(&format!("/prove?to={path}")).await;
    browser.submit(&page, "/prove", &[("current", PASSWORD)]).await.sent_to();
    assert_eq!(browser.visit("/prove?to=//evil.example.test").await.sent_to(), "/passwords", "who has just proven it");
    browser.change(billing, &[("new_password", NEW), ("repeated", NEW)]).await.sent_to();
    harness.settled().await;
    assert!(harness.signs_in("billing.db", "abby", NEW).await);
    let audited = harness.audited().await;
    assert!(audited.contains(&"USER_STEP_UP_AUTH".to_owned()), "{audited:?}");
    assert!(audited.contains(&"USER_STEP_UP_AUTH_FAILURE".to_owned()), "{audited:?}");
    harness.stop().await;
}

#[tokio::test]
async fn wrong_proofs_lock_as_wrong_sign_ins_do() {
    let harness = start().await;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    harness.outdate_proofs().await;
    let form = browser.visit("/prove?to=/passwords").await;
    for _ in 0..TRIES {
        assert_eq!(browser.submit(&form, "/prove", &[("current", "wrong")]).await.status, 400);
    }
    assert_eq!(browser.submit(&form, "/prove", &[("current", PASSWORD)]).await.status, 400, "locked for a while");
    harness.stop().await;
}

#[tokio::test]
async fn whoever_must_change_their_password_does_nothing_else() {
    let harness = start().await;
    set_password(&harness, harness.world.abby, PASSWORD, true).await;
    let mut browser = Browser::new(&harness);
    let own = format!("/passwords/{}", lockstep_core::id::SourceId::IDENTITY_NOW);
    let page = browser.visit("/sign-in").await;
    let came = browser.submit(&page, "/sign-in", &[("user_name", "Abby.Smith"), ("password", PASSWORD)]).await;
    assert_eq!(browser.visit(&came.sent_to()).await.sent_to(), own);
    for path in ["/passwords", "/people", &format!("/passwords/{}", harness.world.billing)] {
        assert_eq!(browser.visit(path).await.sent_to(), own, "{path}");
    }
    let form = browser.visit(&own).await;
    let watched = browser.submit(&form, &own, &[("new_password", NEW), ("repeated", NEW)]).await.sent_to();
    harness.settled().await;
    assert!(browser.visit(&watched).await.text.contains("Your password is changed"));
    assert_eq!(browser.visit("/passwords").await.status, 200, "now everything is there");
    harness.stop().await;
}

#[tokio::test]
async fn an_expired_password_is_told_and_leads_to_a_new_one() {
    let harness = start().await;
    let (abby, now) = (harness.world.abby, harness.app.clock.utc());
    let policy = PasswordPolicy {
        enable_passwd_expiration: true,
        password_expiration: 30,
        first_expiration_reminder: Some(7),
        history: 5,
        ..PasswordPolicy::default()
    };
    harness.write(move |tx| Box::pin(async move { password_policy::put(tx, &policy, now).await })).await;
    let set_before = async |days: i64| {
        harness
            .write(move |tx| {
                Box::pin(async move {
                    let stored = sign_in_password::find(tx, abby).await?.expect("a password");
                    let changed_at = now - TimeDelta::days(days);
                    password_set::put(tx, abby, AccountId(abby.0), changed_at).await?;
                    sign_in_password::put(tx, abby, &SignInPassword { changed_at, ..stored }).await
                })
            })
            .await;
    };
    for (days, is_near) in [(10, false), (25, true)] {
        set_before(days).await;
        let page = Browser::new(&harness).come_in("Abby.Smith", PASSWORD, "/passwords").await;
        let on = (now + TimeDelta::days(30 - days)).format("%Y-%m-%d").to_string();
        assert!(page.text.contains("To be changed by") && page.text.contains(&on), "{}", page.text);
        assert_eq!(page.text.contains("class=\"due\""), is_near, "{}", page.text);
    }
    set_before(31).await;
    let portal = Portal::make(&harness, ClientKind::Confidential).await;
    let mut elsewhere = Browser::new(&harness);
    let page = elsewhere.open(&portal.asks()).await;
    let filled = [("user_name", "Abby.Smith"), ("password", PASSWORD)];
    assert_eq!(elsewhere.submit(&page, "/oauth/authorize", &filled).await.returned("code"), None);
    assert!(harness.audited().await.contains(&"AUTHENTICATION-246".to_owned()));

    let mut browser = Browser::new(&harness);
    let own = format!("/passwords/{}", SourceId::IDENTITY_NOW);
    let page = browser.visit("/sign-in").await;
    let came = browser.submit(&page, "/sign-in", &filled).await.sent_to();
    assert_eq!(browser.visit(&came).await.sent_to(), own);
    let form = browser.visit(&own).await;
    assert!(form.text.contains("it has expired"), "{}", form.text);
    browser.submit(&form, &own, &[("new_password", NEW), ("repeated", NEW)]).await.sent_to();
    harness.settled().await;
    let page = browser.visit("/passwords").await;
    assert!(page.status == 200 && page.text.contains("To be changed by"), "{}", page.text);

    // The same one again is no new one, and does not make the old one younger.
    set_before(31).await;
    let filled = [("user_name", "Abby.Smith"), ("password", NEW)];
    let form = browser.visit(&own).await;
    let watched = browser.submit(&form, &own, &[("new_password", NEW), ("repeated", NEW)]).await.sent_to();
    harness.settled().await;
    assert!(browser.visit(&watched).await.text.contains("was not changed"), "{}", browser.visit(&watched).await.text);
    let mut browser = Browser::new(&harness);
    let page = browser.visit("/sign-in").await;
    browser.submit(&page, "/sign-in", &filled).await.sent_to();
    let form = browser.visit(&own).await;
    let refused = browser.submit(&form, &own, &[("new_password", NEW), ("repeated", NEW)]).await;
    assert_eq!((refused.status, refused.alert().is_some()), (400, true), "{}", refused.text);
    assert_eq!(browser.visit("/passwords").await.sent_to(), own);
    // Right tries at a client keep nobody out.
    for _ in 0..=TRIES {
        let page = elsewhere.open(&portal.asks()).await;
        assert_eq!(elsewhere.submit(&page, "/oauth/authorize", &filled).await.returned("code"), None);
    }
    let page = browser.visit(&own).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let mut again = Browser::new(&harness);
    let page = again.visit("/sign-in").await;
    assert_eq!(again.submit(&page, "/sign-in", &filled).await.status, 303);

    // Who cannot change it is not asked to.
    harness
        .write(move |tx| {
            Box::pin(async move {
                let mut row = source::get(tx, SourceId::IDENTITY_NOW).await?;
                row.features.remove(&lockstep_core::source::Feature::Password);
                source::put(tx, &row, now).await
            })
        })
        .await;
    let mut stuck = Browser::new(&harness);
    let page = stuck.visit("/sign-in").await;
    stuck.submit(&page, "/sign-in", &filled).await.sent_to();
    assert_eq!(stuck.visit("/passwords").await.status, 200);
    harness.stop().await;
}

#[tokio::test]
async fn of_many_passwords_one_is_found_and_what_a_system_caps_is_said_before() {
    let harness = start().await;
    let (abby, billing, now) = (harness.world.abby, harness.world.billing, harness.app.clock.utc());
    application(&harness, "Invoices", billing).await;
    let mut browser = Browser::new(&harness);
    let page = browser.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    assert!(!page.text.contains("role=\"search\""), "there is nothing to seek yet: {}", page.text);
    harness
        .write(move |tx| {
            Box::pin(async move {
                let mut row = source::find(tx, billing).await?.expect("Billing");
                row.config["hash"] = json!("bcrypt");
                row.config["hash_cost"] = json!(4);
                row.config.as_object_mut().expect("settings").remove("hash_rounds");
                source::put(tx, &row, now).await?;
                for number in 0..8 {
                    let id = SourceId(draw_id());
                    let other = Source { id, name: format!("System {number}"), ..row.clone() };
                    source::put(tx, &other, now).await?;
                    let account = Account {
                        id: AccountId(draw_id()),
                        identity: Some(abby),
                        source: id,
                        stable_id: "abby".to_owned(),
                        native_id: "abby".to_owned(),
                        name: "abby".to_owned(),
                        password_sync: true,
                        attributes: Default::default(),
                        vanished: false,
                    };
                    account::put(tx, &account, "abby", now).await?;
                    let seen = Application {
                        id: ApplicationId(draw_id()),
                        name: format!("Desk {number}"),
                        description: String::new(),
                        source: id,
                        use_for_password_management: true,
                    };
                    lockstep_store::application::put(tx, &seen, now).await?;
                }
                Ok(())
            })
        })
        .await;
    let page = browser.visit("/passwords").await;
    assert!(page.text.contains("role=\"search\"") && page.text.contains("Desk 3"), "{}", page.text);
    for (sought, there, not_there) in
        [("desk+3", "Desk 3", "Desk 4"), ("INVOI", "Everyday", "Desk 3"), ("every", "Everyday", "Desk")]
    {
        let page = browser.visit(&format!("/passwords?q={sought}")).await;
        assert!(page.text.contains(there) && !page.text.contains(not_there), "{sought}: {}", page.text);
    }
    let page = browser.visit("/passwords?q=%3Cnothing%3E").await;
    assert!(page.text.contains("None of your passwords") && !page.text.contains("<nothing>"), "{}", page.text);

    let form = browser.visit(&format!("/passwords/{billing}")).await;
    let said = form.text.replace(['\u{2068}', '\u{2069}'], "");
    assert!(said.contains("<bdi>Invoices</bdi>: at most 72 bytes"), "{said}");
    assert!(!said.contains("<bdi>Payroll</bdi>: at most"), "{said}");
    harness.stop().await;
}

#[tokio::test]
async fn the_pages_speak_the_language_of_the_browser() {
    let harness = start().await;
    let german = harness.http.get(harness.url("/sign-in")).header("accept-language", "de-CH,de;q=0.9");
    let page = german.send().await.expect("an answer").text().await.expect("a page");
    assert!(page.contains("<html lang=\"de\" dir=\"ltr\">") && page.contains("Anmelden"), "{page}");
    harness.stop().await;
}

#[tokio::test]
async fn the_page_of_a_change_is_sent_as_often_as_it_is_another_and_to_its_person_only() {
    let harness = start().await;
    let billing = harness.world.billing;
    application(&harness, "Invoices", billing).await;
    let (table, away) = (harness.file("billing.db"), harness.file("away.db"));
    std::fs::rename(&table, &away).expect("moved");
    let mut abby = Browser::new(&harness);
    abby.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    let watched = abby.change(billing, &[("new_password", NEW), ("repeated", NEW)]).await.sent_to();
    let comes_back = async {
        while !abby_waits(&harness).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // Longer than between two looks.
        tokio::time::sleep(Duration::from_millis(700)).await;
        std::fs::rename(&away, &table).expect("moved back");
    };
    let events = format!("{watched}/events");
    let (sent, ()) = tokio::join!(abby.visit(&events), comes_back);
    assert_eq!((sent.status, &sent.headers["content-type"]), (200, &"text/event-stream".parse().expect("a value")));
    assert_eq!(sent.headers["cache-control"], "no-store");
    let pages: Vec<&str> = sent.text.split("\n\n").filter(|event| event.contains("data: <!doctype html>")).collect();
    assert!(pages.len() >= 2, "{}", sent.text);
    assert!(pages.iter().any(|page| page.contains("tried again")), "{}", sent.text);
    assert!(pages.last().is_some_and(|page| page.contains("Your password is changed")), "{}", sent.text);
    for pair in pages.windows(2) {
        assert_ne!(pair[0], pair[1], "nothing is sent twice");
    }
    // What is over is sent once; nobody else sees it; whoever is signed out is sent to where they sign in.
    let again = abby.visit(&events).await;
    assert_eq!(again.text.matches("data: <!doctype html>").count(), 1);
    let mut bea = Browser::new(&harness);
    bea.come_in("Bea.Jones", PASSWORD, "/passwords").await;
    assert_eq!(bea.visit(&events).await.status, 404);
    Browser::new(&harness).visit(&events).await.sent_to();
    harness.stop().await;
}

/// Whether something is tried again.
async fn abby_waits(harness: &Harness) -> bool {
    let failing = harness.read(|tx| Box::pin(lockstep_store::change::failing(tx, 1))).await;
    !failing.is_empty()
}
