//! How much one client may ask, counted in this process.
//!
//! Requests are counted by caller and version of the API, whatever the operation. At the token endpoint only failures
//! are counted, by client id and address of the client ([`super::client_address`]), so that nobody can be kept out by somebody elsewhere who guesses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::error::Error;
use crate::config::Limits;

/// How many failures at the token endpoint are answered as such, within [`FAILURES_PER`].
pub(super) const FAILURES: u32 = 20;

/// The time that [`FAILURES`] counts for.
const FAILURES_PER: Duration = Duration::from_secs(60);

/// Above so many keys, those whose time is over are dropped.
const MANY: usize = 10_000;

/// The requests of each caller.
pub(super) struct Requests {
    limiter: DefaultKeyedRateLimiter<(String, &'static str)>,
    clock: DefaultClock,
}

impl Requests {
    /// Counts against these limits. They are checked when the configuration is read: neither is nothing.
    pub(super) fn new(limits: &Limits) -> Self {
        let requests = NonZeroU32::new(limits.requests).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(limits.per / requests.get()).unwrap_or(Quota::per_second(requests));
        Self { limiter: RateLimiter::keyed(quota.allow_burst(requests)), clock: DefaultClock::default() }
    }

    /// Counts a request, or says when there is room again.
    pub(super) fn count(&self, caller: String, version: &'static str) -> Result<(), Error> {
        if self.limiter.len() > MANY {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(&(caller, version)).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            Error::TooMany { retry_after: whole_seconds(wait) }
        })
    }
}

/// The failures of those who try what only somebody knows: credentials at the token endpoint, passwords on pages.
#[derive(Debug)]
pub(crate) struct Failures {
    most: u32,
    windows: Mutex<HashMap<(IpAddr, String), Window>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    ends: Duration,
    failures: u32,
}

impl Failures {
    /// Answers so many within a minute.
    pub(crate) fn new(most: u32) -> Self {
        Self { most, windows: Mutex::default() }
    }

    /// Refuses whoever failed too often. `now` is the monotonic time of the process.
    pub(crate) fn check(&self, address: IpAddr, client: &str, now: Duration) -> Result<(), Error> {
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        match windows.get(&(network(address), client.to_owned())) {
            Some(window) if window.ends > now && window.failures >= self.most => {
                Err(Error::TooMany { retry_after: whole_seconds(window.ends - now) })
            }
            _ => Ok(()),
        }
    }

    /// Counts a try before it is known how it ends, or refuses it: those that are under way count too. [`Failures::forgive`] takes
    /// it back.
    pub(crate) fn attempt(&self, address: IpAddr, client: &str, now: Duration) -> Result<(), Error> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = window(&mut windows, address, client, now);
        if window.failures >= self.most {
            return Err(Error::TooMany { retry_after: whole_seconds(window.ends.saturating_sub(now)) });
        }
        window.failures += 1;
        Ok(())
    }

    /// A try was no failure.
    pub(crate) fn forgive(&self, address: IpAddr, client: &str, now: Duration) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = window(&mut windows, address, client, now);
        window.failures = window.failures.saturating_sub(1);
    }

    /// Counts a failure.
    pub(crate) fn count(&self, address: IpAddr, client: &str, now: Duration) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        window(&mut windows, address, client, now).failures += 1;
    }
}

/// What is counted now for that client and address.
fn window<'w>(
    windows: &'w mut HashMap<(IpAddr, String), Window>,
    address: IpAddr,
    client: &str,
    now: Duration,
) -> &'w mut Window {
    if windows.len() > MANY {
        windows.retain(|_, window| window.ends > now);
    }
    let fresh = Window { ends: now + FAILURES_PER, failures: 0 };
    let window = windows.entry((network(address), client.to_owned())).or_insert(fresh);
    if window.ends <= now {
        *window = fresh;
    }
    window
}

/// Who is counted as one: an address of version 4; of version 6 its /64, all of which one subscriber has.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        IpAddr::V4(_) => address,
    }
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_and_version_is_counted_by_itself() {
        let requests = Requests::new(&Limits { requests: 3, per: Duration::from_secs(3600) });
        for _ in 0..3 {
            assert!(requests.count("a".to_owned(), "v3").is_ok());
        }
        let refused = requests.count("a".to_owned(), "v3").expect_err("the fourth");
        assert!(matches!(refused, Error::TooMany { retry_after: 1190..=1200 }), "{refused:?}");
        assert!(requests.count("a".to_owned(), "beta").is_ok());
        assert!(requests.count("b".to_owned(), "v3").is_ok());
    }

    #[test]
    fn tries_that_are_under_way_count_and_right_ones_are_forgiven() {
        let failures = Failures::new(2);
        let (now, one, neighbour) = (Duration::from_secs(5), "2001:db8::1", "2001:db8::ffff:2");
        let [one, neighbour]: [IpAddr; 2] = [one, neighbour].map(|address| address.parse().expect("an address"));
        assert!(failures.attempt(one, "", now).is_ok() && failures.attempt(neighbour, "", now).is_ok());
        assert!(failures.attempt(one, "", now).is_err(), "two are under way from one network");
        failures.forgive(neighbour, "", now);
        assert!(failures.attempt(one, "", now).is_ok());
        assert!(failures.attempt("2001:db8:0:1::1".parse().expect("an address"), "", now).is_ok(), "another network");
    }

    #[test]
    fn who_fails_too_often_is_refused_for_a_while() {
        let failures = Failures::new(FAILURES);
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let now = Duration::from_secs(5);
        for _ in 0..FAILURES {
            assert!(failures.check(here, "a", now).is_ok());
            failures.count(here, "a", now);
        }
        assert!(matches!(failures.check(here, "a", now), Err(Error::TooMany { retry_after: 60 })));
        assert!(failures.check(there, "a", now).is_ok(), "the same client elsewhere");
        assert!(failures.check(here, "b", now).is_ok(), "another client here");
        assert!(failures.check(here, "a", now + FAILURES_PER).is_ok(), "later");
    }
}
