//! The secrets that connectors sign in with, sealed by the vault and bound to their source and name.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lockstep_core::id::SourceId;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch};

/// The sealed secrets of a source by their names.
pub async fn list(tx: &mut Tx<'_>, source: SourceId) -> Result<BTreeMap<String, Vec<u8>>> {
    let rows = fetch!(
        tx,
        fetch_all as (String, Vec<u8>),
        "list the secrets of a source",
        "SELECT name, sealed FROM source_secret WHERE source = $1",
        source.0
    )?;
    Ok(rows.into_iter().collect())
}

/// Stores a sealed secret in place of the one before, and raises the source's version.
pub async fn put(tx: &mut Tx<'_>, source: SourceId, name: &str, sealed: &[u8], now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "store a secret of a source",
        "INSERT INTO source_secret (source, name, sealed, modified_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (source, name) DO UPDATE SET sealed = excluded.sealed, modified_at = excluded.modified_at",
        source.0,
        name,
        sealed,
        now,
    )?;
    raise_version(tx, source).await
}

/// Removes every secret of a source, and raises its version: what happens when its destination is edited.
pub async fn clear(tx: &mut Tx<'_>, source: SourceId) -> Result<()> {
    execute!(tx, "clear the secrets of a source", "DELETE FROM source_secret WHERE source = $1", source.0)?;
    raise_version(tx, source).await
}

async fn raise_version(tx: &mut Tx<'_>, source: SourceId) -> Result<()> {
    execute!(tx, "raise the version of a source", "UPDATE source SET version = version + 1 WHERE id = $1", source.0)?;
    Ok(())
}
