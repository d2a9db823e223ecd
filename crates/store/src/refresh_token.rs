//! Refresh tokens: each is good once, and gives the next one of its family. They are here as keyed hashes only.

use chrono::{DateTime, Utc};
use lockstep_core::id::FamilyId;
use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch};

/// Stores a token under its hash.
///
/// # Errors
/// A reference violation when the family is gone.
pub async fn insert(tx: &mut Tx<'_>, hash: &[u8], family: FamilyId) -> Result<()> {
    execute!(tx, "store a refresh token", "INSERT INTO refresh_token (hash, family) VALUES ($1, $2)", hash, family.0)?;
    Ok(())
}

/// The family of a token, and when it was used if it was.
pub async fn find(tx: &mut Tx<'_>, hash: &[u8]) -> Result<Option<(FamilyId, Option<DateTime<Utc>>)>> {
    let row = fetch!(
        tx,
        fetch_optional as (Uuid, Option<DateTime<Utc>>),
        "find a refresh token",
        "SELECT family, used_at FROM refresh_token WHERE hash = $1",
        hash
    )?;
    Ok(row.map(|(family, used)| (FamilyId(family), used)))
}

/// Uses a token. Of several who try at once one is told that it was good.
pub async fn use_up(tx: &mut Tx<'_>, hash: &[u8], now: DateTime<Utc>) -> Result<bool> {
    let used = execute!(
        tx,
        "use a refresh token",
        "UPDATE refresh_token SET used_at = $2 WHERE hash = $1 AND used_at IS NULL",
        hash,
        now
    )?;
    Ok(used == 1)
}
