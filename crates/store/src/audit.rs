//! Audit events: appended in the transaction of what they tell of, never changed.
//!
//! Sealing them into a chain is not done here.

use chrono::{DateTime, Utc};
use lockstep_core::audit::{Action, Event, Outcome};
use lockstep_core::id::{AccountId, Bucket, ChangeId, IdentityId, SourceId};
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::names::{name_of, state_of};
use crate::tx::{Tx, execute, fetch, row};

const OUTCOMES: [(Outcome, &str); 2] = [(Outcome::Passed, "passed"), (Outcome::Failed, "failed")];

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its id, ordered by time.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// What was done.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Who did it, as [`lockstep_core::audit::Actor`] is serialised.
    pub actor: serde_json::Value,
    /// Whom it was done to, if anybody.
    pub identity: Option<IdentityId>,
    /// Where, if on a source.
    pub source: Option<SourceId>,
    /// To which account, if to one.
    pub account: Option<AccountId>,
    /// In the course of which password change, if of one.
    pub change: Option<ChangeId>,
    /// What else is worth knowing, by name.
    pub detail: serde_json::Value,
}

/// Appends an event. It lies in the bucket of the identity or change it is about, so that it never takes a transaction
/// into another bucket; else in that of its own id.
pub async fn append(tx: &mut Tx<'_>, id: Uuid, event: &Event) -> Result<()> {
    let bucket = event.identity.map(IdentityId::bucket).or(event.change.map(ChangeId::bucket));
    let bucket = bucket.unwrap_or(Bucket(id.as_bytes()[15]));
    execute!(
        tx,
        "append an audit event",
        "INSERT INTO audit (bucket, id, at, action, outcome, actor, identity, source, account, change, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        bucket.number(),
        id,
        event.at,
        event.action.as_str(),
        name_of(&OUTCOMES, "an audit event's outcome", &event.outcome)?,
        Json(&event.actor),
        event.identity.map(|identity| identity.0),
        event.source.map(|source| source.0),
        event.account.map(|account| account.0),
        event.change.map(|change| change.0),
        Json(&event.detail),
    )?;
    Ok(())
}

/// The events about an identity, newest first, at most `limit`. Walks back in time until it has them: an index by identity
/// would cost every step of every change a page.
pub async fn list_of(tx: &mut Tx<'_>, identity: IdentityId, limit: u32) -> Result<Vec<Entry>> {
    let rows = fetch!(
        tx,
        fetch_all as EntryRow,
        "list the audit events of an identity",
        "SELECT id, at, action, outcome, actor, identity, source, account, change, detail FROM audit
         WHERE bucket = $1 AND identity = $2 ORDER BY id DESC LIMIT $3",
        identity.bucket().number(),
        identity.0,
        i64::from(limit)
    )?;
    rows.into_iter().map(Entry::try_from).collect()
}

/// The newest events, newest first, at most `limit`.
pub async fn newest(tx: &mut Tx<'_>, limit: u32) -> Result<Vec<Entry>> {
    let rows = fetch!(
        tx,
        fetch_all as EntryRow,
        "list the newest audit events",
        "SELECT id, at, action, outcome, actor, identity, source, account, change, detail FROM audit
         ORDER BY id DESC LIMIT $1",
        i64::from(limit)
    )?;
    rows.into_iter().map(Entry::try_from).collect()
}

row! {
    struct EntryRow {
        id: Uuid,
        at: DateTime<Utc>,
        action: String,
        outcome: String,
        actor: Json<serde_json::Value>,
        identity: Option<Uuid>,
        source: Option<Uuid>,
        account: Option<Uuid>,
        change: Option<Uuid>,
        detail: Json<serde_json::Value>,
    }
}

impl TryFrom<EntryRow> for Entry {
    type Error = Error;

    fn try_from(row: EntryRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            at: row.at,
            action: row
                .action
                .parse()
                .map_err(|_| Error::Corrupt { what: "an audit event's action", value: row.action.clone() })?,
            outcome: state_of(&OUTCOMES, "an audit event's outcome", &row.outcome)?,
            actor: row.actor.0,
            identity: row.identity.map(IdentityId),
            source: row.source.map(SourceId),
            account: row.account.map(AccountId),
            change: row.change.map(ChangeId),
            detail: row.detail.0,
        })
    }
}
