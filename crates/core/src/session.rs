//! Sessions: a person who signed in on the pages, and for how long that holds.
//!
//! A session ends by itself when nobody uses it, and after a working day in any case; whoever signs out, changes the
//! sign-in password elsewhere or is disabled ends it at once. What is dangerous asks for a proof that is fresher than the
//! session.

use chrono::{DateTime, TimeDelta, Utc};

use crate::id::{IdentityId, SessionId};

/// For how long a session that nobody uses goes on.
pub const IDLE: TimeDelta = TimeDelta::minutes(30);

/// The longest that one goes on.
pub const LONGEST: TimeDelta = TimeDelta::hours(12);

/// For how long the proof of who somebody is counts as fresh.
pub const FRESH: TimeDelta = TimeDelta::minutes(5);

/// How much later than it happened a use may be written down: not every page is worth a write.
pub const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id, which is no secret: what a browser has is a token.
    pub id: SessionId,
    /// Whose.
    pub identity: IdentityId,
    /// When the person signed in.
    pub created_at: DateTime<Utc>,
    /// When it was last used; a use less than [`NOTED_EVERY`] after this is not written down.
    pub used_at: DateTime<Utc>,
    /// When the person last showed who they are.
    pub proved_at: DateTime<Utc>,
    /// When the person last answered their security questions.
    pub answered_at: Option<DateTime<Utc>>,
    /// When it was ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Whether only the password was shown so far, and a second factor is asked for: it signs nobody in.
    pub half_open: bool,
    /// Whether it leads to nothing but a new sign-in password: the one that it began with must be changed.
    pub must_change: bool,
}

/// Where a session began, as far as its person is told. A browser may say of itself what it likes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The address.
    pub address: String,
    /// What the browser calls itself.
    pub browser: String,
}

impl Session {
    /// The one that begins now, with a person who has just shown who they are.
    pub fn begin(id: SessionId, identity: IdentityId, now: DateTime<Utc>) -> Self {
        let (created_at, used_at, proved_at, answered_at) = (now, now, now, None);
        let (ended_at, half_open, must_change) = (None, false, false);
        Self { id, identity, created_at, used_at, proved_at, answered_at, ended_at, half_open, must_change }
    }

    /// Whether it goes on.
    pub fn lives(&self, now: DateTime<Utc>) -> bool {
        // Whoever looks for their telephone has as long as a proof is fresh.
        let longest = if self.half_open { FRESH } else { LONGEST };
        // A use that is written down late must not end it early.
        self.ended_at.is_none() && now < self.created_at + longest && now < self.used_at + IDLE + NOTED_EVERY
    }

    /// Whether that it is used now is worth a write.
    pub fn is_noted(&self, now: DateTime<Utc>) -> bool {
        now >= self.used_at + NOTED_EVERY
    }

    /// Whether the person has shown a moment ago who they are.
    pub fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        // A node whose calendar is behind the one that wrote it must not refuse it.
        now < self.proved_at + FRESH
    }

    /// Whether the person has answered their security questions a moment ago.
    pub fn has_answered(&self, now: DateTime<Utc>) -> bool {
        self.answered_at.is_some_and(|answered| now < answered + FRESH)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const SIGNED_IN: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn session() -> Session {
        Session::begin(SessionId(Uuid::nil()), IdentityId(Uuid::nil()), SIGNED_IN)
    }

    #[test]
    fn it_ends_when_nobody_uses_it_and_after_a_working_day() {
        let moment = TimeDelta::milliseconds(1);
        assert!(session().lives(SIGNED_IN + IDLE));
        assert!(!session().lives(SIGNED_IN + IDLE + NOTED_EVERY));
        let used = Session { used_at: SIGNED_IN + LONGEST - moment, ..session() };
        assert!(used.lives(SIGNED_IN + LONGEST - moment) && !used.lives(SIGNED_IN + LONGEST));
        assert!(!Session { ended_at: Some(SIGNED_IN), ..session() }.lives(SIGNED_IN));
        let half = Session { half_open: true, ..session() };
        assert!(half.lives(SIGNED_IN + FRESH - moment) && !half.lives(SIGNED_IN + FRESH));
    }

    #[test]
    fn a_use_is_written_down_once_a_minute() {
        assert!(!session().is_noted(SIGNED_IN) && session().is_noted(SIGNED_IN + NOTED_EVERY));
    }

    #[test]
    fn a_proof_is_fresh_for_five_minutes() {
        assert!(session().is_fresh(SIGNED_IN + FRESH - TimeDelta::milliseconds(1)));
        assert!(!session().is_fresh(SIGNED_IN + FRESH));
        assert!(!session().has_answered(SIGNED_IN));
        let answered = Session { answered_at: Some(SIGNED_IN), ..session() };
        assert!(answered.has_answered(SIGNED_IN + FRESH - TimeDelta::milliseconds(1)));
        assert!(!answered.has_answered(SIGNED_IN + FRESH));
    }
}
