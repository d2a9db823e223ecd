//! Submissions: the ciphertexts that were sent, and which change each became.
//!
//! A ciphertext belongs to the caller who sent it first and to the identity it was sent for, for as long as its
//! transport key lives: otherwise a captured one could be delivered to a system that the thief can read. Sent again, the
//! same request is the same change.
//!
//! The digest is the vault's keyed hash of the decoded ciphertext, and names the bucket: it is known before the change.

use chrono::{DateTime, Utc};
use lockstep_core::id::{Bucket, ChangeId, IdentityId, SourceId, TransportKeyId};
use uuid::Uuid;

use crate::error::Result;
use crate::tx::{Tx, execute, fetch, row};

/// Whose a ciphertext is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It was never seen; it is this caller's and identity's now.
    New,
    /// This caller sent it before, for this identity.
    Same,
    /// Another caller sent it before, or it was sent for another identity: it must be refused.
    Foreign,
}

row! {
    struct SubmissionRow {
        caller: String,
        identity: Uuid,
    }
}

/// Binds a ciphertext to a caller and an identity, or says whose it is. It comes first of all that accepting writes: of
/// several at the same time all but one wait here and then see what the first has committed.
pub async fn claim(
    tx: &mut Tx<'_>,
    digest: &[u8; 32],
    caller: &str,
    identity: IdentityId,
    transport_key: TransportKeyId,
    now: DateTime<Utc>,
) -> Result<Claim> {
    let bucket = Bucket::of_digest(digest).number();
    let inserted = execute!(
        tx,
        "claim a ciphertext",
        "INSERT INTO submission (bucket, digest, caller, identity, transport_key, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (bucket, digest) DO NOTHING",
        bucket,
        &digest[..],
        caller,
        identity.0,
        transport_key.0,
        now,
    )?;
    if inserted == 1 {
        return Ok(Claim::New);
    }
    let row = fetch!(
        tx,
        fetch_one as SubmissionRow,
        "read whose a ciphertext is",
        "SELECT caller, identity FROM submission WHERE bucket = $1 AND digest = $2",
        bucket,
        &digest[..]
    )?;
    match row.caller == caller && row.identity == identity.0 {
        true => Ok(Claim::Same),
        false => Ok(Claim::Foreign),
    }
}

/// The change that a ciphertext became when it was sent with this source and account before. `account_sent` is the
/// request's field as it was sent, empty where it was left out.
pub async fn change_for(
    tx: &mut Tx<'_>,
    digest: &[u8; 32],
    source: SourceId,
    account_sent: &str,
) -> Result<Option<ChangeId>> {
    let row = fetch!(
        tx,
        fetch_optional as (Uuid,),
        "find the change of a ciphertext",
        "SELECT change FROM submission_change
         WHERE bucket = $1 AND digest = $2 AND source = $3 AND account_sent = $4",
        Bucket::of_digest(digest).number(),
        &digest[..],
        source.0,
        account_sent
    )?;
    Ok(row.map(|(change,)| ChangeId(change)))
}

/// Records which change a ciphertext became with this source and account. Gives the change that counts: another one
/// when somebody was faster, and then the transaction must be given up and `change` with it.
pub async fn name(
    tx: &mut Tx<'_>,
    digest: &[u8; 32],
    source: SourceId,
    account_sent: &str,
    change: ChangeId,
) -> Result<ChangeId> {
    let inserted = execute!(
        tx,
        "record the change of a ciphertext",
        "INSERT INTO submission_change (bucket, digest, source, account_sent, change)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (bucket, digest, source, account_sent) DO NOTHING",
        Bucket::of_digest(digest).number(),
        &digest[..],
        source.0,
        account_sent,
        change.0,
    )?;
    match inserted {
        1 => Ok(change),
        _ => Ok(change_for(tx, digest, source, account_sent).await?.unwrap_or(change)),
    }
}

/// Forgets the ciphertexts of destroyed transport keys in one bucket: they say nothing to anybody any more. Gives how
/// many.
pub async fn forget(tx: &mut Tx<'_>, bucket: Bucket) -> Result<u64> {
    execute!(
        tx,
        "forget the changes of ciphertexts",
        "DELETE FROM submission_change WHERE bucket = $1 AND digest IN
             (SELECT digest FROM submission WHERE bucket = $1 AND transport_key IN
                 (SELECT id FROM transport_key WHERE state = 'destroyed'))",
        bucket.number(),
    )?;
    execute!(
        tx,
        "forget ciphertexts",
        "DELETE FROM submission WHERE bucket = $1 AND transport_key IN
             (SELECT id FROM transport_key WHERE state = 'destroyed')",
        bucket.number(),
    )
}
