//! Second factors: the sealed secret of each person's codes, and their recovery codes, which are here as keyed hashes only.

use chrono::{DateTime, Utc};
use lockstep_core::id::IdentityId;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch, row};

/// The second factor of an identity.
#[derive(Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// What the codes are computed from, sealed.
    pub secret: Vec<u8>,
    /// Since when it is asked for; none while it is being set up.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// The time step of the latest code that was used.
    pub last_step: i64,
    /// How many wrong tries there were since the last right one.
    pub failures: i64,
    /// When the last of them was.
    pub failed_at: Option<DateTime<Utc>>,
}

row! {
    struct SecondFactorRow {
        secret: Vec<u8>,
        confirmed_at: Option<DateTime<Utc>>,
        last_step: i64,
        failures: i64,
        failed_at: Option<DateTime<Utc>>,
    }
}

/// The second factor of an identity, if it has one or sets one up.
pub async fn find(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Option<SecondFactor>> {
    let row = fetch!(
        tx,
        fetch_optional as SecondFactorRow,
        "find a second factor",
        "SELECT secret, confirmed_at, last_step, failures, failed_at FROM second_factor WHERE identity = $1",
        identity.0
    )?;
    Ok(row.map(|SecondFactorRow { secret, confirmed_at, last_step, failures, failed_at }| SecondFactor {
        secret,
        confirmed_at,
        last_step,
        failures,
        failed_at,
    }))
}

/// The same. Until the transaction ends nobody else tries it, so that no code works twice and no try goes uncounted.
pub async fn hold(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Option<SecondFactor>> {
    if let Tx::Postgres(_) = tx {
        execute!(tx, "hold a second factor", "SELECT 1 FROM second_factor WHERE identity = $1 FOR UPDATE", identity.0)?;
    }
    find(tx, identity).await
}

/// Stores one that is being set up, in place of another that is. Gives whether there was none that is asked for already.
///
/// # Errors
/// A reference violation when the identity is gone.
pub async fn begin(tx: &mut Tx<'_>, identity: IdentityId, secret: &[u8]) -> Result<bool> {
    let begun = execute!(
        tx,
        "store a second factor",
        "INSERT INTO second_factor (identity, secret, confirmed_at, last_step, failures, failed_at)
         VALUES ($1, $2, NULL, 0, 0, NULL)
         ON CONFLICT (identity) DO UPDATE SET secret = excluded.secret WHERE second_factor.confirmed_at IS NULL",
        identity.0,
        secret,
    )?;
    Ok(begun == 1)
}

/// From now on it is asked for.
pub async fn confirm(tx: &mut Tx<'_>, identity: IdentityId, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "confirm a second factor",
        "UPDATE second_factor SET confirmed_at = $2 WHERE identity = $1 AND confirmed_at IS NULL",
        identity.0,
        now
    )?;
    Ok(())
}

/// Says that the code of this time step was used, or with the same step that a recovery code was. The wrong tries are forgotten.
pub async fn passed(tx: &mut Tx<'_>, identity: IdentityId, step: i64) -> Result<()> {
    execute!(
        tx,
        "note the use of a code",
        "UPDATE second_factor SET last_step = $2, failures = 0, failed_at = NULL WHERE identity = $1",
        identity.0,
        step
    )?;
    Ok(())
}

/// Records how many wrong tries there were in a row.
pub async fn failed(tx: &mut Tx<'_>, identity: IdentityId, failures: i64, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "count a wrong code",
        "UPDATE second_factor SET failures = $2, failed_at = $3 WHERE identity = $1",
        identity.0,
        failures,
        now
    )?;
    Ok(())
}

/// Forgets the wrong tries: somebody who may has unlocked the identity.
pub async fn unlock(tx: &mut Tx<'_>, identity: IdentityId) -> Result<()> {
    execute!(
        tx,
        "unlock a second factor",
        "UPDATE second_factor SET failures = 0, failed_at = NULL WHERE identity = $1",
        identity.0
    )?;
    Ok(())
}

/// Forgets it, and the recovery codes with it. Gives whether it was asked for.
pub async fn remove(tx: &mut Tx<'_>, identity: IdentityId) -> Result<bool> {
    // Whoever shows a recovery code holds this first, too.
    hold(tx, identity).await?;
    put_recovery_codes(tx, identity, &[]).await?;
    let removed = execute!(
        tx,
        "forget a second factor",
        "DELETE FROM second_factor WHERE identity = $1 AND confirmed_at IS NOT NULL",
        identity.0
    )?;
    Ok(removed == 1)
}

/// Stores recovery codes in place of those before.
pub async fn put_recovery_codes(tx: &mut Tx<'_>, identity: IdentityId, hashes: &[[u8; 32]]) -> Result<()> {
    execute!(tx, "forget recovery codes", "DELETE FROM recovery_code WHERE identity = $1", identity.0)?;
    for hash in hashes {
        execute!(
            tx,
            "store a recovery code",
            "INSERT INTO recovery_code (identity, hash) VALUES ($1, $2)",
            identity.0,
            hash.as_slice()
        )?;
    }
    Ok(())
}

/// Uses a recovery code up. Gives whether it was one.
pub async fn use_recovery_code(tx: &mut Tx<'_>, identity: IdentityId, hash: &[u8]) -> Result<bool> {
    let used = execute!(
        tx,
        "use a recovery code",
        "DELETE FROM recovery_code WHERE identity = $1 AND hash = $2",
        identity.0,
        hash
    )?;
    Ok(used == 1)
}

/// How many recovery codes an identity has left.
pub async fn recovery_codes_left(tx: &mut Tx<'_>, identity: IdentityId) -> Result<i64> {
    let (left,) = fetch!(
        tx,
        fetch_one as (i64,),
        "count recovery codes",
        "SELECT count(*) FROM recovery_code WHERE identity = $1",
        identity.0
    )?;
    Ok(left)
}

impl std::fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecondFactor").field("confirmed_at", &self.confirmed_at).finish_non_exhaustive()
    }
}
