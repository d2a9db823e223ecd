//! One task for one identity: carries out what the lane says, and commits before it acts.
//!
//! The loop is the same for every event: the lane takes it in, whatever may begin is begun, all of it is committed in
//! one transaction, and only then are the connectors called. So a judgement and the first writes it causes cost one
//! transaction, and so do a settled target and whatever it releases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use lockstep_core::change::{
    Attempt, ChangeState, Delta, Judgement, Lane, LaneEvent, LaneSettings, Now, Step as CallStep, Target, TargetKey,
};
use lockstep_core::id::{ChangeId, IdentityId, SourceId};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::event::{self, Calling, Event};
use crate::gate::Pass;
use crate::host::{Call, Hold, Host, Judged, Newer, Step};
use crate::supervisor::Wakes;

/// How long an opened payload is kept for a target that waits for room at its source. Longer than room takes to come while
/// the source answers; when it does not, the password is opened again rather than left in memory.
const KEPT: Duration = Duration::from_secs(5);

/// Why a task ended.
pub(crate) enum Ended {
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
pub(crate) async fn drive<H: Host>(
    host: H,
    settings: LaneSettings,
    hold: Hold,
    identity: IdentityId,
    wakes: &Wakes,
    stop: CancellationToken,
) -> anyhow::Result<Ended> {
    let mut counted = wakes.count();
    let rows = host.load(identity).await?;
    let lane = Lane::new(identity, rows, settings, host.now());
    wakes.have_seen(lane.seen());
    let mut driver = Driver {
        host,
        hold,
        lane,
        grace: settings.grace,
        events: JoinSet::new(),
        calls: 0,
        entering: BTreeMap::new(),
        entered: BTreeMap::new(),
        opening: BTreeSet::new(),
        unopened: BTreeSet::new(),
        hashing: BTreeSet::new(),
        payloads: BTreeMap::new(),
        fingerprints: BTreeMap::new(),
        hashes: Vec::new(),
    };
    loop {
        // Before anything is begun: what expired while nobody was there must not be delivered after its time.
        let now = driver.host.now();
        driver.lane.sweep(now);
        let begun = match stop.is_cancelled() {
            false => driver.begin(now),
            true => {
                // Others wait for the room that nobody here will use.
                driver.entered.clear();
                Vec::new()
            }
        };
        if !driver.commit().await? {
            return Ok(Ended::Lost);
        }
        for (attempt, pass) in begun {
            driver.call(attempt, pass, now);
        }
        if !stop.is_cancelled() {
            // After the commit: it reads whose an account is, which an intent may just have changed.
            driver.begin_judging();
        }
        let forget = driver.forget_payloads();
        let finished = driver.lane.is_idle() || stop.is_cancelled();
        // Judging, hashing and waiting for room are nothing begun: they are begun again.
        if finished && driver.calls == 0 {
            return Ok(Ended::Idle(counted));
        }
        // Asked with the same `now`: what became due while this was committed lies after it, and wakes at once.
        let wake = driver.lane.wake(now).into_iter().chain(forget).min();
        let wake = wake.map(|at| at.saturating_sub(driver.host.now().mono));
        tokio::select! {
            biased;
            Some(event) = driver.events.join_next() => driver.take_in(event.context("a call ended with a fault")?),
            () = wakes.woken() => {
                counted = wakes.count();
                driver.load_newer().await;
                wakes.have_seen(driver.lane.seen());
            }
            () = sleep(wake) => {}
        }
    }
}

struct Driver<H: Host> {
    host: H,
    hold: Hold,
    lane: Lane,
    grace: Duration,
    events: JoinSet<Event<H>>,
    /// How many systems are being called, for rows that say so.
    calls: usize,
    /// Targets that wait for room at their source, and since when; and those that got it.
    entering: BTreeMap<TargetKey, Duration>,
    entered: BTreeMap<TargetKey, Pass>,
    /// Changes whose payload is being opened again; and those whose payload was just found not to open, which the calls
    /// that waited for it report.
    opening: BTreeSet<ChangeId>,
    unopened: BTreeSet<ChangeId>,
    hashing: BTreeSet<TargetKey>,
    /// What was opened and is being used.
    payloads: BTreeMap<ChangeId, Arc<H::Payload>>,
    fingerprints: BTreeMap<ChangeId, H::Fingerprint>,
    /// New sign-in passwords, committed with the lane's own rows.
    hashes: Vec<(ChangeId, H::Hash)>,
}

impl<H: Host> Driver<H> {
    /// Begins every ready target whose source has room and whose password is in memory.
    fn begin(&mut self, now: Now) -> Vec<(Attempt, Pass)> {
        let mut begun = Vec::new();
        let mut entered = std::mem::take(&mut self.entered);
        for attempt in self.lane.ready(now) {
            let key = attempt.key;
            if attempt.source == SourceId::IDENTITY_NOW {
                if !self.hashing.contains(&key) {
                    self.hash(key);
                }
            } else if !self.entering.contains_key(&key) {
                let pass = entered.remove(&key).or_else(|| self.host.gate(attempt.source).try_enter());
                let opened = self.payloads.contains_key(&key.change);
                let unopened = self.unopened.contains(&key.change);
                match pass {
                    None => self.enter_later(attempt, now),
                    Some(pass) if !opened && !unopened => {
                        self.open(key.change);
                        self.entered.insert(key, pass);
                    }
                    // The one sign-in is not spent on a password that nobody has; room is left to others meanwhile.
                    Some(_) if unopened && attempt.step == CallStep::SignIn => self.open(key.change),
                    // A write without its password is begun, too: its status then says why it is not there.
                    Some(pass) if self.lane.begin(attempt, now) => begun.push((attempt, pass)),
                    Some(_) => {}
                }
            }
        }
        // Whoever has room has begun or opens again, so this was heard. Room that was waited for and is not needed any more
        // is dropped here.
        self.unopened.clear();
        begun
    }

