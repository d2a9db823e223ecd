//! When the password of an account was set: what Lockstep knows of that, what the account's own system says, and what follows.
//!
//! It decides nothing about whether a password is right. The system's time is as old as the latest reading of the account.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// What is known of when an account's password was set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PasswordSet {
    /// When Lockstep last set another one than before; none: it never did.
    pub set_at: Option<DateTime<Utc>>,
    /// When the latest delivery to it ended that wrote the password or may have, whether or not it was another one.
    pub written_at: Option<DateTime<Utc>>,
    /// When it was last changed, as its system says.
    pub said_at: Option<DateTime<Utc>>,
}

/// How far the clock of a system may be from ours.
const SKEW: TimeDelta = TimeDelta::minutes(5);

impl PasswordSet {
    /// When the password was changed by somebody else after Lockstep last set it; none where that is not certain.
    ///
    /// The system's own time must be later than the end of our latest delivery by more than clocks differ and than `grace`, in
    /// which a write may land whose answer was lost. It may be said too rarely, but never falsely:
    ///
    /// - Our own write is made before its delivery ends, so by one clock its time is the earlier one, however long the delivery was
    ///   in doubt and however late it was confirmed. By two clocks it is later by what they differ at most.
    /// - A delivery that ended while an older write could still land is over before that write: by the grace at most.
    /// - The same password again makes the system's time later and no password younger, which is why `written_at` is not
    ///   `set_at`.
    /// - An account that was read before our delivery has an earlier time.
    /// - A time that has not come yet is a wrong one.
    ///
    /// While a delivery is under way nothing of it is noted: whoever asks must know that none is.
    pub fn changed_outside_at(&self, now: DateTime<Utc>, grace: Duration) -> Option<DateTime<Utc>> {
        // What was noted before there was a difference is the date of both.
        let ours = self.set_at?.max(self.written_at.unwrap_or_default());
        let until = TimeDelta::from_std(grace).ok()?.checked_add(&SKEW)?;
        let until = ours.checked_add_signed(until)?;
        self.credible_at(now).filter(|said| *said > until)
    }

    /// When it was last changed, as its system says, unless that cannot be.
    pub fn credible_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.said_at.filter(|said| now.checked_add_signed(SKEW).is_none_or(|latest| *said <= latest))
    }

    /// From when on its age counts, for whom it expires; none: it does not expire here.
    ///
    /// What was renewed outside is younger, so the later date counts. A system's time never makes a password expire earlier: one
    /// that is wrong would keep people out. So what Lockstep never set has no age, whatever its system says.
    pub fn counts_from(&self, now: DateTime<Utc>, grace: Duration) -> Option<DateTime<Utc>> {
        self.changed_outside_at(now, grace).or(self.set_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(3 * 60);

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(1_000_000 + minutes)
    }

    /// What follows a day later of minutes in which it was set, written and, as its system says, changed.
    fn outside(set: Option<i64>, written: Option<i64>, said: Option<i64>) -> Option<DateTime<Utc>> {
        let [set_at, written_at, said_at] = [set, written, said].map(|minutes| minutes.map(at));
        PasswordSet { set_at, written_at, said_at }.changed_outside_at(at(24 * 60), GRACE)
    }

    #[test]
    fn it_was_changed_outside_when_its_system_says_a_time_that_cannot_be_our_delivery() {
        for (what, set, written, said, expected) in [
            ("its system says nothing", Some(0), Some(0), None, false),
            ("our own write, a moment before it was noted", Some(0), Some(0), Some(0), false),
            ("our own write, confirmed twenty minutes later", Some(20), Some(20), Some(0), false),
            ("our own write, by a clock that is five minutes ahead", Some(0), Some(0), Some(5), false),
            ("a lost write that landed at the end of the grace, by such a clock", Some(0), Some(0), Some(8), false),
            ("later than that", Some(0), Some(0), Some(9), true),
            ("read before our delivery", Some(60), Some(60), Some(-60), false),
            ("changed outside, and then by us", Some(60), Some(60), Some(30), false),
            ("the same password again, by us", Some(0), Some(60), Some(60), false),
            ("after that by somebody else", Some(0), Some(60), Some(90), true),
            ("as an older version noted it", Some(60), None, Some(60), false),
            ("as an older version noted it after a newer one", Some(60), Some(0), Some(60), false),
            ("by somebody else, as an older version noted ours", Some(0), None, Some(60), true),
            ("never set by us", None, None, Some(60), false),
            ("a time that has not come yet", Some(0), Some(0), Some(24 * 60 + 6), false),
            ("a moment ago by a clock that is ahead", Some(0), Some(0), Some(24 * 60 + 5), true),
        ] {
            assert_eq!(outside(set, written, said), said.map(at).filter(|_| expected), "{what}");
        }
    }

    #[test]
    fn nothing_is_said_where_times_have_no_end() {
        let set = PasswordSet { set_at: Some(DateTime::<Utc>::MAX_UTC), written_at: None, said_at: Some(at(0)) };
        assert_eq!(set.changed_outside_at(DateTime::<Utc>::MAX_UTC, GRACE), None);
        let set = PasswordSet { set_at: Some(at(0)), written_at: None, said_at: Some(at(60)) };
        assert_eq!(set.changed_outside_at(at(120), Duration::MAX), None);
    }

    #[test]
    fn a_systems_time_makes_a_password_younger_and_never_older() {
        let now = at(24 * 60);
        for (set, said, counts) in [
            (Some(0), None, Some(0)),
            (Some(60), Some(0), Some(60)),
            (Some(0), Some(60), Some(60)),
            (Some(0), Some(1), Some(0)),
            (Some(0), Some(10_000), Some(0)),
            (None, Some(60), None),
            (None, None, None),
        ] {
            let known = PasswordSet { set_at: set.map(at), written_at: None, said_at: said.map(at) };
            assert_eq!(known.counts_from(now, GRACE), counts.map(at), "{known:?}");
        }
    }
}
