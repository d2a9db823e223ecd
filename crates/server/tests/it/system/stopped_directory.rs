//! A directory that is down, and one that refuses: who waits, who does not, and what the status says.

use std::time::Duration;

use super::api::Api;
use super::directory::{DIRECTORY, Directory, dn};
use super::fresh_password;
use super::installation::{Installation, quick};
use super::state::State;
use super::tables::{BILLING, CANTEEN, PostgresTable, SqliteTable, bcrypt};
use super::until;

/// Abby signs in to Lockstep itself; the directory is one of her systems like any other.
const ABBY: (&str, usize) = ("abby.smith", 11);
/// Bruno signs in with the directory's password.
const BRUNO: (&str, usize) = ("bruno.diaz", 12);

/// Long enough for everything that does not wait to be done, and for what waits to be wrongly begun.
const A_WHILE: Duration = Duration::from_millis(1500);

/// A directory of its own and two tables in one group, under a policy without rules: the directory has its own.
struct Office {
    directory: Directory,
    billing: PostgresTable,
    canteen: SqliteTable,
    installation: Installation,
    api: Api,
}

impl Office {
    async fn open(database: &str, initial: &str) -> Self {
        let directory = Directory::own().await;
        directory.reset([ABBY.1, BRUNO.1], initial).await;
        let logins = [ABBY.0.to_owned(), BRUNO.0.to_owned()];
        let billing = PostgresTable::new(database, &logins, initial).await;
        let canteen = SqliteTable::new(&logins, &billing.hash(initial).await).await;
        let sources = vec![directory.source(), billing.source(bcrypt()), canteen.source(bcrypt())];
        let mut state = State::one_group(toml::Table::new(), sources);
        for ((alias, number), sign_in_source) in [(ABBY, None), (BRUNO, Some(DIRECTORY))] {
            state.person(
                alias,
                sign_in_source,
                |source| if source == DIRECTORY { dn(number) } else { alias.to_owned() },
            );
        }
        let mut installation = Installation::new(quick(), &state).await;
        installation.start().await;
        let api = installation.api().await;
        Self { directory, billing, canteen, installation, api }
    }

    /// Whether the password works in the tables: both, or neither.
    async fn in_tables(&self, alias: &str, password: &str) -> bool {
        let billing = self.billing.holds(alias, password).await;
        let stored = self.canteen.stored().await;
        let hashes: Vec<String> =
            stored.into_iter().filter(|(login, _)| login == alias).map(|(_, hash)| hash).collect();
        let canteen = self.billing.fitting(&hashes, &[password.to_owned()]).await;
        assert_eq!(canteen, [billing], "the tables do not agree");
        billing
    }

