//! The systems behind one installation: a directory that remembers passwords, and two tables that keep a journal of what
//! was written. What they hold in the end is compared with what the statuses say.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use tokio::sync::{Mutex, MutexGuard};

use super::driver::{Person, alias};
use super::verdict::{Claim, Findings};
use crate::system::api::Status;
use crate::system::directory::{self, DIRECTORY, Directory, dn};
use crate::system::state::State;
use crate::system::tables::{BILLING, MariaDbTable, PostgresTable, WAREHOUSE};

/// The sources that share a password.
pub(super) const GROUP: [&str; 3] = [DIRECTORY, BILLING, WAREHOUSE];
/// Every source that a status may name.
const SOURCES: [&str; 4] = [DIRECTORY, BILLING, WAREHOUSE, "IdentityNow"];

/// Held by whoever has a world: each keeps several servers busy, and the limits of time that are tested are not meant for
/// a machine that is shared with another of them.
static TURN: Mutex<()> = Mutex::const_new(());

pub(super) struct World {
    _turn: MutexGuard<'static, ()>,
    directory: Directory,
    pub(super) billing: PostgresTable,
    warehouse: MariaDbTable,
    /// The directory's number of the first person.
    first: usize,
}

impl World {
    pub(super) async fn new(name: &str, first: usize, people: usize, initial: &str) -> (Self, State) {
        let turn = TURN.lock().await;
        let logins: Vec<String> = (0..people).map(alias).collect();
        let directory = Directory::shared();
        directory.reset(first..first + people, initial).await;
        let database = format!("system_kill_{name}");
        let billing = PostgresTable::new(&database, &logins, initial).await;
        let warehouse = MariaDbTable::new(&database, &logins, initial).await;
        let digest = sha256(initial);
        billing.keep_journal(&digest).await;
        warehouse.keep_journal(&digest).await;
        // The databases hash by themselves, so that a write can be told from another without guessing. Billing takes its
        // time, so that a kill finds it at work.
        let slow = toml::toml! {
            statement = "UPDATE people SET password = encode(sha256(convert_to(:password, 'UTF8')), 'hex')
                FROM (SELECT pg_sleep(random() * 0.3)) AS slept WHERE login = :account"
            verify = "SELECT password = encode(sha256(convert_to(:password, 'UTF8')), 'hex') FROM people
                WHERE login = :account"
            hash = "database"
        };
        let quick = toml::toml! {
            statement = "UPDATE people SET password = SHA2(:password, 256) WHERE login = :account"
            verify = "SELECT password = SHA2(:password, 256) FROM people WHERE login = :account"
            hash = "database"
        };
        let sources = vec![directory.source(), billing.source(slow), warehouse.source(quick)];
        let mut state = State::one_group(toml::toml! { minLength = 8 }, sources);
        for (number, alias) in logins.iter().enumerate() {
            // Every other person signs in with the directory, so that the tables wait for it.
            let sign_in_source = (number % 2 == 1).then_some(DIRECTORY);
            let native_id = |source| if source == DIRECTORY { dn(first + number) } else { alias.clone() };
            state.person(alias, sign_in_source, native_id);
        }
        (Self { _turn: turn, directory, billing, warehouse, first }, state)
    }

    /// Compares what the systems hold, and what their journals say, with the statuses.
    pub(super) async fn findings(&self, people: &[Person], statuses: &[Vec<Status>]) -> Findings {
        let mut findings = Findings { locked: self.unlock(people.len()).await, ..Findings::default() };
        let numbers = self.first..self.first + people.len();
        let passwords_there = self.directory.stored(numbers).await;
        let (billing, warehouse) = (self.billing.stored().await, self.warehouse.stored().await);
        let tables = [
            (BILLING, by_login(billing), self.billing.journal().await),
            (WAREHOUSE, by_login(warehouse), self.warehouse.journal().await),
        ];
        for (number, (person, statuses)) in people.iter().zip(statuses).enumerate() {
            let group: Vec<(&str, &Status)> =
                person.for_group().map(|(place, request)| (request.password.as_str(), &statuses[place])).collect();
            let claims = |source| -> Vec<Claim> {
                group.iter().map(|(_, status)| Claim::of(status, source, &SOURCES)).collect()
            };
            let passwords =
                || std::iter::once(person.initial.as_str()).chain(group.iter().map(|(password, _)| *password));
            let who = |source| format!("{} on {source}\n{}", alias(number), person.story());

            for status in statuses.iter().filter(|status| !status.is_final()) {
                findings.unsettled += 1;
                findings.lies.push(format!("{} is not final: {}", status.request_id, who("")));
            }
            let stored = &passwords_there[&(self.first + number)];
            let found = passwords().position(|password| directory::fits(stored, password));
            findings.hold(&claims(DIRECTORY), found, &who(DIRECTORY));
            if let Some(password) = found.and_then(|place| passwords().nth(place)) {
                let signs_in = self.directory.signs_in(self.first + number, password).await;
                assert!(signs_in, "{}: the directory refuses what it stores", alias(number));
            }
            for &(source, ref stored, ref journal) in &tables {
                let digests: Vec<String> = passwords().map(sha256).collect();
                let now = &stored[&alias(number)];
                let found = digests.iter().position(|digest| digest == now);
                findings.hold(&claims(source), found, &who(source));
                let wrote = |digest: &String| journal.contains(&(alias(number), digest.clone()));
                let landed: Vec<bool> = digests[1..].iter().map(wrote).collect();
                findings.wrote(&claims(source), &landed, &who(source));
            }
            for (place, request) in person.requests.iter().enumerate().filter(|(_, request)| request.built_in) {
                let Status { state, errors, .. } = &statuses[place];
                // It is never in doubt and never down: only a newer one can take its place.
                let others = errors.iter().any(|line| !line.starts_with("IdentityNow: superseded"));
                if state == "FAILED" && (others || errors.is_empty()) {
                    findings.lies.push(format!("{} {}: {state} {errors:?}", alias(number), request.id));
                }
            }
        }
        findings
    }

    /// Opens the accounts that wrong sign-ins have locked, and says how many there were.
    async fn unlock(&self, people: usize) -> usize {
        let locked = self.directory.locked(self.first..self.first + people).await;
        self.directory.unlock(&locked).await;
        locked.len()
    }
}

fn by_login(rows: Vec<(String, String)>) -> BTreeMap<String, String> {
    rows.into_iter().collect()
}

fn sha256(password: &str) -> String {
    hex::encode(digest(&SHA256, password.as_bytes()))
}
