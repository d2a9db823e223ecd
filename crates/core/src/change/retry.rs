//! When a delivery that found its target unavailable is tried again.

use std::time::Duration;

/// Capped exponential back-off with jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure.
    pub first: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), max: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The wait after `attempts` failures (at least one): doubled each time, capped, then cut to between half and all
    /// of itself by `draw`, so that thousands of targets of one source do not come back in the same instant.
    pub fn wait(self, attempts: u32, draw: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(20);
        let full = self.first.saturating_mul(1 << doublings).min(self.max);
        full / 2 + (full / 2).mul_f64(f64::from(draw) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap() {
        let backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(30) };
        let waits: Vec<u64> = (1..=7).map(|attempts| backoff.wait(attempts, u32::MAX).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(backoff.wait(u32::MAX, u32::MAX), Duration::from_secs(30));
    }

    #[test]
    fn jitter_takes_at_most_half_away() {
        let backoff = Backoff { first: Duration::from_secs(8), max: Duration::from_secs(30) };
        assert_eq!(backoff.wait(1, 0), Duration::from_secs(4));
        assert!(backoff.wait(1, u32::MAX / 2) < Duration::from_secs(7));
    }
}
