//! The version of the configuration: another one after every transaction that writes to the tables that are small, seldom
//! written and read for every request. Those are the sources, applications, sync groups, password policies, the dictionary,
//! the organisation's settings of passwords and of sign-in, API clients and transport keys; identities and accounts are none of them.
//!
//! Whoever keeps such rows in memory keeps the version with them that was read in the same transaction, before and after
//! the rows: one that writes may read, on PostgreSQL, rows of the next version after the version. A later transaction that
//! reads the same version would read the same rows: whatever changes them changes the version, in whichever process. A
//! version is random and never comes back, or commits that a fail-over lost could be taken for those that came after.

use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch};

/// The version, as this transaction sees it. None before anything was configured.
pub async fn version(tx: &mut Tx<'_>) -> Result<Option<Uuid>> {
    let (version,) = fetch!(
        tx,
        fetch_one as (Option<Uuid>,),
        "read the version of the configuration",
        "SELECT version FROM configuration WHERE id = 1"
    )?;
    Ok(version)
}

/// The version, and whether the access token with that id was revoked: in one statement, as both are asked at every request
/// of a program.
pub async fn version_and_revoked(tx: &mut Tx<'_>, token: Uuid) -> Result<(Option<Uuid>, bool)> {
    fetch!(
        tx,
        fetch_one as (Option<Uuid>, bool),
        "read the version of the configuration",
        "SELECT version, EXISTS (SELECT 1 FROM revoked_token WHERE revoked_token.id = $1) AS revoked
         FROM configuration WHERE id = 1",
        token
    )
}

/// To be called by every function that writes to one of those tables. On PostgreSQL the row is written when the
/// transaction is about to be committed: whoever holds its lock must not wait for anything else.
pub(crate) async fn changed(tx: &mut Tx<'_>) -> Result<()> {
    match tx {
        Tx::Postgres(postgres) => postgres.configuration_changed = true,
        Tx::Sqlite(_) => renew(tx).await?,
    }
    Ok(())
}

/// Keeps others who change the configuration, or the levels of people, waiting until this transaction has ended: to be called
/// before anything is read on which the change depends. On SQLite there is one writer anyway. It is a row of its own, as
/// that of the version is written last.
pub async fn lock(tx: &mut Tx<'_>) -> Result<()> {
    if let Tx::Postgres(_) = tx {
        fetch!(
            tx,
            fetch_one as (i16,),
            "lock the configuration",
            "SELECT id FROM configuration_lock WHERE id = 1 FOR UPDATE"
        )?;
    }
    Ok(())
}

/// Gives the configuration another version.
pub(crate) async fn renew(tx: &mut Tx<'_>) -> Result<()> {
    let sql = match tx {
        Tx::Sqlite(_) => "UPDATE configuration SET version = randomblob(16) WHERE id = 1",
        Tx::Postgres(_) => "UPDATE configuration SET version = gen_random_uuid() WHERE id = 1",
    };
    execute!(tx, "renew the version of the configuration", sql)?;
    Ok(())
}
