//! `kill -9` while 500 changes are under way, five times: every accepted request becomes final, and each account's
//! working password on each source is one that the statuses name.
//!
//! What is killed is the server's process. What it had sent still arrives: that is what makes it hard.

mod driver;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use toml::Table;

use self::driver::{Driver, Person};
use self::verdict::Claim;
use super::api::{Api, Status};
use super::directory::{DIRECTORY, Directory, dn};
use super::installation::{Installation, quick};
use super::state::State;
use super::tables::{BILLING, CANTEEN, PostgresTable, SqliteTable, bcrypt, postgres_database};
use super::{fresh_password, until};

const SOURCES: [&str; 3] = [DIRECTORY, BILLING, CANTEEN];
/// How many changes people get, one after the other: 20 for four people, 500 for a hundred.
const CHANGES: [usize; 4] = [2, 3, 5, 10];
const PEOPLE: usize = 100;
/// The server is killed when so many were accepted.
const KILLS: [usize; 5] = [100, 200, 300, 400, 500];

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_nothing_and_no_status_lies_on_sqlite() {
    survive("sqlite", 100, quick()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_nothing_and_no_status_lies_on_postgresql() {
    let mut settings = quick();
    let url = postgres_database("system_kill_store").await;
    settings.insert("store".to_owned(), Table::from_iter([("url".to_owned(), url.as_str().into())]).into());
    survive("postgresql", 300, settings).await;
}

/// The systems behind one installation.
struct World {
    directory: Directory,
    billing: PostgresTable,
    canteen: SqliteTable,
    /// The directory's number of the first person.
    first: usize,
}

async fn survive(store: &str, first: usize, settings: Table) {
    let begin = Instant::now();
    let initial = fresh_password("initial");
    let (world, state) = World::new(store, first, &initial).await;
    let mut installation = Installation::new(settings, &state).await;
    installation.start().await;
    let api = installation.api().await;
    let people = driver::people(&api, &initial).await;
    let prepared = begin.elapsed();

    let driver = Driver::start(&api, people);
    for (round, accepted) in KILLS.into_iter().enumerate() {
        driver.accepted(accepted).await;
        installation.kill().await;
        let unfinished = unfinished(&installation).await;
        let at = begin.elapsed();
        eprintln!("{store}: kill {} at {at:.1?}, after {accepted} were accepted: {unfinished:?}", round + 1);
        assert!(!unfinished.is_empty(), "nothing was under way, so the kill proves nothing");
        installation.start().await;
    }
    let people = driver.people().await;
    let settling = Instant::now();
    let statuses = all_final(&api, &people).await;
    let settled = settling.elapsed();

    let lies = world.lies(&people, &statuses).await;
    eprintln!("{store}: {:?}", counts(&statuses));
    eprintln!(
        "{store}: prepared in {prepared:.1?}, settled {settled:.1?} after the last kill, {:.1?} in all",
        begin.elapsed()
    );
    assert!(lies.is_empty(), "{} lies:\n{}", lies.len(), lies.join("\n"));
    let changes: usize = people.iter().map(|person| person.requests.len()).sum();
    let rows = installation.store();
    assert_eq!(rows.count("SELECT '', count(*) FROM change").await, changes as i64, "a request became two changes");
    let kept = "SELECT '', count(*) FROM change WHERE payload IS NOT NULL";
    assert_eq!(rows.count(kept).await, 0, "a final change keeps its payload");
    assert!(installation.stop().await.success());
}

/// What the store says of unfinished changes and their targets, right after a kill.
async fn unfinished(installation: &Installation) -> BTreeMap<String, i64> {
    let query = "SELECT state, count(*) FROM change WHERE state = 'accepted' GROUP BY state
         UNION ALL SELECT t.state, count(*) FROM change c JOIN target t ON t.change = c.id
             WHERE c.state = 'judged' GROUP BY t.state
         UNION ALL SELECT 'in doubt', count(*) FROM doubt HAVING count(*) > 0";
    installation.store().counts(query).await.into_iter().collect()
}

/// The status of every request of every person, once all are final.
async fn all_final(api: &Api, people: &[Person]) -> Vec<Vec<Status>> {
    let mut statuses = Vec::new();
    for person in people {
        let mut of_person = Vec::new();
        for request in &person.requests {
            let id = request.id.as_deref().expect("accepted");
            let status = until("the change is final", Duration::from_secs(90), async || {
                Some(api.status(id).await).filter(Status::is_final)
            });
            of_person.push(status.await);
        }
        statuses.push(of_person);
    }
    statuses
}

fn counts(statuses: &[Vec<Status>]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for status in statuses.iter().flatten() {
        *counts.entry(if status.state == "FINISHED" { "finished" } else { "failed" }).or_default() += 1;
        for line in &status.errors {
            let kind = match line {
                line if line.contains("may or may not") && line.contains("superseded") => "superseded in doubt",
                line if line.contains("may or may not") => "failed in doubt",
                line if line.contains("superseded") => "superseded",
                line if line.contains("not attempted") => "not attempted",
                _ => "refused",
            };
            *counts.entry(kind).or_default() += 1;
        }
    }
    counts
}

impl World {
    async fn new(store: &str, first: usize, initial: &str) -> (Arc<Self>, State) {
        let logins: Vec<String> = (0..PEOPLE).map(driver::alias).collect();
        let directory = Directory::shared();
        directory.reset(first..first + PEOPLE, initial).await;
        let billing = PostgresTable::new(&format!("system_kill_{store}"), &logins, initial).await;
        let canteen = SqliteTable::new(&logins, &billing.hash(initial).await).await;
        let sources = vec![directory.source(), billing.source(bcrypt()), canteen.source(bcrypt())];
        let mut state = State::one_group(toml::toml! { minLength = 8 }, sources);
        for (number, alias) in logins.iter().enumerate() {
            // Every other person signs in with the directory, so that the tables wait for it.
            let sign_in_source = (number % 2 == 1).then_some(DIRECTORY);
            let native_id = |source| if source == DIRECTORY { dn(first + number) } else { alias.clone() };
            state.person(alias, sign_in_source, native_id);
        }
        (Arc::new(Self { directory, billing, canteen, first }), state)
    }

    /// Every account whose working password is not one that the statuses name.
    async fn lies(&self, people: &[Person], statuses: &[Vec<Status>]) -> Vec<String> {
        let billing = self.found_in_table(people, self.billing.stored().await).await;
        let canteen = self.found_in_table(people, self.canteen.stored().await).await;
        let mut lies = Vec::new();
        for (number, (person, statuses)) in people.iter().zip(statuses).enumerate() {
            for source in SOURCES {
                let claims: Vec<Claim> = statuses.iter().map(|status| Claim::of(status, source, &SOURCES)).collect();
                let named = verdict::named(&claims);
                let found = match source {
                    DIRECTORY => self.found_in_directory(number, person, &named).await,
                    BILLING => billing[number],
                    _ => canteen[number],
                };
                if !found.is_some_and(|found| named.contains(&found)) {
                    let alias = driver::alias(number);
                    lies.push(format!("{alias} on {source}: has {found:?}, named {named:?}\n{statuses:#?}"));
                }
            }
        }
        lies
    }

    /// Which of the named passwords signs in; the newest is tried first. After three wrong ones the account is locked.
    async fn found_in_directory(&self, number: usize, person: &Person, named: &[usize]) -> Option<usize> {
        for place in named.iter().rev().take(3) {
            if self.directory.signs_in(self.first + number, person.password(*place)).await {
                return Some(*place);
            }
        }
        None
    }

    /// Which password each person has in a table: every one that the person ever sent is tried, by pgcrypto.
    async fn found_in_table(&self, people: &[Person], stored: Vec<(String, String)>) -> Vec<Option<usize>> {
        let stored: BTreeMap<String, String> = stored.into_iter().collect();
        let (mut hashes, mut passwords, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for (number, person) in people.iter().enumerate() {
            for place in 0..=person.requests.len() {
                hashes.push(stored[&driver::alias(number)].clone());
                passwords.push(person.password(place).to_owned());
                places.push((number, place));
            }
        }
        let mut found = vec![None; people.len()];
        for ((number, place), fits) in places.into_iter().zip(self.billing.fitting(&hashes, &passwords).await) {
            if fits {
                found[number] = Some(place);
            }
        }
        found
    }
}
