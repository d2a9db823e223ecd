//! Recovery: the way from something that was shown in place of a forgotten password to a new one.
//!
//! Each way begins with one proof, belongs to one identity, and leads to one change that is carried out. Where it stands is
//! kept by the server and by nobody else; it signs nobody in. A second factor that the person has is asked for all the same:
//! to have forgotten the password is no way around it.

use chrono::{DateTime, TimeDelta, Utc};

use crate::id::ChangeId;

/// How long somebody has from the first proof to the new password.
pub const LIFE: TimeDelta = TimeDelta::minutes(15);

/// Where a recovery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The second factor is asked for.
    SecondFactor,
    /// Everything was shown: a new password may be set.
    NewPassword,
    /// This change was asked for. Unless it fails, there is no other.
    Asked(ChangeId),
}

/// A recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// Where it stands.
    pub stage: Stage,
    /// When the first proof was shown.
    pub begun_at: DateTime<Utc>,
}

impl Recovery {
    /// One that begins with a proof that was right.
    pub fn begin(has_second_factor: bool, now: DateTime<Utc>) -> Self {
        let stage = if has_second_factor { Stage::SecondFactor } else { Stage::NewPassword };
        Self { stage, begun_at: now }
    }

    /// Whether anything can still be done with it.
    pub fn lives(&self, now: DateTime<Utc>) -> bool {
        now < self.begun_at + LIFE
    }

    /// The second factor was shown. None where it was not asked for.
    pub fn second_shown(self, now: DateTime<Utc>) -> Option<Self> {
        (self.lives(now) && self.stage == Stage::SecondFactor).then_some(Self { stage: Stage::NewPassword, ..self })
    }

    /// A new password was sent, and became this change. None where it may not be.
    pub fn asks(self, change: ChangeId, now: DateTime<Utc>) -> Option<Self> {
        (self.lives(now) && self.stage == Stage::NewPassword).then_some(Self { stage: Stage::Asked(change), ..self })
    }

    /// The change came to its end and nothing was changed: another password may be sent.
    pub fn refused(self, change: ChangeId) -> Self {
        match self.stage == Stage::Asked(change) {
            true => Self { stage: Stage::NewPassword, ..self },
            false => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    #[derive(Debug, Clone, Copy)]
    enum Event {
        SecondShown,
        Asks(u128),
        Refused(u128),
        Minutes(i64),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::SecondShown),
            (0..4u128).prop_map(Event::Asks),
            (0..4u128).prop_map(Event::Refused),
            (0..8i64).prop_map(Event::Minutes),
        ]
    }

    proptest! {
        /// Whatever comes in whatever order: no step is skipped, and no second change is asked for unless the one before failed.
        #[test]
        fn nothing_is_skipped_and_nothing_happens_twice(second in any::<bool>(), events in prop::collection::vec(event(), 0..24)) {
            let change = |n: u128| ChangeId(Uuid::from_u128(n));
            let mut now = DateTime::UNIX_EPOCH;
            let mut recovery = Recovery::begin(second, now);
            let (mut shown, mut open) = (!second, None);
            for event in events {
                let next = match event {
                    Event::SecondShown => recovery.second_shown(now),
                    Event::Asks(n) => recovery.asks(change(n), now),
                    Event::Refused(n) => Some(recovery.refused(change(n))),
                    Event::Minutes(minutes) => {
                        now += TimeDelta::minutes(minutes);
                        None
                    }
                };
                match (event, next) {
                    (Event::SecondShown, Some(_)) => {
                        prop_assert!(!shown, "it is shown once");
                        shown = true;
                    }
                    (Event::Asks(n), Some(_)) => {
                        prop_assert!(shown && open.is_none() && now < DateTime::UNIX_EPOCH + LIFE);
                        open = Some(n);
                    }
                    (Event::Refused(n), _) if open == Some(n) => open = None,
                    _ => {}
                }
                recovery = next.unwrap_or(recovery);
            }
        }
    }
}
