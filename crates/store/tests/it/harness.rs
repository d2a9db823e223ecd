//! A database of its own for each test, removed afterwards, also when the test fails.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lockstep_store::{Options, Result, Store, Tx};
use sqlx::{Connection, Executor, PgConnection};

use crate::sample::at;

/// An open and migrated database.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) store: Arc<Store>,
    /// What [`Store::open`] was given.
    pub(crate) address: String,
}

impl Database {
    /// Does work that must succeed.
    pub(crate) async fn write<T, F>(&self, work: F) -> T
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T>> + Clone + Send + 'static,
        T: Send + 'static,
    {
        self.store.write(work).await.expect("the work succeeds")
    }

    /// Does work that may fail.
    pub(crate) async fn try_write<T, F>(&self, work: F) -> Result<T>
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T>> + Clone + Send + 'static,
        T: Send + 'static,
    {
        self.store.write(work).await
    }

    /// Reads what must be readable.
    pub(crate) async fn read<T, F>(&self, work: F) -> T
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        self.store.read(work).await.expect("the work succeeds")
    }
}

/// Declares tests that run on both engines, each with a database of its own.
macro_rules! on_both_engines {
    ($(async fn $name:ident($database:ident) $body:block)*) => { $(
        mod $name {
            use super::*;

            async fn test($database: $crate::harness::Database) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                $crate::harness::on_sqlite(test).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                $crate::harness::on_postgres(test).await;
            }
        }
    )* };
}

pub(crate) use on_both_engines;

pub(crate) async fn on_sqlite(test: impl AsyncFnOnce(Database)) {
    let folder = tempfile::tempdir().expect("a folder");
    let address = format!("sqlite:{}", folder.path().join("lockstep.db").display());
    run(address, test).await;
}

pub(crate) async fn on_postgres(test: impl AsyncFnOnce(Database)) {
    static DATABASES: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var("LOCKSTEP_TEST_POSTGRES_URL")
        .expect("LOCKSTEP_TEST_POSTGRES_URL is not set: run cargo xtask test, which starts the servers");
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let name = format!("lockstep_store_{}_{number}", std::process::id());
    administer(&server, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    administer(&server, format!("CREATE DATABASE {name}")).await;
    let (before, after) = server.rsplit_once('/').expect("postgres://host/database");
    let options = after.find('?').map_or("", |query| &after[query..]);
    let tested = AssertUnwindSafe(run(format!("{before}/{name}{options}"), test)).catch_unwind().await;
    administer(&server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
    if let Err(panic) = tested {
        resume_unwind(panic);
    }
}

async fn run(address: String, test: impl AsyncFnOnce(Database)) {
    let store = Store::open(&address, Options { connections: 8, ..Options::default() }).await.expect("opened");
    store.migrate(at(0)).await.expect("migrated");
    let database = Database { store: Arc::new(store), address };
    let store = database.store.clone();
    test(database).await;
    store.close().await;
}

async fn administer(server: &str, sql: String) {
    let mut connection = PgConnection::connect(server).await.expect("LOCKSTEP_TEST_POSTGRES_URL leads to a server");
    connection.execute(sqlx::AssertSqlSafe(sql)).await.expect("a superuser may create and drop databases");
    connection.close().await.expect("closed");
}
