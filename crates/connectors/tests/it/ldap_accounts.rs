//! Reading the accounts of a directory, and enabling and disabling them: slapd, some of the time with limits.

use chrono::{NaiveDateTime, TimeDelta};
use lockstep_connectors::{
    AccountEntry, Connector, FailureKind, Level, LockState, RefusalKind, Secrets, SignIn, Written, build, native_key,
};
use serde_json::json;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::support::directory::{SERVICE, attribute, modify, modify_at, plain, signs_in, user};
use crate::support::network::Rewriting;
use crate::support::own_directory::{OwnDirectory, person};
use crate::support::{account, clock, fresh, fresh_password, read, told};

#[tokio::test]
async fn all_accounts_are_read_in_pages() {
    let directory = OwnDirectory::start(25, "");
    let read = read(directory.connector(json!({ "page_size": 10 })).as_ref(), None).await;
    assert_eq!(read.reading.as_ref().expect("read").skipped.count, 0);
    assert_eq!(read.pages, [10, 10, 5]);
    assert_eq!(read.accounts.len(), 25);
    let abby = &read.accounts[&person(7)];
    assert_eq!((abby.name.as_str(), abby.enabled), ("Person 7", None));
    assert_eq!(abby.attributes["mail"], "p7@example.test");
    assert_eq!(abby.attributes["employeeNumber"], "7");
    assert!(!abby.attributes.keys().any(|name| name.eq_ignore_ascii_case("userPassword")), "{abby:?}");
}

#[tokio::test]
async fn a_page_may_be_larger_than_the_directory_and_the_directory_empty() {
    let directory = OwnDirectory::start(3, "");
    let all = read(directory.connector(json!({})).as_ref(), None).await;
    assert_eq!((all.pages, all.accounts.len()), (vec![3], 3));
    let none = read(directory.connector(json!({ "filter": "(uid=nobody)" })).as_ref(), None).await;
    assert_eq!((none.mark(), none.pages.len()), (None, 0));
}

#[tokio::test]
async fn only_what_is_asked_for_is_taken() {
    let unit = unit();
    modify(&format!(
        "dn: cn=Abby\\, A + uid=abby,{unit}\nchangetype: add\nobjectClass: inetOrgPerson\ncn: Abby, A\nuid: abby\n\
         sn: S\nmail: z@example.test\nmail: a@example.test\njpegPhoto:: /9j/4AAQ\ntitle: Head\n"
    ));
    modify(&format!("dn: ou=deep,{unit}\nchangetype: add\nobjectClass: organizationalUnit\nou: deep\n"));
    modify(&format!(
        "dn: uid=ben,ou=deep,{unit}\nchangetype: add\nobjectClass: inetOrgPerson\ncn: Ben\nuid: ben\nsn: S\n"
    ));
    let accounts = json!({ "base": unit, "attributes": ["MAIL", "jpegPhoto", "sn"], "name": "uid", "scope": "one" });
    let read = read(plain(json!({ "accounts": accounts })).as_ref(), None).await;
    assert_eq!(read.accounts.len(), 1, "one level, and no organizational unit: {:?}", read.accounts);
    let abby = read.accounts.values().next().expect("Abby");
    let same = native_key("ldap", &format!("UID=ABBY+CN=\"Abby, A\", {unit}"));
    assert_eq!(native_key("ldap", &abby.native_id), same);
    assert_eq!(abby.name, "abby");
    let attributes: Vec<_> = abby.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(attributes, [("MAIL", "a@example.test"), ("sn", "S")], "the first of several, no bytes");
}

