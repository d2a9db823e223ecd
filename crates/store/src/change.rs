//! Password changes: accepting them, reading them, and forgetting them when they are old.
//!
//! What becomes of a change between acceptance and its end is written by [`crate::lane`], and only by the owner of its
//! bucket.

use chrono::{DateTime, Utc};
use lockstep_core::change::{Change, ChangeState, Target, TargetKey, TargetState};
use lockstep_core::id::{AccountId, Bucket, ChangeId, IdentityId, SourceId, TransportKeyId};
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::names::{name_of, state_of};
use crate::tx::{Tx, execute, fetch, row};

/// What was encrypted by the client, sealed again by the vault.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    /// The new password.
    pub new: Vec<u8>,
    /// The current password, when a person changes their own with it.
    pub current: Option<Vec<u8>>,
}

/// Stores a change that was accepted, at the next place in the order of the identity's changes; what `change` says of its
/// place does not count. Places are committed in their order: the next one is taken only when the last one is committed or
/// given up. `caller` names who asked for it, `account_sent` the account as the request did.
pub async fn insert(
    tx: &mut Tx<'_>,
    change: &Change,
    caller: &str,
    account_sent: &str,
    payload: &Payload,
) -> Result<()> {
    loop {
        // Whoever takes the same place as another transaction waits here until that one ends, and if that is committed takes
        // the next one. That it is not RETURNED spares SQLite a journal of the statement.
        let inserted = execute!(
            tx,
            "store a change",
            "INSERT INTO change (bucket, id, identity, seq, source, account, account_sent, transport_key, caller, payload,
                 second_payload, state, joined, refusals, created_at, expires_at, settled_at)
             VALUES ($1, $2, $3,
                 (SELECT COALESCE(MAX(before.seq), 0) + 1 FROM change AS before
                  WHERE before.bucket = $1 AND before.identity = $3),
                 $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
             ON CONFLICT (bucket, identity, seq) DO NOTHING",
            change.bucket().number(),
            change.id.0,
            change.identity.0,
            change.source.0,
            change.account.0,
            account_sent,
            change.transport_key.0,
            caller,
            payload.new.as_slice(),
            payload.current.as_deref(),
            state_name(change.state)?,
            change.joined.map(|joined| joined.0),
            Json(&change.refusals),
            change.created_at,
            change.expires_at,
            change.settled_at,
        )?;
        if inserted == 1 {
            return Ok(());
        }
    }
}

/// A change with its targets, in the order of their names. A change that joined another has that one's targets.
pub async fn find(tx: &mut Tx<'_>, id: ChangeId) -> Result<Option<(Change, Vec<Target>)>> {
    let row = fetch!(
        tx,
        fetch_optional as ChangeRow,
        "find a change",
        "SELECT id, identity, seq, source, account, transport_key, state, joined, refusals,
             created_at, expires_at, settled_at
         FROM change WHERE bucket = $1 AND id = $2",
        id.bucket().number(),
        id.0
    )?;
    let Some(row) = row else { return Ok(None) };
    let change = Change::try_from(row)?;
    let written_by = change.joined.unwrap_or(change.id);
    let rows = fetch!(
        tx,
        fetch_all as TargetRow,
        "list the targets of a change",
        "SELECT change, account, source, native_id, name, seq, sign_in, state, attempts, probed, unsure, reason,
             settled_at
         FROM target WHERE bucket = $1 AND change = $2",
        id.bucket().number(),
        written_by.0
    )?;
    let mut targets: Vec<Target> = rows.into_iter().map(Target::try_from).collect::<Result<_>>()?;
    targets.sort_by(|one, other| {
        (one.source, &one.name, one.key.account).cmp(&(other.source, &other.name, other.key.account))
    });
    Ok(Some((change, targets)))
}

/// The sealed payload of a change; none where it is erased or there is no such change.
pub async fn payload(tx: &mut Tx<'_>, id: ChangeId) -> Result<Option<Payload>> {
    let row = fetch!(
        tx,
        fetch_optional as (Option<Vec<u8>>, Option<Vec<u8>>),
        "read the payload of a change",
        "SELECT payload, second_payload FROM change WHERE bucket = $1 AND id = $2",
        id.bucket().number(),
        id.0
    )?;
    Ok(row.and_then(|(new, current)| Some(Payload { new: new?, current })))
}

