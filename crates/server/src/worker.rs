//! The worker: carries accepted changes to their targets.
//!
//! A node owns buckets, and only the owner works in them: each of its transactions checks that it still does. One task
//! drives each identity that has something unfinished (`driver.rs`); what it does is decided by
//! `lockstep_core::change::Lane`. Hints wake a task at once; a poll of the rows finds what no hint told. Nothing here is
//! remembered that is not in the rows: after a crash the tasks are built again from them.

mod audit;
mod call;
mod driver;
mod event;
mod gate;
mod judge;
mod sources;
mod supervisor;
mod transport_keys;
mod upkeep;
mod waker;

pub use sources::{Sources, SourcesError};
pub use supervisor::{WorkerHandle, start};
pub use transport_keys::rotate_transport_keys;
pub use waker::Waker;

use lockstep_core::id::{Bucket, NodeId};

/// The right to write in the buckets: which node, and in which epoch it took each.
#[derive(Debug, Clone)]
struct Ownership {
    node: NodeId,
    epochs: std::sync::Arc<std::collections::HashMap<Bucket, i64>>,
}
