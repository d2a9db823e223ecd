//! Sign-in passwords: what the built-in source `IdentityNow` keeps of each identity. The hash is the vault's; whether a
//! password is right is not asked here.

use chrono::{DateTime, Utc};
use lockstep_core::id::IdentityId;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch, row};

/// The sign-in password of an identity.
#[derive(Clone, PartialEq, Eq)]
pub struct SignInPassword {
    /// The vault's hash, under the salt of [`crate::history::salt`].
    pub hash: Vec<u8>,
    /// When it was set.
    pub changed_at: DateTime<Utc>,
    /// Whether it must be changed at the next sign-in.
    pub must_change: bool,
    /// How many wrong tries there were since the last right one.
    pub failures: i64,
    /// When the last of them was.
    pub failed_at: Option<DateTime<Utc>>,
}

row! {
    struct PasswordRow {
        hash: Vec<u8>,
        changed_at: DateTime<Utc>,
        must_change: bool,
        failures: i64,
        failed_at: Option<DateTime<Utc>>,
    }
}

/// The sign-in password of an identity; none where it never had one here.
pub async fn find(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Option<SignInPassword>> {
    let row = fetch!(
        tx,
        fetch_optional as PasswordRow,
        "find a sign-in password",
        "SELECT hash, changed_at, must_change, failures, failed_at FROM sign_in_password
         WHERE bucket = $1 AND identity = $2",
        identity.bucket().number(),
        identity.0
    )?;
    Ok(row.map(|PasswordRow { hash, changed_at, must_change, failures, failed_at }| SignInPassword {
        hash,
        changed_at,
        must_change,
        failures,
        failed_at,
    }))
}

/// Stores a sign-in password in place of the one before.
pub async fn put(tx: &mut Tx<'_>, identity: IdentityId, password: &SignInPassword) -> Result<()> {
    execute!(
        tx,
        "store a sign-in password",
        "INSERT INTO sign_in_password (bucket, identity, hash, changed_at, must_change, failures, failed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (bucket, identity) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at,
             must_change = excluded.must_change, failures = excluded.failures, failed_at = excluded.failed_at",
        identity.bucket().number(),
        identity.0,
        password.hash.as_slice(),
        password.changed_at,
        password.must_change,
        password.failures,
        password.failed_at,
    )?;
    Ok(())
}

/// Counts a wrong try and gives how many there were since the last right one; none where there is no password.
pub async fn fail(tx: &mut Tx<'_>, identity: IdentityId, now: DateTime<Utc>) -> Result<Option<i64>> {
    let row = fetch!(
        tx,
        fetch_optional as (i64,),
        "count a failed sign-in",
        "UPDATE sign_in_password SET failures = failures + 1, failed_at = $3
         WHERE bucket = $1 AND identity = $2 RETURNING failures",
        identity.bucket().number(),
        identity.0,
        now
    )?;
    Ok(row.map(|(failures,)| failures))
}

/// Forgets the wrong tries: a right one came, or an administrator unlocked the identity.
pub async fn forgive(tx: &mut Tx<'_>, identity: IdentityId) -> Result<()> {
    execute!(
        tx,
        "forget failed sign-ins",
        "UPDATE sign_in_password SET failures = 0, failed_at = NULL
         WHERE bucket = $1 AND identity = $2 AND failures > 0",
        identity.bucket().number(),
        identity.0,
    )?;
    Ok(())
}

/// Replaces the hash by another of the same password, at today's cost, unless the password was changed meanwhile.
pub async fn rehash(tx: &mut Tx<'_>, identity: IdentityId, old: &[u8], new: &[u8]) -> Result<()> {
    execute!(
        tx,
        "hash a sign-in password anew",
        "UPDATE sign_in_password SET hash = $4 WHERE bucket = $1 AND identity = $2 AND hash = $3",
        identity.bucket().number(),
        identity.0,
        old,
        new,
    )?;
    Ok(())
}

impl std::fmt::Debug for SignInPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignInPassword").field("changed_at", &self.changed_at).finish_non_exhaustive()
    }
}
