//! Parts of long lists: what a client wants of one, and walking it at the same cost on every page.

use futures_util::future::BoxFuture;
use lockstep_core::filter::apply::{self, Record};
use lockstep_core::filter::{Collection, InvalidQuery, Query};
use lockstep_store::Tx;
use lockstep_store::listing::{Page, Start};

use super::{App, Error};
use crate::auth::Permit;

/// The part of a list that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Which entries, in which order.
    pub query: Query,
    /// How many are passed over.
    pub offset: u64,
    /// How many are given at most.
    pub limit: u32,
    /// Whether it is told how many there are in all.
    pub count: bool,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// How many there are in all, where it was asked.
    pub total: Option<u64>,
}

impl Wanted {
    /// That part of a list that is short enough to be read whole.
    pub fn apply<R: Record>(&self, all: Vec<R>) -> Part<R> {
        let (offset, limit) = (usize::try_from(self.offset).unwrap_or(usize::MAX), self.limit as usize);
        let part = apply::apply(all, &self.query, offset, limit);
        Part { entries: part.records, total: self.count.then_some(part.total as u64) }
    }
}

/// Reads a page, from where it starts, and counts.
pub(super) type Read<T> =
    for<'a> fn(&'a mut Tx<'_>, &'a Wanted, &'a Start) -> BoxFuture<'a, Result<(Page<T>, Option<i64>), Error>>;

/// A part of a long list, both of one state of the database. Whoever asks for one page after another is not made to wait for
/// what they have seen: where the page before ended is remembered for each caller.
pub(super) async fn part<T: Send + 'static>(
    app: &App,
    permit: &Permit,
    collection: &'static Collection,
    wanted: Wanted,
    read: Read<T>,
) -> Result<Part<T>, Error> {
    let list = format!("{} {} {}", permit.caller().name(), collection.name, wanted.query);
    let now = app.clock.monotonic();
    let start = app.cursors.start(&list, wanted.offset, now);
    let offset = wanted.offset;
    let found = app.store.scan(move |tx: &mut Tx<'_>| Box::pin(async move { read(tx, &wanted, &start).await }));
    let (page, total) = found.await?;
    if let Some(next) = page.next {
        app.cursors.remember(&list, offset + page.entries.len() as u64, next, now);
    }
    Ok(Part { entries: page.entries, total: total.and_then(|total| u64::try_from(total).ok()) })
}

impl From<InvalidQuery> for Error {
    fn from(invalid: InvalidQuery) -> Self {
        let reason = format!("cannot be read at character {}: {}", invalid.position, invalid.problem);
        Self::Illegal { field: invalid.parameter, reason }
    }
}
