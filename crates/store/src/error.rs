//! What can go wrong in the store. A variant says which operation failed; no variant and no text holds a value that was
//! bound to a statement.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use lockstep_core::id::Bucket;
use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY;
use sqlx::error::ErrorKind;

/// The result of an operation of the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation of the store failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The address is of neither engine.
    #[error("the database address must begin with sqlite: or postgres:")]
    UnknownEngine,
    /// The address begins right and cannot be read further.
    #[error("the database address cannot be read")]
    InvalidAddress(#[source] Cause),
    /// The database cannot be opened or reached.
    #[error("cannot open the database {database}")]
    Open {
        /// The file, or the host and name, without credentials.
        database: String,
        /// What the engine said.
        #[source]
        source: Cause,
    },
    /// The SQLite file or the lock beside it cannot be created.
    #[error("cannot create {}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// Another process serves from this SQLite file.
    #[error("another process serves this database: it holds the lock {}", lock.display())]
    Served {
        /// The lock file.
        lock: PathBuf,
    },
    /// A copy was asked for that only SQLite can make.
    #[error("a copy of PostgreSQL is made with its own tools")]
    NotAFile,
    /// The server is older than PostgreSQL 15.
    #[error("PostgreSQL {found} is too old: version 15 or later is needed")]
    TooOld {
        /// The version as the server says it.
        found: String,
    },
    /// The server acknowledges commits that a crash may lose.
    #[error("{setting} is {value}: acknowledged commits could be lost in a crash")]
    NotDurable {
        /// The setting that makes it so.
        setting: &'static str,
        /// Its value.
        value: String,
    },
    /// A migration cannot be applied; nothing of it, nor of those before it in the same run, is kept.
    #[error("the migration {name} failed")]
    Migrate {
        /// The file's name.
        name: &'static str,
        /// What the engine said.
        #[source]
        source: Cause,
    },
    /// An applied migration is not the one this program knows by that name.
    #[error("the migration {name} was applied in another form than this program has")]
    MigrationChanged {
        /// The file's name.
        name: String,
    },
    /// The database was migrated by a newer program.
    #[error("the database has the migration {name}, which this program does not know: it is older than the database")]
    UnknownMigration {
        /// The migration's name.
        name: String,
    },
    /// A transaction cannot be begun; nothing was done.
    #[error("cannot begin a transaction")]
    Begin(#[source] Cause),
    /// A transaction could not be committed. Whether it was is not known when the connection broke meanwhile.
    #[error("cannot commit a transaction")]
    Commit(#[source] Cause),
    /// One statement failed, and its transaction with it.
    #[error("cannot {operation}")]
    Query {
        /// What was to be done, as the rest of the sentence "cannot …".
        operation: &'static str,
        /// The named constraint that refused it.
        constraint: Option<String>,
        /// What the engine said.
        #[source]
        source: Cause,
    },
    /// A row holds what no version of this program writes.
    #[error("{what} cannot be read: {value:?} is unknown")]
    Corrupt {
        /// Which field of which noun.
        what: &'static str,
        /// What it holds; never a secret, only names of states and the like.
        value: String,
    },
    /// What was asked for by id is not there.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Something final, or gone, was to be written: whoever writes has an old picture and must load it anew.
    #[error("the {0} is final or gone")]
    Stale(&'static str),
    /// The bucket belongs to another node or epoch by now: whoever writes owns it no longer and must stop.
    #[error("bucket {} belongs to another node", .0.0)]
    BucketLost(Bucket),
    /// The store was closed, or the work panicked, before it was committed.
    #[error("the work was abandoned before it was committed")]
    Abandoned,
}

/// What the engine said: its message, and not the detail beside it, in which PostgreSQL quotes the row's values.
#[derive(Clone)]
pub struct Cause(Arc<Engine>);

#[derive(Debug, thiserror::Error)]
enum Engine {
    #[error(transparent)]
    Sqlite(rusqlite::Error),
    #[error(transparent)]
    Sqlx(sqlx::Error),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.to_string())
    }
}

impl std::error::Error for Cause {}

impl From<sqlx::Error> for Cause {
    fn from(error: sqlx::Error) -> Self {
        Self(Arc::new(Engine::Sqlx(error)))
    }
}

impl From<rusqlite::Error> for Cause {
    fn from(error: rusqlite::Error) -> Self {
        Self(Arc::new(Engine::Sqlite(error)))
    }
}

impl Cause {
    fn is_transient(&self) -> bool {
        // serialization_failure, deadlock_detected, lock_not_available.
        const CODES: [&str; 3] = ["40001", "40P01", "55P03"];
        let code = |error: &sqlx::Error| error.as_database_error()?.code().map(|code| CODES.contains(&code.as_ref()));
        match &*self.0 {
            Engine::Sqlite(error) => error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy),
            Engine::Sqlx(error) => code(error).unwrap_or(false),
        }
    }

    fn is_reference_violation(&self) -> bool {
        match &*self.0 {
            Engine::Sqlite(error) => {
                error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_CONSTRAINT_FOREIGNKEY)
            }
            Engine::Sqlx(error) => {
                error.as_database_error().is_some_and(|error| error.kind() == ErrorKind::ForeignKeyViolation)
            }
        }
    }

    /// PostgreSQL names the constraint. SQLite names its columns, `account.source, account.native_key`, from which the
    /// name follows by the rule of the migrations.
    fn constraint(&self) -> Option<String> {
        let error = match &*self.0 {
            Engine::Sqlite(rusqlite::Error::SqliteFailure(_, message)) => message.as_deref()?,
            Engine::Sqlite(_) => return None,
            Engine::Sqlx(error) => return error.as_database_error()?.constraint().map(str::to_owned),
        };
        let columns = error.strip_prefix("UNIQUE constraint failed: ")?;
        let table = columns.split_once('.')?.0;
        let columns: Vec<&str> = columns.split(", ").filter_map(|column| Some(column.split_once('.')?.1)).collect();
        Some(format!("{table}_{}_key", columns.join("_")))
    }
}

impl Error {
    /// The unique constraint that refused the statement, by the same name on both engines: `table_columns_key`.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Query { constraint, .. } => constraint.as_deref(),
            _ => None,
        }
    }

    /// Whether the statement referred to something that is not there, or removed something that is referred to.
    pub fn is_reference_violation(&self) -> bool {
        self.cause().is_some_and(Cause::is_reference_violation)
    }

    /// Whether the same work may well succeed when it is done again at once: a deadlock, a serialisation failure, a
    /// lock that was not free in time.
    pub fn is_transient(&self) -> bool {
        self.cause().is_some_and(Cause::is_transient)
    }

    pub(crate) fn query(operation: &'static str, source: impl Into<Cause>) -> Self {
        let source = source.into();
        Self::Query { operation, constraint: source.constraint(), source }
    }

    pub(crate) fn begin(source: impl Into<Cause>) -> Self {
        Self::Begin(source.into())
    }

    pub(crate) fn commit(source: impl Into<Cause>) -> Self {
        Self::Commit(source.into())
    }

    fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Begin(source) | Self::Commit(source) | Self::Query { source, .. } => Some(source),
            _ => None,
        }
    }
}
