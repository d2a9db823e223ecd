//! Accounts: what identities have on sources.
//!
//! An account is unique by its stable id on a source, and by its native id among those that have not vanished. Native
//! ids are compared in a normalised form, `native_key`, that the connector of the source gives (LDAP: the DN without
//! regard to case and spacing).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lockstep_core::account::Account;
use lockstep_core::filter::fold;
use lockstep_core::id::{AccountId, IdentityId, SourceId};
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::tx::{Tx, execute, fetch, row};
use crate::window::Window;

/// Inserts an account, or replaces what is known of it. One that belongs to somebody stays with them: only an
/// [`intent`](crate::intent) gives it to another. Whose it becomes here was said by somebody, not by a rule. A tombstone stays one: see [`find_again`].
///
/// # Errors
/// Constraint `account_source_stable_id_key` or `account_source_native_key_key` when another account has that id.
pub async fn put(tx: &mut Tx<'_>, account: &Account, native_key: &str, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "store an account",
        "INSERT INTO account (id, identity, source, stable_id, native_id, native_key, name, password_sync, attributes,
             vanished, created_at, modified_at, name_key, native_id_key, correlated)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13,
             CASE WHEN CAST($2 AS UUID) IS NULL THEN 'none' ELSE 'manual' END)
         ON CONFLICT (id) DO UPDATE SET identity = COALESCE(account.identity, excluded.identity),
             source = excluded.source, stable_id = excluded.stable_id, native_id = excluded.native_id, native_key = excluded.native_key,
             correlated = CASE WHEN account.identity IS NULL THEN excluded.correlated ELSE account.correlated END,
             name = excluded.name, password_sync = excluded.password_sync, attributes = excluded.attributes,
             vanished = account.vanished OR excluded.vanished, modified_at = excluded.modified_at,
             name_key = excluded.name_key, native_id_key = excluded.native_id_key",
        account.id.0,
        account.identity.map(|identity| identity.0),
        account.source.0,
        account.stable_id.as_str(),
        account.native_id.as_str(),
        native_key,
        account.name.as_str(),
        account.password_sync,
        Json(&account.attributes),
        account.vanished,
        now,
        fold(&account.name),
        fold(&account.native_id),
    )?;
    Ok(())
}

/// A tombstone's account is there again.
pub async fn find_again(tx: &mut Tx<'_>, id: AccountId) -> Result<()> {
    execute!(tx, "find a vanished account again", "UPDATE account SET vanished = FALSE WHERE id = $1", id.0)?;
    Ok(())
}

/// An account by its id.
pub async fn find(tx: &mut Tx<'_>, id: AccountId) -> Result<Option<Account>> {
    let row = fetch!(
        tx,
        fetch_optional as AccountRow,
        "find an account",
        "SELECT id, identity, source, stable_id, native_id, name, password_sync, attributes, vanished FROM account
         WHERE id = $1",
        id.0
    )?;
    Ok(row.map(Account::from))
}

/// An account by its id.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn get(tx: &mut Tx<'_>, id: AccountId) -> Result<Account> {
    find(tx, id).await?.ok_or(Error::NotFound("account"))
}

/// An account, also one that vanished, by what its source never changes about it.
pub async fn find_by_stable_id(tx: &mut Tx<'_>, source: SourceId, stable_id: &str) -> Result<Option<Account>> {
    let row = fetch!(
        tx,
        fetch_optional as AccountRow,
        "find an account by its stable id",
        "SELECT id, identity, source, stable_id, native_id, name, password_sync, attributes, vanished FROM account
         WHERE source = $1 AND stable_id = $2",
        source.0,
        stable_id
    )?;
    Ok(row.map(Account::from))
}

/// An account that has not vanished, by its normalised native id.
pub async fn find_by_native_key(tx: &mut Tx<'_>, source: SourceId, native_key: &str) -> Result<Option<Account>> {
    let row = fetch!(
        tx,
        fetch_optional as AccountRow,
        "find an account by its native id",
        "SELECT id, identity, source, stable_id, native_id, name, password_sync, attributes, vanished FROM account
         WHERE source = $1 AND native_key = $2 AND NOT vanished",
        source.0,
        native_key
    )?;
    Ok(row.map(Account::from))
}

