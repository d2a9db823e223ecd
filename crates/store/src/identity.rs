//! Identities: the people, their user levels, and from when on their tokens count.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use lockstep_core::filter::fold;
use lockstep_core::id::{AccountId, ChangeId, IdentityId, SessionId, SourceId};
use lockstep_core::identity::Identity;
use lockstep_core::scope::UserLevel;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::identity_value;
use crate::tx::{Tx, execute, fetch, row};
use crate::window::Window;
use crate::{authorization_code, digit_token, enrolment, recovery, session, sign_in_link, token_family};

/// The statement that stores a new identity, and what follows it where there is one already.
macro_rules! inserting {
    ($otherwise:literal) => {
        concat!(
            "INSERT INTO identity (id, alias, alias_key, display_name, email, attributes, sign_in_source, enabled, levels,
             created_at, modified_at, name_key, email_key, firstname_key, lastname_key, retired, authority)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12, $13, $14, FALSE, $15)",
            $otherwise
        )
    };
}

/// Inserts an identity, or replaces what is known of it. Its levels and tokens stay.
///
/// # Errors
/// Constraint `identity_alias_key_key` when another identity has the alias.
pub async fn put(tx: &mut Tx<'_>, identity: &Identity, now: DateTime<Utc>) -> Result<()> {
    let sql = inserting!(
        " ON CONFLICT (id) DO UPDATE SET alias = excluded.alias, alias_key = excluded.alias_key,
             display_name = excluded.display_name, email = excluded.email, attributes = excluded.attributes,
             sign_in_source = excluded.sign_in_source, enabled = excluded.enabled,
             retired = identity.retired AND NOT excluded.enabled,
             modified_at = excluded.modified_at, name_key = excluded.name_key, email_key = excluded.email_key,
             firstname_key = excluded.firstname_key, lastname_key = excluded.lastname_key"
    );
    write(tx, sql, identity, None, now).await?;
    identity_value::keep(tx, identity).await
}

/// Stores an identity that there was not, and the account that says who it is.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    identity: &Identity,
    authority: AccountId,
    now: DateTime<Utc>,
) -> Result<()> {
    write(tx, inserting!(""), identity, Some(authority), now).await
}

async fn write(
    tx: &mut Tx<'_>,
    sql: &'static str,
    identity: &Identity,
    authority: Option<AccountId>,
    now: DateTime<Utc>,
) -> Result<()> {
    execute!(
        tx,
        "store an identity",
        sql,
        identity.id.0,
        identity.alias.as_str(),
        Identity::alias_key(&identity.alias),
        identity.display_name.as_str(),
        identity.email.as_deref(),
        Json(&identity.attributes),
        identity.sign_in_source.0,
        identity.enabled,
        Json(BTreeSet::<UserLevel>::new()),
        now,
        fold(&identity.display_name),
        identity.email.as_deref().map(fold),
        identity.first_name().map(fold),
        identity.last_name().map(fold),
        authority.map(|authority| authority.0),
    )?;
    Ok(())
}

/// An identity by its id.
pub async fn find(tx: &mut Tx<'_>, id: IdentityId) -> Result<Option<Identity>> {
    let row = fetch!(
        tx,
        fetch_optional as IdentityRow,
        "find an identity",
        "SELECT id, alias, display_name, email, attributes, sign_in_source, enabled FROM identity WHERE id = $1",
        id.0
    )?;
    Ok(row.map(Identity::from))
}

/// Whether an identity is enabled; none where there is no such identity.
pub async fn is_enabled(tx: &mut Tx<'_>, id: IdentityId) -> Result<Option<bool>> {
    let row = fetch!(
        tx,
        fetch_optional as (bool,),
        "find whether an identity is enabled",
        "SELECT enabled FROM identity WHERE id = $1",
        id.0
    )?;
    Ok(row.map(|(enabled,)| enabled))
}

/// An identity by its id.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn get(tx: &mut Tx<'_>, id: IdentityId) -> Result<Identity> {
    find(tx, id).await?.ok_or(Error::NotFound("identity"))
}

/// Keeps others from changing an identity, and what it has at most so many of, until the transaction ends.
pub async fn hold(tx: &mut Tx<'_>, id: IdentityId) -> Result<()> {
    if let Tx::Postgres(_) = tx {
        execute!(tx, "hold an identity", "SELECT 1 FROM identity WHERE id = $1 FOR NO KEY UPDATE", id.0)?;
    }
    Ok(())
}

