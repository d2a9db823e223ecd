//! The reading connections: kept open, used again at once, the latest first.
//!
//! Not sqlx's pool. That one asks every connection that comes back whether it still lives, in a task of its own, which
//! is right for a network; beside a small read of a file it is a third of the work.

use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::Semaphore;

use crate::Tx;
use crate::error::{Error, Result};

#[derive(Debug)]
pub(super) struct Readers {
    options: SqliteConnectOptions,
    size: u32,
    /// One for each reader that may be at work.
    permits: Semaphore,
    idle: Mutex<Vec<SqliteConnection>>,
}

impl Readers {
    /// Opens nothing yet.
    pub(super) fn new(options: SqliteConnectOptions, size: u32) -> Self {
        Self { options, size, permits: Semaphore::new(size as usize), idle: Mutex::default() }
    }

    pub(super) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, E>> + Send,
        E: From<Error>,
    {
        let _permit = self.permits.acquire().await.map_err(|_| Error::Abandoned)?;
        let idle = self.idle().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(Error::begin)?,
        };
        // SQLite may have ended the transaction before by itself (an I/O error), of which the driver knows nothing: it would
        // open a savepoint next time, and every reader after that would see one old state for ever. A BEGIN of our own is
        // refused in that case, and the connection is left behind.
        let mut transaction = connection.begin_with("BEGIN").await.map_err(Error::begin)?;
        let result = work(&mut Tx::Sqlite(&mut transaction)).await;
        // There is nothing to commit. Rolling back is only asked for: whoever uses the connection next comes after it.
        drop(transaction);
        // A reader that was given up half-way never comes here; its connection is closed instead.
        self.idle().push(connection);
        result
    }

    /// Copies what is committed into the empty file of that name. A connection of its own: the copy takes its time.
    pub(super) async fn copy_to(&self, name: &str) -> Result<()> {
        let _permit = self.permits.acquire().await.map_err(|_| Error::Abandoned)?;
        let mut connection = self.options.connect().await.map_err(Error::begin)?;
        let copied = sqlx::query("VACUUM INTO $1").bind(name).execute(&mut connection).await;
        copied.map_err(|source| Error::query("copy the database", source))?;
        connection.close().await.map_err(Error::begin)
    }

    /// Waits for the readers that are at work, and closes every connection.
    pub(super) async fn close(&self) {
        let everybody = self.permits.acquire_many(self.size).await;
        self.permits.close();
        drop(everybody);
        let idle = std::mem::take(&mut *self.idle());
        for connection in idle {
            if let Err(error) = connection.close().await {
                tracing::warn!(error = %error, "a reading connection was not closed cleanly");
            }
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SqliteConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
