//! Wrong passwords of people who sign in with a source's password. Whether one is right is asked of the source.

use chrono::{DateTime, Utc};
use lockstep_core::id::IdentityId;
use lockstep_core::sign_in::Tries;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch};

/// The tries of an identity so far.
pub async fn find(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Tries> {
    let row = fetch!(
        tx,
        fetch_optional as (i64, Option<DateTime<Utc>>),
        "find failed sign-ins",
        "SELECT failures, failed_at FROM source_sign_in WHERE identity = $1",
        identity.0
    )?;
    let (failures, failed_at) = row.unwrap_or((0, None));
    Ok(Tries { failures, failed_at })
}

/// The same. Until the transaction ends nobody else tries, so that no try goes uncounted.
///
/// # Errors
/// A reference violation when the identity is gone.
pub async fn hold(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Tries> {
    execute!(
        tx,
        "hold failed sign-ins",
        "INSERT INTO source_sign_in (identity, failures) VALUES ($1, 0)
         ON CONFLICT (identity) DO UPDATE SET failures = source_sign_in.failures",
        identity.0
    )?;
    find(tx, identity).await
}

/// Records how many wrong tries there were in a row, with one that may turn out to be right.
pub async fn tried(tx: &mut Tx<'_>, identity: IdentityId, failures: i64, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "count a sign-in",
        "UPDATE source_sign_in SET failures = $2, failed_at = $3 WHERE identity = $1",
        identity.0,
        failures,
        now
    )?;
    Ok(())
}

/// Takes one try back: the source could not be asked.
pub async fn take_back(tx: &mut Tx<'_>, identity: IdentityId) -> Result<()> {
    execute!(
        tx,
        "take a sign-in back",
        "UPDATE source_sign_in SET failures = failures - 1,
             failed_at = CASE WHEN failures > 1 THEN failed_at END WHERE identity = $1 AND failures > 0",
        identity.0
    )?;
    Ok(())
}

/// Forgets the wrong tries: one was right, or somebody who may has unlocked the identity.
pub async fn forgive(tx: &mut Tx<'_>, identity: IdentityId) -> Result<()> {
    execute!(
        tx,
        "forget failed sign-ins",
        "UPDATE source_sign_in SET failures = 0, failed_at = NULL WHERE identity = $1",
        identity.0
    )?;
    Ok(())
}