/// The changes of an identity, newest first, at most `limit`.
pub async fn list_of(tx: &mut Tx<'_>, identity: IdentityId, limit: u32) -> Result<Vec<Change>> {
    let rows = fetch!(
        tx,
        fetch_all as ChangeRow,
        "list the changes of an identity",
        "SELECT id, identity, seq, source, account, transport_key, state, joined, refusals,
             created_at, expires_at, settled_at
         FROM change WHERE bucket = $1 AND identity = $2 ORDER BY seq DESC LIMIT $3",
        identity.bucket().number(),
        identity.0,
        i64::from(limit)
    )?;
    rows.into_iter().map(Change::try_from).collect()
}

/// What is tried again, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// Whose password it is.
    pub identity: IdentityId,
    /// What they are called.
    pub display_name: String,
    /// In the course of which change.
    pub change: ChangeId,
    /// Where.
    pub source: SourceId,
    /// Why it was not done so far.
    pub reason: Option<String>,
    /// When the change was asked for.
    pub asked_at: DateTime<Utc>,
    /// Until when it is tried.
    pub expires_at: DateTime<Utc>,
}

row! {
    struct FailingRow {
        identity: Uuid,
        display_name: String,
        change: Uuid,
        source: Uuid,
        reason: Option<String>,
        created_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    }
}

/// What is tried again, of everybody, the oldest change first, at most `limit`.
pub async fn failing(tx: &mut Tx<'_>, limit: u32) -> Result<Vec<Failing>> {
    let rows = fetch!(
        tx,
        fetch_all as FailingRow,
        "list what is tried again",
        "SELECT change.identity, identity.display_name, target.change, target.source, target.reason, change.created_at,
             change.expires_at
         FROM change JOIN target ON target.bucket = change.bucket AND target.change = change.id
             JOIN identity ON identity.id = change.identity
         WHERE change.settled_at IS NULL AND target.state = 'retrying'
         ORDER BY change.created_at, change.id, target.account LIMIT $1",
        i64::from(limit)
    )?;
    let failing = rows.into_iter().map(|row| Failing {
        identity: IdentityId(row.identity),
        display_name: row.display_name,
        change: ChangeId(row.change),
        source: SourceId(row.source),
        reason: row.reason,
        asked_at: row.created_at,
        expires_at: row.expires_at,
    });
    Ok(failing.collect())
}

/// Up to `limit` final changes that were accepted and ended before `before` and that nobody needs any more, in whichever
/// bucket, in the order of their ids; only such as come after `after`. Fewer than `limit` say that there are no more.
///
/// The newest change of an identity stays: the next place is counted from it. So does one that another joined: it has the
/// targets of both.
pub async fn old(tx: &mut Tx<'_>, after: Option<ChangeId>, before: DateTime<Utc>, limit: u32) -> Result<Vec<ChangeId>> {
    let rows = fetch!(
        tx,
        fetch_all as (Uuid,),
        "list old changes",
        "SELECT id FROM change AS old WHERE id > $1 AND id < $2 AND settled_at < $3
             AND EXISTS (SELECT 1 FROM change AS newer
                 WHERE newer.bucket = old.bucket AND newer.identity = old.identity AND newer.seq > old.seq)
             AND NOT EXISTS (SELECT 1 FROM change AS follower
                 WHERE follower.bucket = old.bucket AND follower.identity = old.identity AND follower.joined = old.id)
         ORDER BY id LIMIT $4",
        after.map_or(Uuid::nil(), |after| after.0),
        // Ids are ordered by the time of acceptance, and a change ends after it (by another node's clock a little before:
        // it is found a little later).
        first_id_of(before),
        before,
        i64::from(limit)
    )?;
    Ok(rows.into_iter().map(|(id,)| ChangeId(id)).collect())
}

/// Removes those of these changes of one bucket that are final, with their targets. Gives how many.
pub async fn remove(tx: &mut Tx<'_>, bucket: Bucket, ids: &[ChangeId]) -> Result<u64> {
    let mut all = 0;
    for id in ids {
        let removed = execute!(
            tx,
            "remove an old change",
            "DELETE FROM change WHERE bucket = $1 AND id = $2 AND settled_at IS NOT NULL",
            bucket.number(),
            id.0
        )?;
        if removed > 0 {
            all += removed;
            execute!(
                tx,
                "remove the targets of an old change",
                "DELETE FROM target WHERE bucket = $1 AND change = $2",
                bucket.number(),
                id.0,
            )?;
        }
    }
    Ok(all)
}

