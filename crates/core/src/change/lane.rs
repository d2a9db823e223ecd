//! The lane of one identity: everything unfinished about it, and every decision about that.
//!
//! One owner drives a lane at a time. It asks what to judge ([`Lane::begin_judging`]) and what to begin ([`Lane::ready`]),
//! tells what came of it ([`Lane::judged`], [`Lane::settle`]), lets time pass ([`Lane::sweep`]), and commits the
//! [`Delta`] before it calls anybody. When a commit fails or the owner starts anew, the lane is built again from the
//! rows: whatever was under way then is in doubt.
//!
//! The lane knows no source, connector or clock; it never sleeps. Times within a process are monotonic ([`Now::mono`]);
//! the calendar decides only when a change expires.

mod deliver;
mod judge;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Backoff, Change, ChangeState, Doubt, Intent, IntentKind, Step, Target, TargetKey, TargetState};
use crate::id::{AccountId, ChangeId, IdentityId};

pub use deliver::Attempt;
pub use judge::{Judgement, NewTarget};

/// The present: on the calendar, and on the owner's own clock that never jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The calendar.
    pub utc: DateTime<Utc>,
    /// The time since some moment of this process.
    pub mono: Duration,
}

/// What an administrator sets about delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneSettings {
    /// How long a write whose answer was lost may still land: the bound on a paused node or a stalled server.
    pub grace: Duration,
    /// When an unavailable target is tried again.
    pub backoff: Backoff,
}

impl Default for LaneSettings {
    fn default() -> Self {
        Self { grace: Duration::from_secs(180), backoff: Backoff::default() }
    }
}

/// Everything unfinished about one identity, as the rows say.
#[derive(Debug, Clone, Default)]
pub struct LaneRows {
    /// The changes that are not final.
    pub changes: Vec<Change>,
    /// Every target of those changes, the final ones too.
    pub targets: Vec<Target>,
    /// (account, change) of every write that may still land.
    pub doubts: Vec<(AccountId, ChangeId)>,
    /// What is to become of the identity and its accounts.
    pub intents: Vec<Intent>,
}

/// What a transition changed, to be committed as one.
#[derive(Debug, Clone, Default)]
pub struct Delta {
    /// Changes to be written back.
    pub changes: Vec<Change>,
    /// Targets to be inserted or written back.
    pub targets: Vec<Target>,
    /// Writes that may still land, to be recorded.
    pub doubts_raised: Vec<(AccountId, ChangeId)>,
    /// Writes that can land no more, to be forgotten.
    pub doubts_ended: Vec<(AccountId, ChangeId)>,
    /// Intents that are carried out with this: nothing is under way any more where they concern.
    pub intents_done: Vec<Intent>,
    /// What happened, for the audit and the metrics.
    pub events: Vec<LaneEvent>,
}

impl Delta {
    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.targets.is_empty()
            && self.doubts_raised.is_empty()
            && self.doubts_ended.is_empty()
            && self.intents_done.is_empty()
    }
}

/// Something that happened to a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneEvent {
    /// The first target of a change has the new password: the moment for its history.
    FirstApplied(TargetKey),
    /// A further target has it.
    Applied(TargetKey),
    /// A target ended without it.
    NotApplied(TargetKey),
    /// A change became final.
    Settled(ChangeId, ChangeState),
}

/// Everything unfinished about one identity.
#[derive(Debug)]
pub struct Lane {
    /// Whose.
    pub identity: IdentityId,
    settings: LaneSettings,
    seen: i64,
    changes: BTreeMap<i64, Change>,
    targets: Vec<Delivery>,
    doubts: Vec<Doubt>,
    intents: Vec<Intent>,
    judging: Option<ChangeId>,
    dirty_changes: BTreeSet<i64>,
    dirty_targets: BTreeSet<TargetKey>,
    delta: Delta,
}

/// A target with what only the owner's memory knows of it.
#[derive(Debug)]
struct Delivery {
    target: Target,
    /// What comes next; after a take-over always a write, which is safe to repeat.
    step: Step,
    /// The monotonic time before which it does not come.
    due: Duration,
    /// Why a sign-in is made.
    asks: Option<Question>,
}

