//! Who is trusted for where they are changes a password without a second factor, where the policy asks others for one.

use std::collections::BTreeMap;

use lockstep::geography::{Geography, Looked};
use lockstep_core::auth_org::{AuthOrg, NetworkConfig};
use lockstep_core::id::{PasswordPolicyId, SourceId};
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_store::{auth_org, password_policy};

use super::{NEW, PASSWORD, with_passwords};
use crate::browser::Browser;
use crate::countries::database;
use crate::harness::Harness;

const BEHIND_A_PROXY: &str = "[limits]\nrequests = 100000\n[proxy]\ntrusted-proxies = [\"127.0.0.0/8\"]\n";

/// A server behind a proxy, whose policy asks strangers for a second factor.
async fn strict(settings: &str, stranger_by: fn(&mut PasswordPolicy)) -> Harness {
    let harness = with_passwords(Harness::start_with(settings).await).await;
    let mut policy = harness.read(|tx| Box::pin(password_policy::get(tx, PasswordPolicyId::DEFAULT))).await;
    stranger_by(&mut policy);
    let now = harness.app.clock.utc();
    harness.write(move |tx| Box::pin(async move { password_policy::put(tx, &policy, now).await })).await;
    harness
}

async fn trust(harness: &Harness, range: &[&str], geolocation: &[&str], whitelisted: bool) {
    let list = |list: &[&str]| Some(list.iter().map(|one| (*one).to_owned()).collect());
    let network =
        Some(NetworkConfig { range: list(range), geolocation: list(geolocation), whitelisted: Some(whitelisted) });
    let (settings, now) = (AuthOrg { network, ..AuthOrg::default() }, harness.app.clock.utc());
    harness.write(move |tx| Box::pin(async move { auth_org::put(tx, &settings, now).await })).await;
}

/// Which of these addresses get the form.
async fn let_in(browser: &mut Browser<'_>, addresses: &[&'static str]) -> BTreeMap<&'static str, bool> {
    let path = format!("/passwords/{}", SourceId::IDENTITY_NOW);
    let mut told = BTreeMap::new();
    for address in addresses {
        browser.forwarded_for = Some((*address).to_owned());
        let page = browser.visit(&path).await;
        assert!(matches!(page.status, 200 | 403), "{} {}", page.status, page.text);
        told.insert(*address, page.status == 200);
    }
    told
}

#[tokio::test]
async fn from_the_organisations_network_a_password_changes_without_a_second_factor() {
    let harness = strict(BEHIND_A_PROXY, |policy| policy.require_strong_auth_off_network = true).await;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    const ADDRESSES: [&str; 4] = ["192.0.2.7", "::ffff:192.0.2.7", "198.51.100.1", "2001:db8::1"];
    let none = ADDRESSES.map(|address| (address, false)).into();
    assert_eq!(let_in(&mut browser, &ADDRESSES).await, none, "nothing was said of networks");

    trust(&harness, &["192.0.2.0/24"], &[], true).await;
    let inside = BTreeMap::from([
        ("192.0.2.7", true),
        ("::ffff:192.0.2.7", true),
        ("198.51.100.1", false),
        ("2001:db8::1", false),
    ]);
    assert_eq!(let_in(&mut browser, &ADDRESSES).await, inside);
    trust(&harness, &["192.0.2.0/24"], &[], false).await;
    let outside = inside.iter().map(|(address, inside)| (*address, !inside)).collect();
    assert_eq!(let_in(&mut browser, &ADDRESSES).await, outside);

    // A proxy that does not say for whom it asks, or so that nobody can read it, is not on a network where people are.
    trust(&harness, &["127.0.0.0/8", "192.0.2.0/24"], &[], true).await;
    let own = BTreeMap::from([("", false), ("unknown", false), ("x, 192.0.2.7", true)]);
    assert_eq!(let_in(&mut browser, &["", "unknown", "x, 192.0.2.7"]).await, own);
    trust(&harness, &["198.51.100.0/24"], &[], false).await;
    assert_eq!(let_in(&mut browser, &["", "unknown", "x, 192.0.2.7"]).await, own);

    // The form was got inside, and comes back from outside.
    trust(&harness, &["192.0.2.0/24"], &[], true).await;
    let path = format!("/passwords/{}", SourceId::IDENTITY_NOW);
    browser.forwarded_for = Some("192.0.2.7".to_owned());
    let page = browser.visit(&path).await;
    let filled = [("new_password", NEW), ("repeated", NEW)];
    browser.forwarded_for = Some("198.51.100.1".to_owned());
    assert_eq!(browser.submit(&page, &path, &filled).await.status, 403);
    // What a client says of itself stands before what the proxy says.
    browser.forwarded_for = Some("192.0.2.7, 198.51.100.1".to_owned());
    assert_eq!(browser.submit(&page, &path, &filled).await.status, 403);
    browser.forwarded_for = Some("198.51.100.1, 192.0.2.7".to_owned());
    assert_eq!(browser.submit(&page, &path, &filled).await.status, 303);
    harness.settled().await;
    harness.stop().await;
}

