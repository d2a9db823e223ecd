//! Durable single-row inserts into SQLite with the best batching that we know: one task takes all that wait, makes one
//! transaction of them, and answers everyone when it is on the disk.

use std::path::Path;

use anyhow::{Context, Result};
use lockstep_vault::secret::draw_id;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{mpsc, oneshot};

/// How many share a transaction at most.
const BATCH: usize = 512;

/// The way to the task.
#[derive(Clone)]
pub(crate) struct Rows(mpsc::Sender<(Vec<u8>, oneshot::Sender<()>)>);

impl Rows {
    /// Makes the file anew.
    pub(crate) async fn create(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let mut connection = options.connect().await.context("cannot open the database of rows")?;
        let table = "CREATE TABLE IF NOT EXISTS request (id BLOB PRIMARY KEY NOT NULL, content BLOB NOT NULL)";
        sqlx::query(table).execute(&mut connection).await.context("cannot make the table")?;
        let (sender, waiting) = mpsc::channel(4096);
        tokio::spawn(async move {
            if let Err(error) = write(connection, waiting).await {
                eprintln!("error: the rows could not be written: {error:#}");
            }
        });
        Ok(Self(sender))
    }

    /// Stores a row, and returns when it is durable.
    pub(crate) async fn insert(&self, content: Vec<u8>) -> Result<()> {
        let (told, waits) = oneshot::channel();
        self.0.send((content, told)).await.context("nobody writes rows any more")?;
        waits.await.context("a row was not written")
    }
}

async fn write(
    mut connection: SqliteConnection,
    mut waiting: mpsc::Receiver<(Vec<u8>, oneshot::Sender<()>)>,
) -> Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let mut transaction = connection.begin().await?;
        let mut told = Vec::with_capacity(batch.len());
        for (content, waits) in batch.drain(..) {
            let insert = sqlx::query("INSERT INTO request (id, content) VALUES ($1, $2)");
            insert.bind(draw_id().as_bytes().to_vec()).bind(content).execute(&mut *transaction).await?;
            told.push(waits);
        }
        transaction.commit().await?;
        for waits in told {
            // Whoever no longer listens does not need the answer.
            let _ = waits.send(());
        }
    }
    Ok(())
}
