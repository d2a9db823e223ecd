//! What happens outside a lane, each in a task of its own: judging, waiting for room, calling a connector, hashing.
//!
//! They are tasks because they go on while the driver commits. What reads is inside a transaction; were it only looked
//! at between commits, enough lanes would wait for connections that they keep from each other. A panic in one is an
//! answer like any other, so that it disturbs neither its siblings nor the lane.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use lockstep_core::change::{Attempt, Change, Outcome, SignIn, Step, Target, TargetKey};
use lockstep_core::id::ChangeId;
use lockstep_vault::hash::PasswordHash;

use super::call::{self, Payload};
use super::gate::{Gate, Pass};
use super::judge::{self, Verdict};
use crate::app::App;

/// What could not be done is tried again after this.
const PAUSE: Duration = Duration::from_secs(1);

/// Something that happened outside the lane.
pub(super) enum Event {
    /// A change was judged, or could not be.
    Judged(ChangeId, Option<Box<Verdict>>),
    /// A source has room.
    Entered(Attempt, Pass),
    /// A write was answered, or was not; with the payload, if it was opened.
    Wrote(TargetKey, Outcome, Option<Arc<Payload>>),
    /// A sign-in was answered, or was not.
    SignedIn(TargetKey, SignIn, Option<Arc<Payload>>),
    /// A new sign-in password was hashed, or could not be.
    Hashed(TargetKey, Option<(PasswordHash, Arc<Payload>)>),
}

/// A target to be called, as it was committed.
pub(super) struct Call {
    pub(super) change: Change,
    pub(super) target: Target,
    pub(super) step: Step,
    /// The monotonic time when it was committed as under way.
    pub(super) begun: Duration,
}

/// Judges `change`.
pub(super) async fn judged(app: App, change: Change) -> Event {
    let verdict = tried(change.id, "a change could not be judged", judge::judge(&app, &change)).await;
    Event::Judged(change.id, verdict.map(Box::new))
}

/// Waits for room at the source of `attempt`.
pub(super) async fn entered(gate: Arc<Gate>, attempt: Attempt) -> Event {
    Event::Entered(attempt, gate.enter().await)
}

/// Calls the connector. What it does is committed as begun.
pub(super) async fn called(app: App, call: Call, payload: Option<Arc<Payload>>, pass: Pass) -> Event {
    let key = call.target.key;
    let opening = call::payload(&app, &call.change, payload);
    let Some(payload) = tried(key.change, "a queued payload could not be opened", opening).await else {
        // Nothing was sent.
        let reason = "the queued password could not be opened".to_owned();
        return match call.step {
            Step::Write => Event::Wrote(key, Outcome::Unavailable(reason), None),
            Step::SignIn => Event::SignedIn(key, SignIn::Unable(reason), None),
        };
    };
    let fault = || "the call ended with a fault".to_owned();
    match call.step {
        Step::Write => {
            let written = AssertUnwindSafe(call::write(&app, &call, &payload, pass)).catch_unwind().await;
            Event::Wrote(key, written.unwrap_or_else(|_| Outcome::Unknown(fault())), Some(payload))
        }
        Step::SignIn => {
            let answered = AssertUnwindSafe(call::sign_in(&app, &call, &payload, pass)).catch_unwind().await;
            Event::SignedIn(key, answered.unwrap_or_else(|_| SignIn::Unable(fault())), Some(payload))
        }
    }
}

/// Hashes a new sign-in password. The built-in source needs no more; the transaction that settles the target writes it.
pub(super) async fn hashed(app: App, change: Change, key: TargetKey, payload: Option<Arc<Payload>>) -> Event {
    let hashing = async {
        let payload = call::payload(&app, &change, payload).await?;
        let hash = call::sign_in_hash(&app, &change, &payload).await?;
        Ok((hash, payload))
    };
    Event::Hashed(key, tried(key.change, "a sign-in password could not be hashed", hashing).await)
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
