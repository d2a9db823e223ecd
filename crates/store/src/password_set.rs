//! When the password of each account was last set: by Lockstep, and as the account's source says.

use chrono::{DateTime, Utc};
use lockstep_core::id::{AccountId, Bucket, IdentityId};
use lockstep_core::password_set::PasswordSet;
use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch, row};

/// Says that the password of an account was set then.
pub async fn put(tx: &mut Tx<'_>, identity: IdentityId, account: AccountId, at: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "note that a password was set",
        "INSERT INTO password_set (bucket, identity, account, set_at, written_at) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (bucket, identity, account) DO UPDATE SET set_at = excluded.set_at, written_at = excluded.written_at",
        identity.bucket().number(),
        identity.0,
        account.0,
        at,
    )?;
    Ok(())
}

/// Says that the password that an account had already was written once more, which does not make it younger. Where none was ever
/// set, it is set now.
pub async fn put_again(tx: &mut Tx<'_>, identity: IdentityId, account: AccountId, at: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "note that a password was set again",
        "INSERT INTO password_set (bucket, identity, account, set_at, written_at) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (bucket, identity, account) DO UPDATE SET written_at = excluded.written_at",
        identity.bucket().number(),
        identity.0,
        account.0,
        at,
    )?;
    Ok(())
}

/// Says that the password of an account may have been written until then. Where none was ever set, nobody knows that one is.
pub async fn may_be_set(tx: &mut Tx<'_>, identity: IdentityId, account: AccountId, at: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "note that a password may have been set",
        "UPDATE password_set SET written_at = $4 WHERE bucket = $1 AND identity = $2 AND account = $3",
        identity.bucket().number(),
        identity.0,
        account.0,
        at,
    )?;
    Ok(())
}

/// Says the same of all accounts in a bucket.
pub async fn all_may_be_set(tx: &mut Tx<'_>, bucket: Bucket, at: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "note that passwords may have been set",
        "UPDATE password_set SET written_at = $2 WHERE bucket = $1",
        bucket.number(),
        at,
    )?;
    Ok(())
}

/// Forgets an account that is the identity's no more.
pub(crate) async fn remove(tx: &mut Tx<'_>, identity: IdentityId, account: AccountId) -> Result<()> {
    execute!(
        tx,
        "forget when a password was set",
        "DELETE FROM password_set WHERE bucket = $1 AND identity = $2 AND account = $3",
        identity.bucket().number(),
        identity.0,
        account.0,
    )?;
    Ok(())
}

/// What is known of when the passwords of an identity's accounts were set.
pub async fn list_of(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Vec<(AccountId, PasswordSet)>> {
    let rows = fetch!(
        tx,
        fetch_all as SetRow,
        "find when passwords were set",
        "SELECT account.id, known.set_at, known.written_at, account.password_changed_at
         FROM account LEFT JOIN password_set known
             ON known.bucket = $1 AND known.identity = $2 AND known.account = account.id
         WHERE account.identity = $2",
        identity.bucket().number(),
        identity.0
    )?;
    Ok(rows.into_iter().map(SetRow::split).collect())
}

row! {
    struct SetRow {
        id: Uuid,
        set_at: Option<DateTime<Utc>>,
        written_at: Option<DateTime<Utc>>,
        password_changed_at: Option<DateTime<Utc>>,
    }
}

impl SetRow {
    fn split(self) -> (AccountId, PasswordSet) {
        let Self { id, set_at, written_at, password_changed_at: said_at } = self;
        (AccountId(id), PasswordSet { set_at, written_at, said_at })
    }
}
