//! Sources: the systems that hold accounts. Their secrets are beside them, in [`crate::source_secret`].

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use lockstep_core::id::SourceId;
use lockstep_core::password_policy::holder::PolicyHolder;
use lockstep_core::source::{Feature, Source};
use sqlx::types::Json;
use uuid::Uuid;

use crate::configuration;
use crate::error::{Error, Result};
use crate::tx::{Tx, execute, fetch, row};

/// Inserts a source, or replaces what is known of it and raises its version.
///
/// # Errors
/// Constraint `source_name_key_key` when another source has the name, whatever its case.
pub async fn put(tx: &mut Tx<'_>, source: &Source, now: DateTime<Utc>) -> Result<()> {
    configuration::changed(tx).await?;
    execute!(
        tx,
        "store a source",
        "INSERT INTO source (id, name, name_key, description, connector, config, features, policy_holders, concurrency,
             version, created_at, modified_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $10)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_key = excluded.name_key,
             description = excluded.description, connector = excluded.connector, config = excluded.config,
             features = excluded.features, policy_holders = excluded.policy_holders,
             concurrency = excluded.concurrency, version = source.version + 1, modified_at = excluded.modified_at",
        source.id.0,
        source.name.as_str(),
        name_key(&source.name),
        source.description.as_str(),
        source.connector.as_str(),
        Json(&source.config),
        Json(&source.features),
        Json(&source.policy_holders),
        i64::from(source.concurrency),
        now,
    )?;
    Ok(())
}

/// A source by its id.
pub async fn find(tx: &mut Tx<'_>, id: SourceId) -> Result<Option<Source>> {
    let row = fetch!(
        tx,
        fetch_optional as SourceRow,
        "find a source",
        "SELECT id, name, description, connector, config, features, policy_holders, concurrency FROM source
         WHERE id = $1",
        id.0
    )?;
    row.map(Source::try_from).transpose()
}

/// A source by its id.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn get(tx: &mut Tx<'_>, id: SourceId) -> Result<Source> {
    find(tx, id).await?.ok_or(Error::NotFound("source"))
}

/// A source by its name, whatever its case.
pub async fn find_by_name(tx: &mut Tx<'_>, name: &str) -> Result<Option<Source>> {
    let row = fetch!(
        tx,
        fetch_optional as SourceRow,
        "find a source by its name",
        "SELECT id, name, description, connector, config, features, policy_holders, concurrency FROM source
         WHERE name_key = $1",
        name_key(name)
    )?;
    row.map(Source::try_from).transpose()
}

/// Every source, in the order of their names.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<Source>> {
    let rows = fetch!(
        tx,
        fetch_all as SourceRow,
        "list the sources",
        "SELECT id, name, description, connector, config, features, policy_holders, concurrency FROM source
         ORDER BY name_key"
    )?;
    rows.into_iter().map(Source::try_from).collect()
}

/// The version of every source: it rises with each change of the source or of its secrets, so that a node notices that
/// its connector must be made anew.
pub async fn versions(tx: &mut Tx<'_>) -> Result<Vec<(SourceId, i64)>> {
    let rows =
        fetch!(tx, fetch_all as (Uuid, i64), "list the versions of the sources", "SELECT id, version FROM source")?;
    Ok(rows.into_iter().map(|(id, version)| (SourceId(id), version)).collect())
}

/// Removes a source and its secrets. Gives whether it was there.
///
/// # Errors
/// A reference violation while it has accounts, applications, a sync group or people who sign in with it.
pub async fn remove(tx: &mut Tx<'_>, id: SourceId) -> Result<bool> {
    configuration::changed(tx).await?;
    Ok(execute!(tx, "remove a source", "DELETE FROM source WHERE id = $1", id.0)? == 1)
}

row! {
    struct SourceRow {
        id: Uuid,
        name: String,
        description: String,
        connector: String,
        config: Json<serde_json::Value>,
        features: Json<BTreeSet<Feature>>,
        policy_holders: Json<Vec<PolicyHolder>>,
        concurrency: i64,
    }
}

impl TryFrom<SourceRow> for Source {
    type Error = Error;

    fn try_from(row: SourceRow) -> Result<Self> {
        Ok(Self {
            id: SourceId(row.id),
            name: row.name,
            description: row.description,
            connector: row.connector,
            config: row.config.0,
            features: row.features.0,
            policy_holders: row.policy_holders.0,
            concurrency: u16::try_from(row.concurrency)
                .map_err(|_| Error::Corrupt { what: "a source's concurrency", value: row.concurrency.to_string() })?,
        })
    }
}

/// The form of a source's name in which two of them are compared.
pub fn name_key(name: &str) -> String {
    name.to_lowercase()
}
