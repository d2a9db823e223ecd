//! The database of either engine, and how work is done in it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use lockstep_core::id::IdentityId;

use crate::Tx;
use crate::error::{Error, Result};
use crate::hint::Hints;
use crate::migrate::{self, Schema};
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;

/// An open database.
#[derive(Debug)]
pub struct Store {
    engine: Engine,
    counters: Arc<Counters>,
}

#[derive(Debug)]
enum Engine {
    Sqlite(Sqlite),
    Postgres(Box<Postgres>),
}

/// How a database is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether this process serves: on SQLite it then holds a lock beside the file for as long as the store is open,
    /// which proves that there is one node. On PostgreSQL the buckets prove what each node may do.
    pub exclusive: bool,
    /// How many connections are opened at most, on PostgreSQL. SQLite needs one a thread that reads.
    pub connections: u32,
    /// On PostgreSQL, how long a statement waits for a lock and a transaction may do nothing. It is shorter than the time
    /// after which a silent node counts as dead, so that such a node cannot hold a bucket's row beyond that.
    pub lock_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { exclusive: false, connections: 16, lock_timeout: Duration::from_secs(5) }
    }
}

/// What was committed since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// How many pieces of work were committed.
    pub works: u64,
    /// How many commits that took. On SQLite many pieces of work share one.
    pub commits: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    works: AtomicU64,
    commits: AtomicU64,
}

impl Counters {
    pub(crate) fn committed(&self, works: u64) {
        self.works.fetch_add(works, Ordering::Relaxed);
        self.commits.fetch_add(1, Ordering::Relaxed);
    }
}

impl Store {
    /// Opens `sqlite:PATH`, which is created where it is missing, or `postgres://…`.
    ///
    /// The schema is not touched: see [`Store::migrate`].
    ///
    /// # Errors
    /// When the address is of no engine, the database cannot be reached, another process serves from the same file,
    /// PostgreSQL is older than version 15, or its commits do not survive a crash.
    pub async fn open(address: &str, options: Options) -> Result<Self> {
        let counters = Arc::new(Counters::default());
        let engine = match address.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Engine::Sqlite(Sqlite::open(address, options, counters.clone()).await?),
            Some("postgres" | "postgresql") => Engine::Postgres(Box::new(Postgres::open(address, options).await?)),
            _ => return Err(Error::UnknownEngine),
        };
        Ok(Self { engine, counters })
    }

    /// Brings the schema up to date and makes sure that what is built in exists: the source `IdentityNow` and the
    /// Default policy. Several processes may do this at once; all but the first find nothing left to do.
    ///
    /// # Errors
    /// When a migration fails, or the database was written by a newer or a different program. Nothing is kept then.
    pub async fn migrate(&self, now: DateTime<Utc>) -> Result<()> {
        self.write(move |tx| Box::pin(migrate::run(tx, now))).await
    }

    /// How the schema stands to this program; nothing is changed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn schema(&self) -> Result<Schema> {
        self.read(|tx| Box::pin(migrate::schema(tx))).await
    }

    /// Does `work` in a transaction of its own and commits it when it gives `Ok`; otherwise nothing of it is kept.
    ///
    /// The work is carried out to its end even when the caller no longer waits for it. On SQLite it shares its commit
    /// with others; none of them is told before that commit is durable. When one of them is given up after it wrote, the
    /// others are done once more: work has no effect but what it does with the transaction.
    ///
    /// # Errors
    /// Whatever `work` gives; and [`Error::Begin`], [`Error::Commit`] or [`Error::Abandoned`] of the transaction itself.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, E>> + Clone + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite(engine) => engine.write(work).await,
            Engine::Postgres(engine) => Box::pin(engine.write(work, self.counters.clone())).await,
        }
    }

    /// Does `work` on one consistent state of what is committed. It must not write.
    ///
    /// On SQLite it is done where it is asked for, so it looks at few rows; for many there is [`Store::scan`].
    ///
    /// # Errors
    /// Whatever `work` gives, and [`Error::Begin`] or [`Error::Commit`] of the transaction itself.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, E>> + Send,
        E: From<Error>,
    {
        match &self.engine {
            Engine::Sqlite(engine) => engine.read(work).await,
            // In a box: it takes 5 KB, and whoever may read has room for it in each of their own futures.
            Engine::Postgres(engine) => Box::pin(engine.read(work)).await,
        }
    }

    /// Like [`Store::read`], for what looks at many rows: on SQLite it has a thread of its own meanwhile, where it keeps
    /// nobody waiting.
    ///
    /// # Errors
    /// Those of [`Store::read`].
    pub async fn scan<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite(engine) => engine.scan(work).await,
            Engine::Postgres(engine) => Box::pin(engine.read(work)).await,
        }
    }

    /// Tells every process on this database that something about these identities was committed, see [`crate::hint`]. On
    /// SQLite there is nobody to be told.
    ///
    /// # Errors
    /// When it cannot be sent. Nothing depends on it.
    pub async fn hint(&self, identities: &[IdentityId]) -> Result<()> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(engine) => engine.hint(identities).await,
        }
    }

    /// Listens for hints, on a connection beside the others. On SQLite there are none.
    ///
    /// # Errors
    /// When no connection can be made.
    pub async fn hints(&self) -> Result<Option<Hints>> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(None),
            Engine::Postgres(engine) => engine.hints().await.map(Some),
        }
    }

    /// Whether the database proves that no other process serves from it, see [`Options::exclusive`].
    pub fn serves_alone(&self) -> bool {
        match &self.engine {
            Engine::Sqlite(engine) => engine.is_locked(),
            Engine::Postgres(_) => false,
        }
    }

    /// Makes a copy of everything that is committed, in a new file at `path` that only its owner reads. The server goes on
    /// meanwhile. What was erased is not in the copy. It is not made durable here.
    ///
    /// # Errors
    /// On PostgreSQL; when there is a file already; when it cannot be written.
    pub async fn copy_to(&self, path: &Path) -> Result<()> {
        match &self.engine {
            Engine::Sqlite(engine) => engine.copy_to(path).await,
            Engine::Postgres(_) => Err(Error::NotAFile),
        }
    }

    /// What was committed since the store was opened.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            works: self.counters.works.load(Ordering::Relaxed),
            commits: self.counters.commits.load(Ordering::Relaxed),
        }
    }

    /// Lets the writes that were begun come to their end, and closes every connection; that of a read which is under way,
    /// when it ends. Work that comes later is abandoned.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(engine) => engine.close().await,
            Engine::Postgres(engine) => engine.close().await,
        }
    }
}
