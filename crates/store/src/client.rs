//! API clients: the programs that may call. Their secrets are here as keyed hashes only.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use lockstep_core::client::ClientSettings;
use lockstep_core::id::ClientId;
use lockstep_core::scope::{Scopes, UserLevel};
use sqlx::types::Json;
use uuid::Uuid;

use crate::configuration;
use crate::error::{Error, Result};
use crate::tx::{Tx, execute, fetch, row};

/// A program that may call.
#[derive(Clone, PartialEq, Eq)]
pub struct Client {
    /// Its id, which is its name in OAuth.
    pub id: ClientId,
    /// What administrators call it.
    pub name: String,
    /// The vault's keyed hash of its secret.
    pub secret_hash: Vec<u8>,
    /// What its tokens may be used for.
    pub scopes: Scopes,
    /// Whom it may act for, as a person of these levels would.
    pub levels: BTreeSet<UserLevel>,
    /// Whether it gets tokens.
    pub enabled: bool,
    /// How long a token lives, in seconds.
    pub token_seconds: u32,
    /// What else is set about it.
    pub settings: ClientSettings,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// How exactly it is known when a client was last used: so often it is written down.
const USE_KNOWN_TO: TimeDelta = TimeDelta::hours(1);

/// Inserts a client, or replaces what is known of it.
pub async fn put(tx: &mut Tx<'_>, client: &Client, now: DateTime<Utc>) -> Result<()> {
    configuration::changed(tx).await?;
    execute!(
        tx,
        "store an API client",
        "INSERT INTO api_client (id, name, secret_hash, scopes, levels, enabled, token_seconds, settings, created_at,
             modified_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, secret_hash = excluded.secret_hash,
             scopes = excluded.scopes, levels = excluded.levels, enabled = excluded.enabled,
             token_seconds = excluded.token_seconds, settings = excluded.settings,
             modified_at = excluded.modified_at",
        client.id.0,
        client.name.as_str(),
        client.secret_hash.as_slice(),
        Json(&client.scopes),
        Json(&client.levels),
        client.enabled,
        i64::from(client.token_seconds),
        Json(&client.settings),
        client.created_at,
        now,
    )?;
    Ok(())
}

/// A client by its id.
pub async fn find(tx: &mut Tx<'_>, id: ClientId) -> Result<Option<Client>> {
    let row = fetch!(
        tx,
        fetch_optional as ClientRow,
        "find an API client",
        "SELECT id, name, secret_hash, scopes, levels, enabled, token_seconds, settings, created_at FROM api_client
         WHERE id = $1",
        id.0
    )?;
    row.map(Client::try_from).transpose()
}

/// Every client, in the order of their names.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<Client>> {
    let rows = fetch!(
        tx,
        fetch_all as ClientRow,
        "list the API clients",
        "SELECT id, name, secret_hash, scopes, levels, enabled, token_seconds, settings, created_at FROM api_client
         ORDER BY name, id"
    )?;
    rows.into_iter().map(Client::try_from).collect()
}

/// When what is known of a client was last written; none where there is no such client.
pub async fn modified_at(tx: &mut Tx<'_>, id: ClientId) -> Result<Option<DateTime<Utc>>> {
    let row = fetch!(
        tx,
        fetch_optional as (DateTime<Utc>,),
        "find when an API client was changed",
        "SELECT modified_at FROM api_client WHERE id = $1",
        id.0
    )?;
    Ok(row.map(|(at,)| at))
}

/// When each client was last written, and when it last got a token, to the hour; those that never did are there without.
pub async fn times(tx: &mut Tx<'_>) -> Result<HashMap<ClientId, (DateTime<Utc>, Option<DateTime<Utc>>)>> {
    let rows = fetch!(
        tx,
        fetch_all as (Uuid, DateTime<Utc>, Option<DateTime<Utc>>),
        "list when API clients were used",
        "SELECT api_client.id, api_client.modified_at, api_client_use.last_used_at
         FROM api_client LEFT JOIN api_client_use ON api_client_use.client = api_client.id"
    )?;
    Ok(rows.into_iter().map(|(id, modified, used)| (ClientId(id), (modified, used))).collect())
}

/// Records that a client got a token. The latest time stays, whatever another node's calendar says.
///
/// # Errors
/// A reference violation when there is no such client.
pub async fn used(tx: &mut Tx<'_>, id: ClientId, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "record the use of an API client",
        "INSERT INTO api_client_use (client, last_used_at) VALUES ($1, $2)
         ON CONFLICT (client) DO UPDATE SET last_used_at = excluded.last_used_at
             WHERE api_client_use.last_used_at <= $3",
        id.0,
        now,
        now - USE_KNOWN_TO,
    )?;
    Ok(())
}

/// Removes a client. Gives whether it was there.
pub async fn remove(tx: &mut Tx<'_>, id: ClientId) -> Result<bool> {
    configuration::changed(tx).await?;
    Ok(execute!(tx, "remove an API client", "DELETE FROM api_client WHERE id = $1", id.0)? == 1)
}

row! {
    struct ClientRow {
        id: Uuid,
        name: String,
        secret_hash: Vec<u8>,
        scopes: Json<Scopes>,
        levels: Json<BTreeSet<UserLevel>>,
        enabled: bool,
        token_seconds: i64,
        settings: Json<ClientSettings>,
        created_at: DateTime<Utc>,
    }
}

impl TryFrom<ClientRow> for Client {
    type Error = Error;

    fn try_from(row: ClientRow) -> Result<Self> {
        Ok(Self {
            id: ClientId(row.id),
            name: row.name,
            secret_hash: row.secret_hash,
            scopes: row.scopes.0,
            levels: row.levels.0,
            enabled: row.enabled,
            token_seconds: u32::try_from(row.token_seconds)
                .map_err(|_| Error::Corrupt { what: "a client's token life", value: row.token_seconds.to_string() })?,
            settings: row.settings.0,
            created_at: row.created_at,
        })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}
