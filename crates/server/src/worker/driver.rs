//! One task for one identity: carries out what the lane says, and commits before it acts.
//!
//! The loop is the same for every event: the lane takes it in, whatever may begin is begun, all of it is committed in
//! one transaction, and only then are the connectors called. So a judgement and the first writes it causes cost one
//! transaction, and so do a settled target and whatever it releases.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::Context;
use lockstep_core::change::{Attempt, Change, Delta, Judgement, Lane, LaneEvent, Now, Target, TargetKey};
use lockstep_core::id::{ChangeId, IdentityId};
use lockstep_store::history::{self, Holder};
use lockstep_store::sign_in_password::{self, SignInPassword};
use lockstep_store::{Tx, bucket, lane};
use lockstep_vault::hash::Fingerprint;
use lockstep_vault::secret::draw_id;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::call::{self, Payload};
use super::event::{self, Call, Event};
use super::gate::Pass;
use super::judge::Verdict;
use super::supervisor::Wakes;
use super::{Ownership, audit};
use crate::app::App;

/// Why a task ended.
pub(super) enum Ended {
    /// Nothing is unfinished; so many hints were counted.
    Idle(u64),
    /// The bucket belongs to another node.
    Lost,
    /// Something failed; the lane must be built again.
    Failed,
}

/// Drives `identity` until nothing about it is unfinished.
///
/// # Errors
/// When the store or the vault fails. What was begun is then in doubt when the lane is built again.
pub(super) async fn drive(
    app: App,
    ownership: Ownership,
    identity: IdentityId,
    wakes: &Wakes,
    stop: CancellationToken,
) -> anyhow::Result<Ended> {
    let mut counted = wakes.count();
    let rows = app.store.read(move |tx| Box::pin(async move { lane::load(tx, identity).await })).await?;
    let lane = Lane::new(identity, rows, app.config.lane_settings(), app.clock.now());
    let mut driver = Driver {
        app,
        ownership,
        lane,
        events: JoinSet::new(),
        judging: false,
        calls: 0,
        entering: HashSet::new(),
        entered: HashMap::new(),
        hashing: HashSet::new(),
        payloads: HashMap::new(),
        fingerprints: HashMap::new(),
        writes: Vec::new(),
    };
    loop {
        // Before anything is begun: what expired while nobody was there must not be delivered after its time.
        let now = driver.app.clock.now();
        driver.lane.sweep(now);
        let begun = if stop.is_cancelled() { Vec::new() } else { driver.begin(now) };
        if !driver.commit().await? {
            return Ok(Ended::Lost);
        }
        for (attempt, pass) in begun {
            driver.call(attempt, pass, now);
        }
        driver.forget_payloads();
        let finished = driver.lane.is_idle() || stop.is_cancelled();
        // Judging, hashing and waiting for room are nothing begun: they are begun again.
        if finished && driver.calls == 0 {
            return Ok(Ended::Idle(counted));
        }
        // Asked with the same `now`: what became due while this was committed lies after it, and wakes at once.
        let wake = driver.lane.wake(now).map(|at| driver.app.clock.instant(at));
        tokio::select! {
            Some(event) = driver.events.join_next() => driver.take_in(event.context("a call ended with a fault")?),
            () = wakes.woken() => {
                counted = wakes.count();
                driver.load_newer().await;
            }
            () = sleep_until(wake) => {}
        }
    }
}

struct Driver {
    app: App,
    ownership: Ownership,
    lane: Lane,
    events: JoinSet<Event>,
    judging: bool,
    /// How many connectors are at work, on rows that say so.
    calls: usize,
    /// Targets that wait for room at their source, and those that got it.
    entering: HashSet<TargetKey>,
    entered: HashMap<TargetKey, Pass>,
    hashing: HashSet<TargetKey>,
    /// What was opened and is being used.
    payloads: HashMap<ChangeId, Arc<Payload>>,
    fingerprints: HashMap<ChangeId, Fingerprint>,
    /// What is committed beside the lane's own rows.
    writes: Vec<Write>,
}

