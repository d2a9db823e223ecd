//! Password history: the hashes of earlier passwords, a list for each identity and password it has.
//!
//! A holder is what has one password: a sync group, or a source that is in none. All hashes of an identity, its sign-in
//! password's too, share one salt, so that a candidate is compared with all of them for one evaluation. The hashes are
//! the vault's; nothing is compared here.

use chrono::{DateTime, Utc};
use lockstep_core::id::{IdentityId, SourceId, SyncGroupId};
use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch};

/// What an identity has one password for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
    /// Every member of a sync group.
    SyncGroup(SyncGroupId),
    /// A source that is in no group.
    Source(SourceId),
}

impl Holder {
    fn id(self) -> Uuid {
        match self {
            Self::SyncGroup(group) => group.0,
            Self::Source(source) => source.0,
        }
    }
}

/// The salt of an identity; `fresh` becomes it where it has none yet.
pub async fn salt(tx: &mut Tx<'_>, identity: IdentityId, fresh: &[u8]) -> Result<Vec<u8>> {
    execute!(
        tx,
        "store a salt",
        "INSERT INTO password_salt (bucket, identity, salt) VALUES ($1, $2, $3)
         ON CONFLICT (bucket, identity) DO NOTHING",
        identity.bucket().number(),
        identity.0,
        fresh,
    )?;
    Ok(find_salt(tx, identity).await?.unwrap_or_else(|| fresh.to_vec()))
}

/// The salt of an identity; none before its first hash.
pub async fn find_salt(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Option<Vec<u8>>> {
    let row = fetch!(
        tx,
        fetch_optional as (Vec<u8>,),
        "find a salt",
        "SELECT salt FROM password_salt WHERE bucket = $1 AND identity = $2",
        identity.bucket().number(),
        identity.0
    )?;
    Ok(row.map(|(salt,)| salt))
}

/// The last `limit` hashes, newest first.
pub async fn last(tx: &mut Tx<'_>, identity: IdentityId, holder: Holder, limit: u32) -> Result<Vec<Vec<u8>>> {
    let rows = fetch!(
        tx,
        fetch_all as (Vec<u8>,),
        "list a password history",
        "SELECT hash FROM password_history WHERE bucket = $1 AND identity = $2 AND holder = $3
         ORDER BY position DESC LIMIT $4",
        identity.bucket().number(),
        identity.0,
        holder.id(),
        i64::from(limit)
    )?;
    Ok(rows.into_iter().map(|(hash,)| hash).collect())
}

/// When the newest one was recorded.
pub async fn newest_at(tx: &mut Tx<'_>, identity: IdentityId, holder: Holder) -> Result<Option<DateTime<Utc>>> {
    let row = fetch!(
        tx,
        fetch_optional as (DateTime<Utc>,),
        "find when a password was recorded",
        "SELECT created_at FROM password_history WHERE bucket = $1 AND identity = $2 AND holder = $3
         ORDER BY position DESC LIMIT 1",
        identity.bucket().number(),
        identity.0,
        holder.id()
    )?;
    Ok(row.map(|(at,)| at))
}

/// Records the hash of a password that an account now has, and forgets all but the last `keep`. At least one is kept:
/// the newest tells a request made again from a reuse.
pub async fn push(
    tx: &mut Tx<'_>,
    identity: IdentityId,
    holder: Holder,
    hash: &[u8],
    keep: u32,
    now: DateTime<Utc>,
) -> Result<()> {
    let bucket = identity.bucket().number();
    let (position,) = fetch!(
        tx,
        fetch_one as (i64,),
        "find the end of a password history",
        "SELECT COALESCE(MAX(position), 0) + 1 FROM password_history
         WHERE bucket = $1 AND identity = $2 AND holder = $3",
        bucket,
        identity.0,
        holder.id()
    )?;
    execute!(
        tx,
        "record a password in the history",
        "INSERT INTO password_history (bucket, identity, holder, position, hash, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        bucket,
        identity.0,
        holder.id(),
        position,
        hash,
        now,
    )?;
    execute!(
        tx,
        "shorten a password history",
        "DELETE FROM password_history WHERE bucket = $1 AND identity = $2 AND holder = $3 AND position <= $4",
        bucket,
        identity.0,
        holder.id(),
        position - i64::from(keep.max(1)),
    )?;
    Ok(())
}
