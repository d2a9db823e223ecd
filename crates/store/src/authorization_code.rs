//! Authorization codes: what a client gets of a person's sign-in, and exchanges for tokens. They are here as keyed hashes only.

use chrono::{DateTime, Utc};
use lockstep_core::id::{ClientId, FamilyId, IdentityId};
use lockstep_core::scope::Scopes;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch, row};

/// A code that was handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationCode {
    /// The client that it is for.
    pub client: ClientId,
    /// Who signed in.
    pub identity: IdentityId,
    /// Where it was sent to.
    pub redirect_uri: String,
    /// The hash of what its client proves itself with.
    pub challenge: String,
    /// What the tokens may be used for.
    pub scopes: Scopes,
    /// From when on it is dead.
    pub expires_at: DateTime<Utc>,
    /// What it was exchanged for.
    pub family: Option<FamilyId>,
}

/// Stores a code under its hash.
///
/// # Errors
/// A reference violation when the client or the identity is gone.
pub async fn insert(tx: &mut Tx<'_>, hash: &[u8], code: &AuthorizationCode) -> Result<()> {
    execute!(
        tx,
        "store an authorization code",
        "INSERT INTO authorization_code (hash, client, identity, redirect_uri, challenge, scopes, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        hash,
        code.client.0,
        code.identity.0,
        code.redirect_uri.as_str(),
        code.challenge.as_str(),
        Json(&code.scopes),
        code.expires_at,
    )?;
    Ok(())
}

/// A code by its hash, dead or alive. Until the transaction ends nobody else exchanges it, or does something to its person.
pub async fn hold(tx: &mut Tx<'_>, hash: &[u8]) -> Result<Option<AuthorizationCode>> {
    if let Tx::Postgres(_) = tx {
        let whose = fetch!(
            tx,
            fetch_optional as (Uuid,),
            "find whose an authorization code is",
            "SELECT identity FROM authorization_code WHERE hash = $1",
            hash
        )?;
        // The person first, as for everybody who ends their codes.
        let whose: Vec<IdentityId> = whose.map(|(identity,)| IdentityId(identity)).into_iter().collect();
        crate::aggregation::hold_people(tx, &whose).await?;
    }
    let sql = match tx {
        Tx::Sqlite(_) => {
            "SELECT client, identity, redirect_uri, challenge, scopes, expires_at, family FROM authorization_code
             WHERE hash = $1"
        }
        Tx::Postgres(_) => {
            "SELECT client, identity, redirect_uri, challenge, scopes, expires_at, family FROM authorization_code
             WHERE hash = $1 FOR UPDATE"
        }
    };
    let row = fetch!(tx, fetch_optional as CodeRow, "find an authorization code", sql, hash)?;
    Ok(row.map(|row| AuthorizationCode {
        client: ClientId(row.client),
        identity: IdentityId(row.identity),
        redirect_uri: row.redirect_uri,
        challenge: row.challenge,
        scopes: row.scopes.0,
        expires_at: row.expires_at,
        family: row.family.map(FamilyId),
    }))
}

/// Records what a code was exchanged for.
pub async fn exchanged(tx: &mut Tx<'_>, hash: &[u8], family: FamilyId) -> Result<()> {
    execute!(
        tx,
        "record the exchange of an authorization code",
        "UPDATE authorization_code SET family = $2 WHERE hash = $1",
        hash,
        family.0,
    )?;
    Ok(())
}

/// Forgets the codes of an identity.
pub async fn remove_of(tx: &mut Tx<'_>, identity: IdentityId) -> Result<()> {
    execute!(
        tx,
        "forget the authorization codes of an identity",
        "DELETE FROM authorization_code WHERE identity = $1",
        identity.0
    )?;
    Ok(())
}

/// Forgets every code.
pub async fn remove_all(tx: &mut Tx<'_>) -> Result<()> {
    execute!(tx, "forget the authorization codes", "DELETE FROM authorization_code")?;
    Ok(())
}

/// Forgets the codes that were dead before that.
pub async fn forget(tx: &mut Tx<'_>, before: DateTime<Utc>) -> Result<()> {
    execute!(tx, "forget dead authorization codes", "DELETE FROM authorization_code WHERE expires_at < $1", before)?;
    Ok(())
}

row! {
    struct CodeRow {
        client: Uuid,
        identity: Uuid,
        redirect_uri: String,
        challenge: String,
        scopes: Json<Scopes>,
        expires_at: DateTime<Utc>,
        family: Option<Uuid>,
    }
}
