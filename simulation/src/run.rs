//! One run: people ask for changes, processes come and go, systems fail; then everything is well again, and what was said
//! must be true.

use std::time::Duration;

use chrono::TimeDelta;
use lockstep_core::change::{Backoff, Intent, IntentKind, LaneSettings};
use lockstep_core::id::{AccountId, ChangeId, IntentId, SourceId};
use lockstep_core::node::NodeSettings;
use lockstep_engine::{Engine, EngineSettings};
use rand::RngExt;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::checker;
use crate::database::Request;
use crate::host::SimHost;
use crate::world::{GRACE, Process, World};

/// How long things go wrong.
const TROUBLE: Duration = Duration::from_secs(60);
/// How long everything may take to come to its end after that.
const PATIENCE: Duration = Duration::from_secs(2000);

/// What became of a run.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// What was broken; nothing if all is well.
    pub(crate) violations: Vec<String>,
    /// What happened, if it was asked for.
    pub(crate) story: Vec<String>,
    /// How many changes were accepted.
    pub(crate) changes: usize,
}

/// Runs the world of `seed` to its end.
pub(crate) fn run(seed: u64, told: bool) -> anyhow::Result<Verdict> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    Ok(runtime.block_on(live(World::new(seed, told))))
}

async fn live(world: World) -> Verdict {
    let mut actors = JoinSet::new();
    let processes = match world.with(|state| state.database.alone) {
        true => 1,
        false => 2 + world.draw(0..2),
    };
    for place in 0..processes {
        actors.spawn(host(world.clone(), place));
    }
    let people = world.with(|state| state.systems.people.len());
    for place in 0..people as u64 * (1 + world.draw(0..2)) {
        actors.spawn(person(world.clone(), place as usize % people));
    }
    actors.spawn(weather(world.clone()));
    actors.spawn(administrator(world.clone()));

    tokio::time::sleep(TROUBLE).await;
    world.tell(|| "from here on nothing goes wrong".to_owned());
    world.with(|state| {
        state.fair = true;
        state.database_down_until = Duration::ZERO;
        state.systems.sources().into_iter().for_each(|source| state.systems.take_down(source, Duration::ZERO));
        state.processes.iter_mut().for_each(|process| process.paused_until = Duration::ZERO);
    });
    let deadline = world.elapsed() + PATIENCE;
    while world.elapsed() < deadline && !world.with(|state| state.database.is_quiet() && checker::is_still(state)) {
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    actors.shutdown().await;
    world.with(checker::check);
    let (violations, changes) =
        world.with(|state| (std::mem::take(&mut state.violations), state.database.changes.len()));
    Verdict { violations, story: world.story(), changes }
}

/// A machine on which the engine is started again whenever it died or was stopped.
async fn host(world: World, place: u64) {
    loop {
        let (hints, inbox) = unbounded_channel();
        let slot = world.with(|state| {
            let minutes = state.rng.random_range(-10..=10);
            state.processes.push(Process {
                skew: TimeDelta::minutes(minutes),
                started: Duration::from_secs(state.rng.random_range(0..100_000)),
                paused_until: Duration::ZERO,
                dead: false,
                hints: None,
            });
            state.processes.len() - 1
        });
        world.tell(|| format!("machine {place}: process {slot} starts"));
        let started = Engine::start(SimHost::new(world.clone(), slot), settings(&world), inbox);
        let engine = tokio::select! {
            engine = started => engine,
            () = death(&world, slot) => Err(anyhow::anyhow!("killed")),
        };
        if let Ok(mut engine) = engine {
            world.with(|state| state.processes[slot].hints = Some(hints));
            let stopped = match world.draw(0..4) {
                0 => Duration::from_millis(world.draw(1000..60_000)),
                _ => Duration::MAX,
            };
            tokio::select! {
                fault = engine.fault() => world.violated(format!("an engine ended: {fault}")),
                () = death(&world, slot) => {}
                () = tokio::time::sleep(stopped) => {
                    world.tell(|| format!("process {slot} is told to stop"));
                    tokio::select! {
                        () = engine.stop() => {}
                        () = death(&world, slot) => {}
                    }
                }
            }
        }
        world.with(|state| (state.processes[slot].dead, state.processes[slot].hints) = (true, None));
        tokio::time::sleep(Duration::from_millis(world.draw(100..20_000))).await;
    }
}

async fn death(world: &World, slot: usize) {
    while !world.with(|state| state.processes[slot].dead) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Somebody who asks for changes of one person's password; now and then two race. A request whose reply is lost is sent
/// again, and so, now and then, is an old one.
async fn person(world: World, who: usize) {
    let mut sent: Vec<(Request, Option<ChangeId>)> = Vec::new();
    for _ in 0..world.draw(1..7) {
        tokio::time::sleep(Duration::from_millis(world.draw(0..20_000))).await;
        let again = !sent.is_empty() && world.draw(0..8) == 0;
        let (request, known) = match again {
            true => sent[world.draw(0..sent.len() as u64) as usize],
            false => match request(&world, who) {
                Some(request) => (request, None),
                None => return,
            },
        };
        let Some(change) = insist(&world, request).await else { return };
        if known.is_some_and(|known| known != change) {
            world.violated(format!("the same request became two changes: {known:?} and {change}"));
        }
        sent.push((request, Some(change)));
    }
}

/// Disables people, gives accounts away, buries some and has things tried at once, now and then.
async fn administrator(world: World) {
    for _ in 0..world.draw(0..8).saturating_sub(4) {
        tokio::time::sleep(Duration::from_millis(world.draw(0..30_000))).await;
        let now = world.elapsed();
        world.with(|state| {
            let people = state.systems.people.len();
            let person = state.systems.people[state.rng.random_range(0..people)].clone();
            let heir = state.systems.people[state.rng.random_range(0..people)].id;
            // The built-in account stays with its identity.
            let accounts: Vec<AccountId> =
                person.accounts.iter().filter(|a| a.1 != SourceId::IDENTITY_NOW).map(|a| a.0).collect();
            let account = match accounts.len() {
                0 => return,
                len => accounts[state.rng.random_range(0..len)],
            };
            let kind = match state.rng.random_range(0..6) {
                0 => IntentKind::Disable,
                4 | 5 => IntentKind::Retry,
                1 => IntentKind::Bury { account },
                _ => IntentKind::Give { account, to: (heir != person.id).then_some(heir) },
            };
            let intent = Intent { id: IntentId(Uuid::from_u128(state.rng.random())), kind };
            if !state.fair && state.database.intend(person.id, intent) {
                state.tell(now, || format!("somebody wants {kind:?} of {}", person.id));
            }
        });
    }
}

fn request(world: &World, who: usize) -> Option<Request> {
    world.with(|state| {
        let person = &state.systems.people[who];
        if person.accounts.is_empty() {
            return None;
        }
        let (account, source) = person.accounts[state.rng.random_range(0..person.accounts.len())];
        Some(Request {
            ciphertext: state.rng.random(),
            identity: person.id,
            account,
            source,
            secret: state.rng.random_range(0..5),
            lifetime: TimeDelta::seconds(state.rng.random_range(20..1500)),
        })
    })
}

/// Sends a request until it is answered.
async fn insist(world: &World, request: Request) -> Option<ChangeId> {
    loop {
        let now = world.elapsed();
        let answer = world.with(|state| {
            if state.fair {
                return Some(None);
            }
            let ready = |slot: &usize| {
                let process = &state.processes[*slot];
                process.hints.is_some() && !process.dead && process.paused_until <= now
            };
            let living: Vec<usize> = (0..state.processes.len()).filter(ready).collect();
            let slot = *living.get(state.rng.random_range(0..living.len().max(1)))?;
            if state.database_down_until > now {
                return None;
            }
            let utc = crate::world::beginning() + TimeDelta::from_std(now).unwrap_or_default();
            let fresh = Uuid::from_u128(state.rng.random());
            let accepted = state.database.accept(request, fresh, utc + state.processes[slot].skew);
            let seq = accepted.and_then(|id| state.database.changes.get(&id)).map(|stored| stored.change.seq);
            state.tell(now, || {
                let Request { identity, account, secret, .. } = request;
                format!("process {slot} accepts change {seq:?} of {identity}: password {secret} for {account}")
            });
            if !state.happens(|odds| odds.lost_hint)
                && let Some(hints) = &state.processes[slot].hints
            {
                let _ = hints.send(request.identity);
            }
            match state.happens(|odds| odds.lost_reply) {
                true => None,
                false => Some(accepted),
            }
        });
        match answer {
            Some(accepted) => return accepted,
            None => tokio::time::sleep(Duration::from_millis(world.draw(10..2000))).await,
        }
    }
}

/// Processes are stopped by signals, calendars jump, the database and systems go away for a while.
async fn weather(world: World) {
    let kinds: Vec<u64> = (0..world.draw(0..4)).map(|_| world.draw(0..4)).collect();
    while !kinds.is_empty() && !world.with(|state| state.fair) {
        tokio::time::sleep(Duration::from_millis(world.draw(500..15_000))).await;
        let kind = kinds[world.draw(0..kinds.len() as u64) as usize];
        let now = world.elapsed();
        world.with(|state| {
            if state.fair || state.processes.is_empty() {
                return;
            }
            let slot = state.rng.random_range(0..state.processes.len());
            let until = now + GRACE.mul_f64(state.rng.random_range(0.0..2.5));
            match kind {
                0 => {
                    state.processes[slot].paused_until = until;
                    state.tell(now, || format!("process {slot} is stopped until {:.3} s", until.as_secs_f64()));
                }
                1 => {
                    state.processes[slot].skew = TimeDelta::minutes(state.rng.random_range(-10..=10));
                    state.tell(now, || format!("the calendar of process {slot} jumps"));
                }
                2 => {
                    state.database_down_until = until;
                    state.tell(now, || format!("the database is away until {:.3} s", until.as_secs_f64()));
                }
                _ => {
                    let sources = state.systems.sources();
                    let source = sources[state.rng.random_range(0..sources.len())];
                    state.systems.take_down(source, until);
                    state.tell(now, || format!("source {source} is away until {:.3} s", until.as_secs_f64()));
                }
            }
        });
    }
}

fn settings(world: &World) -> EngineSettings {
    let backoff = Backoff { first: Duration::from_millis(500), max: Duration::from_secs(8) };
    EngineSettings {
        lane: LaneSettings { grace: GRACE, backoff },
        node: NodeSettings {
            beat_every: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
            settling: GRACE,
            alone: world.with(|state| state.database.alone),
        },
    }
}
