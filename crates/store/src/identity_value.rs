//! The values of identities by which the identity of an account is found: of those fields and attributes only that a rule
//! of correlation has named.
//!
//! Whoever stores an identity keeps them right, from the moment on in which a name is known; those who were there before are
//! filled in page by page.

use lockstep_core::aggregation::{Aggregation, value_key};
use lockstep_core::id::IdentityId;
use lockstep_core::identity::Identity;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::Result;
use crate::identity::IdentityRow;
use crate::tx::{Tx, among, execute, fetch};

/// Whether every identity is known by a value of that name.
pub async fn is_filled(tx: &mut Tx<'_>, name: &str) -> Result<bool> {
    let row = fetch!(
        tx,
        fetch_optional as (bool,),
        "find whether identities are known by a value",
        "SELECT filled FROM identity_value_name WHERE name = $1",
        name
    )?;
    Ok(row.is_some_and(|(filled,)| filled))
}

/// Makes a name known. Says whether every identity is known by it.
///
/// On PostgreSQL it waits for everybody who stores an identity and does not know the name: what they have not committed yet,
/// [`fill`] would not see.
pub async fn begin(tx: &mut Tx<'_>, name: &str) -> Result<bool> {
    if let Tx::Postgres(_) = tx {
        execute!(tx, "lock the values of identities", "LOCK TABLE identity_value_name IN ACCESS EXCLUSIVE MODE")?;
    }
    execute!(
        tx,
        "make a value of identities known",
        "INSERT INTO identity_value_name (name, filled) VALUES ($1, FALSE) ON CONFLICT (name) DO NOTHING",
        name
    )?;
    is_filled(tx, name).await
}

/// Fills in the values of the next identities after `after`; gives the last of them, and none at the end.
pub async fn fill(tx: &mut Tx<'_>, name: &str, after: Option<IdentityId>, limit: u32) -> Result<Option<IdentityId>> {
    // Held, so that what is filled in is not older than what somebody stores meanwhile.
    let sql = match tx {
        Tx::Sqlite(_) => {
            "SELECT id, alias, display_name, email, attributes, sign_in_source, enabled FROM identity
             WHERE $1 IS NULL OR id > $1 ORDER BY id LIMIT $2"
        }
        Tx::Postgres(_) => {
            "SELECT id, alias, display_name, email, attributes, sign_in_source, enabled FROM identity
             WHERE $1 IS NULL OR id > $1 ORDER BY id LIMIT $2 FOR NO KEY UPDATE"
        }
    };
    let rows = fetch!(
        tx,
        fetch_all as IdentityRow,
        "list identities in the order of their ids",
        sql,
        after.map(|id| id.0),
        i64::from(limit)
    )?;
    let mut last = None;
    for identity in rows.into_iter().map(Identity::from) {
        last = Some(identity.id);
        if let Some(key) = key_of(&identity, name) {
            insert(tx, name, &key, identity.id).await?;
        }
    }
    if last.is_none() {
        execute!(
            tx,
            "say that every identity is known by a value",
            "UPDATE identity_value_name SET filled = TRUE WHERE name = $1",
            name
        )?;
    }
    Ok(last)
}

/// The identities that have any of these values.
pub async fn matching(tx: &mut Tx<'_>, name: &str, keys: &[String]) -> Result<Vec<(String, IdentityId)>> {
    let rows = match name {
        Aggregation::ALIAS => {
            let sql = among!(tx, "SELECT alias_key, id FROM identity WHERE alias_key IN ", texts, "");
            fetch!(tx, fetch_all as (String, Uuid), "find identities by their aliases", sql, Json(keys))?
        }
        _ => {
            let sql = among!(
                tx,
                "SELECT value_key, identity FROM identity_value WHERE name = $2 AND value_key IN ",
                texts,
                ""
            );
            fetch!(tx, fetch_all as (String, Uuid), "find identities by a value", sql, Json(keys), name)?
        }
    };
    Ok(rows.into_iter().map(|(key, id)| (key, IdentityId(id))).collect())
}

/// The values by which identities can be found.
pub async fn names(tx: &mut Tx<'_>) -> Result<Vec<String>> {
    let names =
        fetch!(tx, fetch_all as (String,), "list the values of identities", "SELECT name FROM identity_value_name")?;
    Ok(names.into_iter().map(|(name,)| name).collect())
}

/// Stores the values of an identity that was not there before. `names` are [all](names) of this transaction.
pub(crate) async fn add(tx: &mut Tx<'_>, identity: &Identity, names: &[String]) -> Result<()> {
    for name in names {
        if let Some(key) = key_of(identity, name) {
            insert(tx, name, &key, identity.id).await?;
        }
    }
    Ok(())
}

/// Keeps the values of an identity right.
pub(crate) async fn keep(tx: &mut Tx<'_>, identity: &Identity) -> Result<()> {
    let names = names(tx).await?;
    if names.is_empty() {
        return Ok(());
    }
    let stored = fetch!(
        tx,
        fetch_all as (String, String),
        "list the values of an identity",
        "SELECT name, value_key FROM identity_value WHERE identity = $1",
        identity.id.0
    )?;
    let wanted: Vec<(String, String)> =
        names.into_iter().filter_map(|name| Some((key_of(identity, &name)?, name))).map(|(k, n)| (n, k)).collect();
    for (name, key) in stored.iter().filter(|value| !wanted.contains(value)) {
        execute!(
            tx,
            "forget a value of an identity",
            "DELETE FROM identity_value WHERE name = $1 AND value_key = $2 AND identity = $3",
            name.as_str(),
            key.as_str(),
            identity.id.0
        )?;
    }
    for (name, key) in wanted.iter().filter(|value| !stored.contains(value)) {
        insert(tx, name, key, identity.id).await?;
    }
    Ok(())
}

async fn insert(tx: &mut Tx<'_>, name: &str, key: &str, identity: IdentityId) -> Result<()> {
    execute!(
        tx,
        "store a value of an identity",
        "INSERT INTO identity_value (name, value_key, identity) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        name,
        key,
        identity.0
    )?;
    Ok(())
}

fn key_of(identity: &Identity, name: &str) -> Option<String> {
    identity.value(name).and_then(value_key)
}
