//! Buckets: which node may judge, deliver and write targets for which share of the identities.
//!
//! Ownership is a row with an epoch that rises with each take-over. Every transaction of an owner begins with [`hold`],
//! so a node that lost a bucket, however long it was paused, writes nothing there any more.

use lockstep_core::id::{Bucket, NodeId};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::tx::{Tx, execute, fetch, row};

/// A bucket, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ownership {
    /// Which bucket.
    pub bucket: Bucket,
    /// Its owner; none before the first take-over and after a node stopped.
    pub node: Option<NodeId>,
    /// How often it was taken over.
    pub epoch: i64,
}

row! {
    struct OwnershipRow {
        bucket: i16,
        node: Option<Uuid>,
        epoch: i64,
    }
}

/// Makes `node` the owner of a bucket, whoever owned it before, and gives the new epoch.
pub async fn take_over(tx: &mut Tx<'_>, bucket: Bucket, node: NodeId) -> Result<i64> {
    let (epoch,) = fetch!(
        tx,
        fetch_one as (i64,),
        "take over a bucket",
        "UPDATE bucket SET node = $2, epoch = epoch + 1 WHERE bucket = $1 RETURNING epoch",
        bucket.number(),
        node.0
    )?;
    Ok(epoch)
}

/// Makes `node` the owner of every bucket at once: what the only node of a SQLite database does.
pub async fn take_over_all(tx: &mut Tx<'_>, node: NodeId) -> Result<Vec<Ownership>> {
    let rows = fetch!(
        tx,
        fetch_all as OwnershipRow,
        "take over every bucket",
        "UPDATE bucket SET node = $1, epoch = epoch + 1 RETURNING bucket, node, epoch",
        node.0
    )?;
    rows.into_iter().map(Ownership::try_from).collect()
}

/// Makes sure that `node` still owns the bucket in that epoch, until the transaction ends. It is the first statement of
/// every transaction of an owner.
///
/// # Errors
/// [`Error::BucketLost`] when it does not: nothing may be written then.
pub async fn hold(tx: &mut Tx<'_>, bucket: Bucket, node: NodeId, epoch: i64) -> Result<()> {
    // On SQLite the write transaction excludes every other one already.
    let sql = match tx {
        Tx::Sqlite(_) => "SELECT bucket, node, epoch FROM bucket WHERE bucket = $1",
        Tx::Postgres(_) => "SELECT bucket, node, epoch FROM bucket WHERE bucket = $1 FOR UPDATE",
    };
    let row = fetch!(tx, fetch_one as OwnershipRow, "hold a bucket", sql, bucket.number())?;
    match row.node == Some(node.0) && row.epoch == epoch {
        true => Ok(()),
        false => Err(Error::BucketLost(bucket)),
    }
}

/// Gives a bucket up, if `node` still owns it in that epoch: a node that stops hands over.
pub async fn give_up(tx: &mut Tx<'_>, bucket: Bucket, node: NodeId, epoch: i64) -> Result<()> {
    execute!(
        tx,
        "give up a bucket",
        "UPDATE bucket SET node = NULL WHERE bucket = $1 AND node = $2 AND epoch = $3",
        bucket.number(),
        node.0,
        epoch,
    )?;
    Ok(())
}

/// Every bucket, in order.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<Ownership>> {
    let rows = fetch!(
        tx,
        fetch_all as OwnershipRow,
        "list the buckets",
        "SELECT bucket, node, epoch FROM bucket ORDER BY bucket"
    )?;
    rows.into_iter().map(Ownership::try_from).collect()
}

/// The buckets that `node` owns, in order.
pub async fn owned(tx: &mut Tx<'_>, node: NodeId) -> Result<Vec<Ownership>> {
    let rows = fetch!(
        tx,
        fetch_all as OwnershipRow,
        "list the buckets of a node",
        "SELECT bucket, node, epoch FROM bucket WHERE node = $1 ORDER BY bucket",
        node.0
    )?;
    rows.into_iter().map(Ownership::try_from).collect()
}

impl TryFrom<OwnershipRow> for Ownership {
    type Error = Error;

    fn try_from(row: OwnershipRow) -> Result<Self> {
        let bucket = u8::try_from(row.bucket)
            .map_err(|_| Error::Corrupt { what: "a bucket's number", value: row.bucket.to_string() })?;
        Ok(Self { bucket: Bucket(bucket), node: row.node.map(NodeId), epoch: row.epoch })
    }
}