#[tokio::test]
async fn an_account_is_found_by_what_never_changes() {
    let unit = unit();
    let dn = format!("uid=carla,{unit}");
    modify(&format!("dn: {dn}\nchangetype: add\nobjectClass: inetOrgPerson\ncn: Carla\nuid: carla\nsn: S\n"));
    let connector = plain(json!({ "accounts": { "base": unit } }));
    let stable_id = attribute(&dn, "entryUUID").expect("an id");
    let before = connector.account(&stable_id).await.expect("asked").expect("there");
    assert_eq!((before.native_id.as_str(), before.stable_id.as_str()), (dn.as_str(), stable_id.as_str()));
    modify(&format!("dn: {dn}\nchangetype: modrdn\nnewrdn: uid=carla.new\ndeleteoldrdn: 1\n"));
    let after = connector.account(&stable_id).await.expect("asked").expect("there");
    assert_eq!((after.native_id, after.stable_id), (format!("uid=carla.new,{unit}"), stable_id));
    for nobody in ["", "*", "no-uuid", "00000000-0000-0000-0000-000000000000", ")(uid=*"] {
        assert_eq!(connector.account(nobody).await, Ok(None), "{nobody}");
    }
    let connector = plain(json!({ "accounts": { "base": unit, "stable_id": "sn", "filter": "(sn=*)" } }));
    modify(&format!("dn: uid=twin,{unit}\nchangetype: add\nobjectClass: inetOrgPerson\ncn: Twin\nuid: twin\nsn: S\n"));
    let kind = connector.account("S").await.expect_err("two").kind;
    assert_eq!(kind, FailureKind::Refused(RefusalKind::AccountAmbiguous));
}

#[tokio::test]
async fn an_entry_without_an_id_is_skipped_and_told() {
    let unit = unit();
    for (uid, number) in [("dora", "employeeNumber: 1\n"), ("emil", "")] {
        modify(&format!(
            "dn: uid={uid},{unit}\nchangetype: add\nobjectClass: inetOrgPerson\ncn: x\nuid: {uid}\nsn: S\n{number}"
        ));
    }
    let connector = plain(json!({ "accounts": { "base": unit, "stable_id": "employeeNumber" } }));
    let read = read(connector.as_ref(), None).await;
    let skipped = read.reading.expect("read").skipped;
    assert_eq!((read.accounts.len(), skipped.count), (1, 1));
    assert!(skipped.examples[0].contains("uid=emil") && skipped.examples[0].contains("employeeNumber"), "{skipped:?}");
}

#[tokio::test]
async fn a_reading_of_changes_gives_those_and_little_else() {
    let directory = OwnDirectory::start(1500, "");
    let connector = directory.connector(json!({ "page_size": 100 }));
    let all = read(connector.as_ref(), None).await;
    assert_eq!(all.accounts.len(), 1500);
    assert_eq!(all.mark(), Some("20200101002459Z"), "the newest, though it is on the last page");
    modify_at(&directory.url, &format!("dn: {}\nchangetype: modify\nreplace: sn\nsn: New\n", person(3)));
    let one = "objectClass: inetOrgPerson\nuid: new\ncn: New\nsn: New\n";
    modify_at(&directory.url, &format!("dn: uid=new,ou=people,dc=example,dc=test\nchangetype: add\n{one}"));
    let changes = read(connector.as_ref(), all.mark()).await;
    assert_eq!(changes.accounts[&person(3)].attributes["sn"], "New");
    assert!(changes.accounts.contains_key("uid=new,ou=people,dc=example,dc=test"));
    assert!(changes.accounts.contains_key(&person(1499)), "the second of the mark is read again");
    assert!(changes.accounts.len() < 100, "{}", changes.accounts.len());
    // Most likely within the second of the mark, and there all the same.
    modify_at(&directory.url, &format!("dn: {}\nchangetype: modify\nreplace: sn\nsn: Newer\n", person(4)));
    let later = read(connector.as_ref(), changes.mark()).await;
    assert_eq!(later.accounts[&person(4)].attributes["sn"], "Newer");
    assert!(!later.accounts.contains_key(&person(1499)));
    let nothing = read(directory.connector(json!({ "filter": "(uid=p1)" })).as_ref(), changes.mark()).await;
    assert_eq!((nothing.mark(), nothing.accounts.len()), (changes.mark(), 0), "the mark does not go back");
    let foreign = read(connector.as_ref(), Some("*)(uid=*")).await;
    assert_eq!(foreign.accounts.len(), 1501, "a mark that is none reads everything");
}

