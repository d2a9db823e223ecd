//! The lane of one identity as rows: loaded when its owner begins, saved after each step.
//!
//! A transaction here begins with [`crate::bucket::hold`]. What the rows guarantee by themselves, whoever writes: what
//! is final stays as it is, the payload of a final change is gone in the same statement, and no account has two targets
//! that are applying.

use chrono::{DateTime, Utc};
use lockstep_core::change::{Change, ChangeState, Delta, LaneRows, Target, TargetState};
use lockstep_core::id::{AccountId, Bucket, ChangeId, IdentityId, NodeId};
use sqlx::types::Json;
use uuid::Uuid;

use crate::change::{ChangeRow, TargetRow, change_state, state_name, target_state, target_state_name};
use crate::error::{Error, Result};
use crate::intent;
use crate::tx::{Tx, execute, fetch};

/// How much is under way, for the metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many unfinished changes are in which state.
    pub changes: Vec<(ChangeState, i64)>,
    /// How many targets of unfinished changes are in which state.
    pub targets: Vec<(TargetState, i64)>,
    /// How many writes may still land.
    pub doubts: i64,
    /// When the oldest unfinished change was accepted.
    pub oldest: Option<DateTime<Utc>>,
}

/// Everything unfinished about an identity: its changes in order, all their targets, its doubts and intents.
pub async fn load(tx: &mut Tx<'_>, identity: IdentityId) -> Result<LaneRows> {
    let bucket = identity.bucket().number();
    let changes = fetch!(
        tx,
        fetch_all as ChangeRow,
        "load the unfinished changes of an identity",
        "SELECT id, identity, seq, source, account, transport_key, state, joined, refusals,
             created_at, expires_at, settled_at
         FROM change WHERE bucket = $1 AND identity = $2 AND settled_at IS NULL ORDER BY seq",
        bucket,
        identity.0
    )?;
    let changes: Vec<Change> = changes.into_iter().map(Change::try_from).collect::<Result<_>>()?;
    // Judging makes the targets: whoever was only accepted has none.
    let targets = match changes.iter().any(|change| change.state == ChangeState::Judged) {
        true => fetch!(
            tx,
            fetch_all as TargetRow,
            "load the targets of unfinished changes",
            "SELECT change, account, source, native_id, name, seq, sign_in, state, attempts, probed, unsure, reason,
             settled_at
         FROM target WHERE bucket = $1 AND change IN
             (SELECT id FROM change WHERE bucket = $1 AND identity = $2 AND settled_at IS NULL)
         ORDER BY seq, account",
            bucket,
            identity.0
        )?,
        false => Vec::new(),
    };
    let doubts = fetch!(
        tx,
        fetch_all as (Uuid, Uuid),
        "load the doubts of an identity",
        "SELECT account, change FROM doubt WHERE bucket = $1 AND identity = $2 ORDER BY account, change",
        bucket,
        identity.0
    )?;
    Ok(LaneRows {
        changes,
        targets: targets.into_iter().map(Target::try_from).collect::<Result<_>>()?,
        doubts: doubts.into_iter().map(|(account, change)| (AccountId(account), ChangeId(change))).collect(),
        intents: intent::list_of(tx, identity).await?,
    })
}

/// The changes of an identity that were accepted after place `after`, in order.
pub async fn newer(tx: &mut Tx<'_>, identity: IdentityId, after: i64) -> Result<Vec<Change>> {
    let rows = fetch!(
        tx,
        fetch_all as ChangeRow,
        "load the newer changes of an identity",
        "SELECT id, identity, seq, source, account, transport_key, state, joined, refusals,
             created_at, expires_at, settled_at
         FROM change WHERE bucket = $1 AND identity = $2 AND seq > $3 AND state = 'accepted' ORDER BY seq",
        identity.bucket().number(),
        identity.0,
        after
    )?;
    rows.into_iter().map(Change::try_from).collect()
}