#[tokio::test]
async fn from_a_country_that_is_trusted_a_password_changes_without_a_second_factor() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("country.mmdb");
    std::fs::write(&file, database(&[("192.0.2.0/24", "DE"), ("198.51.100.0/25", "CH")])).expect("written");
    let settings = format!("{BEHIND_A_PROXY}[geography]\ndatabase = \"{}\"\n", file.display());
    let harness = strict(&settings, |policy| policy.require_strong_auth_untrusted_geographies = true).await;
    let mut browser = Browser::new(&harness);
    browser.come_in("Abby.Smith", PASSWORD, "/passwords").await;
    const ADDRESSES: [&str; 4] = ["192.0.2.7", "198.51.100.1", "198.51.100.200", "2001:db8::1"];
    let only = |trusted: &[&str]| ADDRESSES.map(|address| (address, trusted.contains(&address))).into();
    assert_eq!(let_in(&mut browser, &ADDRESSES).await, only(&[]), "nothing was said of countries");
    trust(&harness, &[], &["DE"], true).await;
    assert_eq!(let_in(&mut browser, &ADDRESSES).await, only(&["192.0.2.7"]));
    trust(&harness, &["192.0.2.0/24"], &["DE"], false).await;
    assert_eq!(
        let_in(&mut browser, &ADDRESSES).await,
        only(&["198.51.100.1"]),
        "and of the others no country is known"
    );

    // Another database takes its place while the server runs; one that is broken does not.
    std::fs::write(&file, b"nothing").expect("written");
    assert!(matches!(harness.app.geography.look(), Looked::Refused(_)));
    assert!(matches!(harness.app.geography.look(), Looked::Unchanged), "it is not read again and again");
    assert_eq!(let_in(&mut browser, &ADDRESSES).await, only(&["198.51.100.1"]));
    std::fs::write(&file, database(&[("192.0.0.0/16", "AT")])).expect("written");
    assert!(matches!(harness.app.geography.look(), Looked::Taken));
    assert_eq!(let_in(&mut browser, &ADDRESSES).await, only(&["192.0.2.7"]));
    harness.stop().await;
}

#[test]
fn a_database_of_countries_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("country.mmdb");
    let config = lockstep::config::GeographyConfig { database: file.clone() };
    let load = || Geography::load(Some(&config)).map(|geography| geography.country([192, 0, 2, 7].into()));
    let missing = load().expect_err("there is none").to_string();
    assert_eq!(missing, format!("cannot read geography.database {}", file.display()));
    let whole = database(&[("192.0.2.0/24", "DE")]);
    for broken in [&[][..], b"nothing", &whole[..whole.len() - 60]] {
        std::fs::write(&file, broken).expect("written");
        let refused = load().expect_err("it is broken").to_string();
        assert_eq!(refused, format!("geography.database {} is no database in MaxMind's format", file.display()));
    }
    std::fs::write(&file, &whole).expect("written");
    assert_eq!(load().expect("read").as_deref(), Some("DE"));
}