    fn open(&mut self, change: ChangeId) {
        let Some(change) = self.lane.change(change).cloned() else { return };
        if self.opening.insert(change.id) {
            self.events.spawn(event::opened(self.host.clone(), change));
        }
    }

    fn begin_judging(&mut self) {
        if let Some(change) = self.lane.begin_judging() {
            self.events.spawn(event::judged(self.host.clone(), change));
        }
    }

    fn enter_later(&mut self, attempt: Attempt, now: Now) {
        self.entering.insert(attempt.key, now.mono);
        self.events.spawn(event::entered::<H>(self.host.gate(attempt.source), attempt));
    }

    fn call(&mut self, attempt: Attempt, pass: Pass, now: Now) {
        let key = attempt.key;
        let Some((target, change)) = self.lane.target(key).zip(self.lane.change(key.change)) else { return };
        let calling = Calling {
            host: self.host.clone(),
            call: Call { change: change.clone(), target: target.clone() },
            step: attempt.step,
            begun: now.mono,
            grace: self.grace,
            payload: self.payloads.get(&key.change).cloned(),
            pass,
        };
        self.calls += 1;
        self.events.spawn(event::called(calling));
    }

    fn hash(&mut self, key: TargetKey) {
        let Some(change) = self.lane.change(key.change).cloned() else { return };
        let payload = self.payloads.get(&key.change).cloned();
        self.hashing.insert(key);
        self.events.spawn(event::hashed(self.host.clone(), change, key, payload));
    }

    fn take_in(&mut self, event: Event<H>) {
        let now = self.host.now();
        let draw = self.host.draw();
        match event {
            Event::Judged(_, None) => self.lane.not_judged(),
            Event::Judged(change, Some(judged)) => {
                let judgement = self.judgement(change, *judged);
                self.lane.judged(change, judgement, now);
            }
            Event::Entered(attempt, pass) => {
                self.entering.remove(&attempt.key);
                self.entered.insert(attempt.key, pass);
            }
            Event::Opened(change, payload) => {
                self.opening.remove(&change);
                match payload {
                    Some(payload) => self.remember(change, payload),
                    None => drop(self.unopened.insert(change)),
                }
            }
            Event::Wrote(key, outcome) => {
                self.calls -= 1;
                self.lane.settle(key, outcome, now, draw);
            }
            Event::SignedIn(key, answer) => {
                self.calls -= 1;
                self.lane.settle_sign_in(key, answer, now, draw);
            }
            Event::Hashed(key, None) => {
                self.hashing.remove(&key);
            }
            Event::Hashed(key, Some((hash, payload))) => {
                self.hashing.remove(&key);
                self.remember(key.change, payload);
                if self.lane.settle_built_in(key, now) {
                    self.hashes.push((key.change, hash));
                }
            }
        }
    }

