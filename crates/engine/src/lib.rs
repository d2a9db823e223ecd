//! The engine: carries accepted changes to their targets.
//!
//! A node owns buckets, and only the owner works in them: each of its transactions checks that it still does. One task
//! drives each identity that has something unfinished; what it does is decided by
//! [`lockstep_core::change::Lane`]. Hints wake a task at once; a poll of the rows finds what no hint told. Nothing here
//! is remembered that is not in the rows: after a crash the tasks are built again from them.
//!
//! Rows, keys and systems are behind [`Host`]. The server is one; the simulation, in which everything that can go wrong
//! does, is another. So there is no I/O here, and no clock but the host's.

mod driver;
mod event;
mod gate;
mod host;
mod node;
mod supervisor;

pub use gate::{Gate, Pass};
pub use host::{Call, Health, Hold, Host, Judged, Newer, Step, Unfinished, Unusable, Written};
pub use supervisor::{Engine, EngineSettings};
