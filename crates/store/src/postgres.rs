//! PostgreSQL 15 or later: a pool, and what a server must promise before anything is acknowledged.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use lockstep_core::id::IdentityId;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection};

use crate::error::{Error, Result};
use crate::hint::{self, Hints};
use crate::store::{Counters, Options};
use crate::tx::PostgresTx;
use crate::{Tx, configuration};

/// The oldest version that is tested, as `server_version_num` counts.
const OLDEST: i32 = 150_000;

/// The settings without which "committed" is not so.
const PROMISES: [&str; 3] = ["synchronous_commit", "fsync", "full_page_writes"];

/// How long a connection may have been idle before it is tried out first.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Postgres {
    pool: PgPool,
    connect: PgConnectOptions,
}

impl Postgres {
    pub(crate) async fn open(address: &str, options: Options) -> Result<Self> {
        let connect = PgConnectOptions::from_str(address).map_err(|source| Error::InvalidAddress(source.into()))?;
        let limit = format!("{}ms", options.lock_timeout.as_millis().max(1));
        let limits = ["lock_timeout", "idle_in_transaction_session_timeout"].map(|name| (name, limit.as_str()));
        let connect = connect.application_name("lockstep").options(limits).disable_statement_logging();
        let database = format!("{} on {}", connect.get_database().unwrap_or("postgres"), connect.get_host());
        let failed = |source: sqlx::Error| Error::Open { database: database.clone(), source: source.into() };
        // A connection of its own: what the pool's own check says is not told to whoever waits for a connection.
        let mut first = connect.connect().await.map_err(failed)?;
        check(&mut first).await?;
        first.close().await.map_err(failed)?;
        let pool = PgPoolOptions::new()
            .max_connections(options.connections)
            .test_before_acquire(false)
            .before_acquire(|connection, idle| {
                Box::pin(async move {
                    if idle.idle_for > TRUSTED_IDLE {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(|connection, _| Box::pin(insist(connection)))
            .connect_lazy_with(connect.clone());
        Ok(Self { pool, connect })
    }

    /// The transaction runs as a task of its own: it goes on when the caller no longer waits.
    pub(crate) async fn write<T, E, F>(&self, work: F, counters: Arc<Counters>) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let pool = self.pool.clone();
        let task = tokio::spawn(async move {
            let value = transact(&pool, "BEGIN", work).await?;
            counters.committed(1);
            Ok(value)
        });
        task.await.unwrap_or_else(|_| Err(Error::Abandoned.into()))
    }

    pub(crate) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, E>> + Send,
        E: From<Error>,
    {
        transact(&self.pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", work).await
    }

    pub(crate) async fn hint(&self, identities: &[IdentityId]) -> Result<()> {
        hint::send(&self.pool, identities).await
    }

    pub(crate) async fn hints(&self) -> Result<Hints> {
        Hints::connect(self.connect.clone()).await
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

async fn transact<T, E, F>(pool: &PgPool, begin: &'static str, work: F) -> Result<T, E>
where
    F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, E>> + Send,
    E: From<Error>,
{
    let mut transaction = pool.begin_with(begin).await.map_err(Error::begin)?;
    // An error drops the transaction, which rolls it back.
    let mut tx = Tx::Postgres(PostgresTx::new(&mut transaction));
    let value = work(&mut tx).await?;
    if let Tx::Postgres(PostgresTx { configuration_changed: true, .. }) = tx {
        configuration::renew(&mut tx).await?;
    }
    transaction.commit().await.map_err(Error::commit)?;
    Ok(value)
}

/// Refuses a server that is too old, or that says "committed" before it is so.
async fn check(connection: &mut PgConnection) -> Result<()> {
    if setting(connection, "server_version_num").await?.parse::<i32>().is_ok_and(|version| version < OLDEST) {
        return Err(Error::TooOld { found: setting(connection, "server_version").await? });
    }
    for name in PROMISES {
        judge(name, setting(connection, name).await?)?;
    }
    Ok(())
}

async fn setting(connection: &mut PgConnection, name: &'static str) -> Result<String> {
    let (value,): (String,) = sqlx::query_as("SELECT current_setting($1)")
        .bind(name)
        .fetch_one(connection)
        .await
        .map_err(|source| Error::query("read the settings of the server", source))?;
    Ok(value)
}

/// What a commit must have done when it is answered. `local` and its kin wait for this server's disk and differ in what
/// they want of others. Without full pages, a page that was half written when the power failed takes down what was
/// committed on it before.
fn judge(setting: &'static str, value: String) -> Result<()> {
    match value == "off" {
        true => Err(Error::NotDurable { setting, value }),
        false => Ok(()),
    }
}

/// Every connection, the first and those that are opened later: a role or a database may have been given another setting
/// since the start. What the session sets for itself, a reload of the server's configuration does not change. One that was
/// set to wait for more than this server's disk stays so.
async fn insist(connection: &mut PgConnection) -> std::result::Result<(), sqlx::Error> {
    let on = "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                  WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)";
    sqlx::query(on).execute(connection).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_off_is_refused() {
        for name in PROMISES {
            for value in ["on", "local", "remote_write", "remote_apply"] {
                assert!(judge(name, value.to_owned()).is_ok());
            }
            assert!(matches!(judge(name, "off".to_owned()), Err(Error::NotDurable { setting, .. }) if setting == name));
        }
    }
}
