//! A target: one account that must get the new password; the unit of delivery and of truth.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::id::{AccountId, ChangeId, SourceId};

/// Which target: the change and the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetKey {
    /// The change it belongs to.
    pub change: ChangeId,
    /// The account to be written.
    pub account: AccountId,
}

/// One account that must get the new password of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which one.
    pub key: TargetKey,
    /// Where the account is.
    pub source: SourceId,
    /// How the connector addresses the account, as it was at judging.
    pub native_id: String,
    /// What people read for the account, as it was at judging.
    pub name: String,
    /// The place of its change in the identity's order.
    pub seq: i64,
    /// Whether it is on the identity's sign-in source, so that the others wait for it.
    pub sign_in: bool,
    /// How far it is.
    pub state: TargetState,
    /// How many writes were begun.
    pub attempts: u32,
    /// Whether the one sign-in with a password that may be wrong is used up (locks of accounts count wrong ones).
    pub probed: bool,
    /// Whether a write may have landed without our knowing. A target that ends otherwise than applied while this is
    /// so reads "may or may not have the new password".
    pub unsure: bool,
    /// Why it is where it is, as a sentence for an administrator.
    pub reason: Option<String>,
    /// When it became final.
    pub settled_at: Option<DateTime<Utc>>,
}

impl Target {
    /// What the status says of a target that does not have the new password for certain; nothing where it has.
    /// `source` is the source's name.
    pub fn line(&self, source: &str) -> Option<String> {
        let why = self.reason.as_deref();
        let said = match self.state {
            TargetState::Applied => return None,
            TargetState::Failed => why.unwrap_or("refused").to_owned(),
            TargetState::Superseded => why.unwrap_or("superseded by a newer change").to_owned(),
            TargetState::NotAttempted => {
                "not attempted, because the account that signs this person in did not get the new password".to_owned()
            }
            TargetState::Expired => match why {
                Some(why) => format!("not changed before the request expired: {why}"),
                None => "not changed before the request expired".to_owned(),
            },
            TargetState::Waiting => "waits for the account that signs this person in".to_owned(),
            TargetState::Pending | TargetState::Applying | TargetState::Verifying => "being changed".to_owned(),
            TargetState::Retrying => match why {
                Some(why) => format!("will be tried again: {why}"),
                None => "will be tried again".to_owned(),
            },
        };
        let doubt = match self.state.is_final() && self.unsure {
            true => "; this account may or may not have the new password",
            false => "",
        };
        Some(format!("{source}: {said}{doubt}"))
    }
}

/// How far a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetState {
    /// Waits for the targets on the sign-in source.
    Waiting,
    /// May be written as soon as its source has room.
    Pending,
    /// Committed as being written: from here until it settles, the new password may be there.
    Applying,
    /// Committed as being signed in with.
    Verifying,
    /// Will be tried again.
    Retrying,
    /// Has the new password.
    Applied,
    /// Was refused for good.
    Failed,
    /// A newer change took its account over.
    Superseded,
    /// The sign-in source did not get the new password.
    NotAttempted,
    /// Its time ran out.
    Expired,
}

impl TargetState {
    /// Every state with the name that the store and the pages keep.
    pub const NAMES: [(Self, &str); 10] = [
        (Self::Waiting, "waiting"),
        (Self::Pending, "pending"),
        (Self::Applying, "applying"),
        (Self::Verifying, "verifying"),
        (Self::Retrying, "retrying"),
        (Self::Applied, "applied"),
        (Self::Failed, "failed"),
        (Self::Superseded, "superseded"),
        (Self::NotAttempted, "not attempted"),
        (Self::Expired, "expired"),
    ];

    /// Whether nothing changes any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Applied | Self::Failed | Self::Superseded | Self::NotAttempted | Self::Expired)
    }

    /// Whether a connector may be at work on it.
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Applying | Self::Verifying)
    }
}

/// What is done to a target next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Write the new password.
    Write,
    /// Sign in with the new password.
    SignIn,
}

/// What became of one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The system confirmed it.
    Applied,
    /// The system answered that it will not.
    Refused(Refusal),
    /// Nothing was written, and a later try may fare better: not reached, or busy.
    Unavailable(String),
    /// The write may have been sent and was not answered.
    Unknown(String),
}

/// Why a system will not take a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A sentence that names the rule.
    pub reason: String,
    /// Whether the account may already have this very password, so that one sign-in is worth its risk: the target's own
    /// history refuses a password that is already there, and a change before this one got no further than this account.
    pub ask: bool,
}

/// What became of one sign-in with the new password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// The password is right.
    Right,
    /// The system said that it is wrong.
    Wrong,
    /// It proves nothing: no answer, a locked account, or a source where nobody can sign in.
    Unable(String),
}

/// A write of `change` that may still land on `account`, because its answer was lost.
///
/// It is kept in the database as (account, change); its end is in the owner's monotonic time only, so whoever takes a
/// bucket over waits a full grace again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// The account that may still be written.
    pub account: AccountId,
    /// The change whose password may still land there.
    pub change: ChangeId,
    /// The monotonic time after which it no longer can.
    pub until: Duration,
}