#[tokio::test]
async fn what_changes_during_a_reading_is_in_the_next() {
    let directory = OwnDirectory::start(60, "");
    let connector = directory.connector(json!({ "page_size": 10 }));
    let (sender, mut receiver) = mpsc::channel::<Vec<AccountEntry>>(1);
    let take = async {
        let mut seen = receiver.recv().await.expect("the first page");
        let early = seen[0].native_id.clone();
        modify_at(&directory.url, &format!("dn: {early}\nchangetype: modify\nreplace: sn\nsn: Late\n"));
        while let Some(page) = receiver.recv().await {
            seen.extend(page);
        }
        let known = seen.iter().find(|account| account.native_id == early).expect("there");
        assert_ne!(known.attributes["sn"], "Late", "sent before");
        early
    };
    let (reading, early) = tokio::join!(connector.accounts(None, sender), take);
    let changes = read(connector.as_ref(), reading.expect("read").mark.as_deref()).await;
    assert_eq!(changes.accounts[&early].attributes["sn"], "Late");
}

#[tokio::test]
async fn a_limit_of_the_directory_is_a_failure_and_no_short_list() {
    let directory = OwnDirectory::start(250, &format!("limits dn.exact=\"{SERVICE}\" size=100"));
    for page_size in [50, 200] {
        let read = read(directory.connector(json!({ "page_size": page_size })).as_ref(), None).await;
        let failure = read.reading.expect_err("not all");
        assert_eq!(failure.kind, FailureKind::Refused(RefusalKind::Misconfigured));
        assert!(failure.detail.contains("raise its size limit"), "{failure}");
    }
    let few = read(directory.connector(json!({ "filter": "(employeeNumber=7)" })).as_ref(), None).await;
    assert_eq!(few.accounts.len(), 1, "within the limit");
    few.reading.expect("complete");
}

#[tokio::test]
async fn a_directory_that_does_not_page_is_read_at_once() {
    let directory = OwnDirectory::start(250, "");
    // The control's identifier with another last digit on its way is one that slapd does not know.
    let upstream = directory.url.trim_start_matches("ldap://");
    let proxy = Rewriting::start(upstream, b"1.2.840.113556.1.4.319", b"1.2.840.113556.1.4.310").await;
    let accounts = json!({ "base": "ou=people,dc=example,dc=test", "page_size": 100 });
    let connector = plain(json!({ "url": format!("ldap://{}", proxy.address), "accounts": accounts }));
    let read = read(connector.as_ref(), None).await;
    assert_eq!(read.mark(), Some("20200101000409Z"));
    assert_eq!((read.pages, read.accounts.len()), (vec![100, 100, 50], 250));
}

#[tokio::test]
async fn a_directory_that_forbids_pages_is_told() {
    let directory = OwnDirectory::start(10, &format!("limits dn.exact=\"{SERVICE}\" size.prtotal=disabled"));
    let failure = read(directory.connector(json!({})).as_ref(), None).await.reading.expect_err("forbidden");
    assert!(failure.detail.contains("pagedResults control not allowed"), "{failure}");
}

#[tokio::test]
async fn a_reading_that_nobody_takes_stops() {
    let directory = OwnDirectory::start(100, "");
    let connector = directory.connector(json!({ "page_size": 10 }));
    let (sender, mut receiver) = mpsc::channel::<Vec<AccountEntry>>(1);
    let take = async move { receiver.recv().await.expect("the first page").len() };
    let (reading, first) = tokio::join!(connector.accounts(None, sender), take);
    assert_eq!(first, 10);
    assert!(reading.expect_err("given up").detail.contains("nobody takes"));
}

