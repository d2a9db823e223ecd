//! Settling: what an answer means for a target, above all when an answer is missing.
//!
//! A write whose answer was lost may land until its grace ends; a fence cannot reach a directory. So the account is in
//! doubt until then, and the answers of later calls mean less than they say:
//!
//! | while in doubt | means | so |
//! |---|---|---|
//! | a confirmed write, only this change's own write may land | the password is there and stays | a sign-in settles it as applied |
//! | a confirmed write, an older change's may land | the older may land after it | a sign-in at the end of the grace |
//! | a refusal | the lost write may have caused it (history) | one sign-in; if wrong, written again at the end |
//!
//! The older password of the second row is why a sign-in made inside the grace settles nothing there: A is sent and not
//! answered, B is written and confirmed, a sign-in with B succeeds, and then A lands. Where no sign-in is possible,
//! the password is written once more at the end of the grace, when the answer means what it says.
//!
//! Outside doubt a refusal is asked about when it says so ([`Refusal::ask`]), and when a write of this very change was
//! lost before ([`crate::change::Target::unsure`]): a system that was away for longer than the grace refuses, once it is
//! back, the password that it has. A sign-in that fails counts towards the lock of the account, so at most one a target
//! is made with a password that may be wrong.

use std::time::Duration;

use super::{Delivery, Lane, Now, Question};
use crate::change::{Outcome, Refusal, SignIn, Step, TargetKey, TargetState};

impl Lane {
    /// Takes in what became of a write that was begun. `draw` is a random number for the jitter of the next try.
    pub fn settle(&mut self, key: TargetKey, outcome: Outcome, now: Now, draw: u32) {
        if !self.target(key).is_some_and(|target| target.state == TargetState::Applying) {
            return;
        }
        match outcome {
            Outcome::Applied => self.confirmed(key, now),
            Outcome::Refused(refusal) => self.refused(key, refusal, now),
            Outcome::Unavailable(reason) => self.retry(key, reason, now, draw),
            Outcome::Unknown(reason) => {
                self.raise_doubt(key, now);
                self.update(key, |delivery| delivery.target.unsure = true);
                self.retry(key, reason, now, draw);
            }
        }
    }

    /// Takes in what became of a sign-in that was begun.
    pub fn settle_sign_in(&mut self, key: TargetKey, answer: SignIn, now: Now, draw: u32) {
        let Some(delivery) = self.targets.iter_mut().find(|delivery| delivery.target.key == key) else { return };
        if delivery.target.state != TargetState::Verifying {
            return;
        }
        let question = delivery.asks.take();
        let foreign = self.others_land_until(key);
        let own = self.lands_until(key);
        if answer == SignIn::Right {
            // Only a sign-in that fails counts towards the lock of an account: the one that may is still to be had.
            self.update(key, |delivery| delivery.target.probed = false);
        }
        match (answer, question) {
            (SignIn::Right, _) => match foreign {
                None => self.end(key, TargetState::Applied, now),
                Some(until) => self.hold(key, Step::SignIn, until, Some(Question::Overtaken)),
            },
            // An older write landed after ours, or a replica has not seen it yet: written again.
            (SignIn::Wrong, Some(Question::Confirmed | Question::Overtaken) | None) => {
                self.update(key, |delivery| delivery.target.probed = true);
                self.retry(key, "the new password does not sign in yet".to_owned(), now, draw);
            }
            (SignIn::Wrong, Some(Question::Refused(refusal))) => match own {
                None => {
                    self.update(key, |delivery| delivery.target.unsure = false);
                    self.fail(key, refusal, now);
                }
                Some(until) => self.hold(key, Step::Write, until, None),
            },
            (SignIn::Unable(_), Some(Question::Confirmed | Question::Overtaken) | None) => {
                let until = own.into_iter().chain(foreign).max();
                self.hold(key, Step::Write, until.unwrap_or(now.mono), None);
            }
            (SignIn::Unable(reason), Some(Question::Refused(refusal))) => match own.into_iter().chain(foreign).max() {
                Some(until) => self.hold(key, Step::Write, until, None),
                None => {
                    let reason = format!("{}; whether it already has it could not be asked: {reason}", refusal.reason);
                    self.update(key, |delivery| delivery.target.unsure = true);
                    self.fail(key, Refusal { reason, ..refusal }, now);
                }
            },
        }
    }

    fn confirmed(&mut self, key: TargetKey, now: Now) {
        let probed = self.target(key).is_some_and(|target| target.probed);
        let (own, foreign) = (self.lands_until(key), self.others_land_until(key));
        let Some(until) = own.into_iter().chain(foreign).max() else {
            return self.end(key, TargetState::Applied, now);
        };
        // It has the password now; what it will have is not known yet.
        self.update(key, |delivery| delivery.target.unsure = true);
        match (probed, foreign.is_some()) {
            (true, _) => self.hold(key, Step::Write, until, None),
            (false, true) => self.hold(key, Step::SignIn, until, Some(Question::Overtaken)),
            (false, false) => self.hold(key, Step::SignIn, now.mono, Some(Question::Confirmed)),
        }
    }

    fn refused(&mut self, key: TargetKey, refusal: Refusal, now: Now) {
        let probed = self.target(key).is_some_and(|target| target.probed);
        let lost = self.target(key).is_some_and(|target| target.unsure);
        let in_doubt = self.lands_until(key).into_iter().chain(self.others_land_until(key)).max();
        match in_doubt {
            None if probed || !(refusal.ask || lost) => self.fail(key, refusal, now),
            Some(until) if probed => self.hold(key, Step::Write, until, None),
            _ => {
                // The one sign-in with a password that may be wrong: used up before it is made.
                self.update(key, |delivery| delivery.target.unsure = true);
                self.hold(key, Step::SignIn, now.mono, Some(Question::Refused(refusal)));
            }
        }
    }

    fn fail(&mut self, key: TargetKey, refusal: Refusal, now: Now) {
        self.update(key, |delivery| delivery.target.reason = Some(refusal.reason));
        self.end(key, TargetState::Failed, now);
    }

    fn retry(&mut self, key: TargetKey, reason: String, now: Now, draw: u32) {
        let backoff = self.settings.backoff;
        self.update(key, |delivery| {
            let wait = backoff.wait(delivery.target.attempts, draw);
            delivery.again(Step::Write, now.mono + wait, None);
            delivery.target.reason = Some(reason);
        });
    }

    fn hold(&mut self, key: TargetKey, step: Step, due: Duration, asks: Option<Question>) {
        self.update(key, |delivery| {
            delivery.again(step, due, asks);
            delivery.target.reason.get_or_insert_with(|| "being confirmed".to_owned());
        });
    }

    /// Until when a write of the target's own change may land on its account.
    fn lands_until(&self, key: TargetKey) -> Option<Duration> {
        let own = |doubt: &&crate::change::Doubt| doubt.account == key.account && doubt.change == key.change;
        self.doubts.iter().filter(own).map(|doubt| doubt.until).max()
    }

    /// Until when a write of another change may land on the target's account.
    fn others_land_until(&self, key: TargetKey) -> Option<Duration> {
        let other = |doubt: &&crate::change::Doubt| doubt.account == key.account && doubt.change != key.change;
        self.doubts.iter().filter(other).map(|doubt| doubt.until).max()
    }
}

impl Delivery {
    fn again(&mut self, step: Step, due: Duration, asks: Option<Question>) {
        self.target.state = TargetState::Retrying;
        self.step = step;
        self.due = due;
        self.asks = asks;
    }
}
