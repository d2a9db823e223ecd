//! Signing in with a password: how many tries there are, and for how long there is none.
//!
//! Whether a password is right is asked elsewhere; here is only when it may be asked. A lock always ends by itself, since
//! whoever knows a login name can bring it about.

use chrono::{DateTime, Utc};

use crate::auth_org::LockoutConfig;

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
    pub fn one_more(self, now: DateTime<Utc>, lockout: &LockoutConfig) -> Option<i64> {
        let Some(last) = self.failed_at else { return Some(1) };
        match self.failures >= lockout.maximum_attempts {
            true if now < last + lockout.locked_for() => None,
            true => Some(1),
            false if now >= last + lockout.within() => Some(1),
            false => Some(self.failures + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn lockout(maximum_attempts: i64, lockout_duration: i64, lockout_window: i64) -> LockoutConfig {
        LockoutConfig { maximum_attempts, lockout_duration, lockout_window }
    }

    #[test]
    fn so_many_tries_lock_for_a_while_and_no_longer() {
        for lockout in [LockoutConfig::default(), lockout(1, 5, 5), lockout(3, 60, 5), lockout(15, 5, 60)] {
            let mut tries = Tries { failures: 0, failed_at: None };
            for count in 1..=lockout.maximum_attempts {
                assert_eq!(tries.one_more(START, &lockout), Some(count));
                tries = Tries { failures: count, failed_at: Some(START) };
            }
            for minutes in 0..lockout.lockout_duration {
                assert_eq!(
                    tries.one_more(START + TimeDelta::minutes(minutes), &lockout),
                    None,
                    "{minutes} {lockout:?}"
                );
            }
            assert_eq!(tries.one_more(START + lockout.locked_for(), &lockout), Some(1));
        }
    }

    #[test]
    fn tries_that_are_far_apart_are_not_in_a_row() {
        let tries = Tries { failures: 4, failed_at: Some(START) };
        for lockout in [LockoutConfig::default(), lockout(5, 5, 60)] {
            let moment = TimeDelta::milliseconds(1);
            assert_eq!(tries.one_more(START + lockout.within() - moment, &lockout), Some(5));
            assert_eq!(tries.one_more(START + lockout.within(), &lockout), Some(1));
        }
    }

    #[test]
    fn other_settings_count_for_the_tries_that_there_were() {
        let tries = Tries { failures: 3, failed_at: Some(START) };
        let soon = START + TimeDelta::minutes(1);
        assert_eq!(tries.one_more(soon, &lockout(5, 15, 5)), Some(4));
        assert_eq!(tries.one_more(soon, &lockout(3, 15, 5)), None, "fewer tries lock who has had as many");
        assert_eq!(tries.one_more(soon, &lockout(2, 15, 5)), None);
        assert_eq!(tries.one_more(START + TimeDelta::minutes(5), &lockout(3, 5, 5)), Some(1), "a shorter lock is over");
    }
}
