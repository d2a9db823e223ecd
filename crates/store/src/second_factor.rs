//! Second factors: the sealed secret of each person's codes by the clock, how many passkeys they have, their recovery codes,
//! which are here as keyed hashes only, and how many wrong codes there were.

use chrono::{DateTime, Utc};
use lockstep_core::id::{IdentityId, PasskeyId};

use crate::error::Result;
use crate::security_question;
use crate::tx::{Tx, execute, fetch, row};

/// What an identity shows besides a password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecondFactor {
    /// Codes by the clock, if it has them or sets them up.
    pub totp: Option<Totp>,
    /// How many passkeys it has.
    pub passkeys: i64,
    /// How many wrong codes there were since the last right one.
    pub failures: i64,
    /// When the last of them was.
    pub failed_at: Option<DateTime<Utc>>,
}

/// Codes by the clock.
#[derive(Clone, PartialEq, Eq)]
pub struct Totp {
    /// What they are computed from, sealed.
    pub secret: Vec<u8>,
    /// Since when they are asked for; none while they are set up.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// The time step of the latest one that was used.
    pub last_step: i64,
}

impl SecondFactor {
    /// Whether the identity is asked for it.
    pub fn is_asked_for(&self) -> bool {
        self.passkeys > 0 || self.confirmed().is_some()
    }

    /// The codes by the clock that are asked for.
    pub fn confirmed(&self) -> Option<&Totp> {
        self.totp.as_ref().filter(|totp| totp.confirmed_at.is_some())
    }
}

row! {
    struct SecondFactorRow {
        secret: Option<Vec<u8>>,
        confirmed_at: Option<DateTime<Utc>>,
        last_step: Option<i64>,
        passkeys: i64,
        failures: Option<i64>,
        failed_at: Option<DateTime<Utc>>,
    }
}

/// What an identity has.
pub async fn find(tx: &mut Tx<'_>, identity: IdentityId) -> Result<SecondFactor> {
    let row = fetch!(
        tx,
        fetch_optional as SecondFactorRow,
        "find a second factor",
        "SELECT totp.secret, totp.confirmed_at, totp.last_step,
             (SELECT count(*) FROM passkey WHERE passkey.identity = identity.id) AS passkeys,
             second_factor.failures, second_factor.failed_at
         FROM identity LEFT JOIN totp ON totp.identity = identity.id
             LEFT JOIN second_factor ON second_factor.identity = identity.id WHERE identity.id = $1",
        identity.0
    )?;
    let found = row.map(|SecondFactorRow { secret, confirmed_at, last_step, passkeys, failures, failed_at }| {
        let totp = secret.zip(last_step).map(|(secret, last_step)| Totp { secret, confirmed_at, last_step });
        SecondFactor { totp, passkeys, failures: failures.unwrap_or(0), failed_at }
    });
    Ok(found.unwrap_or_default())
}

/// The same. Until the transaction ends nobody else tries it or changes it, so that no code works twice and no try goes
/// uncounted.
///
/// # Errors
/// A reference violation when the identity is gone.
pub async fn hold(tx: &mut Tx<'_>, identity: IdentityId) -> Result<SecondFactor> {
    execute!(
        tx,
        "hold a second factor",
        "INSERT INTO second_factor (identity, failures) VALUES ($1, 0)
         ON CONFLICT (identity) DO UPDATE SET failures = second_factor.failures",
        identity.0
    )?;
    find(tx, identity).await
}

/// Stores the secret of codes that are being set up, in place of another that is. Gives whether none are asked for already.
///
/// # Errors
/// A reference violation when the identity is gone.
pub async fn begin_totp(tx: &mut Tx<'_>, identity: IdentityId, secret: &[u8]) -> Result<bool> {
    let begun = execute!(
        tx,
        "store the secret of codes",
        "INSERT INTO totp (identity, secret, confirmed_at, last_step) VALUES ($1, $2, NULL, 0)
         ON CONFLICT (identity) DO UPDATE SET secret = excluded.secret WHERE totp.confirmed_at IS NULL",
        identity.0,
        secret,
    )?;
    Ok(begun == 1)
}

/// From now on the codes are asked for.
pub async fn confirm_totp(tx: &mut Tx<'_>, identity: IdentityId, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "confirm a second factor",
        "UPDATE totp SET confirmed_at = $2 WHERE identity = $1 AND confirmed_at IS NULL",
        identity.0,
        now
    )?;
    Ok(())
}

/// Says that the code of this time step was used.
pub async fn used_step(tx: &mut Tx<'_>, identity: IdentityId, step: i64) -> Result<()> {
    execute!(tx, "note the use of a code", "UPDATE totp SET last_step = $2 WHERE identity = $1", identity.0, step)?;
    Ok(())
}

/// Records how many wrong codes there were in a row.
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

/// Forgets the wrong codes: a right one came, or somebody who may has unlocked the identity.
pub async fn unlock(tx: &mut Tx<'_>, identity: IdentityId) -> Result<()> {
    execute!(
        tx,
        "unlock a second factor",
        "UPDATE second_factor SET failures = 0, failed_at = NULL WHERE identity = $1",
        identity.0
    )?;
    Ok(())
}

/// Forgets the codes by the clock, and with the last second factor the recovery codes and the wrong codes. Gives whether they were asked for.
pub async fn remove_totp(tx: &mut Tx<'_>, identity: IdentityId) -> Result<bool> {
    hold(tx, identity).await?;
    let removed = execute!(
        tx,
        "forget the secret of codes",
        "DELETE FROM totp WHERE identity = $1 AND confirmed_at IS NOT NULL",
        identity.0
    )?;
    after_removal(tx, identity).await?;
    Ok(removed == 1)
}

/// Forgets a passkey of the identity, and with the last second factor the recovery codes. Gives whether it was there.
pub async fn remove_passkey(tx: &mut Tx<'_>, identity: IdentityId, id: PasskeyId) -> Result<bool> {
    hold(tx, identity).await?;
    let removed =
        execute!(tx, "forget a passkey", "DELETE FROM passkey WHERE identity = $1 AND id = $2", identity.0, id.0)?;
    after_removal(tx, identity).await?;
    Ok(removed == 1)
}

/// Forgets everything that an identity shows besides a password, what it answered to security questions too. Gives whether there was
/// any of it.
pub async fn remove_all(tx: &mut Tx<'_>, identity: IdentityId) -> Result<bool> {
    let held = hold(tx, identity).await?;
    execute!(tx, "forget the secret of codes", "DELETE FROM totp WHERE identity = $1", identity.0)?;
    execute!(tx, "forget passkeys", "DELETE FROM passkey WHERE identity = $1", identity.0)?;
    let answered = security_question::forget_answers(tx, identity).await?;
    after_removal(tx, identity).await?;
    Ok(held.is_asked_for() || answered)
}

async fn after_removal(tx: &mut Tx<'_>, identity: IdentityId) -> Result<()> {
    match find(tx, identity).await?.is_asked_for() {
        true => Ok(()),
        false => {
            put_recovery_codes(tx, identity, &[]).await?;
            unlock(tx, identity).await
        }
    }
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

impl std::fmt::Debug for Totp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Totp").field("confirmed_at", &self.confirmed_at).finish_non_exhaustive()
    }
}
