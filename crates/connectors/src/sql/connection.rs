//! One connection to one of three databases, with the few things that are asked of them.
//!
//! The only place where the three drivers' types meet. It runs what it is given and passes errors on as they came.

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use sqlx::mysql::MySqlRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, MySql, Postgres, Row as _, Sqlite};
use sqlx::{MySqlConnection, PgConnection, SqliteConnection};
use std::time::Duration;
use tokio::time::timeout;

use super::config::{Address, Engine, Settings};
use super::row::Row;
use super::statement::{Parameter, Statement};
use super::{mysql, postgres, sqlite};
use crate::pool::Pooled;

/// How long a goodbye, or a question whether an idle connection still works, may take.
const SHORTLY: Duration = Duration::from_secs(2);

/// A connection to an application's database.
pub(super) enum Connection {
    Postgres(PgConnection),
    MySql(MySqlConnection),
    Sqlite(SqliteConnection),
}

/// The values of a statement's parameters.
#[derive(Default)]
pub(super) struct Values<'a> {
    pub(super) account: &'a str,
    pub(super) password: &'a str,
    pub(super) hash: &'a str,
    pub(super) since: &'a str,
    pub(super) stable_id: &'a str,
}

impl<'a> Values<'a> {
    fn of(&self, parameter: Parameter) -> &'a str {
        match parameter {
            Parameter::Account => self.account,
            Parameter::Password => self.password,
            Parameter::Hash => self.hash,
            Parameter::Since => self.since,
            Parameter::StableId => self.stable_id,
        }
    }
}

/// Runs the same expression with the connection of whichever engine it is, and the engine's type.
macro_rules! on {
    ($self:expr, $connection:ident, $Engine:ident => $body:expr) => {
        match $self {
            Connection::Postgres($connection) => {
                type $Engine = Postgres;
                $body
            }
            Connection::MySql($connection) => {
                type $Engine = MySql;
                $body
            }
            Connection::Sqlite($connection) => {
                type $Engine = Sqlite;
                $body
            }
        }
    };
}

/// Binds the values of a statement. Statements are not kept prepared on the server: a pooler in front of PostgreSQL
/// may give the next transaction to another server.
macro_rules! bound {
    ($Engine:ident, $statement:expr, $values:expr) => {{
        let query = sqlx::query::<$Engine>(AssertSqlSafe($statement.sql.clone())).persistent(false);
        let parameters = $statement.parameters.iter();
        parameters.fold(query, |query, &parameter| query.bind($values.of(parameter)))
    }};
}

impl Connection {
    /// Connects and signs in.
    pub(super) async fn open(settings: &Settings) -> Result<Self, sqlx::Error> {
        let limit = settings.request_timeout;
        match (settings.engine, &settings.address) {
            (Engine::Postgres, Address::Server(server)) => {
                postgres::options(server).connect().await.map(Self::Postgres)
            }
            (Engine::MySql, Address::Server(server)) => {
                let mut connection = Self::MySql(mysql::options(server).connect().await?);
                connection.run(mysql::prepare(limit)).await?;
                Ok(connection)
            }
            (_, Address::File(path)) => sqlite::options(path, limit).connect().await.map(Self::Sqlite),
            (Engine::Sqlite, Address::Server(_)) => Err(sqlx::Error::Configuration("SQLite has no server".into())),
        }
    }

    /// Begins a transaction that may write.
    pub(super) async fn begin(&mut self, limit: Duration) -> Result<(), sqlx::Error> {
        let sql = match self {
            Self::Postgres(_) => postgres::begin(limit),
            Self::MySql(_) => "START TRANSACTION".to_owned(),
            // Takes the write lock at once, where waiting for it can still be given up without loss.
            Self::Sqlite(_) => "BEGIN IMMEDIATE".to_owned(),
        };
        self.run(sql).await
    }

    /// Begins a transaction that only reads, on a connection that is used for nothing else afterwards.
    ///
    /// The server must not end it for being long: neither PostgreSQL's limit for a statement, which would count the whole
    /// reading, nor MySQL's for a client that does not take rows for a while.
    pub(super) async fn begin_reading(&mut self) -> Result<(), sqlx::Error> {
        let steps: &[&str] = match self {
            Self::Postgres(_) => &["BEGIN READ ONLY"],
            Self::MySql(_) => &["SET SESSION net_write_timeout = 3600", "START TRANSACTION READ ONLY"],
            Self::Sqlite(_) => &["PRAGMA query_only = ON", "BEGIN"],
        };
        for &step in steps {
            self.run(step.to_owned()).await?;
        }
        Ok(())
    }