/// What a sign-in with the new password is to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Question {
    /// The write was confirmed while one of the same change could still land.
    Confirmed,
    /// The write was confirmed while one of an older change could land after it; that time is over.
    Overtaken,
    /// The write was refused for this reason, although the account may have the password.
    Refused(super::Refusal),
}

impl Lane {
    /// Builds the lane from its rows at start, take-over or after a failed commit. Whatever was under way is in doubt,
    /// and every doubt lasts a full grace from now.
    pub fn new(identity: IdentityId, rows: LaneRows, settings: LaneSettings, now: Now) -> Self {
        let mut lane = Self {
            identity,
            settings,
            seen: rows.changes.iter().map(|change| change.seq).max().unwrap_or(0),
            changes: rows.changes.into_iter().map(|change| (change.seq, change)).collect(),
            targets: rows.targets.into_iter().map(|target| Delivery::new(target, now)).collect(),
            doubts: Vec::new(),
            intents: rows.intents,
            judging: None,
            dirty_changes: BTreeSet::new(),
            dirty_targets: BTreeSet::new(),
            delta: Delta::default(),
        };
        let until = now.mono + settings.grace;
        lane.doubts.extend(rows.doubts.into_iter().map(|(account, change)| Doubt { account, change, until }));
        lane.recover(now);
        lane
    }

    /// Takes in a change that was accepted since the lane was built. A change it already knows is left as it is.
    pub fn add(&mut self, change: Change) {
        if change.seq > self.seen {
            self.seen = change.seq;
            self.changes.insert(change.seq, change);
        }
    }

    /// The highest place in the order that the lane has seen: the store is asked for what comes after it. Nothing
    /// comes before it any more, because places are committed in their order.
    pub fn seen(&self) -> i64 {
        self.seen
    }

    /// A change that is not final.
    pub fn change(&self, id: ChangeId) -> Option<&Change> {
        self.changes.values().find(|change| change.id == id)
    }

    /// The target of that name, while its change is not final.
    pub fn target(&self, key: TargetKey) -> Option<&Target> {
        self.targets.iter().map(|delivery| &delivery.target).find(|target| target.key == key)
    }

    /// The targets of a change that is not final.
    pub fn targets_of(&self, change: ChangeId) -> impl Iterator<Item = &Target> {
        self.targets.iter().map(|delivery| &delivery.target).filter(move |target| target.key.change == change)
    }

    /// The target that each unfinished change named; the others are there because they share its password.
    pub fn named(&self) -> impl Iterator<Item = TargetKey> {
        self.changes.values().map(|change| TargetKey { change: change.id, account: change.account })
    }

    /// Whether nothing is left to do or to wait for.
    pub fn is_idle(&self) -> bool {
        self.changes.is_empty() && self.doubts.is_empty() && self.intents.is_empty()
    }

    /// Lets time pass: forgets doubts that ended, and expires what waits past its change's end.
    pub fn sweep(&mut self, now: Now) {
        let (ended, standing): (Vec<_>, Vec<_>) = self.doubts.drain(..).partition(|doubt| doubt.until <= now.mono);
        self.doubts = standing;
        self.delta.doubts_ended.extend(ended.into_iter().map(|doubt| (doubt.account, doubt.change)));

        let expired: Vec<ChangeId> =
            self.changes.values().filter(|change| change.expires_at <= now.utc).map(|change| change.id).collect();
        for change in expired {
            // Also where judging never comes to an end: a change that nobody can judge must become final all the same.
            if let Some(seq) = self.change(change).filter(|c| c.state == ChangeState::Accepted).map(|c| c.seq) {
                self.refuse(seq, vec![judge::TOO_LATE.to_owned()], now);
            }
            for key in self.keys(|target| target.key.change == change && waits(target.state)) {
                self.end(key, TargetState::Expired, now);
            }
        }
        self.pursue_intents(now);
    }

    /// Takes in what is to become of the identity and its accounts: everything that is, as the rows say. What is not among
    /// it any more was taken back.
    pub fn intend(&mut self, intents: Vec<Intent>) {
        self.intents = intents;
    }

