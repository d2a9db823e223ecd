//! Copies the write-ahead log into the database, beside the writer: whoever waits for a commit does not wait for that.
//!
//! The log begins anew once all of it is copied and nobody reads from it. While commits come without a pause it never is
//! all copied; so when it has grown to a few times what it should have, the writer copies the little that is left.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use super::DatabaseFile;
use super::statement::fetch_one;

/// How many pages the log should have at most: 16 MB. The same few pages are written by commit after commit, and are copied
/// once for all of them.
const PAGES: i64 = 4000;

/// How many pages the log has when the writer copies it.
pub(super) const MOST_PAGES: i64 = 3 * PAGES;

/// The log is looked at after so many commits, or when so many rows were written.
const COMMITS: u32 = 16;
const ROWS: u64 = 1000;

/// The thread, and what was committed since the log was looked at.
pub(super) struct Checkpointer {
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
    commits: u32,
    rows: u64,
}

impl Checkpointer {
    pub(super) fn start(file: DatabaseFile) -> std::io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let thread = thread::Builder::new().name("sqlite-log".to_owned()).spawn(move || run(&file, &woken))?;
        Ok(Self { wake, thread, commits: 0, rows: 0 })
    }

    /// Takes note of a commit by the writer's connection.
    pub(super) fn committed(&mut self, writer: &Connection, rows: u64) {
        self.commits += 1;
        self.rows += rows;
        if self.commits < COMMITS && self.rows < ROWS {
            return;
        }
        (self.commits, self.rows) = (0, 0);
        // What it says is whether somebody is at it, how many pages the log has, and how many of them are copied.
        let looked: rusqlite::Result<(i64, i64, i64)> = fetch_one(writer, "PRAGMA wal_checkpoint(NOOP)", &[]);
        if looked.is_ok_and(|(_, pages, copied)| pages - copied >= PAGES) {
            // It is awake already, or it has ended: then the writer copies.
            let _ = self.wake.try_send(());
        }
    }

    /// Ends the thread, and waits for that.
    pub(super) fn stop(self) {
        drop(self.wake);
        // It has told its own panic.
        let _ = self.thread.join();
    }
}

fn run(file: &DatabaseFile, woken: &Receiver<()>) {
    let mut connection = None;
    while woken.recv().is_ok() {
        let opened = connection.take().map_or_else(|| file.open_to_write(), Ok);
        let copied = opened.and_then(|open| {
            let _: (i64, i64, i64) = fetch_one(&open, "PRAGMA wal_checkpoint(PASSIVE)", &[])?;
            Ok(open)
        });
        match copied {
            Ok(open) => connection = Some(open),
            Err(error) => tracing::warn!(%error, "the write-ahead log could not be copied; this is tried again"),
        }
    }
}
