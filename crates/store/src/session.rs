//! Sessions of people on the pages. What the browser has of one is here as a keyed hash only.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use lockstep_core::auth_org::SessionConfig;
use lockstep_core::id::{ChangeId, IdentityId, SessionId, SourceId};
use lockstep_core::scope::UserLevel;
use lockstep_core::session::{NOTED_EVERY, Origin, Session};
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch, row};

/// The session in a row, beside whatever else is in it.
macro_rules! session_in {
    ($row:expr) => {
        Session {
            id: SessionId($row.id),
            identity: IdentityId($row.identity),
            created_at: $row.created_at,
            used_at: $row.used_at,
            proved_at: $row.proved_at,
            answered_at: $row.answered_at,
            ended_at: $row.ended_at,
            half_open: $row.half_open,
            must_change: $row.must_change,
        }
    };
}

/// A session, and what its person is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The session.
    pub session: Session,
    /// Whether the person is enabled.
    pub enabled: bool,
    /// What the person is in the organisation.
    pub levels: BTreeSet<UserLevel>,
    /// What the person is called.
    pub display_name: String,
    /// The name that they sign in with.
    pub alias: String,
    /// With whose password they sign in.
    pub sign_in_source: SourceId,
    /// Whether they are asked for a second factor.
    pub has_second_factor: bool,
    /// The version of the configuration, whose settings say whether the session goes on.
    pub configuration: Option<Uuid>,
}

/// Stores a new session under the hash of its token. `worn` is the hash of the password that it began with, where that must be
/// changed.
///
/// # Errors
/// A reference violation when the identity is gone.
pub async fn insert(
    tx: &mut Tx<'_>,
    session: &Session,
    origin: &Origin,
    token: &[u8],
    worn: Option<&[u8]>,
) -> Result<()> {
    execute!(
        tx,
        "store a session",
        "INSERT INTO session (id, token, identity, created_at, used_at, proved_at, answered_at, ended_at, half_open,
             must_change, address, browser, worn)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        session.id.0,
        token,
        session.identity.0,
        session.created_at,
        session.used_at,
        session.proved_at,
        session.answered_at,
        session.ended_at,
        session.half_open,
        session.must_change,
        origin.address.as_str(),
        origin.browser.as_str(),
        worn,
    )?;
    Ok(())
}

/// The session of a token, what its person is, and the version of the configuration, in one statement: it is asked for every
/// page.
pub async fn standing(tx: &mut Tx<'_>, token: &[u8]) -> Result<Option<Standing>> {
    let row = fetch!(
        tx,
        fetch_optional as StandingRow,
        "find a session",
        "SELECT session.id, session.identity, session.created_at, session.used_at, session.proved_at,
             session.answered_at, session.ended_at, session.half_open, session.must_change, identity.enabled,
             identity.levels, identity.display_name,
             identity.alias, identity.sign_in_source, EXISTS (SELECT 1 FROM totp WHERE totp.identity = session.identity
                 AND totp.confirmed_at IS NOT NULL)
             OR EXISTS (SELECT 1 FROM passkey WHERE passkey.identity = session.identity) AS has_second_factor,
             (SELECT version FROM configuration WHERE configuration.id = 1) AS configuration
         FROM session JOIN identity ON identity.id = session.identity WHERE session.token = $1",
        token
    )?;
    Ok(row.map(Standing::from))
}

/// The hash of the password that a session began with and that must be changed.
pub async fn worn(tx: &mut Tx<'_>, id: SessionId) -> Result<Option<Vec<u8>>> {
    let row = fetch!(
        tx,
        fetch_optional as (Option<Vec<u8>>,),
        "find what a session began with",
        "SELECT worn FROM session WHERE id = $1",
        id.0
    )?;
    Ok(row.and_then(|(worn,)| worn))
}

/// Says that a session was used.
pub async fn used(tx: &mut Tx<'_>, id: SessionId, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "note the use of a session",
        "UPDATE session SET used_at = $2 WHERE id = $1 AND used_at < $2",
        id.0,
        now
    )?;
    Ok(())
}

/// The token of a session, and the one in its place. Of two who have the same one only the first gets another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// The hash of the one that the browser has.
    pub held: [u8; 32],
    /// The hash of the one that it gets.
    pub next: [u8; 32],
}

