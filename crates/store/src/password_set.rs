//! When the password of each account was last set.

use chrono::{DateTime, Utc};
use lockstep_core::id::{AccountId, IdentityId};
use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch};

/// Says that the password of an account was set then.
pub async fn put(tx: &mut Tx<'_>, identity: IdentityId, account: AccountId, at: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "note that a password was set",
        "INSERT INTO password_set (bucket, identity, account, set_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (bucket, identity, account) DO UPDATE SET set_at = excluded.set_at",
        identity.bucket().number(),
        identity.0,
        account.0,
        at,
    )?;
    Ok(())
}

/// When the passwords of an identity's accounts were last set.
pub async fn list_of(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Vec<(AccountId, DateTime<Utc>)>> {
    let rows = fetch!(
        tx,
        fetch_all as (Uuid, DateTime<Utc>),
        "find when passwords were set",
        "SELECT account, set_at FROM password_set WHERE bucket = $1 AND identity = $2",
        identity.bucket().number(),
        identity.0
    )?;
    Ok(rows.into_iter().map(|(account, at)| (AccountId(account), at)).collect())
}
