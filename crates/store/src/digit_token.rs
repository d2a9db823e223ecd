//! Digit tokens: one code an identity; a new one takes the place of the old.

use chrono::{DateTime, Utc};
use lockstep_core::digit_token::State;
use lockstep_core::id::{Bucket, IdentityId};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::tx::{Tx, execute, fetch, row};

/// A code that was drawn.
#[derive(Clone, PartialEq, Eq)]
pub struct DigitToken {
    /// The `requestId` of the reply that handed it out.
    pub id: Uuid,
    /// The vault's keyed hash of the code.
    pub code_hash: Vec<u8>,
    /// How far its life has gone.
    pub state: State,
    /// When it was drawn.
    pub created_at: DateTime<Utc>,
    /// From when on it is dead.
    pub expires_at: DateTime<Utc>,
}

/// Stores a code in place of the identity's code before.
pub async fn put(tx: &mut Tx<'_>, identity: IdentityId, token: &DigitToken) -> Result<()> {
    let (state, attempts_left) = columns(token.state);
    execute!(
        tx,
        "store a digit token",
        "INSERT INTO digit_token (bucket, identity, id, code_hash, state, attempts_left, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (bucket, identity) DO UPDATE SET id = excluded.id, code_hash = excluded.code_hash,
             state = excluded.state, attempts_left = excluded.attempts_left, created_at = excluded.created_at,
             expires_at = excluded.expires_at",
        identity.bucket().number(),
        identity.0,
        token.id,
        token.code_hash.as_slice(),
        state,
        attempts_left,
        token.created_at,
        token.expires_at,
    )?;
    Ok(())
}

/// Forgets every code of one bucket.
pub async fn remove_in(tx: &mut Tx<'_>, bucket: Bucket) -> Result<()> {
    execute!(tx, "forget the digit tokens", "DELETE FROM digit_token WHERE bucket = $1", bucket.number())?;
    Ok(())
}

/// The identity's code, dead or alive. Until the transaction ends nobody else tries it, so that no try goes uncounted.
pub async fn hold(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Option<DigitToken>> {
    let sql = match tx {
        Tx::Sqlite(_) => {
            "SELECT id, code_hash, state, attempts_left, created_at, expires_at FROM digit_token
             WHERE bucket = $1 AND identity = $2"
        }
        Tx::Postgres(_) => {
            "SELECT id, code_hash, state, attempts_left, created_at, expires_at FROM digit_token
             WHERE bucket = $1 AND identity = $2 FOR UPDATE"
        }
    };
    let row =
        fetch!(tx, fetch_optional as DigitTokenRow, "find a digit token", sql, identity.bucket().number(), identity.0)?;
    row.map(DigitToken::try_from).transpose()
}

/// Records what a try, or whatever else ended its life, made of the code `id`. A code that was replaced meanwhile is
/// left alone.
pub async fn set_state(tx: &mut Tx<'_>, identity: IdentityId, id: Uuid, state: State) -> Result<()> {
    let (state, attempts_left) = columns(state);
    execute!(
        tx,
        "record the state of a digit token",
        "UPDATE digit_token SET state = $4, attempts_left = $5 WHERE bucket = $1 AND identity = $2 AND id = $3",
        identity.bucket().number(),
        identity.0,
        id,
        state,
        attempts_left,
    )?;
    Ok(())
}

/// Whose code nobody has.
const NOBODY: IdentityId = IdentityId(Uuid::nil());

/// Writes down a try at nobody's code: it costs what one at somebody's does, so that its time does not tell that there is none.
pub async fn tried_at_nobodys(tx: &mut Tx<'_>, now: DateTime<Utc>) -> Result<()> {
    let (id, state) = (Uuid::nil(), State::Void);
    put(tx, NOBODY, &DigitToken { id, code_hash: vec![0; 32], state, created_at: now, expires_at: now }).await
}

/// The identity's code is good for nothing any more: it has another password.
pub async fn void(tx: &mut Tx<'_>, identity: IdentityId) -> Result<()> {
    let (state, attempts_left) = columns(State::Void);
    execute!(
        tx,
        "void a digit token",
        "UPDATE digit_token SET state = $3, attempts_left = $4
         WHERE bucket = $1 AND identity = $2 AND state = 'live'",
        identity.bucket().number(),
        identity.0,
        state,
        attempts_left,
    )?;
    Ok(())
}

row! {
    struct DigitTokenRow {
        id: Uuid,
        code_hash: Vec<u8>,
        state: String,
        attempts_left: i16,
        created_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    }
}

impl TryFrom<DigitTokenRow> for DigitToken {
    type Error = Error;

    fn try_from(row: DigitTokenRow) -> Result<Self> {
        let state = match (row.state.as_str(), u8::try_from(row.attempts_left)) {
            ("live", Ok(attempts_left)) => State::Live { attempts_left },
            ("used", _) => State::Used,
            ("void", _) => State::Void,
            _ => return Err(Error::Corrupt { what: "a digit token's state", value: row.state }),
        };
        let DigitTokenRow { id, code_hash, created_at, expires_at, .. } = row;
        Ok(Self { id, code_hash, state, created_at, expires_at })
    }
}

impl std::fmt::Debug for DigitToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DigitToken").field("id", &self.id).field("state", &self.state).finish_non_exhaustive()
    }
}

fn columns(state: State) -> (&'static str, i16) {
    match state {
        State::Live { attempts_left } => ("live", i16::from(attempts_left)),
        State::Used => ("used", 0),
        State::Void => ("void", 0),
    }
}
