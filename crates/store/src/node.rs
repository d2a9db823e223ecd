//! Nodes: the processes that run on this database, and the counters by which they see each other live.
//!
//! Whether a node is dead is not decided here, see [`lockstep_core::node`].

use chrono::{DateTime, Utc};
use lockstep_core::id::NodeId;
use lockstep_core::node::{NodeRow, Round};
use uuid::Uuid;

use crate::bucket;
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
    /// Whether it stopped of its own will.
    pub stopped: bool,
}

row! {
    struct StoredNode {
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

/// Raises a node's counter, and reads every node and bucket.
///
/// # Errors
/// [`Error::NotFound`] when the node's row was removed: the others took it for dead.
pub async fn beat(tx: &mut Tx<'_>, id: NodeId) -> Result<Round> {
    let raised = execute!(tx, "say that a node lives", "UPDATE node SET beat = beat + 1 WHERE id = $1", id.0)?;
    if raised == 0 {
        return Err(Error::NotFound("node"));
    }
    // In this order: a node is known before it owns anything, so no owner is missed.
    let buckets = bucket::list(tx).await?;
    let nodes = list(tx).await?.into_iter().map(|Node { id, beat, stopped, .. }| NodeRow { id, beat, stopped });
    Ok(Round { nodes: nodes.collect(), buckets })
}

/// Records that a process stops of its own will: it takes no bucket any more.
pub async fn stop(tx: &mut Tx<'_>, id: NodeId) -> Result<()> {
    execute!(tx, "record that a node stopped", "UPDATE node SET stopped = TRUE WHERE id = $1", id.0)?;
    Ok(())
}

/// Forgets a node that stopped or is dead.
pub async fn remove(tx: &mut Tx<'_>, id: NodeId) -> Result<()> {
    execute!(tx, "forget a node", "DELETE FROM node WHERE id = $1", id.0)?;
    Ok(())
}

/// Forgets every node. One that lives all the same finds its row gone.
pub async fn remove_all(tx: &mut Tx<'_>) -> Result<()> {
    execute!(tx, "forget the nodes", "DELETE FROM node")?;
    Ok(())
}

/// Every node that is not forgotten, oldest first.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<Node>> {
    let rows = fetch!(
        tx,
        fetch_all as StoredNode,
        "list the nodes",
        "SELECT id, name, beat, started_at, stopped FROM node ORDER BY started_at, id"
    )?;
    let node =
        |StoredNode { id, name, beat, started_at, stopped }| Node { id: NodeId(id), name, beat, started_at, stopped };
    Ok(rows.into_iter().map(node).collect())
}
