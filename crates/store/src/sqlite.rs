//! SQLite: one writer that commits in groups, many readers, and the lock that proves there is one node.
//!
//! Write-ahead logging lets readers go on while the writer commits; `synchronous=FULL` makes every commit an fsync, and
//! [`writer`] lets everyone who waits share it.

mod lock;
mod readers;
mod writer;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use crate::Tx;
use crate::error::{Error, Result};
use crate::store::{Counters, Options};
use lock::ServeLock;
use readers::Readers;
use writer::Writer;

/// How long a writer waits for another process (`lockstep apply`, a backup) to finish its transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Sqlite {
    writer: Writer,
    readers: Readers,
    lock: Option<ServeLock>,
}

impl Sqlite {
    pub(crate) async fn open(address: &str, options: Options, counters: Arc<Counters>) -> Result<Self> {
        let invalid = |source: sqlx::Error| Error::InvalidAddress(source.into());
        let connect = SqliteConnectOptions::from_str(address).map_err(invalid)?;
        let path = connect.get_filename().to_owned();
        if address.contains(":memory:") || path.as_os_str().is_empty() {
            return Err(invalid(sqlx::Error::Configuration("a file is needed: sqlite:PATH".into())));
        }
        let lock = match options.exclusive {
            true => Some(ServeLock::take(&path)?),
            false => None,
        };
        create_private(&path)?;
        let connect = connect.busy_timeout(BUSY_TIMEOUT).foreign_keys(true).disable_statement_logging();
        let writing = connect
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // What is erased is overwritten, not only unlinked.
            .pragma("secure_delete", "ON");
        let failed = |source: sqlx::Error| Error::Open { database: path.display().to_string(), source: source.into() };
        let connection = connect_patiently(&writing).await.map_err(failed)?;
        let readers = Readers::new(connect.read_only(true), options.connections);
        Ok(Self { writer: Writer::start(connection, writing, counters), readers, lock })
    }

    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.write(work).await
    }

    pub(crate) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, E>> + Send,
        E: From<Error>,
    {
        self.readers.read(work).await
    }

    /// One statement, which reads one state of the database while the writer goes on. It is outside of a transaction,
    /// where SQLite wants it.
    pub(crate) async fn copy_to(&self, path: &Path) -> Result<()> {
        let Some(name) = path.to_str() else {
            let source = std::io::Error::new(std::io::ErrorKind::InvalidFilename, "the path is no text");
            return Err(Error::Create { path: path.to_owned(), source: Arc::new(source) });
        };
        // SQLite takes an empty file; made by us, it has our mode.
        create_new_private(path)?;
        self.readers.copy_to(name).await
    }

    /// Whether this process holds the lock of the one that serves.
    pub(crate) fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Opens the writing connection. The first one of all makes the file one with a write-ahead log, for which it needs it alone;
/// SQLite does not wait for that as it waits for other locks.
async fn connect_patiently(options: &SqliteConnectOptions) -> sqlx::Result<SqliteConnection> {
    const PAUSE: Duration = Duration::from_millis(20);
    let is_busy =
        |error: &sqlx::Error| error.as_database_error().and_then(|error| error.code()).as_deref() == Some("5");
    let mut waited = Duration::ZERO;
    loop {
        match options.connect().await {
            Err(error) if is_busy(&error) && waited < BUSY_TIMEOUT => {
                tokio::time::sleep(PAUSE).await;
                waited += PAUSE;
            }
            connected => return connected,
        }
    }
}

/// Creates the file so that only its owner reads it. SQLite gives the files beside it the same mode.
fn create_private(path: &Path) -> Result<()> {
    open_private(path, std::fs::File::options().create(true).truncate(false))
}

fn create_new_private(path: &Path) -> Result<()> {
    open_private(path, std::fs::File::options().create_new(true))
}

fn open_private(path: &Path, file: &mut std::fs::OpenOptions) -> Result<()> {
    file.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(file, 0o600);
    let failed = |source| Error::Create { path: PathBuf::from(path), source: Arc::new(source) };
    file.open(path).map(drop).map_err(failed)
}
