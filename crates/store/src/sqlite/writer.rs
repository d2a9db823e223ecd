//! Group commit: one thread owns the only writing connection. It takes all the work that waits, does each piece inside a
//! savepoint of one transaction, commits once, and only then tells everyone.
//!
//! A piece of work that fails or panics rolls back to its own savepoint and disturbs nobody. When the transaction as a
//! whole is lost, everyone in it is told so, and the connection is opened anew.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::DatabaseFile;
use super::statement::execute;
use crate::Tx;
use crate::error::{Error, Result};
use crate::store::Counters;

/// How many pieces of work share a commit at most.
const BATCH: usize = 512;

/// How many may wait before whoever comes next waits to be let in.
const QUEUE: usize = 4096;

/// The way to the writing thread.
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
    /// The thread ends when it is told to close, or nobody can send to it any more.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(super) fn start(connection: Connection, file: DatabaseFile, counters: Arc<Counters>) -> std::io::Result<Self> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let runtime = Handle::current();
        let writing = move || runtime.block_on(run(connection, file, waiting, counters));
        thread::Builder::new().name("sqlite-writer".to_owned()).spawn(writing)?;
        Ok(Self { queue })
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
                    // A refusal may rest on rows of the same group: when those are lost, so is its reason.
                    let _ = told.send(match committed {
                        Ok(()) => result,
                        Err(error) => Err(error.into()),
                    });
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

async fn run(connection: Connection, file: DatabaseFile, mut queue: mpsc::Receiver<Message>, counters: Arc<Counters>) {
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
            None => file.open_to_write(),
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
        && let Err((_, error)) = connection.close()
    {
        tracing::warn!(error = %error, "the database was not closed cleanly");
    }
    for told in closed {
        let _ = told.send(());
    }
}

/// Does the work as one transaction and tells everyone. An error says that the connection is not to be used again.
async fn commit(connection: &mut Connection, jobs: Vec<Job>, counters: &Counters) -> Result<()> {
    const GIVEN_UP: &[&str] = &["ROLLBACK TO work"];
    if let Err(error) = run_all(connection, &["BEGIN IMMEDIATE"]).map_err(Error::begin) {
        refuse(jobs, &error).await;
        return Err(error);
    }
    let mut verdicts = Vec::with_capacity(jobs.len());
    let mut kept = 0;
    let mut lost = None;
    // What is alone is kept or given up with the whole.
    let alone = jobs.len() == 1;
    let mut before: &[&str] = if alone { &[] } else { &["SAVEPOINT work"] };
    let mut jobs = jobs.into_iter();
    for job in jobs.by_ref() {
        if let Err(error) = run_all(connection, before).map_err(Error::commit) {
            verdicts.push(job(Err(error.clone())).await);
            lost = Some(error);
            break;
        }
        // What panicked has no verdict, and dropping its answer tells whoever waits.
        let mut tx = Tx::Sqlite(&mut *connection);
        let verdict = AssertUnwindSafe(job(Ok(&mut tx))).catch_unwind().await.ok();
        let keep = verdict.as_ref().is_some_and(|verdict| verdict.keep);
        verdicts.extend(verdict);
        kept += u64::from(keep);
        before = match (alone, keep) {
            (true, _) => &[],
            (false, true) => &["RELEASE work", "SAVEPOINT work"],
            (false, false) => GIVEN_UP,
        };
    }
    // A last savepoint is released by COMMIT, unless its work is to be given up.
    if lost.is_none() && before == GIVEN_UP {
        lost = run_all(connection, GIVEN_UP).map_err(Error::commit).err();
    }
    let committed = match lost {
        Some(error) => Err(error),
        None if kept == 0 => run_all(connection, &["ROLLBACK"]).map_err(Error::commit),
        None => run_all(connection, &["COMMIT"]).map_err(Error::commit),
    };
    if committed.is_ok() && kept > 0 {
        counters.committed(kept);
    }
    for verdict in verdicts {
        (verdict.answer)(committed.clone());
    }
    if let Err(error) = &committed {
        refuse(jobs.collect(), error).await;
    }
    committed
}

fn run_all(connection: &Connection, statements: &[&str]) -> rusqlite::Result<()> {
    statements.iter().try_for_each(|statement| execute(connection, statement, &[]).map(drop))
}

/// Tells everyone that their work was not begun.
async fn refuse(jobs: Vec<Job>, error: &Error) {
    for job in jobs {
        (job(Err(error.clone())).await.answer)(Ok(()));
    }
}
