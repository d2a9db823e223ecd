//! A password that somebody changes outside of Lockstep, in a directory and in a table, and what is said of that.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use lockstep::app::aggregate::Wanted;
use lockstep::app::apply::{self, Reference};
use lockstep_core::account::Account;
use lockstep_core::id::{IdentityId, SourceId};
use lockstep_core::scope::UserLevel;
use lockstep_core::task::TaskState;
use lockstep_store::{account, aggregation, identity, password_set, source};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::staff::aggregate_source;
use crate::browser::Browser;
use crate::harness::{Answer, Harness};
use crate::sign_in::set_password;
use crate::system::directory::{Directory, dn};

/// Who it is about, in the directory and by their user name.
const NUMBER: usize = 7;
const ALIAS: &str = "user00007";
const PASSWORD: &str = "Sign-In-Password-1";
const NEW: &str = "Quiet-Lantern-Over-Harbour-42";
const NEWER: &str = "Brisk-Willow-Under-Castle-17";
const SAID: &str = "Changed elsewhere on";

/// A person with an account in a directory and in a table, which share a password.
struct Shared {
    harness: Harness,
    directory: Directory,
    folder: TempDir,
    person: IdentityId,
    accounts: Vec<Account>,
}

impl Shared {
    async fn start() -> Self {
        let (harness, directory) = (Harness::start().await, Directory::own().await);
        directory.forget_histories().await;
        let folder = tempfile::tempdir().expect("a folder");
        let mut shared =
            Self { person: IdentityId(uuid::Uuid::nil()), accounts: Vec::new(), harness, directory, folder };
        shared.table("CREATE TABLE people (login TEXT PRIMARY KEY, secret TEXT, set_on TEXT)").await;
        shared.table(&format!("INSERT INTO people VALUES ('{ALIAS}', '', '2020-05-05 05:05:05')")).await;
        shared.apply().await;
        let found = shared.harness.read(|tx| Box::pin(identity::find_by_alias(tx, ALIAS))).await;
        shared.person = found.expect("made").id;
        set_password(&shared.harness, shared.person, PASSWORD, false).await;
        shared.read().await;
        let person = shared.person;
        let accounts = shared.harness.read(move |tx| Box::pin(account::list_of(tx, person))).await;
        shared.accounts = accounts.into_iter().filter(|own| own.source != SourceId::IDENTITY_NOW).collect();
        assert_eq!(shared.accounts.len(), 2, "{:?}", shared.accounts);
        shared
    }

    async fn apply(&self) {
        let columns = "login AS stable_id, login AS account, set_on AS password_changed_at";
        let text = format!(
            "[[password-policy]]\nname = \"Shared\"\nhistory = 5\n\
             [[source]]\nname = \"Directory\"\nconnector = \"ldap\"\nsecrets = {{ password = {{ env = \"IT\" }} }}\n\
             [source.config]\nurl = \"{url}\"\nallow_plain = true\nbind_dn = \"cn=svc,dc=example,dc=test\"\n\
             [source.config.accounts]\nbase = \"ou=people,dc=example,dc=test\"\nfilter = \"(uid={ALIAS})\"\n\
             [source.aggregation]\ncorrelation = [{{ account = \"uid\", identity = \"alias\" }}]\n\
             [[source]]\nname = \"Table\"\nconnector = \"sql\"\n[source.config]\nurl = \"sqlite:{path}\"\n\
             statement = \"UPDATE people SET secret = :hash, set_on = datetime('now') WHERE login = :account\"\n\
             verify = \"SELECT secret FROM people WHERE login = :account\"\nhash = \"pbkdf2-sha256\"\n\
             hash_rounds = 1000\n[source.config.accounts]\nstatement = \"SELECT {columns} FROM people\"\n\
             one = \"SELECT {columns} FROM people WHERE login = :stable_id\"\n\
             [source.aggregation]\ncorrelation = [{{ account = \"name\", identity = \"alias\" }}]\n\
             [[sync-group]]\nname = \"Office\"\npolicy = \"Shared\"\nsources = [\"Directory\", \"Table\"]\n\
             [[identity]]\nalias = \"{ALIAS}\"\n",
            url = self.directory.plain(),
            path = self.path(),
        );
        let wanted = toml::from_str(&text).expect("a file");
        let follow = Arc::new(|_: &Reference| Ok(Zeroizing::new(b"svcsecret".to_vec())));
        apply::apply(&self.harness.app, Arc::new(wanted), follow).await.expect("applied");
    }

