//! Waiting for a change to be final, on behalf of a request.
//!
//! The engine of this process tells what it settled. What another node settles is found in the rows: they are read for
//! everybody who waits at once, one statement a bucket, however many wait.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lockstep_core::change::ChangeState;
use lockstep_core::id::{Bucket, ChangeId};
use lockstep_store::{Tx, change};
use tokio::sync::oneshot;

use super::{App, Error};

/// How often the rows are read while somebody waits.
const EVERY: Duration = Duration::from_millis(100);

/// Everybody who waits.
#[derive(Default)]
pub struct Waiters(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    by_change: BTreeMap<ChangeId, Vec<oneshot::Sender<ChangeState>>>,
    /// Whether somebody reads the rows for them.
    is_read: bool,
}

/// Waits until a change is final, at most `longest`, and gives its state.
pub async fn await_change(app: &App, id: ChangeId, longest: Duration) -> Result<ChangeState, Error> {
    let (told, is_read) = app.waiters.enter(id);
    if !is_read {
        tokio::spawn(read(app.clone()));
    }
    if let Ok(Ok(state)) = tokio::time::timeout(longest, told).await {
        return Ok(state);
    }
    let found = app.store.read(move |tx: &mut Tx<'_>| Box::pin(change::find(tx, id))).await?;
    let (change, _) = found.ok_or(Error::Lacking("a change that was accepted"))?;
    Ok(change.state)
}

/// Reads the rows until nobody waits any more.
async fn read(app: App) {
    while let Some(waiting) = app.waiters.open() {
        let read = app.store.read(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                let mut found = Vec::new();
                for (bucket, ids) in waiting {
                    found.extend(change::final_among(tx, bucket, &ids).await?);
                }
                Ok::<_, lockstep_store::Error>(found)
            })
        });
        match read.await {
            Ok(found) => found.into_iter().for_each(|(id, state)| app.waiters.settled(id, state)),
            // Who waits asks once more by itself when its time is over.
            Err(error) => tracing::warn!(%error, "what requests wait for could not be read; this is tried again"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

impl Waiters {
    /// Says whoever waits that a change is final.
    pub fn settled(&self, id: ChangeId, state: ChangeState) {
        let waiting = self.with(|waiting| waiting.by_change.remove(&id));
        for waits in waiting.into_iter().flatten() {
            // It may have given up meanwhile.
            let _ = waits.send(state);
        }
    }

    /// A place among those who wait, and whether somebody reads for them already. If not, the caller sees to it.
    fn enter(&self, id: ChangeId) -> (oneshot::Receiver<ChangeState>, bool) {
        let (tell, told) = oneshot::channel();
        let is_read = self.with(|waiting| {
            waiting.by_change.entry(id).or_default().push(tell);
            std::mem::replace(&mut waiting.is_read, true)
        });
        (told, is_read)
    }

    /// What is waited for, without those who gave up. Nothing means that whoever reads ends.
    fn open(&self) -> Option<BTreeMap<Bucket, Vec<ChangeId>>> {
        self.with(|waiting| {
            waiting.by_change.retain(|_, waits| {
                waits.retain(|waits| !waits.is_closed());
                !waits.is_empty()
            });
            let mut by_bucket: BTreeMap<Bucket, Vec<ChangeId>> = BTreeMap::new();
            waiting.by_change.keys().for_each(|id| by_bucket.entry(id.bucket()).or_default().push(*id));
            waiting.is_read = !by_bucket.is_empty();
            waiting.is_read.then_some(by_bucket)
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Waiting) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn change(number: u128) -> ChangeId {
        ChangeId(Uuid::from_u128(number))
    }

    #[test]
    fn all_who_wait_are_read_together_by_one() {
        let waiters = Waiters::default();
        let (mut first, is_read) = waiters.enter(change(1));
        assert!(!is_read, "the first sees to it");
        let (mut same, is_read) = waiters.enter(change(1));
        assert!(is_read);
        let (other, _) = waiters.enter(change(257));
        let (elsewhere, _) = waiters.enter(change(2));
        let expected = BTreeMap::from([(Bucket(1), vec![change(1), change(257)]), (Bucket(2), vec![change(2)])]);
        assert_eq!(waiters.open(), Some(expected));

        waiters.settled(change(1), ChangeState::Finished);
        assert_eq!((first.try_recv(), same.try_recv()), (Ok(ChangeState::Finished), Ok(ChangeState::Finished)));
        drop(other);
        assert_eq!(
            waiters.open(),
            Some(BTreeMap::from([(Bucket(2), vec![change(2)])])),
            "who gave up is not asked for"
        );
        drop(elsewhere);
        assert_eq!(waiters.open(), None);
        let (_told, is_read) = waiters.enter(change(3));
        assert!(!is_read, "the one who read has ended");
    }
}
