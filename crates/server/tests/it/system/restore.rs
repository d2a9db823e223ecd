//! A database that is put back from a copy in which many changes were pending: `serve` stops and says why; after
//! `lockstep restored` none of them is delivered, each says that it may have been, and what was captured since is refused.
//!
//! The changes of the copy are carried out after it was made, and newer ones after them. So a server that went on with the
//! copy would put old passwords over newer ones, and the directory would show it.

use std::fs;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::Command;
use toml::Table;

use super::api::Api;
use super::directory::{DIRECTORY, Directory, dn};
use super::fresh_password;
use super::installation::{Installation, quick};
use super::own_postgres::{OwnPostgres, done, program};
use super::state::State;
use super::tables::{BILLING, PostgresTable, bcrypt, postgres_database};
use super::until;

/// How many changes are pending when the copy is made; `cargo xtask prove restore` sets more.
fn size() -> usize {
    std::env::var("LOCKSTEP_TEST_RESTORE_CHANGES").map_or(50, |text| text.parse().expect("a number"))
}

/// How many people change their password again after the copy was made.
const AGAIN: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_sqlite_file_that_was_copied_is_not_carried_on_with() {
    let mut office = Office::open("system_restore_files", quick()).await;
    office.fill().await;
    // Stopped, so that the files are of one moment.
    office.installation.stop().await;
    let files = office.database_files();
    let copies = tempfile::tempdir().expect("a folder");
    let copy_of = |file: &PathBuf| copies.path().join(file.file_name().expect("a name"));
    for file in &files {
        fs::copy(file, copy_of(file)).expect("copied");
    }
    office.installation.start().await;
    office.go_on().await;
    office.installation.kill().await;
    for file in office.database_files() {
        fs::remove_file(file).expect("removed");
    }
    for file in &files {
        fs::copy(copy_of(file), file).expect("put back");
    }
    office.stands_still_until_restored().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_not_carried_on_with_although_nothing_happened_but_the_backup() {
    let mut office = Office::open("system_restore_backup", quick()).await;
    office.fill().await;
    let copy = office.installation.data().join("copy.db");
    let copy = copy.to_str().expect("text");
    let said = office.installation.run(&["backup", copy]).await;
    assert!(said.contains("copy.db") && said.contains("master key"), "{said}");
    let again = office.installation.command(&["backup", copy]).output().await.expect("it runs");
    assert!(!again.status.success() && text(&again.stderr).contains("exists already"), "{again:?}");
    // The same server all the time, and less than a minute: only the backup itself has raised the mark.
    office.carry_out().await;
    office.installation.kill().await;
    for file in office.database_files() {
        fs::remove_file(file).expect("removed");
    }
    fs::rename(copy, office.installation.data().join("lockstep.db")).expect("put back");
    office.stands_still_until_restored().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_postgresql_is_not_carried_on_with() {
    let name = "system_restore_dump_store";
    let url = postgres_database(name).await;
    let mut office = Office::open("system_restore_dump", on(url.as_str())).await;
    office.fill().await;
    let folder = tempfile::tempdir().expect("a folder");
    let dump = folder.path().join("lockstep.dump");
    done(Command::new(program("pg_dump")).args(["--format=custom", "-d", url.as_str(), "-f"]).arg(&dump)).await;
    office.installation.stop().await;
    office.installation.start().await;
    office.go_on().await;
    office.installation.kill().await;
    postgres_database(name).await;
    done(Command::new(program("pg_restore")).args(["--exit-on-error", "-d", url.as_str()]).arg(&dump)).await;
    office.stands_still_until_restored().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_stops_by_itself_when_postgresql_goes_back_to_a_point_in_time() {
    let mut postgres = OwnPostgres::archiving().await;
    postgres.sql("CREATE DATABASE lockstep").await;
    let mut office = Office::open("system_restore_point", on(&postgres.url("lockstep"))).await;
    postgres.base_backup().await;
    office.fill().await;
    postgres.restore_point("pending").await;
    office.carry_out().await;

    // The server runs all the time, as it would through a fail-over.
    let begin = Instant::now();
    postgres.recover_to("pending").await;
    let (status, log) = office.installation.ended().await;
    eprintln!("the server ended {:.1?} after the order to recover", begin.elapsed());
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("lost commits") && log.contains("lockstep restored"), "{log}");
    office.stands_still_until_restored().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_file_and_the_file_of_another_database_stop_the_server_and_a_running_one_is_not_restored() {
    let mut installation = Installation::new(quick(), &State::default()).await;
    let mark = installation.data().join("restore.mark");
    assert!(!mark.exists(), "only a server makes it");
    installation.start().await;
    let first = fs::read_to_string(&mark).expect("a mark");
    let refused = installation.command(&["restored", "--yes"]).output().await.expect("it runs");
    assert!(text(&refused.stderr).contains("another process serves this database"), "{refused:?}");
    installation.stop().await;
    installation.start().await;
    installation.kill().await;
    assert_ne!(fs::read_to_string(&mark).expect("a mark"), first, "each start raises it");

    fs::rename(&mark, mark.with_extension("away")).expect("moved");
    let stopped = installation.second_server().await;
    assert!(text(&stopped.stderr).contains("there is no restore mark at"), "{stopped:?}");
    assert!(!mark.exists(), "what stops makes no mark");

    let other = Installation::new(quick(), &State::default()).await;
    let mut other_running = other;
    other_running.start().await;
    fs::copy(other_running.data().join("restore.mark"), &mark).expect("copied");
    let stopped = installation.second_server().await;
    assert!(text(&stopped.stderr).contains("belongs to another database"), "{stopped:?}");

    fs::rename(mark.with_extension("away"), &mark).expect("put back");
    installation.start().await;
    assert!(installation.stop().await.success());
    assert!(other_running.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_a_mark_joins_a_server_that_lives_and_starts_none_alone() {
    let url = postgres_database("system_restore_hosts").await;
    let mut installation = Installation::new(on(url.as_str()), &State::default()).await;
    installation.start().await;
    // The same but for the file: what another host has.
    let mark = installation.data().join("other.mark");
    let elsewhere = Table::from_iter([("restore-mark".to_owned(), mark.to_str().expect("text").into())]);
    installation.configure(Table::from_iter([("store".to_owned(), elsewhere.into())]));
    let mut command = installation.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let mut other = command.spawn().expect("it runs");
    until("the other has a mark of its own", Duration::from_secs(30), async || mark.exists().then_some(())).await;
    other.kill().await.expect("killed");
    installation.kill().await;

    fs::remove_file(&mark).expect("removed");
    let stopped = installation.second_server().await;
    assert!(text(&stopped.stderr).contains("none runs now"), "{stopped:?}");
    assert!(!mark.exists(), "what stops makes no mark");
}

/// A directory and a table that share a password, and people who sign in with the directory's.
struct Office {
    directory: Directory,
    billing: PostgresTable,
    installation: Installation,
    api: Api,
    people: Vec<String>,
    /// What was pending when the copy was made.
    pending: Vec<String>,
    /// What each person has in the end.
    last: Vec<String>,
    captured: Vec<Value>,
}

impl Office {
    async fn open(database: &str, settings: Table) -> Self {
        let people: Vec<String> = (0..size()).map(|number| format!("person{number:04}")).collect();
        let old = fresh_password("old");
        let directory = Directory::own().await;
        directory.reset(0..people.len(), &old).await;
        let billing = PostgresTable::new(database, &people, &old).await;
        let mut state = State::one_group(Table::new(), vec![directory.source(), billing.source(bcrypt())]);
        for (number, login) in people.iter().enumerate() {
            let native_id = |source| if source == DIRECTORY { dn(number) } else { login.clone() };
            state.person(login, Some(DIRECTORY), native_id);
        }
        let mut installation = Installation::new(settings, &state).await;
        installation.start().await;
        let api = installation.api().await;
        let (pending, last, captured) = (Vec::new(), Vec::new(), Vec::new());
        Self { directory, billing, installation, api, people, pending, last, captured }
    }

    /// A change for everybody, which waits because the directory is down.
    async fn fill(&mut self) {
        self.directory.stop().await;
        for login in &self.people {
            let password = fresh_password("pending");
            self.pending.push(self.api.set(login, BILLING, &password).await);
            self.last.push(password);
        }
        until("every change is judged", Duration::from_secs(120), async || {
            let unjudged = "SELECT '', count(*) FROM change WHERE state = 'accepted'";
            (self.installation.store().count(unjudged).await == 0).then_some(())
        })
        .await;
    }

    /// After a restart of the server.
    async fn go_on(&mut self) {
        self.api = self.installation.api().await;
        self.carry_out().await;
    }

    /// What the copy does not know: its changes are delivered, and newer ones; one is captured on its way.
    async fn carry_out(&mut self) {
        self.directory.start().await;
        for id in &self.pending {
            assert_eq!(self.api.settled(id).await.state, "FINISHED");
        }
        for (login, last) in self.people.iter().zip(&mut self.last).take(AGAIN) {
            let password = fresh_password("newer");
            let request = self.api.ask(login, DIRECTORY).await.change_to(&password);
            let id = self.api.try_set(&request).await.expect("accepted");
            assert_eq!(self.api.settled(&id).await.state, "FINISHED");
            self.captured.push(request);
            *last = password;
        }
    }

    /// The whole of what must hold once the copy is in the database's place.
    async fn stands_still_until_restored(mut self) {
        let stopped = self.installation.second_server().await;
        let said = text(&stopped.stderr);
        assert_eq!(stopped.status.code(), Some(1), "{said}");
        assert!(said.contains("older than what this host has seen") && said.contains(" restored\n"), "{said}");
        let config = self.installation.data().join("lockstep.toml");
        assert!(said.contains(&format!("lockstep --config {} restored", config.display())), "{said}");
        let unsure = self.installation.command(&["restored"]).stdin(Stdio::null()).output().await;
        let unsure: Output = unsure.expect("it runs");
        assert!(!unsure.status.success() && text(&unsure.stderr).contains("--yes"), "{unsure:?}");

        self.restore_and_die_half_way().await;
        let said = self.installation.run(&["restored", "--yes"]).await;
        eprintln!("{said}");
        self.installation.start().await;
        self.api = self.installation.api().await;
        for id in &self.pending {
            let status = self.api.status(id).await;
            assert_eq!((status.state.as_str(), status.errors.len()), ("FAILED", 2), "{status:?}");
            assert!(
                status.errors.iter().all(|line| line.contains("may or may not have the new password")),
                "{status:?}"
            );
        }
        for request in &self.captured {
            let refused = self.api.refused(request).await;
            assert!(refused.contains("publicKeyId"), "{refused}");
        }
        let rows = self.installation.store();
        let unfinished = "SELECT '', count(*) FROM change WHERE state IN ('accepted', 'judged') OR payload IS NOT NULL";
        assert_eq!(rows.count(unfinished).await, 0);
        assert_eq!(rows.count("SELECT '', count(*) FROM doubt").await, 0);
        // Time for what must not happen.
        tokio::time::sleep(Duration::from_secs(1)).await;
        for (number, (login, last)) in self.people.iter().zip(&self.last).enumerate().take(2 * AGAIN) {
            assert!(self.directory.signs_in(number, last).await, "{login} has another password in the directory");
            assert!(self.billing.holds(login, last).await, "{login} has another password in the table");
        }
        // And life goes on.
        let status = self.api.change(&self.people[0], DIRECTORY, &fresh_password("after")).await;
        assert_eq!(status.state, "FINISHED", "{status:?}");
        assert!(self.installation.stop().await.success());
        self.directory.stop().await;
    }

    /// A first attempt that is killed while it waits, when everything is ended but the mark: no server starts.
    async fn restore_and_die_half_way(&self) {
        let mut command = self.installation.command(&["restored", "--yes"]);
        let mut first = command.stderr(Stdio::null()).kill_on_drop(true).spawn().expect("it runs");
        until("the changes are ended", Duration::from_secs(60), async || {
            let keys = "SELECT '', count(*) FROM transport_key WHERE state <> 'destroyed'";
            (self.installation.store().count(keys).await == 0).then_some(())
        })
        .await;
        first.kill().await.expect("killed");
        let stopped = self.installation.second_server().await;
        assert_eq!(stopped.status.code(), Some(1), "{}", text(&stopped.stderr));
    }

    /// The files of the SQLite database that hold something.
    fn database_files(&self) -> Vec<PathBuf> {
        let beside =
            ["lockstep.db", "lockstep.db-wal", "lockstep.db-shm"].map(|name| self.installation.data().join(name));
        beside.into_iter().filter(|path| path.exists()).collect()
    }
}

/// Settings for a store on PostgreSQL, whose nodes are soon known to be dead.
fn on(url: &str) -> Table {
    let mut settings = quick();
    settings.insert("store".to_owned(), Table::from_iter([("url".to_owned(), url.into())]).into());
    let engine = settings["engine"].as_table_mut().expect("a table");
    engine.insert("node-timeout".to_owned(), "3s".into());
    settings
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
