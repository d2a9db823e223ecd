//! Passkeys: what each person's authenticators sign with, as far as it is public, and which challenges they have signed.

use chrono::{DateTime, Utc};
use lockstep_core::id::{IdentityId, PasskeyId};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch, row};

/// A passkey.
#[derive(Debug, Clone, PartialEq)]
pub struct Passkey {
    /// Its id here.
    pub id: PasskeyId,
    /// Whose.
    pub identity: IdentityId,
    /// By which the authenticator knows it.
    pub credential: Vec<u8>,
    /// With what its signatures are verified.
    pub public_key: Value,
    /// How often it has signed; 0 where it does not count.
    pub counter: i64,
    /// Where it was made.
    pub name: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it last showed who somebody is.
    pub used_at: Option<DateTime<Utc>>,
}

row! {
    struct PasskeyRow {
        id: Uuid,
        identity: Uuid,
        credential: Vec<u8>,
        public_key: Json<Value>,
        counter: i64,
        name: String,
        created_at: DateTime<Utc>,
        used_at: Option<DateTime<Utc>>,
    }
}

impl From<PasskeyRow> for Passkey {
    fn from(row: PasskeyRow) -> Self {
        let PasskeyRow { id, identity, credential, public_key, counter, name, created_at, used_at } = row;
        let (id, identity, public_key) = (PasskeyId(id), IdentityId(identity), public_key.0);
        Self { id, identity, credential, public_key, counter, name, created_at, used_at }
    }
}

/// Stores a new passkey. Gives whether no authenticator's goes by the same credential yet.
///
/// # Errors
/// A reference violation when the identity is gone.
pub async fn insert(tx: &mut Tx<'_>, passkey: &Passkey) -> Result<bool> {
    let inserted = execute!(
        tx,
        "store a passkey",
        "INSERT INTO passkey (id, identity, credential, public_key, counter, name, created_at, used_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (credential) DO NOTHING",
        passkey.id.0,
        passkey.identity.0,
        passkey.credential.as_slice(),
        Json(&passkey.public_key),
        passkey.counter,
        passkey.name.as_str(),
        passkey.created_at,
        passkey.used_at,
    )?;
    Ok(inserted == 1)
}

/// The passkeys of an identity, the oldest first.
pub async fn list_of(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Vec<Passkey>> {
    let rows = fetch!(
        tx,
        fetch_all as PasskeyRow,
        "list the passkeys of an identity",
        "SELECT id, identity, credential, public_key, counter, name, created_at, used_at FROM passkey
         WHERE identity = $1 ORDER BY created_at, id",
        identity.0
    )?;
    Ok(rows.into_iter().map(Passkey::from).collect())
}

/// The passkey that an authenticator knows by that.
pub async fn find(tx: &mut Tx<'_>, credential: &[u8]) -> Result<Option<Passkey>> {
    let row = fetch!(
        tx,
        fetch_optional as PasskeyRow,
        "find a passkey",
        "SELECT id, identity, credential, public_key, counter, name, created_at, used_at FROM passkey
         WHERE credential = $1",
        credential
    )?;
    Ok(row.map(Passkey::from))
}

/// Says that a passkey has signed, for the so many-th time. Gives whether it is still there, and has not counted that far
/// already.
pub async fn used(tx: &mut Tx<'_>, id: PasskeyId, counter: i64, now: DateTime<Utc>) -> Result<bool> {
    let used = execute!(
        tx,
        "note the use of a passkey",
        "UPDATE passkey SET counter = $2, used_at = $3 WHERE id = $1 AND (counter < $2 OR counter = 0 AND $2 = 0)",
        id.0,
        counter,
        now
    )?;
    Ok(used == 1)
}

/// Uses a challenge up. Gives whether it was not yet.
pub async fn spend(tx: &mut Tx<'_>, challenge: Uuid) -> Result<bool> {
    let spent = execute!(
        tx,
        "use a challenge up",
        "INSERT INTO spent_challenge (challenge, all_before) SELECT $1, FALSE
         WHERE NOT EXISTS (SELECT 1 FROM spent_challenge WHERE all_before AND challenge >= $1)
         ON CONFLICT (challenge) DO NOTHING",
        challenge
    )?;
    Ok(spent == 1)
}

/// Uses up every challenge before this one.
pub async fn spend_all_before(tx: &mut Tx<'_>, challenge: Uuid) -> Result<()> {
    execute!(
        tx,
        "use challenges up",
        "INSERT INTO spent_challenge (challenge, all_before) VALUES ($1, TRUE)",
        challenge
    )?;
    Ok(())
}

/// Forgets the challenges before this one: their time is over.
pub async fn forget_spent(tx: &mut Tx<'_>, before: Uuid) -> Result<()> {
    execute!(tx, "forget used challenges", "DELETE FROM spent_challenge WHERE challenge < $1", before)?;
    Ok(())
}
