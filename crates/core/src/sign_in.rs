//! Signing in with a password: how many tries there are, and for how long there is none.
//!
//! Whether a password is right is asked elsewhere; here is only when it may be asked. A lock always ends by itself, since
//! whoever knows a login name can bring it about.

use chrono::{DateTime, TimeDelta, Utc};

/// How many wrong tries in a row lock.
pub const TRIES: i64 = 5;

/// Tries that are further apart than this are not in a row.
pub const WITHIN: TimeDelta = TimeDelta::minutes(5);

/// How long nobody is let in after that.
pub const LOCKED_FOR: TimeDelta = TimeDelta::minutes(15);

/// The tries of somebody so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// How many there were since the last right one.
    pub failures: i64,
    /// When the last of them was.
    pub failed_at: Option<DateTime<Utc>>,
}

impl Tries {
    /// How many there are once one more is counted; none while nobody is let in. A try that is not looked at counts for
    /// nothing, so that the lock ends however many come.
    pub fn one_more(self, now: DateTime<Utc>) -> Option<i64> {
        let Some(last) = self.failed_at else { return Some(1) };
        match self.failures >= TRIES {
            true if now < last + LOCKED_FOR => None,
            true => Some(1),
            false if now >= last + WITHIN => Some(1),
            false => Some(self.failures + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_tries_lock_for_a_quarter_of_an_hour_and_no_longer() {
        let start = DateTime::UNIX_EPOCH;
        let mut tries = Tries { failures: 0, failed_at: None };
        for count in 1..=TRIES {
            assert_eq!(tries.one_more(start), Some(count));
            tries = Tries { failures: count, failed_at: Some(start) };
        }
        for minutes in 0..15 {
            assert_eq!(tries.one_more(start + TimeDelta::minutes(minutes)), None, "{minutes}");
        }
        assert_eq!(tries.one_more(start + LOCKED_FOR), Some(1));
    }

    #[test]
    fn tries_that_are_far_apart_are_not_in_a_row() {
        let start = DateTime::UNIX_EPOCH;
        let tries = Tries { failures: 4, failed_at: Some(start) };
        assert_eq!(tries.one_more(start + WITHIN - TimeDelta::milliseconds(1)), Some(5));
        assert_eq!(tries.one_more(start + WITHIN), Some(1));
    }
}