    /// The rows of a statement, one after another as they come.
    pub(super) fn rows<'a>(
        &'a mut self,
        statement: &'a Statement,
        values: &'a Values<'a>,
    ) -> BoxStream<'a, Result<Row, sqlx::Error>> {
        let mut columns = None;
        on!(self, connection, E => {
            let rows = bound!(E, statement, values).fetch(connection);
            rows.map(move |row| Row::of(&row?, &mut columns)).boxed()
        })
    }

    pub(super) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.run("COMMIT".to_owned()).await
    }

    pub(super) async fn rollback(&mut self) -> Result<(), sqlx::Error> {
        self.run("ROLLBACK".to_owned()).await
    }

    /// Runs a statement and says how many rows it found.
    pub(super) async fn write(&mut self, statement: &Statement, values: &Values<'_>) -> Result<u64, sqlx::Error> {
        on!(self, connection, E => {
            bound!(E, statement, values).execute(connection).await.map(|result| result.rows_affected())
        })
    }

    /// Has a statement explained instead of run. Its parameters are NULL, which can be cast to anything: no other value fits
    /// `:account::bigint` and `:account::uuid` alike.
    pub(super) async fn explain(&mut self, statement: &Statement) -> Result<(), sqlx::Error> {
        let explained = statement.prefixed("EXPLAIN ");
        on!(self, connection, E => {
            let query = sqlx::query::<E>(AssertSqlSafe(explained.sql)).persistent(false);
            let query = explained.parameters.iter().fold(query, |query, _| query.bind(None::<&str>));
            query.execute(connection).await.map(drop)
        })
    }

    /// The first column of each row, as bytes; None is NULL.
    pub(super) async fn read_hashes(
        &mut self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<Vec<Option<Vec<u8>>>, sqlx::Error> {
        on!(self, connection, E => {
            let rows = bound!(E, statement, values).fetch_all(connection).await?;
            // Unchecked: text and binary columns hold the same bytes, whatever the database calls their type.
            rows.iter().map(|row| row.try_get_unchecked::<Option<Vec<u8>>, _>(0)).collect()
        })
    }

    /// The first column of each row, as a verdict; None is NULL.
    pub(super) async fn read_verdicts(
        &mut self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<Vec<Option<bool>>, sqlx::Error> {
        on!(self, connection, E => {
            let rows = bound!(E, statement, values).fetch_all(connection).await?;
            rows.iter().map(Verdict::verdict).collect()
        })
    }

    /// Whether rows of the last statement stayed changed after ROLLBACK: tables without transactions (MyISAM, Aria)
    /// say so in a warning.
    pub(super) async fn rollback_was_incomplete(&mut self) -> Result<bool, sqlx::Error> {
        /// ER_WARNING_NOT_COMPLETE_ROLLBACK.
        const NOT_COMPLETE_ROLLBACK: u32 = 1196;
        let Self::MySql(connection) = self else { return Ok(false) };
        let warnings = sqlx::raw_sql("SHOW WARNINGS").fetch_all(connection).await?;
        Ok(warnings.iter().any(|row| matches!(row.try_get_unchecked(1), Ok(NOT_COMPLETE_ROLLBACK))))
    }

    /// Runs our own text, without parameters.
    async fn run(&mut self, sql: String) -> Result<(), sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        on!(self, connection, E => sql.execute::<_, E>(connection).await.map(drop))
    }
}

impl Pooled for Connection {
    fn is_closed(&mut self) -> bool {
        false
    }

    async fn answers(&mut self) -> bool {
        let ping = async { on!(self, connection, _E => connection.ping().await) };
        matches!(timeout(SHORTLY, ping).await, Ok(Ok(())))
    }

    async fn goodbye(self) {
        let close = async { on!(self, connection, _E => connection.close().await) };
        // A database that does not wait for our goodbye is no problem: the socket closes either way.
        let _ = timeout(SHORTLY, close).await;
    }
}

/// A row whose first column says true or false, in the types that each engine has for that.
trait Verdict {
    fn verdict(&self) -> Result<Option<bool>, sqlx::Error>;
}

impl Verdict for PgRow {
    fn verdict(&self) -> Result<Option<bool>, sqlx::Error> {
        self.try_get::<Option<bool>, _>(0)
            .or_else(|_| self.try_get::<Option<i32>, _>(0).map(|value| value.map(|value| value != 0)))
            .or_else(|_| self.try_get::<Option<i64>, _>(0).map(|value| value.map(|value| value != 0)))
    }
}

impl Verdict for MySqlRow {
    fn verdict(&self) -> Result<Option<bool>, sqlx::Error> {
        self.try_get(0)
    }
}

impl Verdict for SqliteRow {
    fn verdict(&self) -> Result<Option<bool>, sqlx::Error> {
        self.try_get(0)
    }
}
