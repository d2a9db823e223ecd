//! How the engine is told of new work, here or on another node: a hint, never the only way (the rows are polled too).

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lockstep_core::id::{Bucket, IdentityId, NodeId};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Tells the engine that an identity has something new.
pub struct Waker {
    sender: UnboundedSender<IdentityId>,
    others: UnboundedSender<IdentityId>,
    inboxes: Mutex<Option<Inboxes>>,
    standing: Mutex<Option<Standing>>,
    node: Mutex<Option<NodeId>>,
}

/// Where the hints arrive.
pub(super) struct Inboxes {
    /// For the engine of this process.
    pub(super) own: UnboundedReceiver<IdentityId>,
    /// For those of other processes.
    pub(super) others: UnboundedReceiver<IdentityId>,
}

/// What this node's last beat told.
struct Standing {
    owned: BTreeSet<Bucket>,
    at: Duration,
}

impl Default for Waker {
    fn default() -> Self {
        let ((sender, own), (to_others, others)) = (unbounded_channel(), unbounded_channel());
        let inboxes = Mutex::new(Some(Inboxes { own, others }));
        Self { sender, others: to_others, inboxes, standing: Mutex::default(), node: Mutex::default() }
    }
}

impl Waker {
    /// Hints that something about `identity` was committed. Without an engine in this process the hint is lost, and the
    /// owner's poll finds the rows.
    pub fn wake(&self, identity: IdentityId) {
        let bucket = identity.bucket();
        let own = self.with_standing(|standing| standing.as_ref().is_some_and(|known| known.owned.contains(&bucket)));
        match own {
            true => self.wake_here(identity),
            false => {
                let _ = self.others.send(identity);
            }
        }
    }

    /// Hands on what another process hints at. The engine leaves alone what is not its own.
    pub(super) fn wake_here(&self, identity: IdentityId) {
        let _ = self.sender.send(identity);
    }

    /// This process is known to the others by that name.
    pub(super) fn is_node(&self, id: NodeId) {
        *self.node.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
    }

    /// By which name the others know this process; none before they do.
    pub(super) fn node(&self) -> Option<NodeId> {
        *self.node.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A beat succeeded at the monotonic time `at`, and told that these buckets are this node's.
    pub(super) fn stands(&self, owned: BTreeSet<Bucket>, at: Duration) {
        self.with_standing(|standing| *standing = Some(Standing { owned, at }));
    }

    /// How many buckets this node owns, and at which monotonic time its last beat succeeded. Nothing before the first.
    pub fn standing(&self) -> Option<(usize, Duration)> {
        self.with_standing(|standing| standing.as_ref().map(|standing| (standing.owned.len(), standing.at)))
    }

    /// Where the hints arrive; for the one worker of the process.
    pub(super) fn inboxes(&self) -> Option<Inboxes> {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn with_standing<T>(&self, act: impl FnOnce(&mut Option<Standing>) -> T) -> T {
        act(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_hint_goes_to_whoever_owns_the_bucket() {
        let (mine, foreign) = (IdentityId(Uuid::from_u128(7)), IdentityId(Uuid::from_u128(8)));
        let waker = Waker::default();
        let mut inboxes = waker.inboxes().expect("the first worker");
        assert!(waker.inboxes().is_none(), "a second worker");

        waker.wake(mine);
        assert_eq!(inboxes.others.try_recv(), Ok(mine), "nothing is known to be its own yet");

        assert_eq!(waker.standing(), None);
        waker.stands(BTreeSet::from([mine.bucket()]), Duration::from_secs(9));
        assert_eq!(waker.standing(), Some((1, Duration::from_secs(9))));
        waker.wake(mine);
        waker.wake(foreign);
        assert_eq!((inboxes.own.try_recv(), inboxes.others.try_recv()), (Ok(mine), Ok(foreign)));
        assert!(inboxes.own.try_recv().is_err() && inboxes.others.try_recv().is_err(), "each goes one way");
    }
}
