//! How many deliveries a source gets at once, and when it is left alone because it does not answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::host::Health;

/// Reads the monotonic clock of the process.
type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// How many deliveries in a row must find a source unavailable before its circuit opens.
const FAILURES: u32 = 5;
/// How long an opened circuit stays open at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// The entrance to one source.
pub struct Gate {
    clock: Clock,
    permits: Arc<Semaphore>,
    size: Mutex<usize>,
    circuit: Mutex<Circuit>,
    changed: Notify,
}

/// The right to make one delivery. Dropped without a report it proves nothing about the source.
pub struct Pass {
    gate: Arc<Gate>,
    _permit: OwnedSemaphorePermit,
    reported: bool,
}

/// Whether a source answers, as its deliveries tell.
///
/// Closed, everybody passes. After [`FAILURES`] in a row it opens and nobody passes for a while; then one delivery
/// tries, and closes it or opens it for twice as long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Circuit {
    Closed { failures: u32 },
    Open { until: Duration, pause: Duration },
    Trying { pause: Duration },
}

/// What a circuit says to a delivery that wants to pass.
#[derive(Debug, PartialEq, Eq)]
enum Admission {
    Pass,
    WaitUntil(Duration),
    WaitForTrial,
}

impl Gate {
    /// A closed circuit with room for `concurrency` deliveries.
    pub fn new(clock: Clock, concurrency: u16) -> Arc<Self> {
        Arc::new(Self {
            clock,
            permits: Arc::new(Semaphore::new(usize::from(concurrency.max(1)))),
            size: Mutex::new(usize::from(concurrency.max(1))),
            circuit: Mutex::new(Circuit::Closed { failures: 0 }),
            changed: Notify::new(),
        })
    }

    /// A pass, if there is one without waiting.
    pub(crate) fn try_enter(self: &Arc<Self>) -> Option<Pass> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        (self.with(|circuit, now| circuit.admit(now)) == Admission::Pass).then(|| Pass::new(self, permit))
    }

    /// A pass, as soon as there is one.
    pub(crate) async fn enter(self: &Arc<Self>) -> Pass {
        loop {
            let changed = self.changed.notified();
            // The permit is asked for first and given back while the circuit is open: nobody holds one in vain.
            if let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await {
                match self.with(|circuit, now| circuit.admit(now)) {
                    Admission::Pass => return Pass::new(self, permit),
                    Admission::WaitUntil(until) => {
                        drop(permit);
                        let wait = until.saturating_sub((self.clock)());
                        tokio::select! {
                            biased;
                            () = changed => {}
                            () = tokio::time::sleep(wait) => {}
                        }
                    }
                    Admission::WaitForTrial => {
                        drop(permit);
                        changed.await;
                    }
                }
            }
        }
    }

    /// Makes room for `concurrency` deliveries from now on; what is under way is not disturbed.
    pub fn resize(&self, concurrency: u16) {
        let wanted = usize::from(concurrency.max(1));
        let mut size = self.size.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted > *size {
            self.permits.add_permits(wanted - *size);
            *size = wanted;
        } else {
            *size -= self.permits.forget_permits(*size - wanted);
        }
    }

    /// Whether deliveries are held back because the source does not answer.
    pub fn is_open(&self) -> bool {
        self.with(|circuit, _| !matches!(circuit, Circuit::Closed { .. }))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Circuit, Duration) -> T) -> T {
        let mut circuit = self.circuit.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut circuit, (self.clock)())
    }
}

impl Pass {
    fn new(gate: &Arc<Gate>, permit: OwnedSemaphorePermit) -> Self {
        Self { gate: Arc::clone(gate), _permit: permit, reported: false }
    }

    /// Tells what the delivery says of the source.
    pub(crate) fn report(mut self, health: Health) {
        let answered = match health {
            Health::Answered => true,
            Health::Silent => false,
            Health::Unproven => return,
        };
        self.reported = true;
        self.gate.with(|circuit, now| circuit.report(answered, now));
        self.gate.changed.notify_waiters();
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.reported {
            self.gate.with(Circuit::abandon);
            self.gate.changed.notify_waiters();
        }
    }
}

