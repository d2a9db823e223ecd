//! Transport keys: the key pairs that clients encrypt with. The private half is sealed by the vault, which also says
//! what state a key goes to next and when; paddings and states are kept under the names that it gives them.

use chrono::{DateTime, TimeDelta, Utc};
use lockstep_core::id::TransportKeyId;
use uuid::Uuid;

use crate::configuration;
use crate::error::{Error, Result};
use crate::tx::{Tx, execute, fetch, row};

/// A transport key.
#[derive(Clone, PartialEq, Eq)]
pub struct TransportKey {
    /// Its id.
    pub id: TransportKeyId,
    /// The vault's name of the padding.
    pub padding: String,
    /// The length of the modulus in bits.
    pub size: u16,
    /// Base64 of the DER SubjectPublicKeyInfo, on one line.
    pub public_key: String,
    /// The sealed private half; none once it is destroyed.
    pub sealed_private: Option<Vec<u8>>,
    /// The vault's name of the state.
    pub state: String,
    /// When it came into that state.
    pub since: DateTime<Utc>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Stores a new key.
pub async fn insert(tx: &mut Tx<'_>, key: &TransportKey) -> Result<()> {
    configuration::changed(tx).await?;
    execute!(
        tx,
        "store a transport key",
        "INSERT INTO transport_key (id, padding, size, public_key, sealed_private, state, since, created_at, published_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN $6 = 'ready' THEN NULL ELSE $7 END)",
        key.id.0,
        key.padding.as_str(),
        i64::from(key.size),
        key.public_key.as_str(),
        key.sealed_private.as_deref(),
        key.state.as_str(),
        key.since,
        key.created_at,
    )?;
    Ok(())
}

/// A key by its id.
pub async fn find(tx: &mut Tx<'_>, id: TransportKeyId) -> Result<Option<TransportKey>> {
    let row = fetch!(
        tx,
        fetch_optional as TransportKeyRow,
        "find a transport key",
        "SELECT id, padding, size, public_key, sealed_private, state, since, created_at FROM transport_key
         WHERE id = $1",
        id.0
    )?;
    row.map(TransportKey::try_from).transpose()
}

/// The key that is given to whoever asks for one of that padding.
pub async fn published(tx: &mut Tx<'_>, padding: &str) -> Result<Option<TransportKey>> {
    let row = fetch!(
        tx,
        fetch_optional as TransportKeyRow,
        "find the published transport key",
        "SELECT id, padding, size, public_key, sealed_private, state, since, created_at FROM transport_key
         WHERE padding = $1 AND state = 'published'",
        padding
    )?;
    row.map(TransportKey::try_from).transpose()
}

/// Every key whose private half is not destroyed, oldest first.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<TransportKey>> {
    let rows = fetch!(
        tx,
        fetch_all as TransportKeyRow,
        "list the transport keys",
        "SELECT id, padding, size, public_key, sealed_private, state, since, created_at FROM transport_key
         WHERE state <> 'destroyed' ORDER BY created_at, id"
    )?;
    rows.into_iter().map(TransportKey::try_from).collect()
}

/// Moves a key from one state to the next. Gives whether it still was in the first: with several nodes only one moves
/// it. The published key makes way before the next is published.
///
/// # Errors
/// Constraint `transport_key_padding_key` when another key of the padding is published.
pub async fn advance(tx: &mut Tx<'_>, id: TransportKeyId, from: &str, to: &str, now: DateTime<Utc>) -> Result<bool> {
    let moved = execute!(
        tx,
        "move a transport key on",
        "UPDATE transport_key SET state = $3, since = $4,
             published_at = CASE WHEN $3 = 'published' THEN $4 ELSE published_at END
         WHERE id = $1 AND state = $2",
        id.0,
        from,
        to,
        now,
    )?;
    if moved == 1 {
        configuration::changed(tx).await?;
    }
    Ok(moved == 1)
}

/// How far the clocks of two nodes may be apart, one of which published a key and the other accepted a change. With a clock
/// that is further behind, a ciphertext would be forgotten while a key opens it.
const CLOCKS: TimeDelta = TimeDelta::hours(1);

/// From when on what was sent may be opened: nothing that came before the first key was published of those that are not
/// destroyed. None where there is no such key.
pub async fn opens_since(tx: &mut Tx<'_>) -> Result<Option<DateTime<Utc>>> {
    let (oldest,) = fetch!(
        tx,
        fetch_one as (Option<DateTime<Utc>>,),
        "find since when transport keys open",
        "SELECT MIN(published_at) FROM transport_key WHERE state <> 'destroyed'"
    )?;
    Ok(oldest.map(|oldest| oldest - CLOCKS))
}

/// Destroys the private half of a retired key, unless an unfinished change was encrypted with it. Gives whether it is
/// gone by this call.
///
/// The key must have been retired for longer than any transaction lives, so that no change with it is still on its way
/// into the database.
pub async fn destroy(tx: &mut Tx<'_>, id: TransportKeyId, now: DateTime<Utc>) -> Result<bool> {
    let (in_use,) = fetch!(
        tx,
        fetch_one as (i64,),
        "look for unfinished changes under a transport key",
        "SELECT count(*) FROM change WHERE settled_at IS NULL AND transport_key = $1",
        id.0
    )?;
    if in_use > 0 {
        return Ok(false);
    }
    let destroyed = execute!(
        tx,
        "destroy a transport key",
        "UPDATE transport_key SET state = 'destroyed', since = $2, sealed_private = NULL
         WHERE id = $1 AND state = 'retired'",
        id.0,
        now,
    )?;
    if destroyed == 1 {
        configuration::changed(tx).await?;
    }
    Ok(destroyed == 1)
}

/// Destroys the private half of every key, whatever its state and whoever needs it: what was encrypted with any of them is
/// never opened again. Gives how many.
pub async fn destroy_all(tx: &mut Tx<'_>, now: DateTime<Utc>) -> Result<u64> {
    configuration::changed(tx).await?;
    execute!(
        tx,
        "destroy the transport keys",
        "UPDATE transport_key SET state = 'destroyed', since = $1, sealed_private = NULL WHERE state <> 'destroyed'",
        now,
    )
}

row! {
    struct TransportKeyRow {
        id: Uuid,
        padding: String,
        size: i64,
        public_key: String,
        sealed_private: Option<Vec<u8>>,
        state: String,
        since: DateTime<Utc>,
        created_at: DateTime<Utc>,
    }
}

impl TryFrom<TransportKeyRow> for TransportKey {
    type Error = Error;

    fn try_from(row: TransportKeyRow) -> Result<Self> {
        Ok(Self {
            id: TransportKeyId(row.id),
            padding: row.padding,
            size: u16::try_from(row.size)
                .map_err(|_| Error::Corrupt { what: "a transport key's size", value: row.size.to_string() })?,
            public_key: row.public_key,
            sealed_private: row.sealed_private,
            state: row.state,
            since: row.since,
            created_at: row.created_at,
        })
    }
}

impl std::fmt::Debug for TransportKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransportKey").field("id", &self.id).field("state", &self.state).finish_non_exhaustive()
    }
}
