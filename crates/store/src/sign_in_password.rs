//! Sign-in passwords: what the built-in source `IdentityNow` keeps of each identity. The hash is the vault's; whether a
//! password is right is not asked here.

use chrono::{DateTime, Utc};
use lockstep_core::id::IdentityId;
use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch, row};

/// Whose password nobody has.
const NOBODY: IdentityId = IdentityId(Uuid::nil());

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

/// The sign-in password of an identity. Until the transaction ends nobody else tries it, so that no try goes uncounted.
pub async fn hold(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Option<SignInPassword>> {
    if let Tx::Postgres(_) = tx {
        execute!(
            tx,
            "hold a sign-in password",
            "SELECT 1 FROM sign_in_password WHERE bucket = $1 AND identity = $2 FOR UPDATE",
            identity.bucket().number(),
            identity.0,
        )?;
    }
    find(tx, identity).await
}

/// Records how many wrong tries there were in a row, with one that may turn out to be right.
pub async fn tried(tx: &mut Tx<'_>, identity: IdentityId, failures: i64, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "count a sign-in",
        "UPDATE sign_in_password SET failures = $3, failed_at = $4 WHERE bucket = $1 AND identity = $2",
        identity.bucket().number(),
        identity.0,
        failures,
        now,
    )?;
    Ok(())
}

/// Counts a try at nobody's password: it costs what one at somebody's does, so that its time does not tell that there is
/// none.
pub async fn tried_at_nobodys(tx: &mut Tx<'_>, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "count a sign-in of nobody",
        "INSERT INTO sign_in_password (bucket, identity, hash, changed_at, must_change, failures, failed_at)
         VALUES ($1, $2, $3, $4, TRUE, 1, $4)
         ON CONFLICT (bucket, identity) DO UPDATE SET failures = sign_in_password.failures + 1,
             failed_at = excluded.failed_at",
        NOBODY.bucket().number(),
        NOBODY.0,
        &[][..] as &[u8],
        now,
    )?;
    Ok(())
}

/// Forgets the wrong tries, as one with the password of this hash was right. Gives whether it still is the password, which
/// stays so until the transaction ends.
pub async fn forgive(tx: &mut Tx<'_>, identity: IdentityId, hash: &[u8]) -> Result<bool> {
    let forgiven = execute!(
        tx,
        "forget failed sign-ins",
        "UPDATE sign_in_password SET failures = 0, failed_at = NULL WHERE bucket = $1 AND identity = $2 AND hash = $3",
        identity.bucket().number(),
        identity.0,
        hash,
    )?;
    Ok(forgiven == 1)
}

/// Forgets the wrong tries: somebody who may has unlocked the identity.
pub async fn unlock(tx: &mut Tx<'_>, identity: IdentityId) -> Result<()> {
    execute!(
        tx,
        "unlock an identity",
        "UPDATE sign_in_password SET failures = 0, failed_at = NULL WHERE bucket = $1 AND identity = $2",
        identity.bucket().number(),
        identity.0,
    )?;
    Ok(())
}

/// Takes one try back: it was no wrong one.
pub async fn take_back(tx: &mut Tx<'_>, identity: IdentityId) -> Result<()> {
    execute!(
        tx,
        "take a sign-in back",
        "UPDATE sign_in_password SET failures = failures - 1,
             failed_at = CASE WHEN failures > 1 THEN failed_at END WHERE bucket = $1 AND identity = $2 AND failures > 0",
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