    /// Ends what waits where an intent concerns it, and carries the intent out once nothing is left there.
    fn pursue_intents(&mut self, now: Now) {
        for Intent { kind, .. } in self.intents.clone() {
            if kind == IntentKind::Disable {
                let unjudged = self.changes.values().filter(|change| change.state == ChangeState::Accepted);
                for seq in unjudged.map(|change| change.seq).collect::<Vec<_>>() {
                    self.refuse(seq, vec![kind.reason().to_owned()], now);
                }
            }
            if kind == IntentKind::Retry {
                self.hurry(now);
            }
            for key in self.keys(|target| kind.ends(target.key.account) && waits(target.state)) {
                self.update(key, |delivery| delivery.target.reason = Some(kind.reason().to_owned()));
                self.end(key, TargetState::Expired, now);
            }
        }
        let (done, standing) = std::mem::take(&mut self.intents).into_iter().partition(|intent| self.is_clear(*intent));
        self.intents = standing;
        self.delta.intents_done.extend::<Vec<_>>(done);
    }

    /// Makes every write due that only waits for its next try. What waits for a doubt to end goes on waiting: its answer would
    /// mean no more than the one before, and a sign-in with a password that may be wrong counts towards a lock.
    fn hurry(&mut self, now: Now) {
        let doubts = &self.doubts;
        let waits = |delivery: &&mut Delivery| {
            delivery.target.state == TargetState::Retrying
                && delivery.step == Step::Write
                && doubts.iter().all(|doubt| doubt.account != delivery.target.key.account)
        };
        for delivery in self.targets.iter_mut().filter(waits) {
            delivery.due = delivery.due.min(now.mono);
        }
    }

    /// Whether nothing is under way, nor can land any more, where the intent concerns. A judgement that is being made may
    /// have looked at the account already.
    fn is_clear(&self, Intent { kind, .. }: Intent) -> bool {
        // Done once, whatever is under way.
        if kind == IntentKind::Retry {
            return true;
        }
        let unfinished = |target: &Target| kind.ends(target.key.account) && !target.state.is_final();
        let may_land = kind.account().is_some_and(|own| self.doubts.iter().any(|doubt| doubt.account == own));
        self.judging.is_none() && !may_land && !self.targets.iter().any(|delivery| unfinished(&delivery.target))
    }

    /// The monotonic time of the next thing that happens by itself; none while everything waits for an answer.
    pub fn wake(&self, now: Now) -> Option<Duration> {
        let doubts = self.doubts.iter().map(|doubt| doubt.until);
        let due = self.targets.iter().filter(|d| d.target.state == TargetState::Retrying).map(|d| d.due);
        let expiry = self
            .changes
            .values()
            .map(|change| now.mono + (change.expires_at - now.utc).to_std().unwrap_or(Duration::ZERO));
        let waiting = self.unjudged().is_some() || self.targets.iter().any(|d| waits(d.target.state));
        doubts.chain(due).chain(expiry.filter(|_| waiting)).filter(|at| *at > now.mono).min()
    }

    /// Hands over what changed since the last call. The owner commits it before it acts on it.
    pub fn take_delta(&mut self) -> Delta {
        let mut delta = std::mem::take(&mut self.delta);
        let seqs = std::mem::take(&mut self.dirty_changes);
        let keys = std::mem::take(&mut self.dirty_targets);
        delta.changes.extend(seqs.iter().filter_map(|seq| self.changes.get(seq)).cloned());
        delta.targets.extend(self.targets.iter().map(|d| &d.target).filter(|t| keys.contains(&t.key)).cloned());
        // What is final is committed with this delta and concerns nobody after it.
        self.changes.retain(|_, change| !change.state.is_final());
        let unfinished: BTreeSet<ChangeId> = self.changes.values().map(|change| change.id).collect();
        self.targets.retain(|delivery| unfinished.contains(&delivery.target.key.change));
        delta
    }

