//! A transaction of either engine, and the macros that run one SQL text on whichever it is.
//!
//! There is no query builder here: a store function writes its SQL once, with `$1` parameters, and these macros bind and
//! decode it for both engines with the native types of each.
//!
//! PostgreSQL is a network away and every statement is awaited. SQLite is a library: a statement there runs at once, on
//! the thread that its transaction is on, and what a store function awaits is always ready.

use std::ops::{Deref, DerefMut};

use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

/// A transaction that is under way. Everything done through it is committed together or not at all.
#[derive(Debug)]
pub enum Tx<'c> {
    /// On SQLite; for a write, together with others who wait at the same time.
    Sqlite(&'c mut rusqlite::Connection),
    /// On PostgreSQL.
    Postgres(PostgresTx<'c>),
}

/// A transaction on PostgreSQL.
#[derive(Debug)]
pub struct PostgresTx<'c> {
    connection: &'c mut PgConnection,
    /// Whether the configuration gets another version before the commit.
    pub(crate) configuration_changed: bool,
}

impl<'c> PostgresTx<'c> {
    pub(crate) fn new(connection: &'c mut PgConnection) -> Self {
        Self { connection, configuration_changed: false }
    }
}

impl Deref for PostgresTx<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection
    }
}

impl DerefMut for PostgresTx<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection
    }
}

/// Runs a statement; gives the number of rows it touched. The text after the transaction completes "cannot …".
macro_rules! execute {
    ($tx:expr, $operation:literal, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $tx {
            $crate::tx::Tx::Sqlite(connection) => {
                $crate::sqlite::statement::execute(connection, $sql, &[$(&$bind),*])
                    .map_err(|source| $crate::error::Error::query($operation, source))
            }
            $crate::tx::Tx::Postgres(connection) => {
                let query = ::sqlx::query::<::sqlx::Postgres>($sql)$(.bind($bind))*;
                match query.execute(&mut **connection).await {
                    Ok(done) => Ok(done.rows_affected()),
                    Err(source) => Err($crate::error::Error::query($operation, source)),
                }
            }
        }
    };
}

/// Runs a query; decodes each row into a struct declared by [`row!`] or a tuple. `fetch_one`, `fetch_optional` and
/// `fetch_all` are those of sqlx, and the same of [`statement`](crate::sqlite::statement) on SQLite.
macro_rules! fetch {
    ($tx:expr, $fetch:ident as $row:ty, $operation:literal, $sql:expr $(, $bind:expr)* $(,)?) => {
        match $tx {
            $crate::tx::Tx::Sqlite(connection) => {
                $crate::sqlite::statement::$fetch::<$row>(connection, $sql, &[$(&$bind),*])
                    .map_err(|source| $crate::error::Error::query($operation, source))
            }
            $crate::tx::Tx::Postgres(connection) => {
                ::sqlx::query_as::<::sqlx::Postgres, $row>($sql)$(.bind($bind))*.$fetch(&mut **connection).await
                    .map_err(|source| $crate::error::Error::query($operation, source))
            }
        }
    };
}

/// Declares the struct of a result's row, read by column name on both engines.
macro_rules! row {
    ($(#[$attribute:meta])* $visibility:vis struct $name:ident {
        $($(#[$field_attribute:meta])* $field_visibility:vis $field:ident: $type:ty,)*
    }) => {
        $(#[$attribute])*
        $visibility struct $name {
            $($(#[$field_attribute])* $field_visibility $field: $type,)*
        }

        impl $crate::sqlite::value::FromSqliteRow for $name {
            fn from_sqlite_row(row: &::rusqlite::Row<'_>) -> ::rusqlite::Result<Self> {
                let mut next = 0;
                Ok(Self { $($field: $crate::sqlite::value::column(row, &mut next, stringify!($field))?,)* })
            }
        }

        impl ::sqlx::FromRow<'_, ::sqlx::postgres::PgRow> for $name {
            fn from_row(row: &::sqlx::postgres::PgRow) -> ::sqlx::Result<Self> {
                Ok(Self { $($field: ::sqlx::Row::try_get(row, stringify!($field))?,)* })
            }
        }
    };
}

/// A text with a list in it, for whichever engine the transaction is of: `texts` or `ids` between what comes before and after.
/// The list is parameter `$1`, as JSON; ids are written by [`hex_ids`].
macro_rules! among {
    ($tx:expr, $before:literal, texts, $after:literal) => {
        match $tx {
            $crate::tx::Tx::Sqlite(_) => concat!($before, "(SELECT value FROM json_each($1))", $after),
            $crate::tx::Tx::Postgres(_) => concat!($before, "(SELECT jsonb_array_elements_text($1))", $after),
        }
    };
    ($tx:expr, $before:literal, ids, $after:literal) => {
        match $tx {
            $crate::tx::Tx::Sqlite(_) => concat!($before, "(SELECT unhex(value) FROM json_each($1))", $after),
            $crate::tx::Tx::Postgres(_) => {
                concat!($before, "(SELECT CAST(jsonb_array_elements_text($1) AS UUID))", $after)
            }
        }
    };
}

/// Ids as [`among!`] takes them.
pub(crate) fn hex_ids(ids: impl IntoIterator<Item = Uuid>) -> Json<Vec<String>> {
    Json(ids.into_iter().map(|id| id.simple().to_string()).collect())
}

pub(crate) use {among, execute, fetch, row};