/// A row that is written in the transaction that settles a target.
enum Write {
    SignInPassword(SignInPassword),
    History { holder: Holder, hash: Vec<u8>, keep: u32 },
}

impl Driver {
    /// Begins whatever may begin: the next judgement, and every ready target whose source has room.
    fn begin(&mut self, now: Now) -> Vec<(Attempt, Pass)> {
        self.begin_judging();
        let mut begun = Vec::new();
        for attempt in self.lane.ready(now) {
            let key = attempt.key;
            if attempt.source == lockstep_core::id::SourceId::IDENTITY_NOW {
                if !self.hashing.contains(&key) {
                    self.hash(key);
                }
            } else if !self.entering.contains(&key) {
                let pass = self.entered.remove(&key).or_else(|| self.app.sources.gate(attempt.source).try_enter());
                match pass {
                    Some(pass) if self.lane.begin(attempt, now) => begun.push((attempt, pass)),
                    Some(_) => {}
                    None => self.enter_later(attempt),
                }
            }
        }
        // Room that was waited for and is not needed any more.
        self.entered.clear();
        begun
    }

    fn begin_judging(&mut self) {
        if let Some(change) = self.lane.unjudged().filter(|_| !self.judging).cloned() {
            self.judging = true;
            self.events.spawn(event::judged(self.app.clone(), change));
        }
    }

    fn enter_later(&mut self, attempt: Attempt) {
        self.entering.insert(attempt.key);
        self.events.spawn(event::entered(self.app.sources.gate(attempt.source), attempt));
    }

    fn call(&mut self, attempt: Attempt, pass: Pass, now: Now) {
        let key = attempt.key;
        let Some((target, change)) = self.lane.target(key).zip(self.lane.change(key.change)) else { return };
        let call = Call { change: change.clone(), target: target.clone(), step: attempt.step, begun: now.mono };
        let payload = self.payloads.get(&key.change).cloned();
        self.calls += 1;
        self.events.spawn(event::called(self.app.clone(), call, payload, pass));
    }

    fn hash(&mut self, key: TargetKey) {
        let Some(change) = self.lane.change(key.change).cloned() else { return };
        let payload = self.payloads.get(&key.change).cloned();
        self.hashing.insert(key);
        self.events.spawn(event::hashed(self.app.clone(), change, key, payload));
    }

    fn take_in(&mut self, event: Event) {
        let now = self.app.clock.now();
        let draw = call::draw();
        match event {
            Event::Judged(_, None) => self.judging = false,
            Event::Judged(change, Some(verdict)) => {
                self.judging = false;
                let judgement = match *verdict {
                    Verdict::Refused(reasons) => Judgement::Refused(reasons),
                    Verdict::Passed { targets, payload } => {
                        let same = self.lane.joinable(&targets).filter(|leader| {
                            self.fingerprints.get(leader).is_some_and(|other| *other == payload.fingerprint)
                        });
                        match same {
                            Some(leader) => Judgement::Joined(leader),
                            None => {
                                self.remember(change, payload);
                                Judgement::Passed(targets)
                            }
                        }
                    }
                };
                self.lane.judged(change, judgement, now);
            }
            Event::Entered(attempt, pass) => {
                self.entering.remove(&attempt.key);
                self.entered.insert(attempt.key, pass);
            }
            Event::Wrote(key, outcome, payload) => {
                self.calls -= 1;
                payload.into_iter().for_each(|payload| self.remember(key.change, payload));
                self.lane.settle(key, outcome, now, draw);
            }
            Event::SignedIn(key, answer, payload) => {
                self.calls -= 1;
                payload.into_iter().for_each(|payload| self.remember(key.change, payload));
                self.lane.settle_sign_in(key, answer, now, draw);
            }
            Event::Hashed(key, None) => {
                self.hashing.remove(&key);
            }
            Event::Hashed(key, Some((hash, payload))) => {
                self.hashing.remove(&key);
                self.remember(key.change, payload);
                if self.lane.settle_built_in(key, now) {
                    let hash = hash.to_bytes();
                    let password =
                        SignInPassword { hash, changed_at: now.utc, must_change: false, failures: 0, failed_at: None };
                    self.writes.push(Write::SignInPassword(password));
                }
            }
        }
    }