    fn path(&self) -> String {
        self.folder.path().join("people.db").display().to_string()
    }

    /// Changes the table, as its application would.
    async fn table(&self, sql: &str) {
        let options = SqliteConnectOptions::new().filename(self.path()).create_if_missing(true);
        let mut database = options.connect().await.expect("opened");
        sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut database).await.expect("done");
    }

    /// Reads what changed in both.
    async fn read(&self) {
        for name in ["Directory", "Table"] {
            let task = aggregate_source(&self.harness, name, Wanted::default()).await;
            assert_eq!((task.state, task.counters.read), (TaskState::Done, 1), "{task:?}");
        }
    }

    async fn source(&self, name: &'static str) -> SourceId {
        self.harness.read(move |tx| Box::pin(source::find_by_name(tx, name))).await.expect("applied").id
    }

    /// Has all that happened so far have happened a day earlier, here and there.
    async fn a_day_passes(&self) {
        let (person, then) = (self.person, self.harness.app.clock.utc() - TimeDelta::days(1));
        self.directory.was_changed_at(NUMBER, &then.format("%Y%m%d%H%M%SZ").to_string()).await;
        self.table("UPDATE people SET set_on = datetime(set_on, '-1 day')").await;
        for own in &self.accounts {
            let account = own.id;
            self.harness.write(move |tx| Box::pin(password_set::put(tx, person, account, then))).await;
        }
        self.read().await;
    }

    /// What the card says, without the marks around what is put into it.
    async fn page(&self, browser: &mut Browser<'_>) -> String {
        let page = browser.get(&self.harness.url("/passwords")).await;
        assert_eq!(page.status, 200, "{}", page.text);
        page.text.replace(['\u{2068}', '\u{2069}'], "").replace("<bdi>", "").replace("</bdi>", "")
    }

    async fn change(&self, browser: &mut Browser<'_>, password: &str) {
        let watched = self.ask(browser, password).await;
        self.harness.settled().await;
        let watched = browser.get(&self.harness.url(&watched)).await;
        assert!(watched.text.contains("Your password is changed"), "{}", watched.text);
    }

    /// Asks for a change, and says where it is watched.
    async fn ask(&self, browser: &mut Browser<'_>, password: &str) -> String {
        let path = format!("/passwords/{}", self.source("Directory").await);
        let page = browser.get(&self.harness.url(&path)).await;
        let sent = browser.submit(&page, &path, &[("new_password", password), ("repeated", password)]).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        sent.location().expect("a place").path().to_owned()
    }
}

async fn come_in<'a>(harness: &'a Harness, alias: &str) -> Browser<'a> {
    let mut browser = Browser::new(harness);
    let page = browser.get(&harness.url("/sign-in")).await;
    let came = browser.submit(&page, "/sign-in", &[("user_name", alias), ("password", PASSWORD)]).await;
    assert_eq!(came.status, 303, "{}", came.text);
    browser
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}

