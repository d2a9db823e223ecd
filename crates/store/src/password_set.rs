//! When each password of an identity was last set.

use chrono::{DateTime, Utc};
use lockstep_core::id::IdentityId;
use uuid::Uuid;

use crate::error::Result;
use crate::history::Holder;
use crate::tx::{Tx, execute, fetch};

/// Says that a password was set now.
pub async fn put(tx: &mut Tx<'_>, identity: IdentityId, holder: Holder, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "note that a password was set",
        "INSERT INTO password_set (bucket, identity, holder, set_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (bucket, identity, holder) DO UPDATE SET set_at = excluded.set_at",
        identity.bucket().number(),
        identity.0,
        holder.id(),
        now,
    )?;
    Ok(())
}

/// When each password of an identity was last set, by the id of the group or source that has it.
pub async fn list_of(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Vec<(Uuid, DateTime<Utc>)>> {
    let rows = fetch!(
        tx,
        fetch_all as (Uuid, DateTime<Utc>),
        "find when passwords were set",
        "SELECT holder, set_at FROM password_set WHERE bucket = $1 AND identity = $2",
        identity.bucket().number(),
        identity.0
    )?;
    Ok(rows)
}
