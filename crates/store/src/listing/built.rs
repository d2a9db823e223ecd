//! A statement that is put together while the program runs, from texts that are in it and values that are bound.

use chrono::{DateTime, Utc};
use rusqlite::types::ToSqlOutput;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::sqlite::statement;
use crate::sqlite::value::{FromSqliteRow, ToSqlite};
use crate::tx::Tx;

/// A value that is bound.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bind {
    Text(String),
    Id(Uuid),
    Flag(bool),
    Instant(DateTime<Utc>),
    Number(i64),
}

/// What a row is read as.
pub(super) trait BuiltRow: FromSqliteRow + for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin {}

impl<T: FromSqliteRow + for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin> BuiltRow for T {}

/// What one engine calls otherwise than the other.
#[derive(Debug)]
pub(super) struct Names {
    /// The function that finds a text in another.
    pub(super) position: &'static str,
    explain: &'static str,
}

const SQLITE: Names = Names { position: "instr", explain: "EXPLAIN QUERY PLAN " };
const POSTGRES: Names = Names { position: "strpos", explain: "EXPLAIN " };

/// The statement.
#[derive(Debug)]
pub(super) struct Built {
    text: String,
    binds: Vec<Bind>,
    pub(super) engine: Names,
}

impl Built {
    pub(super) fn for_engine_of(tx: &Tx<'_>) -> Self {
        let engine = if let Tx::Sqlite(_) = tx { SQLITE } else { POSTGRES };
        Self { text: String::new(), binds: Vec::new(), engine }
    }

    /// Only what is written in this program can be pushed.
    pub(super) fn push<const N: usize>(&mut self, texts: [&'static str; N]) {
        texts.iter().for_each(|text| self.text.push_str(text));
    }

    pub(super) fn bind(&mut self, value: Bind) {
        self.binds.push(value);
        self.text.push('$');
        self.text.push_str(&self.binds.len().to_string());
    }

    /// It is planned anew each time: which index is best depends on the values.
    pub(super) async fn fetch_all<R: BuiltRow>(&self, tx: &mut Tx<'_>, operation: &'static str) -> Result<Vec<R>> {
        match tx {
            Tx::Sqlite(connection) => {
                let binds: Vec<&dyn ToSqlite> = self.binds.iter().map(|bind| bind as &dyn ToSqlite).collect();
                statement::fetch_all_once(connection, &self.text, &binds)
                    .map_err(|source| Error::query(operation, source))
            }
            Tx::Postgres(connection) => {
                // Its text is that of constants, and what a client sent is bound.
                let mut query = sqlx::query_as(AssertSqlSafe(self.text.as_str())).persistent(false);
                for bind in &self.binds {
                    query = match bind {
                        Bind::Text(text) => query.bind(text.as_str()),
                        Bind::Id(id) => query.bind(id),
                        Bind::Flag(value) => query.bind(value),
                        Bind::Instant(time) => query.bind(time),
                        Bind::Number(number) => query.bind(number),
                    };
                }
                query.fetch_all(&mut **connection).await.map_err(|source| Error::query(operation, source))
            }
        }
    }

    pub(super) async fn count(&self, tx: &mut Tx<'_>, operation: &'static str) -> Result<i64> {
        let rows: Vec<(i64,)> = self.fetch_all(tx, operation).await?;
        Ok(rows.first().map_or(0, |(count,)| *count))
    }

    pub(super) async fn explain(mut self, tx: &mut Tx<'_>) -> Result<Vec<String>> {
        self.text.insert_str(0, self.engine.explain);
        Ok(match tx {
            Tx::Sqlite(_) => {
                let rows: Vec<(i64, i64, i64, String)> = self.fetch_all(tx, "explain a list").await?;
                rows.into_iter().map(|(_, _, _, step)| step).collect()
            }
            Tx::Postgres(_) => {
                let rows: Vec<(String,)> = self.fetch_all(tx, "explain a list").await?;
                rows.into_iter().map(|(step,)| step).collect()
            }
        })
    }
}

impl ToSqlite for Bind {
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Text(text) => text.to_sqlite(),
            Self::Id(id) => id.to_sqlite(),
            Self::Flag(value) => value.to_sqlite(),
            Self::Instant(time) => time.to_sqlite(),
            Self::Number(number) => number.to_sqlite(),
        }
    }
}
