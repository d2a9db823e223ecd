//! Personal access tokens: with what a person's programs get access tokens. Their secrets are here as keyed hashes only.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use lockstep_core::id::{IdentityId, PersonalAccessTokenId};
use lockstep_core::scope::{Scopes, UserLevel};
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::tx::{Tx, execute, fetch, row};

/// A personal access token.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonalAccessToken {
    /// Its id, which is the client's name in OAuth.
    pub id: PersonalAccessTokenId,
    /// Whose it is.
    pub identity: IdentityId,
    /// What that person calls it.
    pub name: String,
    /// The vault's keyed hash of its secret.
    pub secret_hash: Vec<u8>,
    /// What the access tokens may be used for.
    pub scopes: Scopes,
    /// How long an access token lives, in seconds.
    pub token_seconds: u32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is dead; none where it never expires.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last exchanged for an access token.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// Stores a new token.
///
/// # Errors
/// A reference violation when there is no such identity.
pub async fn insert(tx: &mut Tx<'_>, token: &PersonalAccessToken) -> Result<()> {
    execute!(
        tx,
        "store a personal access token",
        "INSERT INTO personal_access_token (id, identity, name, secret_hash, scopes, token_seconds, created_at,
             expires_at, last_used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        token.id.0,
        token.identity.0,
        token.name.as_str(),
        token.secret_hash.as_slice(),
        Json(&token.scopes),
        i64::from(token.token_seconds),
        token.created_at,
        token.expires_at,
        token.last_used_at,
    )?;
    Ok(())
}

/// A token by its id.
pub async fn find(tx: &mut Tx<'_>, id: PersonalAccessTokenId) -> Result<Option<PersonalAccessToken>> {
    let row = fetch!(
        tx,
        fetch_optional as TokenRow,
        "find a personal access token",
        "SELECT id, identity, name, secret_hash, scopes, token_seconds, created_at, expires_at, last_used_at
         FROM personal_access_token WHERE id = $1",
        id.0
    )?;
    row.map(PersonalAccessToken::try_from).transpose()
}

/// The tokens of a person, oldest first.
pub async fn list_of(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Vec<PersonalAccessToken>> {
    let rows = fetch!(
        tx,
        fetch_all as TokenRow,
        "list the personal access tokens of an identity",
        "SELECT id, identity, name, secret_hash, scopes, token_seconds, created_at, expires_at, last_used_at
         FROM personal_access_token WHERE identity = $1 ORDER BY created_at, id",
        identity.0
    )?;
    rows.into_iter().map(PersonalAccessToken::try_from).collect()
}

/// Every token there is, oldest first.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<PersonalAccessToken>> {
    let rows = fetch!(
        tx,
        fetch_all as TokenRow,
        "list the personal access tokens",
        "SELECT id, identity, name, secret_hash, scopes, token_seconds, created_at, expires_at, last_used_at
         FROM personal_access_token ORDER BY created_at, id"
    )?;
    rows.into_iter().map(PersonalAccessToken::try_from).collect()
}

/// What decides whether an access token that a personal access token was exchanged for still lives.
#[derive(Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whose it is.
    pub identity: IdentityId,
    /// What the access tokens may be used for.
    pub scopes: Scopes,
    /// The vault's keyed hash of its secret.
    pub secret_hash: Vec<u8>,
    /// From when on it is dead.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether the person is enabled.
    pub enabled: bool,
    /// What the person is in the organisation.
    pub levels: BTreeSet<UserLevel>,
    /// From when on the person's tokens count.
    pub valid_from: Option<DateTime<Utc>>,
    /// Whether the access token itself was revoked.
    pub revoked: bool,
}

/// What decides about the access token `token` of the personal access token `id`, in one statement: it is asked at every
/// request.
pub async fn standing(tx: &mut Tx<'_>, id: PersonalAccessTokenId, token: Uuid) -> Result<Option<Standing>> {
    let row = fetch!(
        tx,
        fetch_optional as StandingRow,
        "find the owner of a personal access token",
        "SELECT personal_access_token.identity, personal_access_token.scopes, personal_access_token.secret_hash,
             personal_access_token.expires_at, identity.enabled, identity.levels, identity.tokens_valid_from,
             EXISTS (SELECT 1 FROM revoked_token WHERE revoked_token.id = $2) AS revoked
         FROM personal_access_token JOIN identity ON identity.id = personal_access_token.identity
         WHERE personal_access_token.id = $1",
        id.0,
        token
    )?;
    Ok(row.map(|row| Standing {
        identity: IdentityId(row.identity),
        scopes: row.scopes.0,
        secret_hash: row.secret_hash,
        expires_at: row.expires_at,
        enabled: row.enabled,
        levels: row.levels.0,
        valid_from: row.tokens_valid_from,
        revoked: row.revoked,
    }))
}

/// Records that a token was exchanged for an access token. The latest time stays, whatever another node's calendar says.
pub async fn used(tx: &mut Tx<'_>, id: PersonalAccessTokenId, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "record the use of a personal access token",
        "UPDATE personal_access_token SET last_used_at = $2
         WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)",
        id.0,
        now,
    )?;
    Ok(())
}

/// Replaces what its owner may change of a token: name, scopes and how long access tokens live. Gives whether it is there.
pub async fn change(tx: &mut Tx<'_>, token: &PersonalAccessToken) -> Result<bool> {
    let changed = execute!(
        tx,
        "change a personal access token",
        "UPDATE personal_access_token SET name = $2, scopes = $3, token_seconds = $4 WHERE id = $1",
        token.id.0,
        token.name.as_str(),
        Json(&token.scopes),
        i64::from(token.token_seconds),
    )?;
    Ok(changed == 1)
}

/// Removes a token. Gives whether it was there.
pub async fn remove(tx: &mut Tx<'_>, id: PersonalAccessTokenId) -> Result<bool> {
    Ok(execute!(tx, "remove a personal access token", "DELETE FROM personal_access_token WHERE id = $1", id.0)? == 1)
}

row! {
    struct StandingRow {
        identity: Uuid,
        scopes: Json<Scopes>,
        secret_hash: Vec<u8>,
        expires_at: Option<DateTime<Utc>>,
        enabled: bool,
        levels: Json<BTreeSet<UserLevel>>,
        tokens_valid_from: Option<DateTime<Utc>>,
        revoked: bool,
    }
}

row! {
    struct TokenRow {
        id: Uuid,
        identity: Uuid,
        name: String,
        secret_hash: Vec<u8>,
        scopes: Json<Scopes>,
        token_seconds: i64,
        created_at: DateTime<Utc>,
        expires_at: Option<DateTime<Utc>>,
        last_used_at: Option<DateTime<Utc>>,
    }
}

impl TryFrom<TokenRow> for PersonalAccessToken {
    type Error = Error;

    fn try_from(row: TokenRow) -> Result<Self> {
        let token_seconds = u32::try_from(row.token_seconds).map_err(|_| Error::Corrupt {
            what: "a personal access token's token life",
            value: row.token_seconds.to_string(),
        })?;
        Ok(Self {
            id: PersonalAccessTokenId(row.id),
            identity: IdentityId(row.identity),
            name: row.name,
            secret_hash: row.secret_hash,
            scopes: row.scopes.0,
            token_seconds,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        })
    }
}

impl std::fmt::Debug for PersonalAccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PersonalAccessToken")
            .field("id", &self.id)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}