/// Writes what a step changed. A change that became final loses its payload in the same statement.
///
/// # Errors
/// [`Error::Stale`] when a change or target is final or gone already. The transaction must be given up and the lane
/// loaded anew.
pub async fn save(tx: &mut Tx<'_>, identity: IdentityId, delta: &Delta) -> Result<()> {
    for change in &delta.changes {
        save_change(tx, change).await?;
    }
    // Whoever takes an account over comes after whoever lets go of it, or the unique index would see both.
    let (applying, others): (Vec<&Target>, Vec<&Target>) =
        delta.targets.iter().partition(|target| target.state == TargetState::Applying);
    for target in others.into_iter().chain(applying) {
        save_target(tx, identity, target).await?;
    }
    for done in &delta.intents_done {
        intent::carry_out(tx, identity, *done).await?;
    }
    // Ended before raised: a doubt that ended and came back in one step stands.
    for (account, change) in &delta.doubts_ended {
        execute!(
            tx,
            "end a doubt",
            "DELETE FROM doubt WHERE bucket = $1 AND account = $2 AND change = $3",
            identity.bucket().number(),
            account.0,
            change.0,
        )?;
    }
    for (account, change) in &delta.doubts_raised {
        execute!(
            tx,
            "raise a doubt",
            "INSERT INTO doubt (bucket, account, change, identity) VALUES ($1, $2, $3, $4)
             ON CONFLICT (bucket, account, change) DO NOTHING",
            identity.bucket().number(),
            account.0,
            change.0,
            identity.0,
        )?;
    }
    Ok(())
}

/// An identity with something unfinished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unfinished {
    /// Whose.
    pub identity: IdentityId,
    /// The place of its newest change that is not judged; 0 if every one is.
    pub unjudged: i64,
    /// Whether there is an intent.
    pub intent: bool,
}

/// The identities with something unfinished in the buckets that `node` owns: what its hints may have missed.
pub async fn unfinished(tx: &mut Tx<'_>, node: NodeId) -> Result<Vec<Unfinished>> {
    let rows = fetch!(
        tx,
        fetch_all as (Uuid, i64, i64),
        "list the identities with something unfinished",
        "SELECT identity, MAX(unjudged), CAST(MAX(intent) AS BIGINT) FROM (
             SELECT c.identity, CASE WHEN c.state = 'accepted' THEN c.seq ELSE 0 END AS unjudged, 0 AS intent
             FROM bucket b JOIN change c ON c.bucket = b.bucket
             WHERE b.node = $1 AND c.settled_at IS NULL
             UNION ALL
             SELECT i.identity, 0, 1 FROM bucket b JOIN intent i ON i.bucket = b.bucket WHERE b.node = $1
             UNION ALL
             SELECT d.identity, 0, 0 FROM bucket b JOIN doubt d ON d.bucket = b.bucket WHERE b.node = $1) AS found
         GROUP BY identity",
        node.0
    )?;
    let found =
        |(identity, unjudged, intent)| Unfinished { identity: IdentityId(identity), unjudged, intent: intent > 0 };
    Ok(rows.into_iter().map(found).collect())
}

/// The identities with an unfinished change or a doubt in one bucket, whoever owns it.
pub async fn unfinished_in(tx: &mut Tx<'_>, bucket: Bucket) -> Result<Vec<IdentityId>> {
    let rows = fetch!(
        tx,
        fetch_all as (Uuid,),
        "list the identities of a bucket with something unfinished",
        "SELECT identity FROM change WHERE bucket = $1 AND settled_at IS NULL
         UNION SELECT identity FROM doubt WHERE bucket = $1",
        bucket.number()
    )?;
    Ok(rows.into_iter().map(|(identity,)| IdentityId(identity)).collect())
}

/// The accounts of an identity of which a target is not final: what was written there may not be noted yet.
pub async fn under_way(tx: &mut Tx<'_>, identity: IdentityId) -> Result<Vec<AccountId>> {
    let rows = fetch!(
        tx,
        fetch_all as (Uuid,),
        "list the accounts of an identity that are being changed",
        "SELECT account FROM target WHERE bucket = $1 AND settled_at IS NULL AND change IN
             (SELECT id FROM change WHERE bucket = $1 AND identity = $2 AND settled_at IS NULL)",
        identity.bucket().number(),
        identity.0
    )?;
    Ok(rows.into_iter().map(|(account,)| AccountId(account)).collect())
}

/// Whether `account` may hold the password of a request that is made again: the latest target before place `before` that
/// settled after a write was begun has its password although its change has not (or not yet) reached every other target,
/// or may have it.
pub async fn got_part_way(tx: &mut Tx<'_>, identity: IdentityId, account: AccountId, before: i64) -> Result<bool> {
    let row = fetch!(
        tx,
        fetch_optional as (String, bool, String),
        "find the latest settled target of an account",
        "SELECT t.state, t.unsure, c.state FROM change c JOIN target t ON t.bucket = c.bucket AND t.change = c.id
         WHERE c.bucket = $1 AND c.identity = $2 AND c.seq < $3 AND t.account = $4 AND t.settled_at IS NOT NULL
             AND (t.attempts > 0 OR t.unsure)
         ORDER BY c.seq DESC LIMIT 1",
        identity.bucket().number(),
        identity.0,
        before,
        account.0
    )?;
    let Some((target, unsure, change)) = row else { return Ok(false) };
    let applied = target_state(&target)? == TargetState::Applied;
    Ok(unsure || (applied && change_state(&change)? != ChangeState::Finished))
}