    /// Commits what the lane changed, with everything it causes, in one transaction. Says whether the bucket is still
    /// this node's; if not, nothing was written.
    async fn commit(&mut self) -> anyhow::Result<bool> {
        let identity = self.lane.identity;
        let named: HashSet<TargetKey> = self.lane.named().collect();
        let delta = self.lane.take_delta();
        let mut writes = std::mem::take(&mut self.writes);
        if delta.is_empty() && writes.is_empty() {
            return Ok(true);
        }
        writes.extend(self.history_of(&delta));
        let Some(epoch) = self.ownership.epochs.get(&identity.bucket()).copied() else { return Ok(false) };
        let node = self.ownership.node;
        let now = self.app.clock.utc();
        let events = audit::events(node, identity, &named, &delta, now);
        let settled = delta.events.clone();
        let committed = self
            .app
            .store
            .write(move |tx: &mut Tx<'_>| {
                Box::pin(async move {
                    bucket::hold(tx, identity.bucket(), node, epoch).await?;
                    lane::save(tx, identity, &delta).await?;
                    for write in &writes {
                        match write {
                            Write::SignInPassword(password) => {
                                sign_in_password::put(tx, identity, password).await?;
                                lockstep_store::identity::end_tokens(tx, identity, now).await?;
                            }
                            Write::History { holder, hash, keep } => {
                                history::push(tx, identity, *holder, hash, *keep, now).await?;
                            }
                        }
                    }
                    for event in &events {
                        lockstep_store::audit::append(tx, draw_id(), event).await?;
                    }
                    Ok::<(), lockstep_store::Error>(())
                })
            })
            .await;
        match committed {
            Err(lockstep_store::Error::BucketLost { .. }) => return Ok(false),
            committed => committed.context("cannot write down what became of a change")?,
        }
        for event in settled {
            if let LaneEvent::Settled(change, state) = event {
                self.app.metrics.settled(state.wire());
                tracing::info!(change.id = %change, change.state = state.wire(), "a change is final");
            }
        }
        Ok(true)
    }

    /// History is written at the first target that has the password.
    fn history_of(&self, delta: &Delta) -> Vec<Write> {
        let first = delta.events.iter().filter_map(|event| match event {
            LaneEvent::FirstApplied(key) => Some(key.change),
            _ => None,
        });
        first
            .filter_map(|change| {
                let entry = self.payloads.get(&change)?.history.as_ref()?;
                Some(Write::History { holder: entry.holder, hash: entry.hash.to_bytes(), keep: entry.keep })
            })
            .collect()
    }

    /// Takes in what was accepted since. When that cannot be read, the supervisor's poll wakes the lane again: calls that
    /// are under way are not thrown away for it.
    async fn load_newer(&mut self) {
        let (identity, seen) = (self.lane.identity, self.lane.seen());
        let read =
            self.app.store.read(move |tx: &mut Tx<'_>| Box::pin(async move { lane::newer(tx, identity, seen).await }));
        let newer: lockstep_store::Result<Vec<Change>> = read.await;
        match newer {
            Ok(newer) => newer.into_iter().for_each(|change| self.lane.add(change)),
            Err(error) => tracing::error!(%error, "newer changes could not be read; this is tried again"),
        }
    }

    fn remember(&mut self, change: ChangeId, payload: Arc<Payload>) {
        self.fingerprints.insert(change, payload.fingerprint.clone());
        self.payloads.insert(change, payload);
    }

    /// A plaintext stays in memory only while somebody is at work with it.
    fn forget_payloads(&mut self) {
        let lane = &self.lane;
        let at_work = |target: &Target| target.state.is_under_way() || self.hashing.contains(&target.key);
        self.payloads.retain(|change, _| lane.targets_of(*change).any(at_work));
        self.fingerprints.retain(|change, _| lane.change(*change).is_some());
    }
}

async fn sleep_until(wake: Option<std::time::Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(tokio::time::Instant::from_std(at)).await,
        None => std::future::pending().await,
    }
}
