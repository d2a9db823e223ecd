//! Judging: in the identity's order, once, when the password is known.

use std::collections::BTreeSet;

use super::{Delivery, Lane, LaneEvent, Now};
use crate::change::{Change, ChangeState, Intent, Target, TargetKey, TargetState};
use crate::id::{AccountId, ChangeId, SourceId};

/// What was found out about a change by opening its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing is written, for these reasons.
    Refused(Vec<String>),
    /// It passed. These accounts get the password.
    Passed(Vec<NewTarget>),
    /// It passed, and the password is that of the change [`Lane::joinable`] named.
    Joined(ChangeId),
}

/// An account that is to get the new password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTarget {
    /// Which account.
    pub account: AccountId,
    /// Where it is.
    pub source: SourceId,
    /// How the connector addresses it.
    pub native_id: String,
    /// What people read for it.
    pub name: String,
    /// Whether it is on the identity's sign-in source.
    pub sign_in: bool,
}

pub(super) const TOO_LATE: &str = "the request expired before it could be carried out";
/// Why a change is refused whose account went to somebody else, or is gone, since it was accepted.
const NOT_THEIRS: &str = "the account that was named does not belong to this identity any more";

impl Lane {
    /// The change that is judged next: the oldest that is not, since order is kept per identity.
    pub(super) fn unjudged(&self) -> Option<&Change> {
        self.changes.values().find(|change| change.state == ChangeState::Accepted)
    }

    /// Gives the change that is judged next, and remembers that somebody is at it: one at a time. The judgement is told by
    /// [`Lane::judged`]; where there is none, [`Lane::not_judged`] must be called.
    pub fn begin_judging(&mut self) -> Option<Change> {
        let change = self.unjudged().filter(|_| self.judging.is_none())?.clone();
        self.judging = Some(change.id);
        Some(change)
    }

    /// Nobody is at judging any more: it failed, and is begun again.
    pub fn not_judged(&mut self) {
        self.judging = None;
    }

    /// The unfinished change that one with the same password and these targets may join: the newest judged one, if it
    /// writes exactly these accounts. An older one may not be joined: a password in between would come after it.
    pub fn joinable(&self, targets: &[NewTarget]) -> Option<ChangeId> {
        let newest = self.changes.values().rev().find(|c| c.state == ChangeState::Judged && c.joined.is_none())?;
        // A change in between that has ended may have given any of these accounts another password.
        let asking = self.unjudged()?.seq;
        let mut between = self.changes.range(newest.seq + 1..asking).map(|(_, change)| change);
        let all_known = between.clone().count() as i64 == asking - newest.seq - 1;
        if !all_known || !between.all(|change| change.joined == Some(newest.id)) {
            return None;
        }
        let wanted: BTreeSet<AccountId> = targets.iter().map(|target| target.account).collect();
        let written: BTreeSet<AccountId> = self.targets_of(newest.id).map(|target| target.key.account).collect();
        let superseded = self.targets_of(newest.id).any(|target| target.state == TargetState::Superseded);
        (wanted == written && !superseded).then_some(newest.id)
    }

    /// Writes down what became of judging `id`.
    pub fn judged(&mut self, id: ChangeId, judgement: Judgement, now: Now) {
        self.judging = None;
        let Some(change) = self.changes.values().find(|change| change.id == id) else { return };
        if change.state != ChangeState::Accepted {
            return;
        }
        let seq = change.seq;
        if change.expires_at <= now.utc {
            return self.refuse(seq, vec![TOO_LATE.to_owned()], now);
        }
        let taken = self.intents.iter().find(|intent| intent.kind.ends(change.account));
        if let Some(Intent { kind, .. }) = taken.copied() {
            return self.refuse(seq, vec![kind.reason().to_owned()], now);
        }
        match judgement {
            Judgement::Refused(reasons) => self.refuse(seq, reasons, now),
            // Without the named account the others would get a password for whose sake nobody asked.
            Judgement::Passed(targets) if targets.iter().all(|target| target.account != change.account) => {
                self.refuse(seq, vec![NOT_THEIRS.to_owned()], now);
            }
            Judgement::Passed(targets) => self.deliver_to(seq, id, targets, now),
            Judgement::Joined(leader) if self.targets_of(leader).all(|target| target.key.account != change.account) => {
                self.refuse(seq, vec![NOT_THEIRS.to_owned()], now);
            }
            // Asked for and told in one breath, so the leader cannot have ended in between. Should it have, the change
            // stays unjudged and is judged again: nothing is lost.
            Judgement::Joined(leader) => {
                if self.change(leader).is_some_and(|leader| leader.state == ChangeState::Judged) {
                    self.mark(seq, |change| {
                        change.state = ChangeState::Judged;
                        change.joined = Some(leader);
                    });
                }
            }
        }
    }

    fn deliver_to(&mut self, seq: i64, id: ChangeId, mut targets: Vec<NewTarget>, now: Now) {
        targets.retain(|target| !self.intents.iter().any(|intent| intent.kind.ends(target.account)));
        self.mark(seq, |change| change.state = ChangeState::Judged);
        let held_back = targets.iter().any(|target| target.sign_in);
        for new in targets {
            let key = TargetKey { change: id, account: new.account };
            let state = match held_back && !new.sign_in {
                true => TargetState::Waiting,
                false => TargetState::Pending,
            };
            let target = Target {
                key,
                source: new.source,
                native_id: new.native_id,
                name: new.name,
                seq,
                sign_in: new.sign_in,
                state,
                attempts: 0,
                probed: false,
                unsure: false,
                reason: None,
                settled_at: None,
            };
            self.targets.push(Delivery::new(target, now));
            self.dirty_targets.insert(key);
        }
    }

    pub(super) fn refuse(&mut self, seq: i64, reasons: Vec<String>, now: Now) {
        self.mark(seq, |change| {
            change.state = ChangeState::Failed;
            change.refusals = reasons;
            change.settled_at = Some(now.utc);
        });
        if let Some(change) = self.changes.get(&seq) {
            self.delta.events.push(LaneEvent::Settled(change.id, ChangeState::Failed));
        }
    }

    fn mark(&mut self, seq: i64, update: impl FnOnce(&mut Change)) {
        if let Some(change) = self.changes.get_mut(&seq) {
            update(change);
            self.dirty_changes.insert(seq);
        }
    }
}
