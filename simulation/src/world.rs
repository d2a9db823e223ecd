//! The world of one run: its rows, its systems, its nodes, and the chances of everything that goes wrong.
//!
//! One seed decides everything. Time is simulated: it passes when everybody waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use lockstep_core::change::{Intent, Now};
use lockstep_core::id::IdentityId;
use lockstep_engine::Step;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use crate::database::Database;
use crate::host::SimHost;
use crate::systems::Systems;

/// The grace of every run. Everything else is in proportion to it.
pub(crate) const GRACE: Duration = Duration::from_secs(20);

/// How often each thing goes wrong, of a thousand times. Drawn for each run, most of them mostly 0: a run in which little
/// goes wrong gets further than one in which everything does.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Odds {
    /// A node dies at a step.
    pub(crate) crash: u32,
    /// A step on the database fails before it has an effect.
    pub(crate) database_error: u32,
    /// A step on the database has its effect and its reply is lost.
    pub(crate) lost_reply: u32,
    /// A step takes seconds.
    pub(crate) slow: u32,
    /// The answer to a write is lost.
    pub(crate) lost_answer: u32,
    /// A write whose answer is lost lands late.
    pub(crate) late: u32,
    /// A system says "later".
    pub(crate) busy: u32,
    /// A system refuses for good.
    pub(crate) refusal: u32,
    /// A hint is lost.
    pub(crate) lost_hint: u32,
}

/// A process.
#[derive(Debug)]
pub(crate) struct Process {
    /// How far its calendar is from the truth.
    pub(crate) skew: TimeDelta,
    /// What its monotonic clock said when the world began.
    pub(crate) started: Duration,
    /// Stopped by a signal until then.
    pub(crate) paused_until: Duration,
    /// Killed.
    pub(crate) dead: bool,
    /// Where its engine takes hints.
    pub(crate) hints: Option<UnboundedSender<IdentityId>>,
}

/// Everything there is.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) rng: StdRng,
    pub(crate) odds: Odds,
    pub(crate) database: Database,
    pub(crate) systems: Systems,
    pub(crate) processes: Vec<Process>,
    /// The database cannot be reached until then.
    pub(crate) database_down_until: Duration,
    /// Nothing goes wrong any more.
    pub(crate) fair: bool,
    /// What was found to be wrong.
    pub(crate) violations: Vec<String>,
    story: Option<Vec<String>>,
}

/// The state and its time. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
    began: Instant,
}

impl World {
    /// A world of that seed; with a story, or without, which is quicker.
    pub(crate) fn new(seed: u64, told: bool) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let odds = Odds::draw(&mut rng);
        let (database, systems) = (Database::draw(&mut rng), Systems::draw(&mut rng));
        let state = State {
            rng,
            odds,
            database,
            systems,
            processes: Vec::new(),
            database_down_until: Duration::ZERO,
            fair: false,
            violations: Vec::new(),
            story: told.then(Vec::new),
        };
        Self { state: Arc::new(Mutex::new(state)), began: Instant::now() }
    }

    /// How long the world exists.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Looks at the state, or changes it, in an instant.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.lock())
    }

    /// Draws a number from that range.
    pub(crate) fn draw(&self, range: std::ops::Range<u64>) -> u64 {
        self.with(|state| state.rng.random_range(range))
    }

    /// Adds a line to the story.
    pub(crate) fn tell(&self, line: impl FnOnce() -> String) {
        let at = self.elapsed();
        self.with(|state| state.tell(at, line));
    }

    /// Records that a guarantee was broken.
    pub(crate) fn violated(&self, what: String) {
        self.tell(|| format!("VIOLATION: {what}"));
        self.with(|state| state.violations.push(what));
    }

    /// The story so far.
    pub(crate) fn story(&self) -> Vec<String> {
        self.with(|state| state.story.clone().unwrap_or_default())
    }

    /// What the process in `slot` takes for the present.
    pub(crate) fn now(&self, slot: usize) -> Now {
        let elapsed = self.elapsed();
        self.with(|state| {
            let Process { skew, started, .. } = state.processes[slot];
            let utc = beginning() + TimeDelta::from_std(elapsed).unwrap_or_default() + skew;
            Now { utc, mono: started + elapsed }
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether something with that chance happens now.
    pub(crate) fn happens(&mut self, odds: impl Fn(&Odds) -> u32) -> bool {
        let per_mille = odds(&self.odds);
        !self.fair && per_mille > 0 && self.rng.random_range(0..1000) < per_mille
    }

    /// Adds a line to the story.
    pub(crate) fn tell(&mut self, at: Duration, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!("{:>9.3} s  {}", at.as_secs_f64(), line()));
        }
    }

    /// Adds what a process committed, or did not.
    pub(crate) fn tell_step(&mut self, at: Duration, slot: usize, step: &Step<SimHost>, committed: &Result<bool>) {
        if self.story.is_none() {
            return;
        }
        let end = match committed {
            Ok(true) => String::new(),
            Ok(false) => " (not written: the bucket is lost)".to_owned(),
            Err(error) => format!(" (not written: {error})"),
        };
        for target in &step.delta.targets {
            let (seq, account) = (target.seq, target.key.account);
            let unsure = if target.unsure { ", unsure" } else { "" };
            self.tell(at, || format!("process {slot}: change {seq} on {account}: {:?}{unsure}{end}", target.state));
        }
        for Intent { kind, .. } in &step.delta.intents_done {
            self.tell(at, || format!("process {slot}: {kind:?} of {}{end}", step.identity));
        }
        for change in &step.delta.changes {
            let joined = if change.joined.is_some() { ", joined" } else { "" };
            self.tell(at, || format!("process {slot}: change {}: {:?}{joined}{end}", change.seq, change.state));
        }
    }
}

impl Odds {
    fn draw(rng: &mut StdRng) -> Self {
        let mut some = |of: u32, most: u32| match rng.random_range(0..100) < of {
            true => rng.random_range(1..=most),
            false => 0,
        };
        Self {
            crash: some(50, 15),
            database_error: some(25, 30),
            lost_reply: some(40, 40),
            slow: some(40, 50),
            lost_answer: some(70, 500),
            late: some(70, 900),
            busy: some(30, 200),
            refusal: some(30, 100),
            lost_hint: some(30, 500),
        }
    }
}

/// The true calendar at the beginning of the world.
pub(crate) fn beginning() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}