    /// After a take-over nobody knows whether what was under way has landed.
    fn recover(&mut self, now: Now) {
        for key in self.keys(|target| target.state.is_under_way()) {
            let was_write = self.target(key).is_some_and(|target| target.state == TargetState::Applying);
            if was_write {
                self.raise_doubt(key, now);
            }
            self.update(key, |delivery| {
                delivery.target.state = TargetState::Retrying;
                delivery.target.unsure |= was_write;
                delivery.target.reason = Some("interrupted while it was being changed".to_owned());
                delivery.step = Step::Write;
                delivery.due = now.mono;
            });
        }
    }

    fn raise_doubt(&mut self, key: TargetKey, now: Now) {
        let until = now.mono + self.settings.grace;
        self.doubts.retain(|doubt| (doubt.account, doubt.change) != (key.account, key.change));
        self.doubts.push(Doubt { account: key.account, change: key.change, until });
        self.delta.doubts_raised.push((key.account, key.change));
    }

    /// Ends a target, and with the last of them the change.
    fn end(&mut self, key: TargetKey, state: TargetState, now: Now) {
        if self.target(key).is_none_or(|target| target.state.is_final()) {
            return;
        }
        let first = state == TargetState::Applied
            && !self.targets_of(key.change).any(|target| target.state == TargetState::Applied);
        self.update(key, |delivery| {
            delivery.target.state = state;
            delivery.target.settled_at = Some(now.utc);
            if state == TargetState::Applied {
                delivery.target.reason = None;
                delivery.target.unsure = false;
            }
        });
        self.delta.events.push(match (state, first) {
            (TargetState::Applied, true) => LaneEvent::FirstApplied(key),
            (TargetState::Applied, false) => LaneEvent::Applied(key),
            _ => LaneEvent::NotApplied(key),
        });
        self.release(key.change, now);
        self.finish(key.change, now);
    }

    /// Sign-in source first: when its targets have settled, the others go on or are never attempted.
    fn release(&mut self, change: ChangeId, now: Now) {
        let first: Vec<TargetState> = self.targets_of(change).filter(|t| t.sign_in).map(|t| t.state).collect();
        let waiting = self.keys(|target| target.key.change == change && target.state == TargetState::Waiting);
        if first.iter().any(|state| state.is_final() && *state != TargetState::Applied) {
            for key in waiting {
                self.update(key, |delivery| {
                    delivery.target.state = TargetState::NotAttempted;
                    delivery.target.settled_at = Some(now.utc);
                });
                self.delta.events.push(LaneEvent::NotApplied(key));
            }
        } else if first.iter().all(|state| *state == TargetState::Applied) {
            for key in waiting {
                self.update(key, |delivery| {
                    delivery.target.state = TargetState::Pending;
                    delivery.due = now.mono;
                });
            }
        }
    }

    /// When the last target has settled, the change has, and so has every change that joined it.
    fn finish(&mut self, id: ChangeId, now: Now) {
        let states: Vec<TargetState> = self.targets_of(id).map(|target| target.state).collect();
        if states.iter().any(|state| !state.is_final()) {
            return;
        }
        let state = match states.iter().all(|state| *state == TargetState::Applied) {
            true => ChangeState::Finished,
            false => ChangeState::Failed,
        };
        for change in self.changes.values_mut().filter(|change| change.id == id || change.joined == Some(id)) {
            change.state = state;
            change.settled_at = Some(now.utc);
            self.dirty_changes.insert(change.seq);
            self.delta.events.push(LaneEvent::Settled(change.id, state));
        }
    }

    fn keys(&self, wanted: impl Fn(&Target) -> bool) -> Vec<TargetKey> {
        self.targets.iter().map(|delivery| &delivery.target).filter(|t| wanted(t)).map(|t| t.key).collect()
    }

    fn update(&mut self, key: TargetKey, change: impl FnOnce(&mut Delivery)) {
        if let Some(delivery) = self.targets.iter_mut().find(|delivery| delivery.target.key == key) {
            change(delivery);
            self.dirty_targets.insert(key);
        }
    }
}

impl Delivery {
    fn new(target: Target, now: Now) -> Self {
        Self { target, step: Step::Write, due: now.mono, asks: None }
    }
}

/// Whether a target has neither ended nor is under way: what expires and can be superseded.
fn waits(state: TargetState) -> bool {
    matches!(state, TargetState::Waiting | TargetState::Pending | TargetState::Retrying)
}