#[tokio::test]
async fn a_password_that_was_changed_outside_says_so_until_it_is_changed_here() {
    let mut shared = Shared::start().await;
    let mut signed_in = come_in(&shared.harness, ALIAS).await;
    let browser = &mut signed_in;
    let page = shared.page(browser).await;
    assert!(page.contains("Last changed 2020-05-05") && !page.contains(SAID), "the system's word alone: {page}");

    // What Lockstep itself sets is never that, whenever it is read; and the same once more neither, which makes it no younger.
    let days_before = |days| day(shared.harness.app.clock.utc() - TimeDelta::days(days));
    for before in [0, 1] {
        shared.change(browser, NEW).await;
        assert!(!shared.page(browser).await.contains(SAID));
        shared.read().await;
        let page = shared.page(browser).await;
        assert!(page.contains(&format!("Last changed {}", days_before(before))) && !page.contains(SAID), "{page}");
        shared.a_day_passes().await;
        assert!(!shared.page(browser).await.contains(SAID));
    }

    // In the directory: known once it was read.
    shared.directory.reset([NUMBER], "Another-Password-5").await;
    assert!(!shared.page(browser).await.contains(SAID), "nobody has looked");
    shared.read().await;
    let (page, today) = (shared.page(browser).await, day(shared.harness.app.clock.utc()));
    assert!(page.contains(&format!("{SAID} {today}: Directory</p>")), "{page}");
    assert!(page.contains("Change it here so that all have the same again."), "{page}");

    // While it is set anew, and after that, whenever the account is read.
    shared.directory.stop().await;
    shared.ask(browser, NEWER).await;
    let mut looks = 0;
    while shared.page(browser).await.contains(SAID) {
        looks += 1;
        assert!(looks < 100, "it is under way");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    shared.directory.start().await;
    shared.harness.settled().await;
    assert!(!shared.page(browser).await.contains(SAID));
    shared.read().await;
    assert!(!shared.page(browser).await.contains(SAID));
    shared.a_day_passes().await;

    // In the table, found by reading the one account.
    shared.table("UPDATE people SET secret = 'x', set_on = datetime('now')").await;
    let token = shared.harness.admin_token().await;
    let own = shared.accounts.iter().find(|own| own.stable_id == ALIAS).expect("in the table").id;
    let post = shared.harness.http.post(shared.harness.url(&format!("/v2025/accounts/{own}/reload")));
    Answer::of(post.bearer_auth(token)).await.with_status(202);
    let page = shared.page(browser).await;
    assert!(page.contains(&format!("{SAID} {}: Table</p>", day(shared.harness.app.clock.utc()))), "{page}");
    shared.harness.stop().await;
}

#[tokio::test]
async fn a_help_desk_sees_it_and_a_password_alone_says_it_in_a_line() {
    let shared = Shared::start().await;
    let (person, now) = (shared.person, shared.harness.app.clock.utc());
    let browser = &mut come_in(&shared.harness, ALIAS).await;
    shared.change(browser, NEW).await;
    shared.a_day_passes().await;
    shared.directory.reset([NUMBER], "Another-Password-5").await;
    shared.read().await;

    let helga = shared.harness.world.helga;
    set_password(&shared.harness, helga, PASSWORD, false).await;
    let levels = BTreeSet::from([UserLevel::HelpDesk]);
    shared
        .harness
        .write(move |tx| {
            let levels = levels.clone();
            Box::pin(async move { identity::set_levels(tx, helga, &levels, now).await })
        })
        .await;
    let mut helper = come_in(&shared.harness, "Helga.Desk").await;
    let seen = helper.get(&shared.harness.url(&format!("/people/{person}"))).await.text;
    assert_eq!(seen.matches(SAID).count(), 1, "{seen}");

    // The table is not there any more for the person: nothing shares the password, and nothing is to be made the same.
    let table = shared.accounts.iter().find(|own| own.native_id != dn(NUMBER)).expect("in the table").id;
    shared.harness.write(move |tx| Box::pin(aggregation_buries(tx, table))).await;
    let page = shared.page(browser).await;
    assert!(page.contains(&format!("<p class=\"hint\">{SAID} {}</p>", day(now))), "{page}");
    assert!(!page.contains("all have the same again") && !page.contains("Last changed"), "{page}");
    shared.harness.stop().await;
}

/// An account that is gone, without the wait for the engine.
async fn aggregation_buries(
    tx: &mut lockstep_store::Tx<'_>,
    id: lockstep_core::id::AccountId,
) -> lockstep_store::Result<()> {
    let known = aggregation::get(tx, id).await?;
    let gone = Account { vanished: true, ..known.account };
    account::put(tx, &gone, &gone.native_id, DateTime::UNIX_EPOCH).await
}
