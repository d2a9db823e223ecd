//! Enrolments: with what a person who has no password yet sets one. They are here as keyed hashes only.

use chrono::{DateTime, Utc};
use lockstep_core::id::IdentityId;
use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch};

/// Stores the hash of an identity's code, in place of the code before.
///
/// # Errors
/// A reference violation when there is no such identity.
pub async fn put(tx: &mut Tx<'_>, identity: IdentityId, hash: &[u8], expires_at: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "store an enrolment",
        "INSERT INTO enrolment (identity, hash, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT (identity) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at",
        identity.0,
        hash,
        expires_at
    )?;
    Ok(())
}

/// Whose code it is, and from when on it is dead.
pub async fn find(tx: &mut Tx<'_>, hash: &[u8]) -> Result<Option<(IdentityId, DateTime<Utc>)>> {
    let row = fetch!(
        tx,
        fetch_optional as (Uuid, DateTime<Utc>),
        "find an enrolment",
        "SELECT identity, expires_at FROM enrolment WHERE hash = $1",
        hash
    )?;
    Ok(row.map(|(identity, expires_at)| (IdentityId(identity), expires_at)))
}

/// Forgets the code of an identity: it has a password now.
pub async fn remove(tx: &mut Tx<'_>, identity: IdentityId) -> Result<()> {
    execute!(tx, "forget an enrolment", "DELETE FROM enrolment WHERE identity = $1", identity.0)?;
    Ok(())
}

/// Forgets every code.
pub async fn remove_all(tx: &mut Tx<'_>) -> Result<()> {
    execute!(tx, "forget the enrolments", "DELETE FROM enrolment")?;
    Ok(())
}

/// Forgets those that were dead before that.
pub async fn forget(tx: &mut Tx<'_>, before: DateTime<Utc>) -> Result<()> {
    execute!(tx, "forget dead enrolments", "DELETE FROM enrolment WHERE expires_at < $1", before)?;
    Ok(())
}
