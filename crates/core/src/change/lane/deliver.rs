//! Delivering: what may begin now, and what beginning means.

use std::collections::BTreeMap;

use super::{Lane, Now, waits};
use crate::change::{Step, Target, TargetKey, TargetState};
use crate::id::{AccountId, SourceId};

/// Something that may begin now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Which target.
    pub key: TargetKey,
    /// The source whose permit it needs.
    pub source: SourceId,
    /// Write, or sign in.
    pub step: Step,
}

impl Lane {
    /// What may begin now: at most one target an account, the newest, and only while no connector is at work on that
    /// account.
    pub fn ready(&self, now: Now) -> Vec<Attempt> {
        let mut newest: BTreeMap<AccountId, (i64, Attempt)> = BTreeMap::new();
        for delivery in &self.targets {
            let Target { key, source, seq, state, .. } = delivery.target;
            let may = matches!(state, TargetState::Pending | TargetState::Retrying) && delivery.due <= now.mono;
            if !may || self.is_busy(key.account) {
                continue;
            }
            let attempt = Attempt { key, source, step: delivery.step };
            match newest.get(&key.account) {
                Some((other, _)) if *other > seq => {}
                _ => {
                    newest.insert(key.account, (seq, attempt));
                }
            }
        }
        newest.into_values().map(|(_, attempt)| attempt).collect()
    }

    /// Marks a ready target as under way. Once this is committed the connector may be called, never before. The older
    /// targets of the account are superseded: this one has passed policy and is on its way.
    ///
    /// Says whether the target was still ready.
    pub fn begin(&mut self, attempt: Attempt, now: Now) -> bool {
        if !self.ready(now).contains(&attempt) {
            return false;
        }
        self.update(attempt.key, |delivery| match attempt.step {
            Step::Write => {
                delivery.target.state = TargetState::Applying;
                delivery.target.attempts += 1;
            }
            Step::SignIn => {
                delivery.target.state = TargetState::Verifying;
                // Used up before it is made, where it may well fail: a crash must not make it a second time.
                delivery.target.probed |= delivery.asks != Some(super::Question::Confirmed);
            }
        });
        self.supersede(attempt.key, now);
        true
    }

    /// The built-in source is written by the transaction that settles it: it is never under way nor in doubt, and takes
    /// its account over in the same instant.
    ///
    /// Says whether the target was still to be written.
    pub fn settle_built_in(&mut self, key: TargetKey, now: Now) -> bool {
        if !self.target(key).is_some_and(|target| target.state == TargetState::Pending) {
            return false;
        }
        self.supersede(key, now);
        self.end(key, TargetState::Applied, now);
        true
    }

    fn is_busy(&self, account: AccountId) -> bool {
        self.targets.iter().any(|d| d.target.key.account == account && d.target.state.is_under_way())
    }

    fn supersede(&mut self, newer: TargetKey, now: Now) {
        let Some(seq) = self.target(newer).map(|target| target.seq) else { return };
        let older = self.keys(|target| target.key.account == newer.account && target.seq < seq && waits(target.state));
        for key in older {
            self.update(key, |delivery| delivery.target.reason = Some(format!("superseded by {}", newer.change)));
            self.end(key, TargetState::Superseded, now);
        }
    }
}