/// An identity by its login name, whatever its case.
pub async fn find_by_alias(tx: &mut Tx<'_>, alias: &str) -> Result<Option<Identity>> {
    let row = fetch!(
        tx,
        fetch_optional as IdentityRow,
        "find an identity by its alias",
        "SELECT id, alias, display_name, email, attributes, sign_in_source, enabled FROM identity
         WHERE alias_key = $1",
        Identity::alias_key(alias)
    )?;
    Ok(row.map(Identity::from))
}

/// Identities in the order of their login names.
pub async fn list(tx: &mut Tx<'_>, window: Window) -> Result<Vec<Identity>> {
    let rows = fetch!(
        tx,
        fetch_all as IdentityRow,
        "list the identities",
        "SELECT id, alias, display_name, email, attributes, sign_in_source, enabled FROM identity
         ORDER BY alias_key LIMIT $1 OFFSET $2",
        i64::from(window.limit),
        i64::from(window.offset)
    )?;
    Ok(rows.into_iter().map(Identity::from).collect())
}

/// The next identities after the one with that [`alias_key`](Identity::alias_key), or the first, in the order of their
/// login names, each with its levels.
pub async fn list_after(
    tx: &mut Tx<'_>,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<(Identity, BTreeSet<UserLevel>)>> {
    let rows = fetch!(
        tx,
        fetch_all as LevelledRow,
        "list the identities after one",
        "SELECT id, alias, display_name, email, attributes, sign_in_source, enabled, levels FROM identity
         WHERE alias_key > $1 ORDER BY alias_key LIMIT $2",
        // No alias is empty.
        after.unwrap_or_default(),
        i64::from(limit)
    )?;
    Ok(rows.into_iter().map(LevelledRow::split).collect())
}

/// Whether anybody signs in with the password of another source than the built-in one.
pub async fn sign_in_elsewhere(tx: &mut Tx<'_>) -> Result<bool> {
    // On either side of it in the index: what is not equal is looked for in none.
    let (count,) = fetch!(
        tx,
        fetch_one as (i64,),
        "look whether anybody signs in elsewhere",
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM identity WHERE sign_in_source < $1 LIMIT 1) AS before)
             + (SELECT count(*) FROM (SELECT 1 FROM identity WHERE sign_in_source > $1 LIMIT 1) AS after)",
        SourceId::IDENTITY_NOW.0
    )?;
    Ok(count > 0)
}

/// How many identities there are.
pub async fn count(tx: &mut Tx<'_>) -> Result<i64> {
    let (count,) = fetch!(tx, fetch_one as (i64,), "count the identities", "SELECT count(*) FROM identity")?;
    Ok(count)
}

/// What an identity is in the organisation.
pub async fn levels(tx: &mut Tx<'_>, id: IdentityId) -> Result<BTreeSet<UserLevel>> {
    let row = fetch!(
        tx,
        fetch_optional as (Json<BTreeSet<UserLevel>>,),
        "find the levels of an identity",
        "SELECT levels FROM identity WHERE id = $1",
        id.0
    )?;
    Ok(row.map(|(levels,)| levels.0).unwrap_or_default())
}

/// Sets what an identity is in the organisation.
///
/// # Errors
/// [`Error::NotFound`] when there is no such identity.
pub async fn set_levels(
    tx: &mut Tx<'_>,
    id: IdentityId,
    levels: &BTreeSet<UserLevel>,
    now: DateTime<Utc>,
) -> Result<()> {
    let updated = execute!(
        tx,
        "set the levels of an identity",
        "UPDATE identity SET levels = $2, modified_at = $3 WHERE id = $1",
        id.0,
        Json(levels),
        now,
    )?;
    if updated != 1 {
        return Err(Error::NotFound("identity"));
    }
    // Who helped them to a password before may not be who may now.
    recovery::remove_of(tx, id).await?;
    digit_token::void(tx, id).await
}

/// The enabled identities that are more than users, and what they are.
pub async fn list_of_levels(tx: &mut Tx<'_>) -> Result<Vec<(IdentityId, BTreeSet<UserLevel>)>> {
    let rows = fetch!(
        tx,
        fetch_all as (Uuid, Json<BTreeSet<UserLevel>>),
        "list the identities of some level",
        "SELECT id, levels FROM identity WHERE enabled AND levels <> '[]' ORDER BY id"
    )?;
    Ok(rows.into_iter().map(|(id, levels)| (IdentityId(id), levels.0)).collect())
}

