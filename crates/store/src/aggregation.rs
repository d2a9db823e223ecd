//! Accounts and identities as an aggregation reads and writes them: a page at a time, one statement a question.
//!
//! An account that belongs to somebody is neither given away nor made a tombstone here: that is an
//! [`intent`](crate::intent).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use lockstep_core::account::{Account, Link};
use lockstep_core::aggregation::Known;
use lockstep_core::filter::fold;
use lockstep_core::id::{AccountId, IdentityId, SourceId};
use lockstep_core::identity::Identity;
use lockstep_core::scope::UserLevel;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::names::{name_of, state_of};
use crate::tx::{Tx, among, execute, fetch, hex_ids, row};
use crate::{identity, identity_value};

/// How far a source was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Where the source said that its reading ended.
    pub mark: Option<String>,
    /// The version of the source that was read.
    pub version: i64,
    /// When the latest reading of everything began.
    pub full_at: DateTime<Utc>,
}

/// An identity, and what says who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The identity.
    pub identity: Identity,
    /// The account that says who this is, as long as it is there and this identity's.
    pub authority: Option<AccountId>,
    /// The account that last said so, whether it is there or not.
    pub said_by: Option<AccountId>,
    /// Whether it was disabled because its account there is gone.
    pub retired: bool,
    /// Whether it is anything in the organisation.
    pub has_levels: bool,
}

/// An account that has not vanished, as a walk meets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Living {
    /// Which.
    pub id: AccountId,
    /// Whose it is.
    pub identity: Option<IdentityId>,
    /// What its source never changes about it.
    pub stable_id: String,
    /// Since when it is known.
    pub created_at: DateTime<Utc>,
}

/// How far a source was read; none before the first time.
pub async fn state(tx: &mut Tx<'_>, source: SourceId) -> Result<Option<State>> {
    let row = fetch!(
        tx,
        fetch_optional as StateRow,
        "find how far a source was read",
        "SELECT mark, version, full_at FROM aggregation_state WHERE source = $1",
        source.0
    )?;
    Ok(row.map(|StateRow { mark, version, full_at }| State { mark, version, full_at }))
}

/// Stores how far a source was read.
pub async fn put_state(tx: &mut Tx<'_>, source: SourceId, state: &State) -> Result<()> {
    execute!(
        tx,
        "store how far a source was read",
        "INSERT INTO aggregation_state (source, mark, version, full_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (source) DO UPDATE SET mark = excluded.mark, version = excluded.version, full_at = excluded.full_at",
        source.0,
        state.mark.as_deref(),
        state.version,
        state.full_at,
    )?;
    Ok(())
}

/// The accounts of a source, tombstones too, with any of these stable ids.
pub async fn known(tx: &mut Tx<'_>, source: SourceId, stable_ids: &[String]) -> Result<Vec<Known>> {
    let sql = among!(
        tx,
        "SELECT id, identity, source, stable_id, native_id, native_key, name, enabled, password_changed_at, correlated,
             password_sync, attributes, vanished FROM account WHERE source = $2 AND stable_id IN ",
        texts,
        ""
    );
    let rows = fetch!(tx, fetch_all as KnownRow, "find accounts by their stable ids", sql, Json(stable_ids), source.0)?;
    rows.into_iter().map(Known::try_from).collect()
}

/// Keeps others from changing these accounts until the transaction ends.
pub async fn hold_known(tx: &mut Tx<'_>, source: SourceId, stable_ids: &[String]) -> Result<()> {
    if let Tx::Postgres(_) = tx {
        let sql = among!(
            tx,
            "SELECT 1 FROM account WHERE source = $2 AND stable_id IN ",
            texts,
            " ORDER BY id FOR NO KEY UPDATE"
        );
        execute!(tx, "hold accounts", sql, Json(stable_ids), source.0)?;
    }
    Ok(())
}

/// The accounts of a source that have any of these native ids.
pub async fn holders(tx: &mut Tx<'_>, source: SourceId, native_keys: &[String]) -> Result<Vec<Known>> {
    let sql = among!(
        tx,
        "SELECT id, identity, source, stable_id, native_id, native_key, name, enabled, password_changed_at, correlated,
             password_sync, attributes, vanished FROM account WHERE NOT vanished AND source = $2 AND native_key IN ",
        texts,
        ""
    );
    let rows =
        fetch!(tx, fetch_all as KnownRow, "find accounts by their native ids", sql, Json(native_keys), source.0)?;
    rows.into_iter().map(Known::try_from).collect()
}