#[tokio::test]
async fn what_stands_in_the_way_is_told() {
    let base = "ou=nobody,dc=example,dc=test";
    let connector = plain(json!({ "accounts": { "base": base } }));
    let failure = read(connector.as_ref(), None).await.reading.expect_err("no such base");
    assert_eq!(failure.kind, FailureKind::Refused(RefusalKind::Misconfigured));
    assert!(failure.detail.contains(base) && failure.detail.contains("accounts.base"), "{failure}");
    let report = connector.test().await.expect("passwords can be changed");
    let warning = report.checks.iter().find(|check| check.text.contains("accounts.base")).expect("told");
    assert_eq!(warning.level, Level::Warning);

    let connector = plain(json!({}));
    let kind = FailureKind::Refused(RefusalKind::Unsupported);
    assert_eq!(read(connector.as_ref(), None).await.reading.expect_err("not set up").kind, kind);
    assert_eq!(connector.account("x").await.expect_err("not set up").kind, kind);
    assert_eq!(connector.set_enabled(&account(&user(9050)), false).await.expect_err("not set up").kind, kind);
    let can = connector.capabilities();
    assert!(!can.read_accounts && !can.read_changes && !can.enable);

    let connector = plain(json!({ "accounts": { "base": "ou=people,dc=example,dc=test" } }));
    assert!(connector.capabilities().read_accounts && connector.capabilities().read_changes);
    let report = connector.test().await.expect("all well");
    let good = report.checks.iter().find(|check| check.text.starts_with("accounts can be read")).expect("told");
    assert_eq!(good.level, Level::Good);
    connector.close().await;
    assert_eq!(read(connector.as_ref(), None).await.reading.expect_err("closed").kind, FailureKind::Connect);
}

#[tokio::test]
async fn when_a_password_was_changed_is_read_and_its_change_alone_brings_the_entry() {
    let directory = OwnDirectory::start(1500, "");
    let connector = directory.connector(json!({ "attributes": ["modifyTimestamp"] }));
    let all = read(connector.as_ref(), None).await;
    assert_eq!(all.accounts[&person(3)].password_changed_at, None, "never, as far as the directory says");
    let written = connector.set_password(&account(&person(3)), &fresh_password(), None).await;
    assert_eq!(written, Written::Applied);
    let changes = read(connector.as_ref(), all.mark()).await;
    let entry = &changes.accounts[&person(3)];
    let at = entry.password_changed_at.expect("a time");
    let modified =
        NaiveDateTime::parse_from_str(&entry.attributes["modifyTimestamp"], "%Y%m%d%H%M%SZ").expect("a time");
    assert!((at.naive_utc() - modified).abs() < TimeDelta::seconds(5) && at.timestamp_subsec_nanos() == 0, "{at}");
    assert!(changes.accounts.len() < 100, "{}", changes.accounts.len());
    assert!(!entry.attributes.contains_key("pwdChangedTime"), "{entry:?}");
    assert_eq!(connector.account(&entry.stable_id).await.expect("asked").expect("there").password_changed_at, Some(at));
    for (attribute, says) in [("", false), ("createTimestamp", true), ("uid", false), ("noSuchAttribute", false)] {
        let connector = directory.connector(json!({ "password_changed_at": attribute }));
        let read = read(connector.as_ref(), None).await;
        assert_eq!((read.accounts.len(), read.reading.expect("read").skipped.count), (1500, 0), "{attribute}");
        assert_eq!(read.accounts[&person(3)].password_changed_at.is_some(), says, "{attribute}");
    }
}

