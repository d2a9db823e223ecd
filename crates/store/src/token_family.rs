//! Token families: a person's sign-ins at clients. Every token that came from one is dead once it has ended.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use lockstep_core::id::{ClientId, FamilyId, IdentityId};
use lockstep_core::scope::{Scopes, UserLevel};
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch, row};

/// A sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFamily {
    /// Its id.
    pub id: FamilyId,
    /// At which client.
    pub client: ClientId,
    /// Whose.
    pub identity: IdentityId,
    /// What its tokens may be used for.
    pub scopes: Scopes,
    /// When the person signed in.
    pub created_at: DateTime<Utc>,
    /// From when on no refresh token of it is good.
    pub expires_at: DateTime<Utc>,
    /// When it was ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// What decides whether an access token of a family still lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// At which client.
    pub client: ClientId,
    /// Whose.
    pub identity: IdentityId,
    /// Whether it was ended.
    pub ended: bool,
    /// Whether the person is enabled.
    pub enabled: bool,
    /// What the person is in the organisation.
    pub levels: BTreeSet<UserLevel>,
}

/// Stores a new family.
///
/// # Errors
/// A reference violation when the client or the identity is gone.
pub async fn insert(tx: &mut Tx<'_>, family: &TokenFamily) -> Result<()> {
    execute!(
        tx,
        "store a token family",
        "INSERT INTO token_family (id, client, identity, scopes, created_at, expires_at, ended_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        family.id.0,
        family.client.0,
        family.identity.0,
        Json(&family.scopes),
        family.created_at,
        family.expires_at,
        family.ended_at,
    )?;
    Ok(())
}

/// A family by its id.
pub async fn find(tx: &mut Tx<'_>, id: FamilyId) -> Result<Option<TokenFamily>> {
    let row = fetch!(
        tx,
        fetch_optional as FamilyRow,
        "find a token family",
        "SELECT id, client, identity, scopes, created_at, expires_at, ended_at FROM token_family WHERE id = $1",
        id.0
    )?;
    Ok(row.map(TokenFamily::from))
}

/// A family by its id. Until the transaction ends nobody else ends it.
pub async fn hold(tx: &mut Tx<'_>, id: FamilyId) -> Result<Option<TokenFamily>> {
    let sql = match tx {
        Tx::Sqlite(_) => {
            "SELECT id, client, identity, scopes, created_at, expires_at, ended_at FROM token_family WHERE id = $1"
        }
        Tx::Postgres(_) => {
            "SELECT id, client, identity, scopes, created_at, expires_at, ended_at FROM token_family WHERE id = $1
             FOR UPDATE"
        }
    };
    let row = fetch!(tx, fetch_optional as FamilyRow, "find a token family", sql, id.0)?;
    Ok(row.map(TokenFamily::from))
}

/// What decides about an access token of the family, in one statement: it is asked at every request.
pub async fn standing(tx: &mut Tx<'_>, id: FamilyId) -> Result<Option<Standing>> {
    let row = fetch!(
        tx,
        fetch_optional as StandingRow,
        "find the owner of a token family",
        "SELECT token_family.client, token_family.identity, token_family.ended_at, identity.enabled, identity.levels
         FROM token_family JOIN identity ON identity.id = token_family.identity WHERE token_family.id = $1",
        id.0
    )?;
    Ok(row.map(|row| Standing {
        client: ClientId(row.client),
        identity: IdentityId(row.identity),
        ended: row.ended_at.is_some(),
        enabled: row.enabled,
        levels: row.levels.0,
    }))
}

/// Ends a family. Gives whether it lived.
pub async fn end(tx: &mut Tx<'_>, id: FamilyId, now: DateTime<Utc>) -> Result<bool> {
    let ended = execute!(
        tx,
        "end a token family",
        "UPDATE token_family SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL",
        id.0,
        now
    )?;
    Ok(ended == 1)
}

/// Ends every family of an identity.
pub async fn end_of(tx: &mut Tx<'_>, identity: IdentityId, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "end the token families of an identity",
        "UPDATE token_family SET ended_at = $2 WHERE identity = $1 AND ended_at IS NULL",
        identity.0,
        now
    )?;
    Ok(())
}

/// Ends every family.
pub async fn end_all(tx: &mut Tx<'_>, now: DateTime<Utc>) -> Result<()> {
    execute!(tx, "end the token families", "UPDATE token_family SET ended_at = $1 WHERE ended_at IS NULL", now)?;
    Ok(())
}

/// Forgets the families whose last access token was dead before that.
pub async fn forget(tx: &mut Tx<'_>, before: DateTime<Utc>) -> Result<()> {
    execute!(tx, "forget dead token families", "DELETE FROM token_family WHERE expires_at < $1", before)?;
    Ok(())
}

row! {
    struct FamilyRow {
        id: Uuid,
        client: Uuid,
        identity: Uuid,
        scopes: Json<Scopes>,
        created_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
        ended_at: Option<DateTime<Utc>>,
    }
}

row! {
    struct StandingRow {
        client: Uuid,
        identity: Uuid,
        ended_at: Option<DateTime<Utc>>,
        enabled: bool,
        levels: Json<BTreeSet<UserLevel>>,
    }
}

impl From<FamilyRow> for TokenFamily {
    fn from(row: FamilyRow) -> Self {
        Self {
            id: FamilyId(row.id),
            client: ClientId(row.client),
            identity: IdentityId(row.identity),
            scopes: row.scopes.0,
            created_at: row.created_at,
            expires_at: row.expires_at,
            ended_at: row.ended_at,
        }
    }
}