    /// A change with the password of the one it may join joins it.
    fn judgement(&mut self, change: ChangeId, judged: Judged<H::Payload>) -> Judgement {
        let (targets, payload) = match judged {
            Judged::Refused(reasons) => return Judgement::Refused(reasons),
            Judged::Passed { targets, payload } => (targets, payload),
        };
        let fingerprint = self.host.fingerprint(&payload);
        let same = |leader: &ChangeId| self.fingerprints.get(leader) == Some(&fingerprint);
        match self.lane.joinable(&targets).filter(same) {
            Some(leader) => Judgement::Joined(leader),
            None => {
                self.remember(change, payload);
                Judgement::Passed(targets)
            }
        }
    }

    /// Commits what the lane changed, with everything it causes, in one transaction. Says whether the bucket is still
    /// this node's; if not, nothing was written.
    async fn commit(&mut self) -> anyhow::Result<bool> {
        let named = self.lane.named().collect();
        let delta = self.lane.take_delta();
        let sign_in_passwords = std::mem::take(&mut self.hashes);
        if delta.is_empty() && sign_in_passwords.is_empty() {
            return Ok(true);
        }
        let settled: Vec<(ChangeId, ChangeState)> = delta.events.iter().filter_map(settled).collect();
        let step = Step {
            hold: self.hold,
            identity: self.lane.identity,
            first_applied: self.first_applied(&delta),
            applied: self.applied(&delta),
            delta,
            named,
            sign_in_passwords,
        };
        if !self.host.commit(step).await.context("cannot write down what became of a change")? {
            return Ok(false);
        }
        for (change, state) in settled {
            self.host.settled(change, state);
        }
        Ok(true)
    }

    fn first_applied(&self, delta: &Delta) -> Vec<Arc<H::Payload>> {
        let first = delta.events.iter().filter_map(|event| match event {
            LaneEvent::FirstApplied(key) => self.payloads.get(&key.change),
            _ => None,
        });
        first.cloned().collect()
    }

    /// What was written to each account that has a new password now, as far as it is in memory still: it was a moment ago.
    fn applied(&self, delta: &Delta) -> Vec<(TargetKey, Arc<H::Payload>)> {
        let applied = delta.events.iter().filter_map(|event| match event {
            LaneEvent::FirstApplied(key) | LaneEvent::Applied(key) => Some(*key),
            LaneEvent::NotApplied(_) | LaneEvent::Settled(..) => None,
        });
        applied.filter_map(|key| Some((key, Arc::clone(self.payloads.get(&key.change)?)))).collect()
    }

    /// Takes in what was accepted since. When that cannot be read, the supervisor's poll wakes the lane again: calls that
    /// are under way are not thrown away for it.
    async fn load_newer(&mut self) {
        match self.host.newer(self.lane.identity, self.lane.seen()).await {
            Ok(Newer { changes, intents }) => {
                changes.into_iter().for_each(|change| self.lane.add(change));
                self.lane.intend(intents);
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(error, "newer changes could not be read; this is tried again");
            }
        }
    }

    fn remember(&mut self, change: ChangeId, payload: Arc<H::Payload>) {
        self.fingerprints.insert(change, self.host.fingerprint(&payload));
        self.payloads.insert(change, payload);
    }

    /// A plaintext stays in memory only while somebody is at work with it, or will be as soon as there is room. Gives when
    /// the next one is to be forgotten.
    fn forget_payloads(&mut self) -> Option<Duration> {
        let now = self.host.now().mono;
        let (lane, entering) = (&self.lane, &self.entering);
        let until = |key: &TargetKey| entering.get(key).map(|since| *since + KEPT).filter(|until| *until > now);
        let at_work = |target: &Target| {
            target.state.is_under_way() || self.hashing.contains(&target.key) || until(&target.key).is_some()
        };
        self.payloads.retain(|change, _| lane.targets_of(*change).any(at_work));
        self.fingerprints.retain(|change, _| lane.change(*change).is_some());
        entering.keys().filter(|key| self.payloads.contains_key(&key.change)).filter_map(until).min()
    }
}

fn settled(event: &LaneEvent) -> Option<(ChangeId, ChangeState)> {
    match event {
        LaneEvent::Settled(change, state) => Some((*change, *state)),
        _ => None,
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
