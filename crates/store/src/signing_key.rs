//! The keys that sign access tokens, sealed by the vault.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch};

/// Stores a sealed key.
pub async fn insert(tx: &mut Tx<'_>, id: Uuid, sealed: &[u8], now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "store a signing key",
        "INSERT INTO signing_key (id, sealed, created_at) VALUES ($1, $2, $3)",
        id,
        sealed,
        now,
    )?;
    Ok(())
}

/// Every key: id, sealed form and when it was made, newest first.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<(Uuid, Vec<u8>, DateTime<Utc>)>> {
    fetch!(
        tx,
        fetch_all as (Uuid, Vec<u8>, DateTime<Utc>),
        "list the signing keys",
        "SELECT id, sealed, created_at FROM signing_key ORDER BY created_at DESC, id"
    )
}

/// Keeps others from making a key until the transaction ends: they find the one that is made meanwhile.
pub async fn hold(tx: &mut Tx<'_>) -> Result<()> {
    if let Tx::Postgres(_) = tx {
        execute!(tx, "hold the signing keys", "SELECT 1 FROM signing_key ORDER BY id FOR UPDATE")?;
    }
    Ok(())
}

/// The id of every key and when it was made, newest first.
pub async fn ids(tx: &mut Tx<'_>) -> Result<Vec<(Uuid, DateTime<Utc>)>> {
    fetch!(
        tx,
        fetch_all as (Uuid, DateTime<Utc>),
        "list the ids of the signing keys",
        "SELECT id, created_at FROM signing_key ORDER BY created_at DESC, id"
    )
}

/// Removes a key: the tokens that it signed are worth nothing from now on. Gives whether it was there.
pub async fn remove(tx: &mut Tx<'_>, id: Uuid) -> Result<bool> {
    Ok(execute!(tx, "remove a signing key", "DELETE FROM signing_key WHERE id = $1", id)? == 1)
}
