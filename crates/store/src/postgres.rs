//! PostgreSQL 15 or later: a pool, and what a server must promise before anything is acknowledged.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};

use crate::Tx;
use crate::error::{Error, Result};
use crate::store::{Counters, Options};

/// The oldest version that is tested, as `server_version_num` counts.
const OLDEST: i32 = 150_000;

/// How long a connection may have been idle before it is tried out first.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Postgres {
    pool: PgPool,
}

impl Postgres {
    pub(crate) async fn open(address: &str, options: Options) -> Result<Self> {
        let connect = PgConnectOptions::from_str(address).map_err(|source| Error::InvalidAddress(source.into()))?;
        let limit = format!("{}ms", options.lock_timeout.as_millis().max(1));
        let limits = ["lock_timeout", "idle_in_transaction_session_timeout"].map(|name| (name, limit.as_str()));
        let connect = connect.application_name("lockstep").options(limits).disable_statement_logging();
        let database = format!("{} on {}", connect.get_database().unwrap_or("postgres"), connect.get_host());
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
            .connect_with(connect)
            .await
            .map_err(|source| Error::Open { database, source: source.into() })?;
        check(&pool).await?;
        Ok(Self { pool })
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
    let value = work(&mut Tx::Postgres(&mut transaction)).await?;
    transaction.commit().await.map_err(Error::commit)?;
    Ok(value)
}

/// Refuses a server that is too old, or that says "committed" before it is so.
async fn check(pool: &PgPool) -> Result<()> {
    let setting = async |name: &'static str| -> Result<String> {
        let (value,): (String,) = sqlx::query_as("SELECT current_setting($1)")
            .bind(name)
            .fetch_one(pool)
            .await
            .map_err(|source| Error::query("read the settings of the server", source))?;
        Ok(value)
    };
    if setting("server_version_num").await?.parse::<i32>().is_ok_and(|version| version < OLDEST) {
        return Err(Error::TooOld { found: setting("server_version").await? });
    }
    for name in ["synchronous_commit", "fsync"] {
        let value = setting(name).await?;
        if value == "off" {
            return Err(Error::NotDurable { setting: name, value });
        }
    }
    Ok(())
}
