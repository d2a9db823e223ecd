//! The reading threads. Each has a connection of its own, kept open, and does one read at a time from its first statement
//! to its last.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};
use futures_util::future::BoxFuture;
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::DatabaseFile;
use super::statement::execute;
use crate::Tx;
use crate::error::{Cause, Error, Result};

/// A read, called with the transaction, or with the reason why there is none. It does not panic.
type Job = Box<dyn FnOnce(Result<&mut Tx<'_>>) + Send>;

#[derive(Debug)]
pub(super) struct Readers {
    file: DatabaseFile,
    queue: Mutex<Option<Sender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    /// Starts so many threads, none of which opens anything yet. They end when the store is closed or dropped.
    ///
    /// # Errors
    /// When there can be no threads.
    pub(super) fn start(file: DatabaseFile, count: usize) -> std::io::Result<Self> {
        let (queue, waiting) = unbounded();
        let start = |_| {
            let (file, waiting) = (file.clone(), waiting.clone());
            thread::Builder::new().name("sqlite-reader".to_owned()).spawn(move || run(&file, &waiting))
        };
        let threads = (0..count.max(1)).map(start).collect::<std::io::Result<_>>()?;
        Ok(Self { file, queue: Mutex::new(Some(queue)), threads: Mutex::new(threads) })
    }

    /// Once it is begun, the work is carried out to its end even when the caller no longer waits for it.
    pub(super) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (told, waits) = oneshot::channel();
        let runtime = Handle::current();
        let job: Job = Box::new(move |tx| {
            if told.is_closed() {
                return;
            }
            let result = match tx {
                Ok(tx) => catch_unwind(AssertUnwindSafe(|| runtime.block_on(work(tx)))),
                Err(error) => Ok(Err(error.into())),
            };
            // Whoever no longer listens does not need the answer.
            let _ = told.send(result);
        });
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        queue.and_then(|queue| queue.send(job).ok()).ok_or(Error::Abandoned)?;
        match waits.await.map_err(|_| Error::Abandoned)? {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Copies what is committed into the empty file of that name. Not by one of the readers: the copy takes its time.
    pub(super) async fn copy_to(&self, name: &str) -> Result<()> {
        let (file, name) = (self.file.clone(), name.to_owned());
        let copying = spawn_blocking(move || {
            let connection = file.open_to_read().map_err(Error::begin)?;
            let copied = execute(&connection, "VACUUM INTO $1", &[&name]);
            copied.map_err(|source| Error::query("copy the database", source))?;
            connection.close().map_err(|(_, source)| Error::begin(source))
        });
        copying.await.unwrap_or(Err(Error::Abandoned))
    }

    /// Waits until everything that was asked for is read, and closes every connection.
    pub(super) async fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        // A thread that panicked is gone, too.
        let ending = spawn_blocking(|| threads.into_iter().for_each(|thread| drop(thread.join())));
        let _ = ending.await;
    }
}

fn run(file: &DatabaseFile, waiting: &Receiver<Job>) {
    let mut kept = None;
    for job in waiting {
        let opened = match kept.take() {
            Some(connection) => Ok(connection),
            None => file.open_to_read(),
        };
        match opened.and_then(|connection| execute(&connection, "BEGIN", &[]).map(|_| connection)) {
            Ok(mut connection) => {
                job(Ok(&mut Tx::Sqlite(&mut connection)));
                // There is nothing to commit. SQLite may have ended the transaction by itself (an I/O error): then nobody
                // can end it, and the next read begins with another connection.
                kept = execute(&connection, "ROLLBACK", &[]).is_ok().then_some(connection);
            }
            Err(error) => job(Err(Error::begin(error))),
        }
    }
    if let Some(Err((_, error))) = kept.map(Connection::close) {
        tracing::warn!(error = %Cause::from(error), "a reading connection was not closed cleanly");
    }
}
