//! Who is not let in learns nothing, and can try only so often.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use lockstep_core::audit::Action;
use lockstep_core::client::ClientKind;
use lockstep_store::{audit, identity, sign_in_password};
use serde_json::json;

use super::{LOCKED_FOR, PASSWORD, Portal, TRIES, set_password, start};
use crate::browser::{Browser, Page};
use crate::harness::Harness;

async fn attempt(harness: &Harness, portal: &Portal, alias: &str, password: &str) -> Page {
    let mut browser = Browser::new(harness);
    let page = browser.open(&portal.asks()).await;
    browser.submit(&page, "/oauth/authorize", &[("user_name", alias), ("password", password)]).await
}

#[tokio::test]
async fn everybody_who_is_not_let_in_is_told_the_same() {
    let (harness, portal) = start(ClientKind::Confidential).await;
    let (bea, helga, dora, billing) =
        (harness.world.bea, harness.world.helga, harness.world.dora, harness.world.billing);
    set_password(&harness, bea, PASSWORD, true).await;
    set_password(&harness, dora, PASSWORD, false).await;
    set_password(&harness, helga, PASSWORD, false).await;
    let now = harness.app.clock.utc();
    let elsewhere = harness.read(move |tx| Box::pin(identity::get(tx, helga))).await;
    let elsewhere = lockstep_core::identity::Identity { sign_in_source: billing, ..elsewhere };
    harness.write(move |tx| Box::pin(async move { identity::put(tx, &elsewhere, now).await })).await;

    let mut told = BTreeSet::new();
    for (alias, password) in [
        ("Abby.Smith", "wrong"),
        ("Abby.Smith", "sign-in-password-1"),
        ("Abby.Smith", ""),
        ("Abby.Smith", "a\nb"),
        ("Nobody", PASSWORD),
        ("", PASSWORD),
        ("a\0b", PASSWORD),
        ("Bea.Jones", PASSWORD),
        ("Helga.Desk", PASSWORD),
        ("Dora.Gone", PASSWORD),
    ] {
        let page = attempt(&harness, &portal, alias, password).await;
        assert!(page.location().is_none() && !page.text.contains(PASSWORD), "{alias:?}");
        told.insert((page.status, page.alert().expect("a reason").to_owned()));
    }
    assert_eq!(told.len(), 1, "{told:?}");
    harness.stop().await;
}

#[tokio::test]
async fn five_wrong_tries_lock_for_a_while_however_many_come_at_once() {
    let (harness, portal) = start(ClientKind::Confidential).await;
    let abby = harness.world.abby;
    let guesses = (0..12).map(|guess| {
        let (harness, portal) = (&harness, &portal);
        async move { attempt(harness, portal, "Abby.Smith", &format!("guess {guess}")).await.status }
    });
    let statuses = futures_util::future::join_all(guesses).await;
    assert!(statuses.iter().all(|status| *status == 400), "{statuses:?}");
    let stored = harness.read(move |tx| Box::pin(sign_in_password::find(tx, abby))).await.expect("a password");
    assert_eq!(stored.failures, TRIES, "those that came later were not looked at");
    assert_eq!(attempt(&harness, &portal, "Abby.Smith", PASSWORD).await.status, 400, "locked");
    let events = harness.read(move |tx| Box::pin(audit::list_of(tx, abby, 50))).await;
    let count = |action| events.iter().filter(|event| event.action == action).count();
    assert_eq!((count(Action::AuthenticationFailed), count(Action::UserLock)), (5, 1));
    assert_eq!(count(Action::AuthenticationLocked), 8);

    // As if its time were over.
    let past = harness.app.clock.utc() - LOCKED_FOR - TimeDelta::seconds(1);
    harness.write(move |tx| Box::pin(sign_in_password::tried(tx, abby, TRIES, past))).await;
    assert_eq!(attempt(&harness, &portal, "Abby.Smith", PASSWORD).await.status, 303);
    let stored = harness.read(move |tx| Box::pin(sign_in_password::find(tx, abby))).await.expect("a password");
    assert_eq!((stored.failures, stored.failed_at), (0, None));
    harness.stop().await;
}

#[tokio::test]
async fn as_many_wrong_tries_lock_as_the_organisation_has_set() {
    let (harness, portal) = start(ClientKind::Confidential).await;
    let (token, abby) = (harness.admin_token().await, harness.world.abby);
    let most = async |tries: i64| {
        let patch = json!([{"op": "replace", "path": "/maximumAttempts", "value": tries}]);
        harness.patch("/v2024/auth-org/lockout-config", &token, &patch).await.with_status(200);
    };
    most(3).await;
    for guess in 0..3 {
        assert_eq!(attempt(&harness, &portal, "Abby.Smith", &format!("guess {guess}")).await.status, 400);
    }
    assert_eq!(attempt(&harness, &portal, "Abby.Smith", PASSWORD).await.status, 400, "locked");
    let events = harness.read(move |tx| Box::pin(audit::list_of(tx, abby, 50))).await;
    let count = |action| events.iter().filter(|event| event.action == action).count();
    assert_eq!((count(Action::UserLock), count(Action::AuthenticationLocked)), (1, 1));
    // It counts for the tries that there were.
    most(4).await;
    assert_eq!(attempt(&harness, &portal, "Abby.Smith", PASSWORD).await.status, 303);
    harness.stop().await;
}
