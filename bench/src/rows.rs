//! Durable single-row inserts into SQLite with the best batching that we know: one thread takes all that wait, makes one
//! transaction of them, and answers everyone when it is on the disk. It paces itself as the product does: a commit for each
//! row that comes would take the disk from the directory that shares it.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lockstep_vault::secret::draw_id;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

/// How many share a transaction at most.
const BATCH: usize = 512;

/// While so many or more share a transaction, the next one begins no sooner than this after it began.
const MANY: usize = 4;
const PACE: Duration = Duration::from_millis(4);

/// The way to the thread.
#[derive(Clone)]
pub(crate) struct Rows(mpsc::Sender<Row>);

/// What is to be stored, and who waits for it.
type Row = (Vec<u8>, oneshot::Sender<()>);

impl Rows {
    /// Opens the file, which is made if there is none.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let connection = Connection::open(path).context("cannot open the database of rows")?;
        let settings = "PRAGMA journal_mode = WAL;
            PRAGMA synchronous = FULL;
            CREATE TABLE IF NOT EXISTS request (id BLOB PRIMARY KEY NOT NULL, content BLOB NOT NULL);";
        connection.execute_batch(settings).context("cannot make the table")?;
        let (sender, waiting) = mpsc::channel(4096);
        let writing = move || {
            if let Err(error) = write(&connection, waiting) {
                eprintln!("error: the rows could not be written: {error:#}");
            }
        };
        thread::Builder::new().name("sqlite-writer".to_owned()).spawn(writing).context("cannot start a thread")?;
        Ok(Self(sender))
    }

    /// Stores a row, and returns when it is durable.
    pub(crate) async fn insert(&self, content: Vec<u8>) -> Result<()> {
        let (told, waits) = oneshot::channel();
        self.0.send((content, told)).await.context("nobody writes rows any more")?;
        waits.await.context("a row was not written")
    }
}

fn write(connection: &Connection, mut waiting: mpsc::Receiver<Row>) -> Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut next = Instant::now();
    while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        while batch.len() < BATCH
            && let Ok(row) = waiting.try_recv()
        {
            batch.push(row);
        }
        let began = Instant::now();
        next = if batch.len() >= MANY { began + PACE } else { began };
        let transaction = connection.unchecked_transaction()?;
        let mut told = Vec::with_capacity(batch.len());
        let mut insert = transaction.prepare_cached("INSERT INTO request (id, content) VALUES (?1, ?2)")?;
        for (content, waits) in batch.drain(..) {
            insert.execute((&draw_id().as_bytes()[..], content))?;
            told.push(waits);
        }
        drop(insert);
        transaction.commit()?;
        for waits in told {
            // Whoever no longer listens does not need the answer.
            let _ = waits.send(());
        }
    }
    Ok(())
}
