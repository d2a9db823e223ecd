//! When the password of each account was last set: by Lockstep, and as the account's source says.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lockstep_core::account::Account;
use lockstep_core::id::{AccountId, Bucket, IdentityId, SourceId};
use lockstep_core::password_set::PasswordSet;
use sqlx::types::Json;
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

/// Every account of an identity, tombstones too, in the order of source and name, each with what is known of when its password was
/// set. In one statement: it is asked for every page of the Password Manager.
pub async fn list_of(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Vec<(Account, PasswordSet)>> {
    let rows = fetch!(
        tx,
        fetch_all as SetRow,
        "list the accounts of an identity, and when their passwords were set",
        "SELECT account.id, account.source, account.stable_id, account.native_id, account.name, account.password_sync,
             account.attributes, account.vanished, account.password_changed_at, known.set_at, known.written_at
         FROM account LEFT JOIN password_set known
             ON known.bucket = $1 AND known.identity = $2 AND known.account = account.id
         WHERE account.identity = $2",
        identity.bucket().number(),
        identity.0
    )?;
    let mut accounts: Vec<(Account, PasswordSet)> = rows.into_iter().map(|row| row.split(identity)).collect();
    // They are few, as in `account::list_of`.
    accounts
        .sort_by(|(one, _), (other, _)| (one.source, &one.name, one.id).cmp(&(other.source, &other.name, other.id)));
    Ok(accounts)
}

row! {
    struct SetRow {
        id: Uuid,
        source: Uuid,
        stable_id: String,
        native_id: String,
        name: String,
        password_sync: bool,
        attributes: Json<BTreeMap<String, String>>,
        vanished: bool,
        password_changed_at: Option<DateTime<Utc>>,
        set_at: Option<DateTime<Utc>>,
        written_at: Option<DateTime<Utc>>,
    }
}

impl SetRow {
    fn split(self, identity: IdentityId) -> (Account, PasswordSet) {
        let account = Account {
            id: AccountId(self.id),
            identity: Some(identity),
            source: SourceId(self.source),
            stable_id: self.stable_id,
            native_id: self.native_id,
            name: self.name,
            password_sync: self.password_sync,
            attributes: self.attributes.0,
            vanished: self.vanished,
        };
        let (set_at, written_at, said_at) = (self.set_at, self.written_at, self.password_changed_at);
        (account, PasswordSet { set_at, written_at, said_at })
    }
}