#[tokio::test]
async fn passwords_are_not_read() {
    for attributes in [json!(["userPassword"]), json!(["uid", "pwdHistory"]), json!(["sambaNTPassword"])] {
        let config = json!({
            "url": told("LOCKSTEP_TEST_LDAP_URL"),
            "allow_plain": true,
            "bind_dn": SERVICE,
            "accounts": { "base": "dc=example,dc=test", "attributes": attributes },
        });
        let secrets = Secrets::from_iter([("password".to_owned(), Zeroizing::new("x".to_owned()))]);
        let problem = build("ldap", &config, &secrets, clock()).err().expect("refused").to_string();
        assert!(problem.contains("`accounts.attributes`") && problem.contains("never read"), "{problem}");
    }
}

#[tokio::test]
async fn a_disabled_account_signs_in_no_more_until_it_is_enabled() {
    let (dn, connector) = (user(9051), switching());
    let (account, new) = (account(&dn), fresh_password());
    assert!(connector.capabilities().enable);
    assert_eq!(connector.set_password(&account, &new, None).await, Written::Applied);
    let stable_id = attribute(&dn, "entryUUID").expect("an id");
    let enabled = async || connector.account(&stable_id).await.expect("asked").expect("there").enabled;
    assert_eq!(enabled().await, Some(true));
    for _ in 0..2 {
        assert_eq!(connector.set_enabled(&account, false).await, Ok(()));
        assert_eq!(enabled().await, Some(false));
        assert!(!signs_in(&dn, &new), "by another implementation");
        assert!(matches!(connector.sign_in(&account, &new).await, SignIn::NotAccepted(_)));
    }
    assert_eq!(connector.lock_state(&account).await, Ok(LockState::Open), "disabled is not locked");
    assert_eq!(connector.unlock(&account).await, Ok(()));
    assert_eq!(enabled().await, Some(false), "unlocking does not enable");
    for _ in 0..2 {
        assert_eq!(connector.set_enabled(&account, true).await, Ok(()));
        assert_eq!(enabled().await, Some(true));
        assert!(signs_in(&dn, &new), "by another implementation");
    }
    assert_eq!(connector.set_enabled(&account, false).await, Ok(()));
    assert_eq!(connector.set_password(&account, &fresh_password(), None).await, Written::Applied);
    assert_eq!(enabled().await, Some(true), "slapd's own doing, of which the documentation warns");
    let gone = crate::support::account("uid=nobody,ou=people,dc=example,dc=test");
    for enable in [true, false] {
        let kind = connector.set_enabled(&gone, enable).await.expect_err("gone").kind;
        assert_eq!(kind, FailureKind::Refused(RefusalKind::AccountNotFound));
    }
}

#[tokio::test]
async fn enabling_leaves_a_lock_and_unlocking_ends_it() {
    let (dn, connector) = (user(9052), switching());
    let (account, new) = (account(&dn), fresh_password());
    assert_eq!(connector.set_password(&account, &new, None).await, Written::Applied);
    for _ in 0..3 {
        assert_ne!(connector.sign_in(&account, &fresh_password()).await, SignIn::Right);
    }
    assert_eq!(connector.set_enabled(&account, true).await, Ok(()));
    assert!(matches!(connector.lock_state(&account).await, Ok(LockState::Locked { since: Some(_) })));
    assert_eq!(connector.unlock(&account).await, Ok(()));
    assert_eq!(connector.sign_in(&account, &new).await, SignIn::Right);
}

/// OpenLDAP's way to disable.
fn switching() -> Box<dyn Connector> {
    plain(json!({
        "accounts": { "base": "ou=people,dc=example,dc=test" },
        "disable": { "attribute": "pwdAccountLockedTime", "value": "000001010000Z" },
    }))
}

/// A part of the tree that no other test knows.
fn unit() -> String {
    let unit = format!("ou=accounts-{},dc=example,dc=test", fresh());
    let name = unit.split([',', '=']).nth(1).expect("a name");
    modify(&format!("dn: {unit}\nchangetype: add\nobjectClass: organizationalUnit\nou: {name}\n"));
    unit
}