/// An account, with everything that is known of it.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn get(tx: &mut Tx<'_>, id: AccountId) -> Result<Known> {
    let row = fetch!(
        tx,
        fetch_optional as KnownRow,
        "find an account",
        "SELECT id, identity, source, stable_id, native_id, native_key, name, enabled, password_changed_at, correlated,
             password_sync, attributes, vanished FROM account WHERE id = $1",
        id.0
    )?;
    row.ok_or(Error::NotFound("account"))?.try_into()
}

/// Keeps others from changing an account until the transaction ends.
pub async fn hold_account(tx: &mut Tx<'_>, id: AccountId) -> Result<()> {
    hold_accounts(tx, &[id]).await.map(drop)
}

/// Keeps others from changing these accounts until the transaction ends, and says how many there were to hold.
pub async fn hold_accounts(tx: &mut Tx<'_>, ids: &[AccountId]) -> Result<u64> {
    if ids.is_empty() || matches!(tx, Tx::Sqlite(_)) {
        return Ok(0);
    }
    let sql = among!(tx, "SELECT 1 FROM account WHERE id IN ", ids, " ORDER BY id FOR NO KEY UPDATE");
    execute!(tx, "hold accounts", sql, hex_ids(ids.iter().map(|id| id.0)))
}

/// Takes their native ids from these accounts, so that others can have them.
pub async fn release(tx: &mut Tx<'_>, accounts: &[AccountId]) -> Result<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    let sql = among!(tx, "UPDATE account SET native_key = NULL WHERE id IN ", ids, "");
    execute!(tx, "take the native ids from accounts", sql, hex_ids(accounts.iter().map(|id| id.0)))?;
    Ok(())
}

/// Inserts a new account.
///
/// # Errors
/// Constraint `account_source_stable_id_key` or `account_source_native_key_key` when another account has that id.
pub async fn insert(tx: &mut Tx<'_>, known: &Known, now: DateTime<Utc>) -> Result<()> {
    let Known { account, native_key, enabled, password_changed_at, link } = known;
    execute!(
        tx,
        "store a new account",
        "INSERT INTO account (id, identity, source, stable_id, native_id, native_key, name, enabled, correlated,
             password_sync, attributes, vanished, created_at, modified_at, name_key, native_id_key, password_changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, FALSE, $12, $12, $13, $14, $15)",
        account.id.0,
        account.identity.map(|identity| identity.0),
        account.source.0,
        account.stable_id.as_str(),
        account.native_id.as_str(),
        native_key.as_deref(),
        account.name.as_str(),
        *enabled,
        link_name(*link)?,
        account.password_sync,
        Json(&account.attributes),
        now,
        fold(&account.name),
        fold(&account.native_id),
        *password_changed_at,
    )?;
    Ok(())
}

/// Replaces what a source says of an account, which is no tombstone after that. One that belongs to somebody stays theirs.
///
/// # Errors
/// Those of [`insert`].
pub async fn update(tx: &mut Tx<'_>, known: &Known, now: DateTime<Utc>) -> Result<()> {
    let Known { account, native_key, enabled, password_changed_at, link } = known;
    execute!(
        tx,
        "store what a source says of an account",
        "UPDATE account SET identity = COALESCE(identity, $2), stable_id = $3, native_id = $4, native_key = $5, name = $6,
             enabled = $7, correlated = $8, attributes = $9, vanished = FALSE, modified_at = $10, name_key = $11,
             native_id_key = $12, password_changed_at = $13 WHERE id = $1",
        account.id.0,
        account.identity.map(|identity| identity.0),
        account.stable_id.as_str(),
        account.native_id.as_str(),
        native_key.as_deref(),
        account.name.as_str(),
        *enabled,
        link_name(*link)?,
        Json(&account.attributes),
        now,
        fold(&account.name),
        fold(&account.native_id),
        *password_changed_at,
    )?;
    Ok(())
}

/// Says who said whose an account is; and whose, where it is nobody's so far.
pub async fn link(
    tx: &mut Tx<'_>,
    account: AccountId,
    link: Link,
    to: Option<IdentityId>,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(
        tx,
        "say whose an account is",
        "UPDATE account SET identity = COALESCE(identity, $2), correlated = $3, modified_at = $4 WHERE id = $1",
        account.0,
        to.map(|identity| identity.0),
        link_name(link)?,
        now,
    )?;
    Ok(())
}

/// How many accounts of a source have not vanished.
pub async fn count_living(tx: &mut Tx<'_>, source: SourceId) -> Result<u64> {
    let (count,) = fetch!(
        tx,
        fetch_one as (i64,),
        "count the accounts of a source",
        "SELECT count(*) FROM account WHERE source = $1 AND NOT vanished",
        source.0
    )?;
    Ok(count.unsigned_abs())
}