impl Circuit {
    fn admit(&mut self, now: Duration) -> Admission {
        match *self {
            Self::Closed { .. } => Admission::Pass,
            Self::Open { until, .. } if now < until => Admission::WaitUntil(until),
            Self::Open { pause, .. } => {
                *self = Self::Trying { pause };
                Admission::Pass
            }
            Self::Trying { .. } => Admission::WaitForTrial,
        }
    }

    fn report(&mut self, answered: bool, now: Duration) {
        *self = match (*self, answered) {
            (_, true) => Self::Closed { failures: 0 },
            (Self::Closed { failures }, false) if failures + 1 < FAILURES => Self::Closed { failures: failures + 1 },
            (Self::Closed { .. }, false) => Self::Open { until: now + FIRST_PAUSE, pause: FIRST_PAUSE },
            (Self::Trying { pause }, false) => {
                let pause = (pause * 2).min(LONGEST_PAUSE);
                Self::Open { until: now + pause, pause }
            }
            // A delivery from before it opened.
            (open @ Self::Open { .. }, false) => open,
        };
    }

    /// A delivery ended without an answer of any kind: whoever was trying leaves the trial to the next.
    fn abandon(&mut self, now: Duration) {
        if let Self::Trying { pause } = *self {
            *self = Self::Open { until: now, pause };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn opened(now: Duration) -> Circuit {
        let mut circuit = Circuit::Closed { failures: 0 };
        for _ in 0..FAILURES {
            assert_eq!(circuit.admit(now), Admission::Pass);
            circuit.report(false, now);
        }
        circuit
    }

    #[test]
    fn a_success_forgives_earlier_failures() {
        let mut circuit = Circuit::Closed { failures: FAILURES - 1 };
        circuit.report(true, at(0));
        circuit.report(false, at(0));
        assert_eq!(circuit.admit(at(0)), Admission::Pass);
    }

    #[test]
    fn an_open_circuit_lets_one_try_after_its_pause() {
        let mut circuit = opened(at(10));
        assert_eq!(circuit.admit(at(10)), Admission::WaitUntil(at(11)));
        assert_eq!(circuit.admit(at(11)), Admission::Pass);
        assert_eq!(circuit.admit(at(11)), Admission::WaitForTrial);
        circuit.report(true, at(11));
        assert_eq!(circuit.admit(at(11)), Admission::Pass);
    }

    #[test]
    fn a_failed_try_doubles_the_pause_up_to_the_longest() {
        let mut circuit = opened(at(0));
        let mut now = at(0);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let Circuit::Open { until, .. } = circuit else { panic!("open") };
            pauses.push((until - now).as_secs());
            now = until;
            assert_eq!(circuit.admit(now), Admission::Pass);
            circuit.report(false, now);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 15, 15]);
    }

    #[test]
    fn an_abandoned_try_leaves_the_trial_to_the_next() {
        let mut circuit = opened(at(0));
        assert_eq!(circuit.admit(at(1)), Admission::Pass);
        circuit.abandon(at(2));
        assert_eq!(circuit.admit(at(2)), Admission::Pass);
    }

    fn gate(concurrency: u16) -> Arc<Gate> {
        let started = std::time::Instant::now();
        Gate::new(Arc::new(move || started.elapsed()), concurrency)
    }

    #[tokio::test]
    async fn a_gate_holds_no_more_than_its_concurrency() {
        let gate = gate(2);
        let first = gate.try_enter().expect("room");
        let _second = gate.try_enter().expect("room");
        assert!(gate.try_enter().is_none());
        first.report(Health::Answered);
        assert!(gate.try_enter().is_some());
    }

    #[tokio::test]
    async fn those_who_wait_enter_when_the_trial_succeeds() {
        let gate = gate(8);
        for _ in 0..FAILURES {
            gate.try_enter().expect("closed").report(Health::Silent);
        }
        assert!(gate.is_open() && gate.try_enter().is_none());
        let waiters: Vec<_> = (0..4)
            .map(|_| {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move { gate.enter().await.report(Health::Answered) })
            })
            .collect();
        for waiter in waiters {
            tokio::time::timeout(at(10), waiter).await.expect("enters").expect("does not panic");
        }
        assert!(!gate.is_open());
    }
}
