//! Group commit: one thread owns the only writing connection. It takes all the work that waits, does it in one
//! transaction, commits once, and only then tells everyone.
//!
//! A piece of work that is given up disturbs nobody. Most of them are given up before they write anything, and then there
//! is nothing to be taken back. Otherwise the group is given up with it, and done once more without it: that is rare, and
//! a savepoint for each piece would cost a copy of every page that it touches, every time. When a commit fails, everyone
//! in it is told so, and the connection is opened anew.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

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

/// While [`MANY`] or more share a commit, the next one begins no sooner than this after it began. A commit costs nearly the
/// same for many as for one, and on a fast disk it is over before the others have come. Few never wait.
const PACE: Duration = Duration::from_millis(4);
const MANY: usize = 4;

/// How many may wait before whoever comes next waits to be let in.
const QUEUE: usize = 4096;

/// The way to the writing thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
}

enum Message {
    Piece(Box<dyn Piece>),
    Close(oneshot::Sender<()>),
}

/// A piece of work, and who waits for it.
trait Piece: Send {
    /// Does the work and says whether what it wrote is to be kept. It may be done again: the last time counts.
    fn attempt<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, bool>;

    /// Tells what came of it, once it is known what became of the transaction. What panicked has no answer.
    fn answer(self: Box<Self>, committed: Result<()>);
}

struct Work<T, E, F> {
    work: F,
    result: Option<Result<T, E>>,
    told: oneshot::Sender<Result<T, E>>,
}

/// What became of a group.
enum Outcome {
    /// So many rows were changed.
    Committed { changes: u64 },
    /// The piece at this place was given up when it had written something. Nothing of the group is kept.
    GivenUp(usize),
    /// The connection is not to be used again. Nothing is known to be kept.
    Lost(Error),
}

impl<T, E, F> Piece for Work<T, E, F>
where
    F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, E>> + Clone + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn attempt<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, bool> {
        self.result = None;
        Box::pin(async move {
            let result = (self.work.clone())(tx).await;
            self.result.insert(result).is_ok()
        })
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let answer = match committed {
            Ok(()) => self.result,
            // A refusal may rest on rows of the same group: when those are lost, so is its reason.
            Err(error) => Some(Err(error.into())),
        };
        if let Some(answer) = answer {
            // Whoever no longer listens does not need the answer.
            let _ = self.told.send(answer);
        }
    }
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
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, E>> + Clone + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (told, waits) = oneshot::channel();
        let piece = Message::Piece(Box::new(Work { work, result: None, told }));
        self.queue.send(piece).await.map_err(|_| Error::Abandoned)?;
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
    let mut next = Instant::now();
    while queue.recv_many(&mut messages, BATCH).await > 0 {
        // It is this thread's own time.
        thread::sleep(next.saturating_duration_since(Instant::now()));
        while messages.len() < BATCH
            && let Ok(message) = queue.try_recv()
        {
            messages.push(message);
        }
        let began = Instant::now();
        let mut group = Vec::with_capacity(messages.len());
        for message in messages.drain(..) {
            match message {
                Message::Piece(piece) => group.push(piece),
                Message::Close(told) => {
                    // What is in the queue is still done.
                    queue.close();
                    closed.push(told);
                }
            }
        }
        let many = group.len() >= MANY;
        let written = carry_out(&mut connection, &file, group, &counters).await;
        next = if many && written { began + PACE } else { began };
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

/// Does a group of work and tells everyone; says whether anything was written. Afterwards there is no connection if it is to
/// be opened anew.
async fn carry_out(
    connection: &mut Option<Connection>,
    file: &DatabaseFile,
    group: Vec<Box<dyn Piece>>,
    counters: &Counters,
) -> bool {
    let (mut groups, mut written) = (vec![group], false);
    while let Some(mut group) = groups.pop() {
        if group.is_empty() {
            continue;
        }
        let committed = match attempt(connection, file, &mut group, counters).await {
            Outcome::Committed { changes } => {
                written |= changes > 0;
                Ok(())
            }
            // Alone, it was given up with everything that there was.
            Outcome::GivenUp(_) if group.len() == 1 => Ok(()),
            Outcome::GivenUp(at) => {
                // Those before it, itself, and those after it, who were not begun: in their order, the next one last.
                groups.push(group.split_off(at + 1));
                groups.push(group.split_off(at));
                groups.push(group);
                continue;
            }
            Outcome::Lost(error) => {
                tracing::error!(?error, "a group of writes was lost; the database is opened anew");
                *connection = None;
                Err(error)
            }
        };
        for piece in group {
            piece.answer(committed.clone());
        }
    }
    written
}

/// Does the work as one transaction.
async fn attempt(
    connection: &mut Option<Connection>,
    file: &DatabaseFile,
    group: &mut [Box<dyn Piece>],
    counters: &Counters,
) -> Outcome {
    let opened = match connection.take() {
        Some(open) => Ok(open),
        None => file.open_to_write(),
    };
    let open = match opened.and_then(|open| execute(&open, "BEGIN IMMEDIATE", &[]).map(|_| open)) {
        Ok(open) => connection.insert(open),
        Err(error) => return Outcome::Lost(Error::begin(error)),
    };
    let end = |open: &Connection, statement: &str, kept: Outcome| match execute(open, statement, &[]) {
        Ok(_) => kept,
        Err(error) => Outcome::Lost(Error::commit(error)),
    };
    let (first, mut kept) = (open.total_changes(), 0);
    for (at, piece) in group.iter_mut().enumerate() {
        let before = open.total_changes();
        let keep = AssertUnwindSafe(piece.attempt(&mut Tx::Sqlite(open))).catch_unwind().await.unwrap_or(false);
        kept += u64::from(keep);
        // SQLite ends a transaction by itself when the disk is full, for instance. Then there is nothing to be committed, and
        // what came next would be outside of any.
        if open.is_autocommit() {
            break;
        }
        // It does not count changes of the schema: a migration has the database to itself.
        if !keep && open.total_changes() != before {
            return end(open, "ROLLBACK", Outcome::GivenUp(at));
        }
    }
    if kept == 0 {
        return end(open, "ROLLBACK", Outcome::Committed { changes: 0 });
    }
    let outcome = end(open, "COMMIT", Outcome::Committed { changes: open.total_changes() - first });
    if matches!(outcome, Outcome::Committed { .. }) {
        counters.committed(kept);
    }
    outcome
}
