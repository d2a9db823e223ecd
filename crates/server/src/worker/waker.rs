//! How the worker is told of new work: a hint, never the only way (the rows are polled too).

use std::sync::{Mutex, PoisonError};

use lockstep_core::id::IdentityId;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Tells the worker that an identity has something new.
pub struct Waker {
    sender: UnboundedSender<Hint>,
    inbox: Mutex<Option<UnboundedReceiver<Hint>>>,
}

/// What the worker is told of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    /// Something was accepted that nobody has judged.
    Unjudged(IdentityId),
    /// Something is unfinished; whoever is at work on it knows.
    Unfinished(IdentityId),
}

impl Default for Waker {
    fn default() -> Self {
        let (sender, inbox) = unbounded_channel();
        Self { sender, inbox: Mutex::new(Some(inbox)) }
    }
}

impl Waker {
    /// Hints that something about `identity` was committed. Without a worker in this process the hint is lost, and the
    /// owner's poll finds the rows.
    pub fn wake(&self, identity: IdentityId) {
        self.hint(Hint::Unjudged(identity));
    }

    pub(super) fn hint(&self, hint: Hint) {
        let _ = self.sender.send(hint);
    }

    /// Where the hints arrive; for the one worker of the process.
    pub(super) fn inbox(&self) -> Option<UnboundedReceiver<Hint>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
