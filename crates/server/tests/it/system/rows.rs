//! The store's rows, read by a connection of the test's own: what was durable at the moment of a kill.

use std::path::PathBuf;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, SqliteConnection};

/// A store's database.
pub(super) enum Rows {
    /// A file.
    Sqlite(PathBuf),
    /// An address.
    Postgres(String),
}

impl Rows {
    /// Rows of a name and a number.
    pub(super) async fn counts(&self, query: &'static str) -> Vec<(String, i64)> {
        match self {
            Self::Sqlite(path) => {
                let mut connection = Self::file(path.clone()).await;
                let rows = sqlx::query_as(query).fetch_all(&mut connection).await.expect("rows");
                connection.close().await.expect("closed");
                rows
            }
            Self::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await.expect("connected");
                let rows = sqlx::query_as(query).fetch_all(&mut connection).await.expect("rows");
                connection.close().await.expect("closed");
                rows
            }
        }
    }

    /// One number.
    pub(super) async fn count(&self, query: &'static str) -> i64 {
        self.counts(query).await[0].1
    }

    /// Changes rows as no command would; gives how many.
    pub(super) async fn change(&self, statement: &'static str) -> u64 {
        match self {
            Self::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path);
                let mut connection = options.connect().await.expect("connected");
                let done = sqlx::query(statement).execute(&mut connection).await.expect("changed");
                connection.close().await.expect("closed");
                done.rows_affected()
            }
            Self::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await.expect("connected");
                let done = sqlx::query(statement).execute(&mut connection).await.expect("changed");
                connection.close().await.expect("closed");
                done.rows_affected()
            }
        }
    }

    async fn file(path: PathBuf) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        options.connect().await.expect("connected")
    }
}
