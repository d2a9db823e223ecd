//! Group commit: one task owns the only writing connection. It takes all the work that waits, does each piece inside a
//! savepoint of one transaction, commits once, and only then tells everyone.
//!
//! A piece of work that fails or panics rolls back to its own savepoint and disturbs nobody. When the transaction as a
//! whole is lost, everyone in it is told so, and the connection is opened anew.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Acquire, ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::Tx;
use crate::error::{Error, Result};
use crate::store::Counters;

/// How many pieces of work share a commit at most.
const BATCH: usize = 512;

/// How many may wait before whoever comes next waits to be let in.
const QUEUE: usize = 4096;

/// The way to the writing task.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
}

enum Message {
    Work(Job),
    Close(oneshot::Sender<()>),
}

/// A piece of work, called with the transaction, or with the reason why there is none.
type Job = Box<dyn for<'a> FnOnce(Result<&'a mut Tx<'_>>) -> BoxFuture<'a, Verdict> + Send>;

/// What a piece of work came to.
struct Verdict {
    /// Whether what it wrote is kept.
    keep: bool,
    /// Tells whoever waits, once it is known what became of the commit.
    answer: Box<dyn FnOnce(Result<()>) + Send>,
}

impl Writer {
    pub(super) fn start(connection: SqliteConnection, options: SqliteConnectOptions, counters: Arc<Counters>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(run(connection, options, waiting, counters));
        Self { queue }
    }

    pub(super) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (told, waits) = oneshot::channel();
        let job: Job = Box::new(move |tx| {
            Box::pin(async move {
                let result = match tx {
                    Ok(tx) => work(tx).await,
                    Err(error) => Err(error.into()),
                };
                let keep = result.is_ok();
                let answer = Box::new(move |committed: Result<()>| {
                    // Whoever no longer listens does not need the answer.
                    let _ = told.send(result.and_then(|value| Ok(committed.map(|()| value)?)));
                });
                Verdict { keep, answer }
            })
        });
        self.queue.send(Message::Work(job)).await.map_err(|_| Error::Abandoned)?;
        waits.await.map_err(|_| Error::Abandoned)?
    }

    pub(super) async fn close(&self) {
        let (told, waits) = oneshot::channel();
        if self.queue.send(Message::Close(told)).await.is_ok() {
            // An error says that it is closed, too.
            let _ = waits.await;
        }
    }
}

async fn run(
    connection: SqliteConnection,
    options: SqliteConnectOptions,
    mut queue: mpsc::Receiver<Message>,
    counters: Arc<Counters>,
) {
    let mut connection = Some(connection);
    let mut messages = Vec::with_capacity(BATCH);
    let mut closed = Vec::new();
    while queue.recv_many(&mut messages, BATCH).await > 0 {
        let mut jobs = Vec::with_capacity(messages.len());
        for message in messages.drain(..) {
            match message {
                Message::Work(job) => jobs.push(job),
                Message::Close(told) => {
                    // What is in the queue is still done.
                    queue.close();
                    closed.push(told);
                }
            }
        }
        if jobs.is_empty() {
            continue;
        }
        let open = match connection.take() {
            Some(open) => Ok(open),
            None => options.connect().await,
        };
        match open {
            Ok(mut open) => match commit(&mut open, jobs, &counters).await {
                Ok(()) => connection = Some(open),
                Err(error) => {
                    tracing::error!(?error, "a group of writes was lost; the database is opened anew");
                }
            },
            Err(error) => refuse(jobs, &Error::begin(error)).await,
        }
    }
    if let Some(connection) = connection
        && let Err(error) = connection.close().await
    {
        tracing::warn!(error = %error, "the database was not closed cleanly");
    }
    for told in closed {
        let _ = told.send(());
    }
}

/// Does the work as one transaction and tells everyone. An error says that the connection is not to be used again.
async fn commit(connection: &mut SqliteConnection, jobs: Vec<Job>, counters: &Counters) -> Result<()> {
    let mut batch = match connection.begin_with("BEGIN IMMEDIATE").await {
        Ok(batch) => batch,
        Err(error) => {
            let error = Error::begin(error);
            refuse(jobs, &error).await;
            return Err(error);
        }
    };
    let mut verdicts = Vec::with_capacity(jobs.len());
    let mut jobs = jobs.into_iter();
    let mut lost = None;
    for job in jobs.by_ref() {
        match attempt(&mut batch, job).await {
            Ok(verdict) => verdicts.extend(verdict),
            Err((verdict, error)) => {
                verdicts.extend(verdict);
                lost = Some(error);
                break;
            }
        }
    }
    let committed = match lost {
        None => batch.commit().await.map_err(Error::commit),
        Some(error) => Err(error),
    };
    if committed.is_ok() {
        counters.committed(verdicts.iter().filter(|verdict| verdict.keep).count() as u64);
    }
    for verdict in verdicts {
        (verdict.answer)(committed.clone());
    }
    if let Err(error) = &committed {
        refuse(jobs.collect(), error).await;
    }
    committed
}

/// Does one piece of work inside a savepoint. An error says that the whole transaction is lost; work that panicked has
/// no verdict, and dropping its answer tells whoever waits.
async fn attempt(
    batch: &mut sqlx::Transaction<'_, sqlx::Sqlite>,
    job: Job,
) -> Result<Option<Verdict>, (Option<Verdict>, Error)> {
    let mut savepoint = match batch.begin().await {
        Ok(savepoint) => savepoint,
        Err(error) => {
            let error = Error::commit(error);
            return Err((Some(job(Err(error.clone())).await), error));
        }
    };
    let mut tx = Tx::Sqlite(&mut savepoint);
    let verdict = AssertUnwindSafe(job(Ok(&mut tx))).catch_unwind().await.ok();
    let ended = match verdict.as_ref().is_some_and(|verdict| verdict.keep) {
        true => savepoint.commit().await,
        false => savepoint.rollback().await,
    };
    match ended {
        Ok(()) => Ok(verdict),
        Err(error) => Err((verdict, Error::commit(error))),
    }
}

/// Tells everyone that their work was not begun.
async fn refuse(jobs: Vec<Job>, error: &Error) {
    for job in jobs {
        (job(Err(error.clone())).await.answer)(Ok(()));
    }
}
