//! What happens outside a lane, each in a task of its own: judging, waiting for room, calling a system, hashing.
//!
//! They are tasks because they go on while the driver commits. What reads is inside a transaction; were it only looked
//! at between commits, enough lanes would wait for connections that they keep from each other. A panic in one is an
//! answer like any other, so that it disturbs neither its siblings nor the lane.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use lockstep_core::change::{Attempt, Change, Outcome, Refusal, SignIn, Step, TargetKey};
use lockstep_core::id::ChangeId;

use crate::gate::{Gate, Pass};
use crate::host::{Call, Host, Judged, Unusable, Written};

/// What could not be done is tried again after this.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest a system is waited for, whatever its own settings, or half the grace: then the write is in doubt.
const PATIENCE: Duration = Duration::from_secs(120);

/// Something that happened outside the lane.
pub(crate) enum Event<H: Host> {
    /// A change was judged, or could not be.
    Judged(ChangeId, Option<Box<Judged<H::Payload>>>),
    /// A source has room.
    Entered(Attempt, Pass),
    /// The payload of a change that passed was opened, or could not be.
    Opened(ChangeId, Option<Arc<H::Payload>>),
    /// A write was answered, or was not.
    Wrote(TargetKey, Outcome),
    /// A sign-in was answered, or was not.
    SignedIn(TargetKey, SignIn),
    /// A new sign-in password was hashed, or could not be.
    Hashed(TargetKey, Option<(H::Hash, Arc<H::Payload>)>),
}

/// Everything that a call needs.
pub(crate) struct Calling<H: Host> {
    pub(crate) host: H,
    pub(crate) call: Call,
    pub(crate) step: Step,
    /// The monotonic time when it was committed as under way.
    pub(crate) begun: Duration,
    pub(crate) grace: Duration,
    /// The payload, if it could be opened.
    pub(crate) payload: Option<Arc<H::Payload>>,
    pub(crate) pass: Pass,
}

/// Judges `change`.
pub(crate) async fn judged<H: Host>(host: H, change: Change) -> Event<H> {
    let judged = tried(change.id, "a change could not be judged", host.judge(&change)).await;
    Event::Judged(change.id, judged.map(Box::new))
}

/// Waits for room at the source of `attempt`.
pub(crate) async fn entered<H: Host>(gate: Arc<Gate>, attempt: Attempt) -> Event<H> {
    Event::Entered(attempt, gate.enter().await)
}

/// Opens the payload of a change that passed, again. It is asked for before a target is begun: from then on a call
/// must not wait for long.
pub(crate) async fn opened<H: Host>(host: H, change: Change) -> Event<H> {
    let opening = payload(&host, &change, None);
    Event::Opened(change.id, tried(change.id, "a queued payload could not be opened", opening).await)
}

/// Calls the system. What it does is committed as begun.
pub(crate) async fn called<H: Host>(mut calling: Calling<H>) -> Event<H> {
    let (key, step) = (calling.call.target.key, calling.step);
    let Some(payload) = calling.payload.take() else {
        // Nothing was sent.
        let reason = "the queued password could not be opened".to_owned();
        return match step {
            Step::Write => Event::Wrote(key, Outcome::Unavailable(reason)),
            Step::SignIn => Event::SignedIn(key, SignIn::Unable(reason)),
        };
    };
    let fault = || "the call ended with a fault".to_owned();
    match step {
        Step::Write => {
            let written = AssertUnwindSafe(calling.write(&payload)).catch_unwind().await;
            Event::Wrote(key, written.unwrap_or_else(|_| Outcome::Unknown(fault())))
        }
        Step::SignIn => {
            let answered = AssertUnwindSafe(calling.sign_in(&payload)).catch_unwind().await;
            Event::SignedIn(key, answered.unwrap_or_else(|_| SignIn::Unable(fault())))
        }
    }
}

/// Hashes a new sign-in password. The built-in source needs no more; the transaction that settles the target writes it.
pub(crate) async fn hashed<H: Host>(
    host: H,
    change: Change,
    key: TargetKey,
    known: Option<Arc<H::Payload>>,
) -> Event<H> {
    let hashing = async {
        let payload = payload(&host, &change, known).await?;
        let hash = host.hash(&change, &payload).await?;
        Ok((hash, payload))
    };
    Event::Hashed(key, tried(key.change, "a sign-in password could not be hashed", hashing).await)
}

impl<H: Host> Calling<H> {
    async fn write(self, payload: &H::Payload) -> Outcome {
        let Self { host, call, begun, grace, pass, .. } = self;
        let source = match host.source(call.target.source).await {
            Ok(source) => source,
            Err(Unusable::ForNow(reason)) => return Outcome::Unavailable(reason),
            Err(Unusable::AsConfigured(reason)) => return Outcome::Refused(Refusal { reason, ask: false }),
        };
        // Whoever takes over waits a grace for what this node may still send. A node that was held up for long since the
        // row said so sends nothing.
        if host.now().mono.saturating_sub(begun) > grace / 4 {
            return Outcome::Unavailable("the server was held up before it could begin".to_owned());
        }
        let (written, health) = host.write(&source, &call, payload, PATIENCE.min(grace / 2)).await;
        pass.report(health);
        let asked = matches!(written, Written::Refused { by_history: true, .. });
        match outcome(written) {
            Outcome::Refused(refusal) if asked => {
                let target = &call.target;
                let asking = host.got_part_way(call.change.identity, target.key.account, target.seq);
                let ask = asking.await.unwrap_or_else(|error| {
                    // Whether it already has the password cannot be ruled out, and one sign-in tells.
                    tracing::error!(error = format!("{error:#}"), "an earlier change could not be looked up");
                    true
                });
                Outcome::Refused(Refusal { ask, ..refusal })
            }
            outcome => outcome,
        }
    }

    async fn sign_in(self, payload: &H::Payload) -> SignIn {
        let Self { host, call, grace, pass, .. } = self;
        match host.source(call.target.source).await {
            Ok(source) => {
                let (answer, health) = host.sign_in(&source, &call, payload, PATIENCE.min(grace / 2)).await;
                pass.report(health);
                answer
            }
            Err(Unusable::ForNow(reason) | Unusable::AsConfigured(reason)) => SignIn::Unable(reason),
        }
    }
}

/// The payload of a change that passed: the one in memory, or opened again.
async fn payload<H: Host>(
    host: &H,
    change: &Change,
    known: Option<Arc<H::Payload>>,
) -> anyhow::Result<Arc<H::Payload>> {
    match known {
        Some(payload) => Ok(payload),
        None => host.open(change).await.map(Arc::new),
    }
}

fn outcome(written: Written) -> Outcome {
    match written {
        Written::Applied => Outcome::Applied,
        Written::Refused { reason, .. } => Outcome::Refused(Refusal { reason, ask: false }),
        Written::Unavailable(reason) => Outcome::Unavailable(reason),
        Written::Unknown(reason) => Outcome::Unknown(reason),
    }
}

/// What came of `work`; after a fault nothing, logged and with a pause, since it is about to be tried again.
async fn tried<T>(change: ChangeId, failed: &str, work: impl Future<Output = anyhow::Result<T>>) -> Option<T> {
    let error = match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(done)) => return Some(done),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "a panic".to_owned(),
    };
    tracing::error!(change.id = %change, error, "{failed}; this is tried again");
    tokio::time::sleep(PAUSE).await;
    None
}