/// The next accounts of a source that have not vanished, in the order of their stable ids.
pub async fn living_after(tx: &mut Tx<'_>, source: SourceId, after: &str, limit: u32) -> Result<Vec<Living>> {
    let rows = fetch!(
        tx,
        fetch_all as LivingRow,
        "walk through the accounts of a source",
        "SELECT id, identity, stable_id, created_at FROM account
         WHERE source = $1 AND stable_id > $2 AND NOT vanished ORDER BY stable_id LIMIT $3",
        source.0,
        after,
        i64::from(limit)
    )?;
    let living = |row: LivingRow| Living {
        id: AccountId(row.id),
        identity: row.identity.map(IdentityId),
        stable_id: row.stable_id,
        created_at: row.created_at,
    };
    Ok(rows.into_iter().map(living).collect())
}

/// Makes accounts tombstones that are nobody's.
pub async fn bury_nobodys(tx: &mut Tx<'_>, accounts: &[AccountId]) -> Result<()> {
    let sql = among!(tx, "UPDATE account SET vanished = TRUE WHERE identity IS NULL AND id IN ", ids, "");
    execute!(tx, "make accounts tombstones", sql, hex_ids(accounts.iter().map(|id| id.0)))?;
    Ok(())
}

/// Keeps others from changing identities until the transaction ends, and says how many there were to hold.
pub async fn hold_people(tx: &mut Tx<'_>, ids: &[IdentityId]) -> Result<u64> {
    if ids.is_empty() || matches!(tx, Tx::Sqlite(_)) {
        return Ok(0);
    }
    let sql = among!(tx, "SELECT 1 FROM identity WHERE id IN ", ids, " ORDER BY id FOR NO KEY UPDATE");
    execute!(tx, "hold identities", sql, hex_ids(ids.iter().map(|id| id.0)))
}

/// An account that somebody has on a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// Who.
    pub identity: IdentityId,
    /// Which.
    pub account: AccountId,
    /// What its source never changes about it.
    pub stable_id: String,
}

/// The accounts on a source that these identities have, without tombstones.
pub async fn owned_on(tx: &mut Tx<'_>, source: SourceId, ids: &[IdentityId]) -> Result<Vec<Owned>> {
    let sql = among!(
        tx,
        "SELECT identity, id, stable_id FROM account WHERE NOT vanished AND source = $2 AND identity IN ",
        ids,
        ""
    );
    let rows = fetch!(
        tx,
        fetch_all as (Uuid, Uuid, String),
        "find the accounts of identities on a source",
        sql,
        hex_ids(ids.iter().map(|id| id.0)),
        source.0
    )?;
    let owned = |(identity, account, stable_id)| Owned {
        identity: IdentityId(identity),
        account: AccountId(account),
        stable_id,
    };
    Ok(rows.into_iter().map(owned).collect())
}

/// Identities, with what says who they are.
pub async fn people(tx: &mut Tx<'_>, ids: &[IdentityId]) -> Result<Vec<Person>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = among!(
        tx,
        "SELECT i.id, i.alias, i.display_name, i.email, i.attributes, i.sign_in_source, i.enabled, a.id AS authority,
             i.authority AS said_by, i.retired, i.levels FROM identity i
         LEFT JOIN account a ON a.id = i.authority AND a.identity = i.id AND NOT a.vanished WHERE i.id IN ",
        ids,
        ""
    );
    let rows = fetch!(tx, fetch_all as PersonRow, "find identities", sql, hex_ids(ids.iter().map(|id| id.0)))?;
    Ok(rows.into_iter().map(Person::from).collect())
}

/// Of how many enabled identities an account of a source says who they are.
pub async fn count_governed(tx: &mut Tx<'_>, source: SourceId) -> Result<u64> {
    let (count,) = fetch!(
        tx,
        fetch_one as (i64,),
        "count the identities of a source",
        "SELECT count(*) FROM account a JOIN identity i ON i.id = a.identity AND i.authority = a.id
         WHERE a.source = $1 AND NOT a.vanished AND i.enabled",
        source.0
    )?;
    Ok(count.unsigned_abs())
}

/// Stores an identity that an account makes, which says who it is from then on. `names` are those of
/// [`identity_value::names`].
///
/// # Errors
/// Constraint `identity_alias_key_key` when another identity has the alias.
pub async fn make(
    tx: &mut Tx<'_>,
    identity: &Identity,
    authority: AccountId,
    names: &[String],
    now: DateTime<Utc>,
) -> Result<()> {
    identity::insert(tx, identity, authority, now).await?;
    identity_value::add(tx, identity, names).await?;
    let built_in = Known {
        account: Account::built_in(identity),
        native_key: Some(Identity::alias_key(&identity.alias)),
        enabled: None,
        password_changed_at: None,
        link: Link::Manual,
    };
    insert(tx, &built_in, now).await
}

