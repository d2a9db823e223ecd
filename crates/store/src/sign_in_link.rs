//! Links that sign somebody in once. They are here as keyed hashes only.

use chrono::{DateTime, Utc};
use lockstep_core::id::IdentityId;
use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch};

/// Stores the hash of a link, in place of every one that the identity had before.
///
/// # Errors
/// A reference violation when there is no such identity.
pub async fn put(tx: &mut Tx<'_>, identity: IdentityId, hash: &[u8], expires_at: DateTime<Utc>) -> Result<()> {
    remove_of(tx, identity).await?;
    execute!(
        tx,
        "store a link to sign in with",
        "INSERT INTO sign_in_link (hash, identity, expires_at) VALUES ($1, $2, $3)",
        hash,
        identity.0,
        expires_at
    )?;
    Ok(())
}

/// Whose a link is, if it is good at `now`.
pub async fn find(tx: &mut Tx<'_>, hash: &[u8], now: DateTime<Utc>) -> Result<Option<IdentityId>> {
    let found = fetch!(
        tx,
        fetch_optional as (Uuid,),
        "find a link to sign in with",
        "SELECT identity FROM sign_in_link WHERE hash = $1 AND expires_at > $2",
        hash,
        now
    )?;
    Ok(found.map(|(identity,)| IdentityId(identity)))
}

/// Uses a link up. Of two who have it, only the first is given that it was there.
pub async fn take(tx: &mut Tx<'_>, hash: &[u8]) -> Result<bool> {
    let taken = execute!(tx, "use a link to sign in with", "DELETE FROM sign_in_link WHERE hash = $1", hash)?;
    Ok(taken == 1)
}

/// Forgets the links of an identity.
pub async fn remove_of(tx: &mut Tx<'_>, identity: IdentityId) -> Result<()> {
    execute!(tx, "forget links to sign in with", "DELETE FROM sign_in_link WHERE identity = $1", identity.0)?;
    Ok(())
}

/// Forgets the links that were over before that.
pub async fn forget(tx: &mut Tx<'_>, before: DateTime<Utc>) -> Result<()> {
    execute!(tx, "forget dead links to sign in with", "DELETE FROM sign_in_link WHERE expires_at < $1", before)?;
    Ok(())
}

/// Forgets every link.
pub async fn remove_all(tx: &mut Tx<'_>) -> Result<()> {
    execute!(tx, "forget every link to sign in with", "DELETE FROM sign_in_link")?;
    Ok(())
}
