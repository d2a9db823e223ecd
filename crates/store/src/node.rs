//! Nodes: the processes that run on this database, and the counters by which they see each other live.
//!
//! Whether a node is dead is not decided here: an observer compares two readings of its counter by the observer's own
//! monotonic clock.

use chrono::{DateTime, Utc};
use lockstep_core::id::NodeId;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::tx::{Tx, execute, fetch, row};

/// A process that runs, or ran, on this database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Drawn anew at each start.
    pub id: NodeId,
    /// What an administrator recognises it by: host and process.
    pub name: String,
    /// How often it said that it lives.
    pub beat: i64,
    /// When it started, by its own clock.
    pub started_at: DateTime<Utc>,
    /// Whether it stopped and handed its buckets over.
    pub stopped: bool,
}

row! {
    struct NodeRow {
        id: Uuid,
        name: String,
        beat: i64,
        started_at: DateTime<Utc>,
        stopped: bool,
    }
}

/// Records that a process has started.
pub async fn register(tx: &mut Tx<'_>, id: NodeId, name: &str, now: DateTime<Utc>) -> Result<()> {
    execute!(
        tx,
        "register a node",
        "INSERT INTO node (id, name, beat, started_at, stopped) VALUES ($1, $2, 0, $3, FALSE)",
        id.0,
        name,
        now,
    )?;
    Ok(())
}

/// Raises a node's counter and gives it.
///
/// # Errors
/// [`Error::NotFound`] when the node's row was removed: the others took it for dead.
pub async fn beat(tx: &mut Tx<'_>, id: NodeId) -> Result<i64> {
    let row = fetch!(
        tx,
        fetch_optional as (i64,),
        "say that a node lives",
        "UPDATE node SET beat = beat + 1 WHERE id = $1 RETURNING beat",
        id.0
    )?;
    row.map(|(beat,)| beat).ok_or(Error::NotFound("node"))
}

/// Records that a process stopped of its own will.
pub async fn stop(tx: &mut Tx<'_>, id: NodeId) -> Result<()> {
    execute!(tx, "record that a node stopped", "UPDATE node SET stopped = TRUE WHERE id = $1", id.0)?;
    Ok(())
}

/// Forgets a node that stopped or is dead.
pub async fn remove(tx: &mut Tx<'_>, id: NodeId) -> Result<()> {
    execute!(tx, "forget a node", "DELETE FROM node WHERE id = $1", id.0)?;
    Ok(())
}

/// Every node that is not forgotten, oldest first.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<Node>> {
    let rows = fetch!(
        tx,
        fetch_all as NodeRow,
        "list the nodes",
        "SELECT id, name, beat, started_at, stopped FROM node ORDER BY started_at, id"
    )?;
    let node =
        |NodeRow { id, name, beat, started_at, stopped }| Node { id: NodeId(id), name, beat, started_at, stopped };
    Ok(rows.into_iter().map(node).collect())
}
