//! A password change: one accepted request, and what becomes of it.
//!
//! The life of a change is a function of values. [`Lane`] holds everything unfinished about one identity and decides,
//! in order, what is judged, written, signed in with, retried, superseded and expired; the server's worker only
//! carries out what it says and commits what it changed. This module never touches a plaintext password.

mod fan_out;
mod intent;
mod lane;
mod restored;
mod retry;
mod target;

use chrono::{DateTime, TimeDelta, Utc};

use crate::id::{AccountId, Bucket, ChangeId, IdentityId, SourceId, TransportKeyId};

pub use fan_out::fan_out;
pub use intent::{Intent, IntentKind};
pub use lane::{Attempt, Delta, Judgement, Lane, LaneEvent, LaneRows, LaneSettings, NewTarget, Now};
pub use restored::end_restored;
pub use retry::Backoff;
pub use target::{Doubt, Outcome, Refusal, SignIn, Step, Target, TargetKey, TargetState};

/// The line a client sees for a payload that could not be opened or is no text, whichever it was.
pub const INVALID_PAYLOAD: &str = "The password change payload is invalid";

/// How long a change is tried unless it says otherwise.
pub const DEFAULT_LIFETIME: TimeDelta = TimeDelta::hours(1);

/// The longest a change is ever tried.
pub const MAX_LIFETIME: TimeDelta = TimeDelta::hours(24);

/// One accepted request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The `requestId` of the wire; ends in the identity's last byte.
    pub id: ChangeId,
    /// Whose password.
    pub identity: IdentityId,
    /// The place in the identity's order; counts from 1.
    pub seq: i64,
    /// The source that was named.
    pub source: SourceId,
    /// The account that was named, or the only one there.
    pub account: AccountId,
    /// The transport key that the payload was encrypted with.
    pub transport_key: TransportKeyId,
    /// How far it is.
    pub state: ChangeState,
    /// The unfinished change with the same password whose targets are this one's too.
    pub joined: Option<ChangeId>,
    /// Why it failed before any target was written, one sentence each.
    pub refusals: Vec<String>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When it stops being tried.
    pub expires_at: DateTime<Utc>,
    /// When it became final.
    pub settled_at: Option<DateTime<Utc>>,
}

impl Change {
    /// The bucket it lives in.
    pub fn bucket(&self) -> Bucket {
        self.id.bucket()
    }

    /// Whether what the client encrypted may still be needed. When not, it is erased in the statement that says so.
    pub fn keeps_payload(&self) -> bool {
        !self.state.is_final()
    }
}

/// How far a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeState {
    /// Durable, not judged yet.
    Accepted,
    /// Passed policy; its targets are fixed and being written.
    Judged,
    /// Every target has the new password.
    Finished,
    /// Refused, or at least one target did not get the new password.
    Failed,
}

impl ChangeState {
    /// Every state with the name that the store keeps.
    pub const NAMES: [(Self, &str); 4] = [
        (Self::Accepted, "accepted"),
        (Self::Judged, "judged"),
        (Self::Finished, "finished"),
        (Self::Failed, "failed"),
    ];

    /// Whether nothing changes any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Failed)
    }

    /// The contract's name for it.
    pub fn wire(self) -> &'static str {
        match self {
            Self::Accepted | Self::Judged => "IN_PROGRESS",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
        }
    }
}