    async fn close(mut self) {
        assert!(self.installation.stop().await.success());
        self.directory.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_down_holds_up_nobody_and_is_reached_when_it_is_back() {
    let old = fresh_password("old");
    let mut office = Office::open("system_member_down", &old).await;
    office.directory.stop().await;

    let new = fresh_password("new");
    let id = office.api.set(ABBY.0, BILLING, &new).await;
    until("both tables have the new password", Duration::from_secs(20), async || {
        let billing = office.billing.holds(ABBY.0, &new).await;
        let hashes: Vec<String> = office.canteen.stored().await.into_iter().map(|(_, hash)| hash).collect();
        let canteen = office.billing.fitting(&hashes, &vec![new.clone(); hashes.len()]).await;
        (billing && canteen.contains(&true)).then_some(())
    })
    .await;
    tokio::time::sleep(A_WHILE).await;
    let status = office.api.status(&id).await;
    assert_eq!((status.state.as_str(), status.source_ids.len()), ("IN_PROGRESS", 3));

    office.directory.start().await;
    let status = office.api.settled(&id).await;
    assert_eq!((status.state.as_str(), status.errors.len()), ("FINISHED", 0), "{status:?}");
    assert!(office.directory.signs_in(ABBY.1, &new).await);
    assert!(!office.directory.signs_in(ABBY.1, &old).await);
    assert!(office.in_tables(ABBY.0, &new).await);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_wait_for_a_sign_in_source_that_is_down() {
    let old = fresh_password("old");
    let mut office = Office::open("system_sign_in_down", &old).await;
    office.directory.stop().await;

    // Named is another member: it makes no difference to who goes first.
    let new = fresh_password("new");
    let id = office.api.set(BRUNO.0, CANTEEN, &new).await;
    tokio::time::sleep(A_WHILE).await;
    let status = office.api.status(&id).await;
    assert_eq!((status.state.as_str(), status.source_ids.len()), ("IN_PROGRESS", 3));
    assert!(office.in_tables(BRUNO.0, &old).await, "a table did not wait");

    office.directory.start().await;
    let status = office.api.settled(&id).await;
    assert_eq!((status.state.as_str(), status.errors.len()), ("FINISHED", 0), "{status:?}");
    assert!(office.directory.signs_in(BRUNO.1, &new).await);
    assert!(office.in_tables(BRUNO.0, &new).await);
    let out_of_order = office
        .installation
        .store()
        .count(
            "SELECT '', count(*) FROM target later JOIN target first ON first.change = later.change AND first.sign_in
             WHERE NOT later.sign_in AND later.settled_at < first.settled_at",
        )
        .await;
    assert_eq!(out_of_order, 0, "a table was settled before the sign-in source");
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_members_refusal_names_source_and_rule_and_the_others_are_changed() {
    let office = Office::open("system_member_refuses", &fresh_password("old")).await;

    let status = office.api.change(ABBY.0, BILLING, "Shrt-1").await;
    assert_refused(&status.state, &status.errors, "too short");
    assert!(office.in_tables(ABBY.0, "Shrt-1").await);
    assert!(!office.directory.signs_in(ABBY.1, "Shrt-1").await);

    let (first, second) = (fresh_password("first"), fresh_password("second"));
    for password in [&first, &second] {
        assert_eq!(office.api.change(ABBY.0, BILLING, password).await.state, "FINISHED");
    }
    let status = office.api.change(ABBY.0, BILLING, &first).await;
    assert_refused(&status.state, &status.errors, "history");
    assert_eq!(status.source_ids.len(), 3);
    assert!(office.in_tables(ABBY.0, &first).await);
    assert!(office.directory.signs_in(ABBY.1, &second).await);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_are_not_attempted_when_the_sign_in_source_refuses() {
    let old = fresh_password("old");
    let office = Office::open("system_sign_in_refuses", &old).await;
    let changed = fresh_password("changed");
    assert_eq!(office.api.change(BRUNO.0, DIRECTORY, &changed).await.state, "FINISHED");

    for (password, rule) in [("Shrt-1", "too short"), (old.as_str(), "history")] {
        let status = office.api.change(BRUNO.0, DIRECTORY, password).await;
        let (refused, others): (Vec<String>, Vec<String>) =
            status.errors.into_iter().partition(|line| line.starts_with(DIRECTORY));
        assert_refused(&status.state, &refused, rule);
        assert_eq!(others.len(), 2, "{others:?}");
        for source in [BILLING, CANTEEN] {
            let said = others.iter().any(|line| line.starts_with(&format!("{source}: not attempted")));
            assert!(said, "{others:?}");
        }
        assert!(office.in_tables(BRUNO.0, &changed).await);
        assert!(office.directory.signs_in(BRUNO.1, &changed).await);
    }
    office.close().await;
}

/// Failed, with one line, which names the directory and its rule and leaves no doubt about what it has.
fn assert_refused(state: &str, lines: &[String], rule: &str) {
    assert_eq!(state, "FAILED", "{lines:?}");
    let [line] = lines else { panic!("one line: {lines:?}") };
    assert!(line.starts_with(&format!("{DIRECTORY}: ")) && line.contains(rule), "{line}");
    assert!(!line.contains("may or may not"), "{line}");
}
