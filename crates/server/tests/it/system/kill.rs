//! `kill -9` again and again while changes are under way: every accepted request becomes final, and each account holds
//! on each source what the statuses say.
//!
//! What is killed is the server's process. What it had sent still arrives: that is what makes it hard. The driver has a
//! log of its own, and the tables keep a journal of every write that landed, so that nothing is asked of the server but
//! its statuses. `cargo xtask prove kill` runs the same with more people, for longer, and at every failpoint too.

mod driver;
mod failpoints;
mod fleet;
mod nodes;
mod verdict;
mod world;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use toml::Table;

use self::driver::{Driver, Person};
use self::failpoints::Failpoint;
use self::fleet::Fleet;
use self::verdict::Findings;
use self::world::World;
use super::api::{Api, Status};
use super::installation::{Installation, quick};
use super::tables::postgres_database;
use super::{fresh_password, random_below};

/// Set by `cargo xtask prove kill`: for how many seconds.
const PROOF: &str = "LOCKSTEP_PROVE_KILL_SECONDS";

/// How much is done.
struct Size {
    people: usize,
    /// How long at least.
    lasts: Duration,
    /// How many kills at any moment must find an account that is being written.
    kills: usize,
    failpoints: Vec<(Failpoint, &'static str)>,
    /// The longest that a server is left alone before the next kill.
    lull: Duration,
    /// How long a client waits after each person, so that what a kill leaves behind can be worked off.
    pace: Duration,
}

impl Size {
    /// What every run of the tests does, or what the proof asks for.
    fn told() -> Self {
        let told = Self {
            people: 48,
            lasts: Duration::ZERO,
            kills: 5,
            failpoints: Vec::new(),
            lull: Duration::from_secs(2),
            pace: Duration::from_millis(600),
        };
        let Ok(seconds) = std::env::var(PROOF) else { return told };
        let lasts = Duration::from_secs(seconds.parse().expect("seconds"));
        Self {
            people: 200,
            lasts,
            kills: 30,
            failpoints: every_failpoint(),
            lull: lasts / 50,
            pace: Duration::from_millis(1500),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_nothing_and_no_status_lies_on_sqlite() {
    survive("sqlite", 100, 1, settings(), Size::told()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_nothing_and_no_status_lies_on_postgresql_with_two_nodes() {
    let mut settings = settings();
    let url = postgres_database("system_kill_store").await;
    settings.insert("store".to_owned(), Table::from_iter([("url".to_owned(), url.as_str().into())]).into());
    survive("postgresql", 300, 2, settings, Size::told()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_failpoint_loses_nothing_and_no_status_lies() {
    let failpoints = every_failpoint();
    let size = Size { people: 12, lasts: Duration::ZERO, kills: 0, failpoints, ..Size::told() };
    survive("failpoints", 500, 1, settings(), size).await;
}

/// Every place that a change passes.
fn every_failpoint() -> Vec<(Failpoint, &'static str)> {
    Failpoint::NAMES.iter().copied().filter(|(point, _)| !failpoints::is_of_other_work(*point)).collect()
}

/// All nodes are one server to their clients.
fn settings() -> Table {
    let mut settings = quick();
    settings.insert("base-url".to_owned(), "http://lockstep.test".into());
    let engine = settings.get_mut("engine").and_then(toml::Value::as_table_mut).expect("a table");
    engine.insert("node-timeout".to_owned(), "2s".into());
    if std::env::var(PROOF).is_ok() {
        // Hundreds of accounts come back at once after each kill, and a call that is held up for a quarter of this sends
        // nothing.
        engine.insert("grace".to_owned(), "20s".into());
    }
    settings
}

async fn survive(name: &str, first: usize, nodes: usize, settings: Table, size: Size) {
    let initial = fresh_password("initial");
    let (world, state) = World::new(name, first, size.people, &initial).await;
    let begin = Instant::now();
    let installation = Installation::new(settings, &state).await;
    let mut run = Run { name, begin, fleet: Fleet::new(installation, nodes), kills: Vec::new(), missed: Vec::new() };

    // Keys are made when there are none, at the first start, and not again for a day: so no start in between without.
    let (for_keys, others): (Vec<_>, Vec<_>) =
        size.failpoints.into_iter().partition(|(point, _)| failpoints::is_of_first_start(*point));
    for (point, name) in for_keys {
        run.at_failpoint(point, name).await;
    }
    run.fleet.start_all().await;
    let apis = run.fleet.apis().await;
    let people = driver::people(&apis[0], size.people, &initial).await;
    let driver = Driver::start(&apis, people, size.pace, begin);

    let mut left = others.into_iter();
    loop {
        let next = left.next();
        if let Some((point, name)) = next {
            run.at_failpoint(point, name).await;
            run.fleet.start_all().await;
        }
        let enough = run.kills_while_applying() >= size.kills && begin.elapsed() >= size.lasts;
        if next.is_none() && enough {
            break;
        }
        if !enough {
            run.at_any_moment(size.lull).await;
        }
    }
    let people = driver.stop().await;
    let statuses = all_final(&apis[0], &people).await;
    let findings = world.findings(&people, &statuses).await;
    run.report(&people, &statuses, &findings);

    assert!(run.missed.is_empty(), "never reached: {:?}", run.missed);
    assert!(findings.lies.is_empty(), "{} lies:\n{}", findings.lies.len(), findings.lies.join("\n"));

    let changes: usize = people.iter().map(|person| person.requests.len()).sum();
    let rows = run.fleet.installation.store();
    assert_eq!(rows.count("SELECT '', count(*) FROM change").await, changes as i64, "a request became two changes");
    let kept = "SELECT '', count(*) FROM change WHERE payload IS NOT NULL";
    assert_eq!(rows.count(kept).await, 0, "a final change keeps its payload");
    run.fleet.stop_all().await;
}

/// What is under way.
struct Run<'a> {
    name: &'a str,
    begin: Instant,
    fleet: Fleet,
    kills: Vec<Kill>,
    /// The failpoints that were not passed.
    missed: Vec<&'static str>,
}

/// A kill: where, and the states of what was unfinished then.
struct Kill {
    failpoint: Option<&'static str>,
    states: BTreeMap<String, i64>,
}

impl Run<'_> {
    /// Kills one of the nodes while accounts are being written, if that comes to pass before long.
    async fn at_any_moment(&mut self, lull: Duration) {
        tokio::time::sleep(Duration::from_millis(300 + random_below(lull.as_millis() as u64))).await;
        let rows = self.fleet.installation.store();
        let applying = async {
            while rows.count("SELECT '', count(*) FROM target WHERE state = 'applying'").await == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // Not always at the beginning.
            tokio::time::sleep(Duration::from_millis(random_below(40))).await;
        };
        let _ = tokio::time::timeout(Duration::from_secs(3), applying).await;
        let victim = random_below(self.fleet.size() as u64) as usize;
        self.fleet.kill(victim).await;
        self.killed(None).await;
        self.fleet.start(victim, None);
        self.fleet.ready(victim).await;
    }

    /// Has a server killed at a failpoint.
    async fn at_failpoint(&mut self, point: Failpoint, name: &'static str) {
        match failpoints::reach(&mut self.fleet, point, name).await {
            true => self.killed(Some(name)).await,
            false => self.missed.push(name),
        }
    }

    async fn killed(&mut self, failpoint: Option<&'static str>) {
        let states = unfinished(&self.fleet.installation).await;
        self.kills.push(Kill { failpoint, states });
        let Kill { states, .. } = &self.kills[self.kills.len() - 1];
        let (count, at) = (self.kills.len(), self.begin.elapsed());
        eprintln!("{}: kill {count} at {at:.1?}, {}: {states:?}", self.name, failpoint.unwrap_or("any moment"));
    }

    fn kills_while_applying(&self) -> usize {
        let any_moment = self.kills.iter().filter(|kill| kill.failpoint.is_none());
        any_moment.filter(|kill| kill.states.contains_key("applying")).count()
    }

    fn report(&self, people: &[Person], statuses: &[Vec<Status>], findings: &Findings) {
        let requests = || people.iter().flat_map(|person| &person.requests);
        let lost: usize = requests().map(|request| request.sent.len() - 1).sum();
        let at_failpoints = self.kills.iter().filter(|kill| kill.failpoint.is_some()).count();
        let mut histogram: BTreeMap<&str, (usize, i64)> = BTreeMap::new();
        for (state, count) in self.kills.iter().flat_map(|kill| &kill.states) {
            let (kills, rows) = histogram.entry(state).or_default();
            *kills += 1;
            *rows += count;
        }
        let states: Vec<String> =
            histogram.iter().map(|(state, (kills, rows))| format!("{state} {kills} ({rows})")).collect();
        eprintln!(
            "\n{name}: {took:.0?}, {people} people, {nodes} node(s)
  requests           {sent} accepted; {lost} answers lost and the same request sent again
  kills              {at_failpoints} at failpoints, {at_any_moment} at any moment
                     ({applying} of these while accounts were being written)
  failpoints missed  {missed:?}
  states at kills    {states}
  final              {outcomes:?}
  accounts locked    {locked}
  accepted without a final state                                {unsettled}
  FINISHED that is not so                                       {not_so}
  old over new                                                  {old_over_new}
  FAILED that has it and does not say \"may or may not\"          {unsaid}\n",
            name = self.name,
            took = self.begin.elapsed(),
            people = people.len(),
            nodes = self.fleet.size(),
            sent = requests().count(),
            at_any_moment = self.kills.len() - at_failpoints,
            applying = self.kills_while_applying(),
            missed = self.missed,
            states = states.join(", "),
            outcomes = outcomes(statuses),
            locked = findings.locked,
            unsettled = findings.unsettled,
            not_so = findings.not_so,
            old_over_new = findings.old_over_new,
            unsaid = findings.unsaid,
        );
    }
}

/// What the store says of unfinished changes and their targets, right after a kill.
async fn unfinished(installation: &Installation) -> BTreeMap<String, i64> {
    let query = "SELECT state, count(*) FROM change WHERE state = 'accepted' GROUP BY state
         UNION ALL SELECT t.state, count(*) FROM change c JOIN target t ON t.change = c.id
             WHERE c.state = 'judged' GROUP BY t.state
         UNION ALL SELECT 'in doubt', count(*) FROM doubt HAVING count(*) > 0";
    installation.store().counts(query).await.into_iter().collect()
}

/// The status of every request of every person, once all are final or have had time enough.
async fn all_final(api: &Api, people: &[Person]) -> Vec<Vec<Status>> {
    let deadline = Instant::now() + Duration::from_secs(240);
    let mut statuses = Vec::new();
    for person in people {
        let mut of_person = Vec::new();
        for request in &person.requests {
            let mut status = api.status(&request.id).await;
            while !status.is_final() && Instant::now() < deadline {
                tokio::time::sleep(Duration::from_millis(50)).await;
                status = api.status(&request.id).await;
            }
            of_person.push(status);
        }
        statuses.push(of_person);
    }
    statuses
}

fn outcomes(statuses: &[Vec<Status>]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for status in statuses.iter().flatten() {
        let state = ["FINISHED", "FAILED"].into_iter().find(|state| *state == status.state);
        *counts.entry(state.unwrap_or("IN_PROGRESS")).or_default() += 1;
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
