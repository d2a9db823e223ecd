//! Recoveries: people on the way to a new password. What their page brings back is here as a keyed hash only.

use chrono::{DateTime, Utc};
use lockstep_core::id::{ChangeId, IdentityId};
use lockstep_core::recovery::{Recovery, Stage};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::tx::{Tx, execute, fetch, row};

/// Stores a recovery that begins.
///
/// # Errors
/// A reference violation when the identity is gone.
pub async fn insert(tx: &mut Tx<'_>, token: &[u8], identity: IdentityId, recovery: Recovery) -> Result<()> {
    let (stage, change) = columns(recovery.stage);
    execute!(
        tx,
        "store a recovery",
        "INSERT INTO recovery (token, identity, stage, change, begun_at) VALUES ($1, $2, $3, $4, $5)",
        token,
        identity.0,
        stage,
        change,
        recovery.begun_at
    )?;
    Ok(())
}

/// The recovery of a token, and whose it is. Until the transaction ends nobody else goes on with it.
pub async fn hold(tx: &mut Tx<'_>, token: &[u8]) -> Result<Option<(IdentityId, Recovery)>> {
    if let Tx::Postgres(_) = tx {
        execute!(tx, "hold a recovery", "SELECT 1 FROM recovery WHERE token = $1 FOR UPDATE", token)?;
    }
    let row = fetch!(
        tx,
        fetch_optional as RecoveryRow,
        "find a recovery",
        "SELECT identity, stage, change, begun_at FROM recovery WHERE token = $1",
        token
    )?;
    let Some(row) = row else { return Ok(None) };
    let stage = match (row.stage.as_str(), row.change) {
        ("second_factor", _) => Stage::SecondFactor,
        ("new_password", _) => Stage::NewPassword,
        ("asked", Some(change)) => Stage::Asked(ChangeId(change)),
        _ => return Err(Error::Corrupt { what: "a recovery's stage", value: row.stage }),
    };
    Ok(Some((IdentityId(row.identity), Recovery { stage, begun_at: row.begun_at })))
}

/// Records where a recovery stands now. It must be held.
pub async fn set_stage(tx: &mut Tx<'_>, token: &[u8], stage: Stage) -> Result<()> {
    let (stage, change) = columns(stage);
    execute!(
        tx,
        "record the stage of a recovery",
        "UPDATE recovery SET stage = $2, change = $3 WHERE token = $1",
        token,
        stage,
        change
    )?;
    Ok(())
}

/// Ends every recovery of an identity: it has another password.
pub async fn remove_of(tx: &mut Tx<'_>, identity: IdentityId) -> Result<()> {
    execute!(tx, "end the recoveries of an identity", "DELETE FROM recovery WHERE identity = $1", identity.0)?;
    Ok(())
}

/// Ends every recovery.
pub async fn remove_all(tx: &mut Tx<'_>) -> Result<()> {
    execute!(tx, "end the recoveries", "DELETE FROM recovery")?;
    Ok(())
}

/// Forgets those that began before that: they have long been over.
pub async fn forget(tx: &mut Tx<'_>, before: DateTime<Utc>) -> Result<()> {
    execute!(tx, "forget dead recoveries", "DELETE FROM recovery WHERE begun_at < $1", before)?;
    Ok(())
}

row! {
    struct RecoveryRow {
        identity: Uuid,
        stage: String,
        change: Option<Uuid>,
        begun_at: DateTime<Utc>,
    }
}

fn columns(stage: Stage) -> (&'static str, Option<Uuid>) {
    match stage {
        Stage::SecondFactor => ("second_factor", None),
        Stage::NewPassword => ("new_password", None),
        Stage::Asked(change) => ("asked", Some(change.0)),
    }
}