/// How much is under way in the whole database.
pub async fn counts(tx: &mut Tx<'_>) -> Result<Counts> {
    let changes = fetch!(
        tx,
        fetch_all as (String, i64, Option<DateTime<Utc>>),
        "count the unfinished changes",
        "SELECT state, count(*), min(created_at) FROM change WHERE settled_at IS NULL GROUP BY state"
    )?;
    let targets = fetch!(
        tx,
        fetch_all as (String, i64),
        "count the targets of unfinished changes",
        "SELECT state, count(*) FROM target
         WHERE (bucket, change) IN (SELECT bucket, id FROM change WHERE settled_at IS NULL)
         GROUP BY state"
    )?;
    let (doubts,) = fetch!(tx, fetch_one as (i64,), "count the doubts", "SELECT count(*) FROM doubt")?;
    Ok(Counts {
        oldest: changes.iter().filter_map(|(_, _, oldest)| *oldest).min(),
        changes: changes
            .into_iter()
            .map(|(state, count, _)| Ok((change_state(&state)?, count)))
            .collect::<Result<_>>()?,
        targets: targets.into_iter().map(|(state, count)| Ok((target_state(&state)?, count))).collect::<Result<_>>()?,
        doubts,
    })
}

async fn save_change(tx: &mut Tx<'_>, change: &Change) -> Result<()> {
    // Everybody finds what is unfinished by that.
    debug_assert_eq!(change.settled_at.is_some(), change.state.is_final(), "{change:?}");
    let (bucket, state) = (change.bucket().number(), state_name(change.state)?);
    let (joined, refusals) = (change.joined.map(|joined| joined.0), Json(&change.refusals));
    let updated = match change.settled_at {
        // Says nothing of `settled_at`: what is unfinished stays where it is in its index.
        None => execute!(
            tx,
            "save an unfinished change",
            "UPDATE change SET state = $3, joined = $4, refusals = $5
             WHERE bucket = $1 AND id = $2 AND settled_at IS NULL",
            bucket,
            change.id.0,
            state,
            joined,
            refusals,
        )?,
        Some(settled_at) => {
            // A COMMIT whose reply was lost may be made good after the lane was built again from the rows before it. What is
            // refused now may have targets by then, which nobody would ever look at again: only what is still unjudged is
            // refused.
            let sql = match change.refusals.is_empty() {
                true => {
                    "UPDATE change SET state = $3, joined = $4, refusals = $5, settled_at = $6,
                         payload = NULL, second_payload = NULL
                     WHERE bucket = $1 AND id = $2 AND settled_at IS NULL"
                }
                false => {
                    "UPDATE change SET state = $3, joined = $4, refusals = $5, settled_at = $6,
                         payload = NULL, second_payload = NULL
                     WHERE bucket = $1 AND id = $2 AND settled_at IS NULL AND state = 'accepted'"
                }
            };
            execute!(tx, "save a final change", sql, bucket, change.id.0, state, joined, refusals, settled_at)?
        }
    };
    match updated {
        1 => Ok(()),
        _ => Err(Error::Stale("change")),
    }
}

async fn save_target(tx: &mut Tx<'_>, identity: IdentityId, target: &Target) -> Result<()> {
    let saved = execute!(
        tx,
        "save a target",
        "INSERT INTO target (bucket, change, account, source, identity, native_id, name, seq, sign_in, state,
             attempts, probed, unsure, reason, settled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT (bucket, change, account) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
             probed = excluded.probed, unsure = excluded.unsure, reason = excluded.reason,
             settled_at = excluded.settled_at
         WHERE target.settled_at IS NULL",
        identity.bucket().number(),
        target.key.change.0,
        target.key.account.0,
        target.source.0,
        identity.0,
        target.native_id.as_str(),
        target.name.as_str(),
        target.seq,
        target.sign_in,
        target_state_name(target.state)?,
        i64::from(target.attempts),
        target.probed,
        target.unsure,
        target.reason.as_deref(),
        target.settled_at,
    )?;
    match saved {
        1 => Ok(()),
        _ => Err(Error::Stale("target")),
    }
}
