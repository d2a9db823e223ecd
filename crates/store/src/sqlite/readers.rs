//! The reading connections: kept open, each lent to one read at a time.
//!
//! A read is done where it is asked for. SQLite answers out of memory in less time than it takes to hand the question to
//! another thread and the answer back; what may take long is asked for with [`Readers::scan`].

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::DatabaseFile;
use super::statement::execute;
use crate::Tx;
use crate::error::{Cause, Error, Result};

#[derive(Debug, Clone)]
pub(super) struct Readers {
    file: DatabaseFile,
    /// Those that nobody reads with, the one that was used last at the end; nothing once the store is closed.
    idle: Arc<Mutex<Option<Vec<Connection>>>>,
    /// How many are kept.
    kept: usize,
}

impl Readers {
    pub(super) fn new(file: DatabaseFile, kept: usize) -> Self {
        Self { file, idle: Arc::new(Mutex::new(Some(Vec::new()))), kept }
    }

    pub(super) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, E>> + Send,
        E: From<Error>,
    {
        let mut connection = self.take()?;
        execute(&connection, "BEGIN", &[]).map_err(Error::begin)?;
        // Whoever panics or gives up here drops the connection, and its transaction with it.
        let result = work(&mut Tx::Sqlite(&mut connection)).await;
        // There is nothing to roll back either, and COMMIT looks for less. SQLite may have ended the transaction by itself (an
        // I/O error): then nobody can end it, and the next read begins with another connection.
        if execute(&connection, "COMMIT", &[]).is_ok() {
            self.give_back(connection);
        }
        result
    }

    /// The same in a thread of its own, for what looks at many rows.
    pub(super) async fn scan<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (readers, runtime) = (self.clone(), Handle::current());
        let reading = spawn_blocking(move || runtime.block_on(readers.read(work)));
        match reading.await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(Error::Abandoned.into()),
        }
    }

    /// Copies what is committed into the empty file of that name.
    pub(super) async fn copy_to(&self, name: &str) -> Result<()> {
        let (file, name) = (self.file.clone(), name.to_owned());
        let copying = spawn_blocking(move || {
            let connection = file.open_to_read().map_err(Error::begin)?;
            let copied = execute(&connection, "VACUUM INTO $1", &[&name]);
            copied.map_err(|source| Error::query("copy the database", source))?;
            connection.close().map_err(|(_, source)| Error::begin(source))
        });
        copying.await.unwrap_or(Err(Error::Abandoned))
    }

    /// Closes every connection; one that is lent, when it is given back. Nobody reads any more.
    pub(super) fn close(&self) {
        for connection in self.with(Option::take).into_iter().flatten() {
            if let Err((_, error)) = connection.close() {
                tracing::warn!(error = %Cause::from(error), "a reading connection was not closed cleanly");
            }
        }
    }

    fn take(&self) -> Result<Connection> {
        let idle = self.with(|idle| idle.as_mut().map(Vec::pop)).ok_or(Error::Abandoned)?;
        match idle {
            Some(connection) => Ok(connection),
            None => self.file.open_to_read().map_err(Error::begin),
        }
    }

    fn give_back(&self, connection: Connection) {
        let surplus = self.with(|idle| match idle {
            Some(idle) if idle.len() < self.kept => {
                idle.push(connection);
                None
            }
            _ => Some(connection),
        });
        // Closed here, not while others wait for the lock.
        drop(surplus);
    }

    fn with<T>(&self, act: impl FnOnce(&mut Option<Vec<Connection>>) -> T) -> T {
        act(&mut self.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
