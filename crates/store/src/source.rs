//! Sources: the systems that hold accounts. Their secrets are beside them, in [`crate::source_secret`].

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use lockstep_core::aggregation::Aggregation;
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
             aggregation, version, created_at, modified_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $11, 1, $10, $10)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_key = excluded.name_key,
             description = excluded.description, connector = excluded.connector, config = excluded.config,
             features = excluded.features, policy_holders = excluded.policy_holders,
             concurrency = excluded.concurrency, aggregation = excluded.aggregation, version = source.version + 1, modified_at = excluded.modified_at",
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
        Json(&source.aggregation),
    )?;
    Ok(())
}

/// A source by its id.
pub async fn find(tx: &mut Tx<'_>, id: SourceId) -> Result<Option<Source>> {
    let row = fetch!(
        tx,
        fetch_optional as SourceRow,
        "find a source",
        "SELECT id, name, description, connector, config, features, policy_holders, concurrency, aggregation FROM source
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
        "SELECT id, name, description, connector, config, features, policy_holders, concurrency, aggregation FROM source
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
        "SELECT id, name, description, connector, config, features, policy_holders, concurrency, aggregation FROM source
         ORDER BY name_key"
    )?;
    rows.into_iter().map(Source::try_from).collect()
}

/// A source and what the store knows of it besides.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The source.
    pub source: Source,
    /// It rises with each change of the source or of its secrets.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub modified_at: DateTime<Utc>,
}

/// A source by its id, with its version.
pub async fn find_stored(tx: &mut Tx<'_>, id: SourceId) -> Result<Option<Stored>> {
    let row = fetch!(
        tx,
        fetch_optional as StoredRow,
        "find a source with its version",
        "SELECT id, name, description, connector, config, features, policy_holders, concurrency, aggregation,
             version, created_at, modified_at FROM source WHERE id = $1",
        id.0
    )?;
    row.map(Stored::try_from).transpose()
}

/// Every source, with its version, in the order of their names.
pub async fn list_stored(tx: &mut Tx<'_>) -> Result<Vec<Stored>> {
    let rows = fetch!(
        tx,
        fetch_all as StoredRow,
        "list the sources with their versions",
        "SELECT id, name, description, connector, config, features, policy_holders, concurrency, aggregation,
             version, created_at, modified_at FROM source ORDER BY name_key"
    )?;
    rows.into_iter().map(Stored::try_from).collect()
}

/// What refers to a source: how often, as far as it can be counted, and else by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// The sync group that it is in.
    pub group: Option<String>,
    /// The applications that stand for it.
    pub applications: Vec<String>,
    /// How many accounts of people it has that have not vanished.
    pub accounts: i64,
    /// How many people sign in with it.
    pub people: i64,
}

/// What refers to a source and keeps it from being removed.
pub async fn references(tx: &mut Tx<'_>, id: SourceId) -> Result<References> {
    let group = fetch!(
        tx,
        fetch_optional as (String,),
        "find the group of a source",
        "SELECT g.name FROM sync_group_member m JOIN sync_group g ON g.id = m.sync_group WHERE m.source = $1",
        id.0
    )?;
    let applications = fetch!(
        tx,
        fetch_all as (String,),
        "list the applications of a source",
        "SELECT name FROM application WHERE source = $1 ORDER BY name",
        id.0
    )?;
    let (accounts,) = fetch!(
        tx,
        fetch_one as (i64,),
        "count the accounts of a source",
        "SELECT COUNT(*) FROM account WHERE source = $1 AND identity IS NOT NULL AND NOT vanished",
        id.0
    )?;
    let (people,) = fetch!(
        tx,
        fetch_one as (i64,),
        "count the people who sign in with a source",
        "SELECT COUNT(*) FROM identity WHERE sign_in_source = $1",
        id.0
    )?;
    let applications = applications.into_iter().map(|(name,)| name).collect();
    Ok(References { group: group.map(|(name,)| name), applications, accounts, people })
}

/// The version of a source, see [`versions`].
///
/// # Errors
/// [`Error::NotFound`] when there is no such source.
pub async fn version(tx: &mut Tx<'_>, id: SourceId) -> Result<i64> {
    let row = fetch!(
        tx,
        fetch_optional as (i64,),
        "find the version of a source",
        "SELECT version FROM source WHERE id = $1",
        id.0
    )?;
    row.map(|(version,)| version).ok_or(Error::NotFound("source"))
}

/// The version of every source: it rises with each change of the source or of its secrets, so that a node notices that
/// its connector must be made anew.
pub async fn versions(tx: &mut Tx<'_>) -> Result<Vec<(SourceId, i64)>> {
    let rows =
        fetch!(tx, fetch_all as (Uuid, i64), "list the versions of the sources", "SELECT id, version FROM source")?;
    Ok(rows.into_iter().map(|(id, version)| (SourceId(id), version)).collect())
}

/// Removes a source, its secrets, its tombstones and the accounts that are nobody's. Gives whether it was there.
///
/// # Errors
/// A reference violation while it has accounts of people, applications, a sync group or people who sign in with it.
pub async fn remove(tx: &mut Tx<'_>, id: SourceId) -> Result<bool> {
    configuration::changed(tx).await?;
    execute!(
        tx,
        "remove what a source leaves behind",
        "DELETE FROM account WHERE source = $1 AND (vanished OR identity IS NULL)",
        id.0
    )?;
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
        aggregation: Json<Aggregation>,
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
            aggregation: row.aggregation.0,
        })
    }
}

row! {
    struct StoredRow {
        id: Uuid,
        name: String,
        description: String,
        connector: String,
        config: Json<serde_json::Value>,
        features: Json<BTreeSet<Feature>>,
        policy_holders: Json<Vec<PolicyHolder>>,
        concurrency: i64,
        aggregation: Json<Aggregation>,
        version: i64,
        created_at: DateTime<Utc>,
        modified_at: DateTime<Utc>,
    }
}

impl TryFrom<StoredRow> for Stored {
    type Error = Error;

    fn try_from(row: StoredRow) -> Result<Self> {
        let StoredRow { id, name, description, connector, config, features, policy_holders, concurrency, .. } = row;
        let aggregation = row.aggregation;
        let source =
            SourceRow { id, name, description, connector, config, features, policy_holders, concurrency, aggregation };
        Ok(Self {
            source: source.try_into()?,
            version: row.version,
            created_at: row.created_at,
            modified_at: row.modified_at,
        })
    }
}

/// The form of a source's name in which two of them are compared.
pub fn name_key(name: &str) -> String {
    name.to_lowercase()
}
