//! How the engine is told of new work: a hint, never the only way (the rows are polled too).

use std::sync::{Mutex, PoisonError};

use lockstep_core::id::IdentityId;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Tells the engine that an identity has something new.
pub struct Waker {
    sender: UnboundedSender<IdentityId>,
    inbox: Mutex<Option<UnboundedReceiver<IdentityId>>>,
}

impl Default for Waker {
    fn default() -> Self {
        let (sender, inbox) = unbounded_channel();
        Self { sender, inbox: Mutex::new(Some(inbox)) }
    }
}

impl Waker {
    /// Hints that something about `identity` was committed. Without an engine in this process the hint is lost, and the
    /// owner's poll finds the rows.
    pub fn wake(&self, identity: IdentityId) {
        let _ = self.sender.send(identity);
    }

    /// Where the hints arrive; for the one engine of the process.
    pub(super) fn inbox(&self) -> Option<UnboundedReceiver<IdentityId>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
