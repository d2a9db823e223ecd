//! The one place that reads the calendar and the monotonic clock.

use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, Utc};
use lockstep_core::change::Now;

/// The present, of the calendar and of this process.
#[derive(Debug, Clone)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock whose monotonic time starts now.
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// The calendar, cut to the milliseconds that the store keeps.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the calendar")]
    pub fn utc(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(3)
    }

    /// The time since the process started, which never jumps.
    pub fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    /// Both at once.
    pub fn now(&self) -> Now {
        Now { utc: self.utc(), mono: self.monotonic() }
    }

    /// The moment of this process that `mono` names, for sleeping until it.
    pub fn instant(&self, mono: Duration) -> Instant {
        self.started + mono
    }
}
