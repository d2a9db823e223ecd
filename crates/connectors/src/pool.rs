//! A small pool of connections to one system, the same for directories and databases.
//!
//! It is not a driver's pool: those try again on their own and hide why a connection could not be opened. This one
//! opens once, says what happened, and hands out no idle connection that was not seen alive a moment ago. A leased
//! connection goes back only when its user says so ([`Lease::keep`]); dropped in any other way it is closed, because
//! half an answer may be waiting in it.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::failure::Failure;

/// An idle connection is used without a question asked if it was used this short a time ago.
const FRESH: Duration = Duration::from_secs(1);
/// An idle connection is closed after this time: firewalls forget them without a word.
const STALE: Duration = Duration::from_secs(300);

pub(crate) const CLOSED: &str = "the source was closed in the meantime";

/// A connection that can be asked whether it still works.
pub(crate) trait Pooled: Send + Sized {
    /// Whether the connection is known to be broken, without asking the other side.
    fn is_closed(&mut self) -> bool;
    /// Asks the other side something harmless. Bounded in time by the implementation.
    fn answers(&mut self) -> impl Future<Output = bool> + Send;
    /// Says goodbye. Bounded in time by the implementation.
    fn goodbye(self) -> impl Future<Output = ()> + Send;
}

/// The pool.
pub(crate) struct Pool<C> {
    permits: Semaphore,
    idle: Mutex<Vec<Idle<C>>>,
    /// How long to wait for a free connection.
    wait: Duration,
}

struct Idle<C> {
    connection: C,
    since: Instant,
}

/// A connection in use.
pub(crate) struct Lease<'a, C> {
    connection: C,
    pool: &'a Pool<C>,
    /// Held until the connection is given back or closed.
    _permit: SemaphorePermit<'a>,
}

impl<C: Pooled> Pool<C> {
    pub(crate) fn new(size: usize, wait: Duration) -> Self {
        Self { permits: Semaphore::new(size), idle: Mutex::new(Vec::new()), wait }
    }

    /// A connection that works: the idle one used last, or a new one from `open`.
    ///
    /// An idle connection found broken is replaced; nothing was sent on it, so nobody needs to know.
    pub(crate) async fn lease<F>(&self, open: impl FnOnce() -> F) -> Result<Lease<'_, C>, Failure>
    where
        F: Future<Output = Result<C, Failure>> + Send,
    {
        let permit = match tokio::time::timeout(self.wait, self.permits.acquire()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_closed)) => return Err(Failure::connect(CLOSED)),
            Err(_elapsed) => {
                let waited = self.wait.as_millis();
                return Err(Failure::connect(format!("all connections of the source were in use for {waited} ms")));
            }
        };
        while let Some(Idle { mut connection, since }) = self.pop() {
            let age = since.elapsed();
            if age < STALE && !connection.is_closed() && (age < FRESH || connection.answers().await) {
                return Ok(Lease { connection, pool: self, _permit: permit });
            }
        }
        Ok(Lease { connection: open().await?, pool: self, _permit: permit })
    }

    /// Closes what is idle, and everything else as it comes back.
    pub(crate) async fn close(&self) {
        self.permits.close();
        while let Some(Idle { connection, .. }) = self.pop() {
            connection.goodbye().await;
        }
    }

    fn pop(&self) -> Option<Idle<C>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

impl<C> Pool<C> {
    /// Whether no connection is to be opened any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.permits.is_closed()
    }
}

impl<C> Lease<'_, C> {
    /// Gives the connection back for others: its last answer was read to the end.
    pub(crate) fn keep(self) {
        if self.pool.is_closed() {
            return;
        }
        let idle = Idle { connection: self.connection, since: Instant::now() };
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
    }
}

impl<C> Deref for Lease<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.connection
    }
}

impl<C> DerefMut for Lease<'_, C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.connection
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A connection that only knows its number and whether it broke.
    struct Numbered {
        number: usize,
        closed: bool,
    }

    impl Pooled for Numbered {
        fn is_closed(&mut self) -> bool {
            self.closed
        }

        async fn answers(&mut self) -> bool {
            !self.closed
        }

        async fn goodbye(self) {}
    }

    async fn open(counter: &AtomicUsize) -> Result<Numbered, Failure> {
        Ok(Numbered { number: counter.fetch_add(1, Ordering::Relaxed), closed: false })
    }

    #[tokio::test]
    async fn a_kept_connection_is_used_again_and_a_dropped_one_is_not() {
        let (pool, counter) = (Pool::new(1, Duration::from_millis(50)), AtomicUsize::new(0));
        pool.lease(|| open(&counter)).await.expect("first").keep();
        let again = pool.lease(|| open(&counter)).await.expect("again");
        assert_eq!(again.number, 0);
        drop(again);
        assert_eq!(pool.lease(|| open(&counter)).await.expect("new").number, 1);
    }

    #[tokio::test]
    async fn a_broken_idle_connection_is_replaced() {
        let (pool, counter) = (Pool::new(1, Duration::from_millis(50)), AtomicUsize::new(0));
        let mut lease = pool.lease(|| open(&counter)).await.expect("first");
        lease.closed = true;
        lease.keep();
        assert_eq!(pool.lease(|| open(&counter)).await.expect("new").number, 1);
    }

    #[tokio::test]
    async fn no_more_than_its_size_and_none_after_close() {
        let (pool, counter) = (Pool::new(1, Duration::from_millis(50)), AtomicUsize::new(0));
        let lease = pool.lease(|| open(&counter)).await.expect("first");
        let busy = pool.lease(|| open(&counter)).await.err().expect("none free");
        assert!(busy.detail.contains("in use"), "{busy}");
        pool.close().await;
        lease.keep();
        assert!(pool.lease(|| open(&counter)).await.is_err());
        assert_eq!(counter.load(Ordering::Relaxed), 1);
    }
}