/// The person has shown who they are: the session goes on under another token. Gives whether it still lived, under the token
/// that was held.
pub async fn proved(tx: &mut Tx<'_>, id: SessionId, renewal: &Renewal, now: DateTime<Utc>) -> Result<bool> {
    let proved = execute!(
        tx,
        "renew a session",
        "UPDATE session SET token = $2, proved_at = $3, used_at = $3 WHERE id = $1 AND token = $4 AND ended_at IS NULL",
        id.0,
        renewal.next.as_slice(),
        now,
        renewal.held.as_slice()
    )?;
    Ok(proved == 1)
}

/// The person has answered their security questions: likewise. That they have shown who they are is no fresher for it.
pub async fn answered(tx: &mut Tx<'_>, id: SessionId, renewal: &Renewal, now: DateTime<Utc>) -> Result<bool> {
    let answered = execute!(
        tx,
        "renew a session",
        "UPDATE session SET token = $2, answered_at = $3, used_at = $3
         WHERE id = $1 AND token = $4 AND ended_at IS NULL",
        id.0,
        renewal.next.as_slice(),
        now,
        renewal.held.as_slice()
    )?;
    Ok(answered == 1)
}

/// What was answered in the other sessions of an identity is good for nothing any more: there are other answers.
pub async fn forget_answered(tx: &mut Tx<'_>, identity: IdentityId, kept: SessionId) -> Result<()> {
    execute!(
        tx,
        "forget what was answered in sessions",
        "UPDATE session SET answered_at = NULL WHERE identity = $1 AND id <> $2 AND answered_at IS NOT NULL",
        identity.0,
        kept.0
    )?;
    Ok(())
}

/// The person asks for a change: it names the session, which goes on under another token. Gives whether the session still
/// lived, under the token that was held; if not, the change must not be accepted.
pub async fn asks_for(
    tx: &mut Tx<'_>,
    id: SessionId,
    renewal: &Renewal,
    change: ChangeId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let renewed = execute!(
        tx,
        "renew a session",
        "UPDATE session SET token = $2, used_at = $3 WHERE id = $1 AND token = $4 AND ended_at IS NULL",
        id.0,
        renewal.next.as_slice(),
        now,
        renewal.held.as_slice()
    )?;
    execute!(
        tx,
        "say in which session a change was asked for",
        "UPDATE change SET session = $3 WHERE bucket = $1 AND id = $2",
        change.bucket().number(),
        change.0,
        id.0
    )?;
    Ok(renewed == 1)
}

/// Ends a session. Gives whether it lived.
pub async fn end(tx: &mut Tx<'_>, id: SessionId, now: DateTime<Utc>) -> Result<bool> {
    let ended = execute!(
        tx,
        "end a session",
        "UPDATE session SET ended_at = $2, worn = NULL WHERE id = $1 AND ended_at IS NULL",
        id.0,
        now
    )?;
    Ok(ended == 1)
}

/// Ends a session of this identity, whichever it is. Gives whether it lived.
pub async fn end_own(tx: &mut Tx<'_>, identity: IdentityId, id: SessionId, now: DateTime<Utc>) -> Result<bool> {
    let ended = execute!(
        tx,
        "end a session of an identity",
        "UPDATE session SET ended_at = $3, worn = NULL WHERE identity = $1 AND id = $2 AND ended_at IS NULL",
        identity.0,
        id.0,
        now
    )?;
    Ok(ended == 1)
}

/// Ends every session of an identity but this one. Gives how many lived.
pub async fn end_others(
    tx: &mut Tx<'_>,
    identity: IdentityId,
    kept: Option<SessionId>,
    now: DateTime<Utc>,
) -> Result<u64> {
    execute!(
        tx,
        "end the other sessions of an identity",
        "UPDATE session SET ended_at = $3, worn = NULL WHERE identity = $1 AND ended_at IS NULL AND id <> $2",
        identity.0,
        kept.map_or(Uuid::nil(), |kept| kept.0),
        now
    )
}

/// Whether a session was not ended.
pub async fn is_open(tx: &mut Tx<'_>, id: SessionId) -> Result<bool> {
    let (open,) = fetch!(
        tx,
        fetch_one as (i64,),
        "look whether a session goes on",
        "SELECT count(*) FROM session WHERE id = $1 AND ended_at IS NULL",
        id.0
    )?;
    Ok(open == 1)
}