/// Makes an account the one that says who an identity is.
pub async fn govern(tx: &mut Tx<'_>, id: IdentityId, account: AccountId) -> Result<()> {
    execute!(
        tx,
        "say which account says who an identity is",
        "UPDATE identity SET authority = $2 WHERE id = $1",
        id.0,
        account.0
    )?;
    Ok(())
}

/// Disables an identity because its account is gone, and says whether it was enabled: whom somebody else disabled meanwhile
/// no source brings back. Its tokens, and what waits to be delivered, are ended by an [`intent`](crate::intent) beside it.
pub async fn retire(tx: &mut Tx<'_>, id: IdentityId, now: DateTime<Utc>) -> Result<bool> {
    let retired = execute!(
        tx,
        "retire an identity",
        "UPDATE identity SET enabled = FALSE, retired = TRUE, modified_at = $2 WHERE id = $1 AND enabled",
        id.0,
        now
    )?;
    Ok(retired == 1)
}

/// Whether an identity is disabled because its account is gone.
pub async fn is_retired(tx: &mut Tx<'_>, id: IdentityId) -> Result<bool> {
    let row = fetch!(
        tx,
        fetch_optional as (bool,),
        "ask whether an identity is retired",
        "SELECT retired FROM identity WHERE id = $1",
        id.0
    )?;
    Ok(row.is_some_and(|(retired,)| retired))
}

/// What disabled an identity is no source: it stays so when its account comes back.
pub async fn stay_disabled(tx: &mut Tx<'_>, id: IdentityId) -> Result<()> {
    execute!(tx, "keep an identity disabled", "UPDATE identity SET retired = FALSE WHERE id = $1", id.0)?;
    Ok(())
}

/// Enables an identity that was retired.
pub async fn recall(tx: &mut Tx<'_>, id: IdentityId, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "enable a retired identity",
        "UPDATE identity SET enabled = TRUE, retired = FALSE, modified_at = $2 WHERE id = $1 AND retired",
        id.0,
        now
    )?;
    Ok(())
}

row! {
    struct StateRow {
        mark: Option<String>,
        version: i64,
        full_at: DateTime<Utc>,
    }
}

row! {
    struct LivingRow {
        id: Uuid,
        identity: Option<Uuid>,
        stable_id: String,
        created_at: DateTime<Utc>,
    }
}

row! {
    struct KnownRow {
        id: Uuid,
        identity: Option<Uuid>,
        source: Uuid,
        stable_id: String,
        native_id: String,
        native_key: Option<String>,
        name: String,
        enabled: Option<bool>,
        password_changed_at: Option<DateTime<Utc>>,
        correlated: String,
        password_sync: bool,
        attributes: Json<BTreeMap<String, String>>,
        vanished: bool,
    }
}

row! {
    struct PersonRow {
        id: Uuid,
        alias: String,
        display_name: String,
        email: Option<String>,
        attributes: Json<BTreeMap<String, String>>,
        sign_in_source: Uuid,
        enabled: bool,
        authority: Option<Uuid>,
        said_by: Option<Uuid>,
        retired: bool,
        levels: Json<BTreeSet<UserLevel>>,
    }
}

fn link_name(link: Link) -> Result<&'static str> {
    name_of(&Link::NAMES, "who said whose an account is", &link)
}

impl TryFrom<KnownRow> for Known {
    type Error = Error;

    fn try_from(row: KnownRow) -> Result<Self> {
        let account = Account {
            id: AccountId(row.id),
            identity: row.identity.map(IdentityId),
            source: SourceId(row.source),
            stable_id: row.stable_id,
            native_id: row.native_id,
            name: row.name,
            password_sync: row.password_sync,
            attributes: row.attributes.0,
            vanished: row.vanished,
        };
        let link = state_of(&Link::NAMES, "who said whose an account is", &row.correlated)?;
        Ok(Self {
            account,
            native_key: row.native_key,
            enabled: row.enabled,
            password_changed_at: row.password_changed_at,
            link,
        })
    }
}

impl From<PersonRow> for Person {
    fn from(row: PersonRow) -> Self {
        let identity = Identity {
            id: IdentityId(row.id),
            alias: row.alias,
            display_name: row.display_name,
            email: row.email,
            attributes: row.attributes.0,
            sign_in_source: SourceId(row.sign_in_source),
            enabled: row.enabled,
        };
        let has_levels = row.levels.0.iter().any(|level| *level != UserLevel::User);
        Self {
            identity,
            authority: row.authority.map(AccountId),
            said_by: row.said_by.map(AccountId),
            retired: row.retired,
            has_levels,
        }
    }
}
