//! API clients: the programs that may call. Their secrets are here as keyed hashes only.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
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
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Inserts a client, or replaces what is known of it.
pub async fn put(tx: &mut Tx<'_>, client: &Client, now: DateTime<Utc>) -> Result<()> {
    configuration::changed(tx).await?;
    execute!(
        tx,
        "store an API client",
        "INSERT INTO api_client (id, name, secret_hash, scopes, levels, enabled, token_seconds, created_at, modified_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, secret_hash = excluded.secret_hash,
             scopes = excluded.scopes, levels = excluded.levels, enabled = excluded.enabled,
             token_seconds = excluded.token_seconds, modified_at = excluded.modified_at",
        client.id.0,
        client.name.as_str(),
        client.secret_hash.as_slice(),
        Json(&client.scopes),
        Json(&client.levels),
        client.enabled,
        i64::from(client.token_seconds),
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
        "SELECT id, name, secret_hash, scopes, levels, enabled, token_seconds, created_at FROM api_client
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
        "SELECT id, name, secret_hash, scopes, levels, enabled, token_seconds, created_at FROM api_client
         ORDER BY name, id"
    )?;
    rows.into_iter().map(Client::try_from).collect()
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
            created_at: row.created_at,
        })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}