/// The sessions of an identity that were not ended and began after `since`, the newest first.
pub async fn list_of(tx: &mut Tx<'_>, identity: IdentityId, since: DateTime<Utc>) -> Result<Vec<(Session, Origin)>> {
    let rows = fetch!(
        tx,
        fetch_all as ListedRow,
        "list the sessions of an identity",
        "SELECT id, identity, created_at, used_at, proved_at, answered_at, ended_at, half_open, must_change, address,
             browser FROM session WHERE identity = $1 AND created_at > $2 AND ended_at IS NULL ORDER BY created_at DESC, id",
        identity.0,
        since
    )?;
    let listed = |row: ListedRow| {
        let session = session_in!(row);
        (session, Origin { address: row.address, browser: row.browser })
    };
    Ok(rows.into_iter().map(listed).collect())
}

/// Ends every session of an identity but the one in which this change was asked for.
pub async fn end_of(tx: &mut Tx<'_>, identity: IdentityId, kept: Option<ChangeId>, now: DateTime<Utc>) -> Result<()> {
    let kept = match kept {
        Some(change) => session_of(tx, change).await?,
        None => None,
    };
    if let Some(kept) = kept {
        execute!(
            tx,
            "say that a password was changed",
            "UPDATE session SET must_change = FALSE, worn = NULL WHERE id = $1",
            kept
        )?;
    }
    end_others(tx, identity, kept.map(SessionId), now).await?;
    Ok(())
}

async fn session_of(tx: &mut Tx<'_>, change: ChangeId) -> Result<Option<Uuid>> {
    let row = fetch!(
        tx,
        fetch_optional as (Option<Uuid>,),
        "find the session of a change",
        "SELECT session FROM change WHERE bucket = $1 AND id = $2",
        change.bucket().number(),
        change.0
    )?;
    Ok(row.and_then(|(session,)| session))
}

/// Ends every session.
pub async fn end_all(tx: &mut Tx<'_>, now: DateTime<Utc>) -> Result<()> {
    execute!(tx, "end the sessions", "UPDATE session SET ended_at = $1, worn = NULL WHERE ended_at IS NULL", now)?;
    Ok(())
}

/// Ends the sessions that these settings have ended: under others they do not begin to live again.
pub async fn end_dead(tx: &mut Tx<'_>, settings: &SessionConfig, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "end the sessions whose time has run out",
        "UPDATE session SET ended_at = $1, worn = NULL
         WHERE ended_at IS NULL AND NOT half_open AND (created_at <= $2 OR used_at <= $3)",
        now,
        now - settings.longest(),
        now - settings.idle() - NOTED_EVERY
    )?;
    Ok(())
}

/// Forgets the passwords that sessions began with before that and that must be changed: whoever has not done it by then is gone.
pub async fn forget_worn(tx: &mut Tx<'_>, before: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "forget what sessions began with",
        "UPDATE session SET worn = NULL WHERE worn IS NOT NULL AND created_at < $1",
        before
    )?;
    Ok(())
}

/// Forgets the sessions that began before that: they have long been over.
pub async fn forget(tx: &mut Tx<'_>, before: DateTime<Utc>) -> Result<()> {
    execute!(tx, "forget dead sessions", "DELETE FROM session WHERE created_at < $1", before)?;
    Ok(())
}

row! {
    struct StandingRow {
        id: Uuid,
        identity: Uuid,
        created_at: DateTime<Utc>,
        used_at: DateTime<Utc>,
        proved_at: DateTime<Utc>,
        answered_at: Option<DateTime<Utc>>,
        ended_at: Option<DateTime<Utc>>,
        half_open: bool,
        must_change: bool,
        enabled: bool,
        levels: Json<BTreeSet<UserLevel>>,
        display_name: String,
        alias: String,
        sign_in_source: Uuid,
        has_second_factor: bool,
        configuration: Option<Uuid>,
    }
}

row! {
    struct ListedRow {
        id: Uuid,
        identity: Uuid,
        created_at: DateTime<Utc>,
        used_at: DateTime<Utc>,
        proved_at: DateTime<Utc>,
        answered_at: Option<DateTime<Utc>>,
        ended_at: Option<DateTime<Utc>>,
        half_open: bool,
        must_change: bool,
        address: String,
        browser: String,
    }
}

impl From<StandingRow> for Standing {
    fn from(row: StandingRow) -> Self {
        let session = session_in!(row);
        let (levels, has_second_factor) = (row.levels.0, row.has_second_factor);
        Self {
            session,
            enabled: row.enabled,
            levels,
            display_name: row.display_name,
            alias: row.alias,
            sign_in_source: SourceId(row.sign_in_source),
            has_second_factor,
            configuration: row.configuration,
        }
    }
}
