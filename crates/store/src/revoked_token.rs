//! Access tokens that were revoked one by one. Whether one was is asked beside what else decides about it, in the same
//! statement.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Tx, execute};

/// Revokes a token until it would be dead by itself.
pub async fn insert(tx: &mut Tx<'_>, id: Uuid, expires_at: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "revoke an access token",
        "INSERT INTO revoked_token (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
        id,
        expires_at
    )?;
    Ok(())
}

/// Forgets those that were dead by themselves before that.
pub async fn forget(tx: &mut Tx<'_>, before: DateTime<Utc>) -> Result<()> {
    execute!(tx, "forget revoked access tokens", "DELETE FROM revoked_token WHERE expires_at < $1", before)?;
    Ok(())
}