/// From when on the tokens of an identity count; none where all do.
pub async fn tokens_valid_from(tx: &mut Tx<'_>, id: IdentityId) -> Result<Option<DateTime<Utc>>> {
    let row = fetch!(
        tx,
        fetch_optional as (Option<DateTime<Utc>>,),
        "find from when on tokens count",
        "SELECT tokens_valid_from FROM identity WHERE id = $1",
        id.0
    )?;
    Ok(row.and_then(|(from,)| from))
}

/// Ends every token of an identity that was issued so far, its sign-ins at clients and on the pages, and what a password can
/// be set with instead of signing in. The session in which `kept` was asked for goes on.
///
/// A token is dated by the calendar of the node that issued it, which may be ahead of the one that `now` was read from: so
/// they end no earlier than the latest one was issued, and than they ended before.
pub async fn end_tokens(tx: &mut Tx<'_>, id: IdentityId, kept: Option<ChangeId>, now: DateTime<Utc>) -> Result<()> {
    let (issued,) = fetch!(
        tx,
        fetch_one as (Option<DateTime<Utc>>,),
        "find when the latest token was issued",
        "SELECT max(last_used_at) FROM personal_access_token WHERE identity = $1",
        id.0
    )?;
    let issued = issued.map(|issued| issued + TimeDelta::milliseconds(1));
    // By a node whose calendar is behind, they are issued for the second after that.
    let before = tokens_valid_from(tx, id).await?.map(|before| before + TimeDelta::milliseconds(1001));
    let from = [issued, before].into_iter().flatten().fold(now, DateTime::max);
    execute!(
        tx,
        "end the tokens of an identity",
        "UPDATE identity SET tokens_valid_from = $2 WHERE id = $1",
        id.0,
        from
    )?;
    end_client_sign_ins(tx, id, now).await?;
    session::end_of(tx, id, kept, now).await?;
    recovery::remove_of(tx, id).await?;
    digit_token::void(tx, id).await?;
    sign_in_link::remove_of(tx, id).await?;
    enrolment::remove(tx, id).await
}

/// Ends the sign-ins of an identity at clients, and on the pages all but this one. The identity must be held, so that none begins
/// meanwhile.
pub async fn sign_out(tx: &mut Tx<'_>, id: IdentityId, kept: Option<SessionId>, now: DateTime<Utc>) -> Result<()> {
    end_client_sign_ins(tx, id, now).await?;
    session::end_others(tx, id, kept, now).await.map(drop)
}

/// In this order: whoever exchanges a code meanwhile holds its row, and the family is there when the row is free.
async fn end_client_sign_ins(tx: &mut Tx<'_>, id: IdentityId, now: DateTime<Utc>) -> Result<()> {
    authorization_code::remove_of(tx, id).await?;
    token_family::end_of(tx, id, now).await
}

/// Ends every token of every identity that was issued before `now`. What was ended by a node whose calendar is ahead stays
/// ended.
pub async fn end_all_tokens(tx: &mut Tx<'_>, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "end the tokens of every identity",
        "UPDATE identity SET tokens_valid_from = $1 WHERE tokens_valid_from IS NULL OR tokens_valid_from < $1",
        now
    )?;
    authorization_code::remove_all(tx).await?;
    token_family::end_all(tx, now).await?;
    session::end_all(tx, now).await?;
    recovery::remove_all(tx).await?;
    sign_in_link::remove_all(tx).await?;
    enrolment::remove_all(tx).await
}

row! {
    pub(crate) struct IdentityRow {
        id: Uuid,
        alias: String,
        display_name: String,
        email: Option<String>,
        attributes: Json<BTreeMap<String, String>>,
        sign_in_source: Uuid,
        enabled: bool,
    }
}

row! {
    struct LevelledRow {
        id: Uuid,
        alias: String,
        display_name: String,
        email: Option<String>,
        attributes: Json<BTreeMap<String, String>>,
        sign_in_source: Uuid,
        enabled: bool,
        levels: Json<BTreeSet<UserLevel>>,
    }
}

impl LevelledRow {
    fn split(self) -> (Identity, BTreeSet<UserLevel>) {
        let Self { id, alias, display_name, email, attributes, sign_in_source, enabled, levels } = self;
        let row = IdentityRow { id, alias, display_name, email, attributes, sign_in_source, enabled };
        (row.into(), levels.0)
    }
}

impl From<IdentityRow> for Identity {
    fn from(row: IdentityRow) -> Self {
        Self {
            id: IdentityId(row.id),
            alias: row.alias,
            display_name: row.display_name,
            email: row.email,
            attributes: row.attributes.0,
            sign_in_source: SourceId(row.sign_in_source),
            enabled: row.enabled,
        }
    }
}