/// The least of the ids that are given at that time or later.
pub(crate) fn first_id_of(time: DateTime<Utc>) -> Uuid {
    let milliseconds = u64::try_from(time.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &[0; 10]).into_uuid()
}

/// Which of these changes of one bucket are final, and how they ended.
pub async fn final_among(tx: &mut Tx<'_>, bucket: Bucket, ids: &[ChangeId]) -> Result<Vec<(ChangeId, ChangeState)>> {
    let mut found = Vec::new();
    // A list of fixed length, so that it is one statement whatever is asked; what is missing is asked twice.
    for some in ids.chunks(8) {
        let id = |index: usize| some.get(index).unwrap_or(&some[0]).0;
        let rows = fetch!(
            tx,
            fetch_all as (Uuid, String),
            "read which changes are final",
            "SELECT id, state FROM change WHERE bucket = $1 AND settled_at IS NOT NULL
                 AND id IN ($2, $3, $4, $5, $6, $7, $8, $9)",
            bucket.number(),
            id(0),
            id(1),
            id(2),
            id(3),
            id(4),
            id(5),
            id(6),
            id(7)
        )?;
        for (id, state) in rows {
            found.push((ChangeId(id), change_state(&state)?));
        }
    }
    Ok(found)
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Payload(sealed)")
    }
}

row! {
    pub(crate) struct ChangeRow {
        id: Uuid,
        identity: Uuid,
        seq: i64,
        source: Uuid,
        account: Uuid,
        transport_key: Uuid,
        state: String,
        joined: Option<Uuid>,
        refusals: Json<Vec<String>>,
        created_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
        settled_at: Option<DateTime<Utc>>,
    }
}

row! {
    pub(crate) struct TargetRow {
        change: Uuid,
        account: Uuid,
        source: Uuid,
        native_id: String,
        name: String,
        seq: i64,
        sign_in: bool,
        state: String,
        attempts: i64,
        probed: bool,
        unsure: bool,
        reason: Option<String>,
        settled_at: Option<DateTime<Utc>>,
    }
}

impl TryFrom<ChangeRow> for Change {
    type Error = Error;

    fn try_from(row: ChangeRow) -> Result<Self> {
        Ok(Self {
            id: ChangeId(row.id),
            identity: IdentityId(row.identity),
            seq: row.seq,
            source: SourceId(row.source),
            account: AccountId(row.account),
            transport_key: TransportKeyId(row.transport_key),
            state: change_state(&row.state)?,
            joined: row.joined.map(ChangeId),
            refusals: row.refusals.0,
            created_at: row.created_at,
            expires_at: row.expires_at,
            settled_at: row.settled_at,
        })
    }
}

impl TryFrom<TargetRow> for Target {
    type Error = Error;

    fn try_from(row: TargetRow) -> Result<Self> {
        Ok(Self {
            key: TargetKey { change: ChangeId(row.change), account: AccountId(row.account) },
            source: SourceId(row.source),
            native_id: row.native_id,
            name: row.name,
            seq: row.seq,
            sign_in: row.sign_in,
            state: target_state(&row.state)?,
            attempts: u32::try_from(row.attempts)
                .map_err(|_| Error::Corrupt { what: "a target's attempts", value: row.attempts.to_string() })?,
            probed: row.probed,
            unsure: row.unsure,
            reason: row.reason,
            settled_at: row.settled_at,
        })
    }
}

pub(crate) fn state_name(state: ChangeState) -> Result<&'static str> {
    name_of(&ChangeState::NAMES, "a change's state", &state)
}

pub(crate) fn target_state_name(state: TargetState) -> Result<&'static str> {
    name_of(&TargetState::NAMES, "a target's state", &state)
}

pub(crate) fn change_state(name: &str) -> Result<ChangeState> {
    state_of(&ChangeState::NAMES, "a change's state", name)
}

pub(crate) fn target_state(name: &str) -> Result<TargetState> {
    state_of(&TargetState::NAMES, "a target's state", name)
}
