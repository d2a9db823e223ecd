//! Buckets: which node may judge, deliver and write targets for which share of the identities.
//!
//! Ownership is a row with an epoch that rises with each take-over. Every transaction of an owner begins with [`hold`],
//! so a node that lost a bucket, however long it was paused, writes nothing there any more.

use lockstep_core::id::{Bucket, NodeId};
use lockstep_core::node::BucketRow;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::tx::{Tx, execute, fetch, row};

row! {
    struct StoredBucket {
        bucket: i16,
        node: Option<Uuid>,
        epoch: i64,
    }
}

/// Makes `to` the owner of a bucket, or nobody, if it is still in the epoch in which it was seen: of two who want it one
/// gets it. Says whether it was; the new epoch is one more.
pub async fn pass(tx: &mut Tx<'_>, bucket: Bucket, seen: i64, to: Option<NodeId>) -> Result<bool> {
    let passed = execute!(
        tx,
        "make a bucket change hands",
        "UPDATE bucket SET node = $3, epoch = epoch + 1 WHERE bucket = $1 AND epoch = $2",
        bucket.number(),
        seen,
        to.map(|node| node.0),
    )?;
    Ok(passed == 1)
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
    let row = fetch!(tx, fetch_one as StoredBucket, "hold a bucket", sql, bucket.number())?;
    match BucketRow::try_from(row)?.is_held_by(node, epoch) {
        true => Ok(()),
        false => Err(Error::BucketLost(bucket)),
    }
}

/// Every bucket, in order.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<BucketRow>> {
    let rows = fetch!(
        tx,
        fetch_all as StoredBucket,
        "list the buckets",
        "SELECT bucket, node, epoch FROM bucket ORDER BY bucket"
    )?;
    rows.into_iter().map(BucketRow::try_from).collect()
}

impl TryFrom<StoredBucket> for BucketRow {
    type Error = Error;

    fn try_from(row: StoredBucket) -> Result<Self> {
        let bucket = u8::try_from(row.bucket)
            .map_err(|_| Error::Corrupt { what: "a bucket's number", value: row.bucket.to_string() })?;
        Ok(Self { bucket: Bucket(bucket), node: row.node.map(NodeId), epoch: row.epoch })
    }
}