/// Every account of an identity, tombstones too, in the order of source and name.
pub async fn list_of(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Vec<Account>> {
    let rows = fetch!(
        tx,
        fetch_all as AccountRow,
        "list the accounts of an identity",
        "SELECT id, identity, source, stable_id, native_id, name, password_sync, attributes, vanished FROM account
         WHERE identity = $1",
        identity.0
    )?;
    let mut accounts: Vec<Account> = rows.into_iter().map(Account::from).collect();
    // Every request asks for them, and they are few: a sorter of the database's costs more than finding them.
    accounts.sort_by(|one, other| (one.source, &one.name, one.id).cmp(&(other.source, &other.name, other.id)));
    Ok(accounts)
}

/// The accounts that an identity has on a source, without tombstones: their ids and native ids.
pub async fn native_ids(tx: &mut Tx<'_>, identity: IdentityId, source: SourceId) -> Result<Vec<(AccountId, String)>> {
    let rows = fetch!(
        tx,
        fetch_all as (Uuid, String),
        "list the accounts of an identity on a source",
        "SELECT id, native_id FROM account WHERE identity = $1 AND source = $2 AND NOT vanished",
        identity.0,
        source.0
    )?;
    Ok(rows.into_iter().map(|(id, native_id)| (AccountId(id), native_id)).collect())
}

/// The accounts of a source, tombstones too, in the order of their stable ids.
pub async fn list_on(tx: &mut Tx<'_>, source: SourceId, window: Window) -> Result<Vec<Account>> {
    let rows = fetch!(
        tx,
        fetch_all as AccountRow,
        "list the accounts of a source",
        "SELECT id, identity, source, stable_id, native_id, name, password_sync, attributes, vanished FROM account
         WHERE source = $1 ORDER BY stable_id LIMIT $2 OFFSET $3",
        source.0,
        i64::from(window.limit),
        i64::from(window.offset)
    )?;
    Ok(rows.into_iter().map(Account::from).collect())
}

/// The next accounts of a source after the one with that stable id, or the first, tombstones too, in the order of their
/// stable ids, each with the alias of whose it is.
pub async fn list_after(
    tx: &mut Tx<'_>,
    source: SourceId,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<(Account, Option<String>)>> {
    let rows = fetch!(
        tx,
        fetch_all as NamedRow,
        "list the accounts of a source after one",
        "SELECT account.id, account.identity, account.source, account.stable_id, account.native_id, account.name,
             account.password_sync, account.attributes, account.vanished, identity.alias
         FROM account LEFT JOIN identity ON identity.id = account.identity
         WHERE account.source = $1 AND account.stable_id > $2 ORDER BY account.stable_id LIMIT $3",
        source.0,
        // No stable id is empty.
        after.unwrap_or_default(),
        i64::from(limit)
    )?;
    Ok(rows.into_iter().map(NamedRow::split).collect())
}

row! {
    struct AccountRow {
        id: Uuid,
        identity: Option<Uuid>,
        source: Uuid,
        stable_id: String,
        native_id: String,
        name: String,
        password_sync: bool,
        attributes: Json<BTreeMap<String, String>>,
        vanished: bool,
    }
}

row! {
    struct NamedRow {
        id: Uuid,
        identity: Option<Uuid>,
        source: Uuid,
        stable_id: String,
        native_id: String,
        name: String,
        password_sync: bool,
        attributes: Json<BTreeMap<String, String>>,
        vanished: bool,
        alias: Option<String>,
    }
}

impl NamedRow {
    fn split(self) -> (Account, Option<String>) {
        let Self { id, identity, source, stable_id, native_id, name, password_sync, attributes, vanished, alias } =
            self;
        let row = AccountRow { id, identity, source, stable_id, native_id, name, password_sync, attributes, vanished };
        (row.into(), alias)
    }
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        Self {
            id: AccountId(row.id),
            identity: row.identity.map(IdentityId),
            source: SourceId(row.source),
            stable_id: row.stable_id,
            native_id: row.native_id,
            name: row.name,
            password_sync: row.password_sync,
            attributes: row.attributes.0,
            vanished: row.vanished,
        }
    }
}
