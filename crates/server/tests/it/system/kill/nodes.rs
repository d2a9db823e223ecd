//! Several nodes on one PostgreSQL: they share the work, and one that stops, dies, is held up or loses the database does
//! no harm.
//!
//! The clients, the systems and the verdict are those of the kill test. `cargo xtask prove nodes` runs these tests at
//! full length: with `LOCKSTEP_PROVE_NODES` set, times are those of an installation, not of a test.

mod database_lost;
mod flapping;
mod held_up;
mod intake;
mod sharing;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use toml::Table;

use super::driver::Person;
use super::fleet::Fleet;
use super::world::World;
use super::{all_final, outcomes};
use crate::system::api::Api;
use crate::system::installation::Installation;
use crate::system::tables::postgres_database;
use crate::system::{fresh_password, until};

/// How long everything may take that has no limit of its own.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a busy machine may add to a limit.
const SLACK: Duration = Duration::from_secs(2);

/// What is set about nodes.
#[derive(Debug, Clone, Copy)]
struct Timing {
    /// `engine.node-timeout`.
    timeout: Duration,
    /// `engine.grace`.
    grace: Duration,
}

/// Short, so that tests need not wait.
const QUICK: Timing = Timing { timeout: Duration::from_secs(2), grace: Duration::from_secs(8) };

impl Timing {
    /// How long intake may stop: the lock time limit.
    fn lock_limit(self) -> Duration {
        self.timeout / 2
    }

    /// How long it may take until others have all that a dead node owned.
    fn take_over_limit(self) -> Duration {
        self.timeout + self.timeout / 2
    }
}

/// Whether everything takes as long as in an installation.
fn is_proof() -> bool {
    std::env::var_os("LOCKSTEP_PROVE_NODES").is_some()
}

/// Nodes on one database, with systems, people and their passwords.
struct Town {
    name: &'static str,
    begin: Instant,
    fleet: Fleet,
    world: World,
    initial: String,
    store: PgPool,
    timing: Timing,
}

impl Town {
    /// Everything but the nodes' processes. The people are in the directory from number `first` on.
    async fn new(name: &'static str, first: usize, people: usize, timing: Timing) -> Self {
        let url = postgres_database(&format!("system_nodes_{name}_store")).await;
        Self::on(url.as_str(), name, first, people, timing).await
    }

    /// The same on a database that is there already, and empty.
    async fn on(url: &str, name: &'static str, first: usize, people: usize, timing: Timing) -> Self {
        let initial = fresh_password("initial");
        let (world, state) = World::new(&format!("nodes_{name}"), first, people, &initial).await;
        let begin = Instant::now();
        let mut settings = super::settings();
        settings.insert("store".to_owned(), Table::from_iter([("url".to_owned(), url.into())]).into());
        let engine = settings.get_mut("engine").and_then(toml::Value::as_table_mut).expect("a table");
        for (field, time) in [("node-timeout", timing.timeout), ("grace", timing.grace)] {
            engine.insert(field.to_owned(), format!("{}ms", time.as_millis()).into());
        }
        let fleet = Fleet::new(Installation::new(settings, &state).await, 2);
        let store = PgPoolOptions::new().max_connections(4).connect_lazy(url).expect("an address");
        Self { name, begin, fleet, world, initial, store, timing }
    }

    /// Starts both nodes, and waits until each has half.
    async fn share(&mut self) {
        self.fleet.start_all().await;
        let took = self.shared().await;
        self.say(format_args!("each node has half of the buckets after {took:.1?}"));
    }

    /// Waits until both nodes have half.
    async fn shared(&self) -> Duration {
        let begin = Instant::now();
        until("the buckets are shared", PATIENCE + self.timing.grace, async || {
            let owners = self.owners().await;
            let count = |node| owners.values().filter(|owner| **owner == node).count();
            (count(0) == 128 && count(1) == 128).then_some(())
        })
        .await;
        begin.elapsed()
    }

    /// Waits until one node has everything, and says how long that took since `begin`.
    async fn has_everything(&self, node: usize, begin: Instant) -> Duration {
        until("one node has every bucket", PATIENCE, async || {
            let owners = self.owners().await;
            (owners.len() == 256 && owners.values().all(|owner| *owner == node)).then_some(())
        })
        .await;
        begin.elapsed()
    }

    /// The node of each bucket that has one.
    async fn owners(&self) -> BTreeMap<u8, usize> {
        let rows = sqlx::query_as("SELECT b.bucket, n.name FROM bucket b JOIN node n ON n.id = b.node");
        let rows: Vec<(i16, String)> = rows.fetch_all(&self.store).await.expect("rows");
        let node = |name: &str| if name.contains(&self.fleet.address(0)) { 0 } else { 1 };
        rows.into_iter().map(|(bucket, name)| (bucket as u8, node(&name))).collect()
    }

    /// What `lockstep status --json` says.
    async fn status(&self) -> Value {
        let output = self.fleet.installation.command(&["status", "--json"]).output().await.expect("it runs");
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Waits until everything is final, and compares all that was said with all that there is.
    ///
    /// # Panics
    /// When anything is lost, or a lie.
    async fn judge(&self, api: &Api, people: &[Person]) {
        let begin = Instant::now();
        let statuses = all_final(api, people).await;
        let settled = begin.elapsed();
        let findings = self.world.findings(people, &statuses).await;
        let requests: usize = people.iter().map(|person| person.requests.len()).sum();
        self.say(format_args!("{requests} requests, final {settled:.1?} after the last: {:?}", outcomes(&statuses)));
        self.say(format_args!(
            "FINISHED that is not so {}, old over new {}, FAILED that has it {}; {:.0?} in all",
            findings.not_so,
            findings.old_over_new,
            findings.unsaid,
            self.begin.elapsed()
        ));
        let rows = self.fleet.installation.store();
        let changes = rows.count("SELECT '', count(*) FROM change").await;
        assert_eq!(changes, requests as i64, "a request became two changes, or none");
        let kept = "SELECT '', count(*) FROM change WHERE payload IS NOT NULL";
        assert_eq!(rows.count(kept).await, 0, "a final change keeps its payload");
        assert!(findings.lies.is_empty(), "{} lies:\n{}", findings.lies.len(), findings.lies.join("\n"));
    }

    fn say(&self, what: std::fmt::Arguments<'_>) {
        eprintln!("{}: {what}", self.name);
    }
}

/// The bucket of an identity, as the API writes its id.
fn bucket(identity: &str) -> u8 {
    u8::from_str_radix(&identity[identity.len() - 2..], 16).expect("hexadecimal digits")
}
