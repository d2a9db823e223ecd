//! Sessions: a person who signed in on the pages, and for how long that holds.
//!
//! A session ends by itself when nobody uses it, and after a while in any case ([`SessionConfig`]); whoever signs out, changes the
//! sign-in password elsewhere or is disabled ends it at once. What is dangerous asks for a proof that is fresher than the
//! session.

use chrono::{DateTime, TimeDelta, Utc};

use crate::auth_org::SessionConfig;
use crate::id::{IdentityId, SessionId};

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

    /// Whether it goes on, as the settings are now.
    pub fn lives(&self, now: DateTime<Utc>, settings: &SessionConfig) -> bool {
        let ends_at = match self.half_open {
            // Whoever looks for their telephone has as long as a proof is fresh.
            true => self.created_at + FRESH,
            // A use that is written down late must not end it early.
            false => (self.created_at + settings.longest()).min(self.used_at + settings.idle() + NOTED_EVERY),
        };
        self.ended_at.is_none() && now < ends_at
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
    fn it_ends_when_nobody_uses_it_and_after_a_while_in_any_case() {
        let moment = TimeDelta::milliseconds(1);
        let of =
            |max_idle_time, max_session_time| SessionConfig { max_idle_time, max_session_time, remember_me: false };
        for settings in [SessionConfig::default(), of(1, 2), of(1440, 10080)] {
            let (idle, longest) = (settings.idle(), settings.longest());
            assert!(session().lives(SIGNED_IN + idle, &settings), "{settings:?}");
            assert!(!session().lives(SIGNED_IN + idle + NOTED_EVERY, &settings), "{settings:?}");
            let used = Session { used_at: SIGNED_IN + longest - moment, ..session() };
            assert!(used.lives(SIGNED_IN + longest - moment, &settings), "{settings:?}");
            assert!(!used.lives(SIGNED_IN + longest, &settings), "{settings:?}");
            assert!(!Session { ended_at: Some(SIGNED_IN), ..session() }.lives(SIGNED_IN, &settings));
            let half = Session { half_open: true, ..session() };
            assert!(half.lives(SIGNED_IN + FRESH - moment, &settings) && !half.lives(SIGNED_IN + FRESH, &settings));
        }
    }

    #[test]
    fn whoever_uses_it_all_the_time_stays_in_it_however_short_it_is() {
        let settings = SessionConfig { max_idle_time: 1, max_session_time: 30, remember_me: false };
        let mut session = session();
        for seconds in (0..1800).step_by(59) {
            let now = SIGNED_IN + TimeDelta::seconds(seconds);
            assert!(session.lives(now, &settings), "after {seconds} seconds");
            if session.is_noted(now) {
                session.used_at = now;
            }
        }
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
