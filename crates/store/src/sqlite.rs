//! SQLite: one writer that commits in groups, many readers, and the lock that proves there is one node.
//!
//! Write-ahead logging lets readers go on while the writer commits; `synchronous=FULL` makes every commit an fsync, and
//! [`writer`] lets everyone who waits share it, on a thread where it may wait for the disk. A read is done where it is asked
//! for. Nothing is handed from thread to thread within a transaction.

mod lock;
mod readers;
pub(crate) mod statement;
pub(crate) mod value;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use rusqlite::{Connection, OpenFlags};

use crate::Tx;
use crate::error::{Cause, Error, Result};
use crate::store::{Counters, Options};
use lock::ServeLock;
use readers::Readers;
use writer::Writer;

/// How long a writer waits for another process (`lockstep apply`, a backup) to finish its transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How many reading connections are kept for each processor.
const READERS: usize = 2;

/// How many prepared statements a connection keeps: more than there are.
const STATEMENTS: usize = 256;

/// After how many pages the write-ahead log is copied into the database: 16 MB. The same few pages are written by commit
/// after commit, and are copied once for all of them.
const CHECKPOINT: u32 = 4000;

/// How many KB of pages the writing connection keeps. It finds most of what it changes there, as nobody else writes while
/// the server runs; what a reader keeps is stale after every commit. Not more: a commit that split a page looks at all of
/// them.
const WRITER_CACHE: u32 = 4_000;

#[derive(Debug)]
pub(crate) struct Sqlite {
    writer: Writer,
    readers: Readers,
    lock: Option<ServeLock>,
}

impl Sqlite {
    pub(crate) async fn open(address: &str, options: Options, counters: Arc<Counters>) -> Result<Self> {
        let file = DatabaseFile(path_of(address)?);
        let lock = match options.exclusive {
            true => Some(ServeLock::take(&file.0)?),
            false => None,
        };
        create_private(&file.0)?;
        let failed = |source: Cause| Error::Open { database: file.0.display().to_string(), source };
        let opening = file.clone();
        let opened = tokio::task::spawn_blocking(move || opening.open_to_write_patiently()).await;
        let connection = opened.map_err(|_| Error::Abandoned)?.map_err(|source| failed(source.into()))?;
        let no_thread = |source| failed(sqlx::Error::Io(source).into());
        let writer = Writer::start(connection, file.clone(), counters).map_err(no_thread)?;
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let readers = Readers::new(file.clone(), READERS * processors);
        Ok(Self { writer, readers, lock })
    }

    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, E>> + Clone + Send + 'static,
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

    pub(crate) async fn scan<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.readers.scan(work).await
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
        self.readers.close();
        self.writer.close().await;
    }
}

/// The file that an address names.
fn path_of(address: &str) -> Result<PathBuf> {
    let path = address.strip_prefix("sqlite:").unwrap_or_default();
    let path = path.strip_prefix("//").unwrap_or(path);
    // The library would take what begins with `file:` for an address of its own kind.
    match path.is_empty() || path.contains('?') || path == ":memory:" || path.starts_with("file:") {
        true => {
            let wanted = "a file is needed, and nothing after it: sqlite:PATH";
            Err(Error::InvalidAddress(sqlx::Error::Configuration(wanted.into()).into()))
        }
        false => Ok(PathBuf::from(path)),
    }
}

/// Where the database is, and how a connection to it is opened.
#[derive(Debug, Clone)]
struct DatabaseFile(PathBuf);

impl DatabaseFile {
    fn open_to_read(&self) -> rusqlite::Result<Connection> {
        self.open(OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn open_to_write(&self) -> rusqlite::Result<Connection> {
        let connection = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // What is erased is overwritten, not only unlinked. What a statement that may yet fail has changed is remembered in memory:
        // a row with many indexes touches more pages than SQLite keeps there otherwise, and each would be written to a file.
        connection.execute_batch(&format!(
            "PRAGMA foreign_keys = ON;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA secure_delete = ON;
             PRAGMA temp_store = MEMORY;
             PRAGMA wal_autocheckpoint = {CHECKPOINT};
             PRAGMA cache_size = -{WRITER_CACHE};"
        ))?;
        Ok(connection)
    }

    /// The first connection of all makes the file one with a write-ahead log, for which it needs it alone; SQLite does not
    /// wait for that as it waits for other locks.
    fn open_to_write_patiently(&self) -> rusqlite::Result<Connection> {
        const PAUSE: Duration = Duration::from_millis(20);
        let begin = Instant::now();
        loop {
            match self.open_to_write() {
                Err(error)
                    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
                        && begin.elapsed() < BUSY_TIMEOUT =>
                {
                    thread::sleep(PAUSE);
                }
                opened => return opened,
            }
        }
    }

    fn open(&self, access: OpenFlags) -> rusqlite::Result<Connection> {
        // A connection is used by one thread at a time, so that SQLite need not see to it.
        let connection = Connection::open_with_flags(&self.0, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
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
