//! Submissions: the ciphertexts that were sent, and which change each became.
//!
//! A ciphertext belongs to the caller who sent it first and to the identity it was sent for, for as long as a transport
//! key may open it: otherwise a captured one could be delivered to a system that the thief can read. Sent again, the
//! same request is the same change.
//!
//! The digest is the beginning of the vault's keyed hash of the decoded ciphertext, and names the bucket: it is known
//! before the change. Nobody who lacks the key finds two ciphertexts with the same one.

use chrono::{DateTime, Utc};
use lockstep_core::id::{Bucket, ChangeId, IdentityId, SourceId};
use uuid::Uuid;

use crate::change;
use crate::error::Result;
use crate::tx::{Tx, execute, fetch, row};

/// A request as it is compared with earlier ones.
#[derive(Debug, Clone, Copy)]
pub struct Submission<'a> {
    /// Of the ciphertext.
    pub digest: &'a [u8; 16],
    /// Who sent it.
    pub caller: &'a str,
    /// Whose password it is to be.
    pub identity: IdentityId,
    /// Where.
    pub source: SourceId,
    /// The request's field as it was sent, empty where it was left out.
    pub account_sent: &'a str,
}

/// What a request is, beside those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It was never seen; it is this change's now.
    New,
    /// The same request became this change before.
    Before(ChangeId),
    /// Another caller sent the ciphertext before, or it was sent for another identity: it must be refused.
    Foreign,
}

row! {
    struct FirstRow {
        id: Uuid,
        identity: Uuid,
        caller: String,
        source: Uuid,
        account_sent: String,
    }
}

/// Binds a ciphertext to the change that it is to become, or says what became of it before. It comes first of all that
/// accepting writes: of several at the same time all but one wait here and then see what the first has committed. Unless
/// it is new the transaction must be given up, and `change` with it.
pub async fn claim(tx: &mut Tx<'_>, submission: &Submission<'_>, change: ChangeId) -> Result<Claim> {
    loop {
        let inserted = execute!(
            tx,
            "claim a ciphertext",
            "INSERT INTO submission (bucket, digest, change)
             VALUES ($1, $2, $3) ON CONFLICT (bucket, digest) DO NOTHING",
            submission.bucket(),
            &submission.digest[..],
            change.0,
        )?;
        if inserted == 1 {
            return Ok(Claim::New);
        }
        // Forgotten between the two statements, it is claimed after all.
        let Some(first) = first(tx, submission).await? else { continue };
        let before = beside(tx, submission, first).await?;
        if before != Claim::New {
            return Ok(before);
        }
        let inserted = execute!(
            tx,
            "claim a ciphertext for another account",
            "INSERT INTO submission_again (bucket, digest, source, account_sent, change)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (bucket, digest, source, account_sent) DO NOTHING",
            submission.bucket(),
            &submission.digest[..],
            submission.source.0,
            submission.account_sent,
            change.0,
        )?;
        if inserted == 1 {
            return Ok(Claim::New);
        }
    }
}

/// What a request is, beside those before it; nothing is written.
pub async fn find(tx: &mut Tx<'_>, submission: &Submission<'_>) -> Result<Claim> {
    match first(tx, submission).await? {
        Some(first) => beside(tx, submission, first).await,
        None => Ok(Claim::New),
    }
}

/// The first change of a ciphertext.
async fn first(tx: &mut Tx<'_>, submission: &Submission<'_>) -> Result<Option<ChangeId>> {
    let first = fetch!(
        tx,
        fetch_optional as (Uuid,),
        "find the first change of a ciphertext",
        "SELECT change FROM submission WHERE bucket = $1 AND digest = $2",
        submission.bucket(),
        &submission.digest[..]
    )?;
    Ok(first.map(|(first,)| ChangeId(first)))
}

/// What a request is, beside the first with its ciphertext.
async fn beside(tx: &mut Tx<'_>, submission: &Submission<'_>, first: ChangeId) -> Result<Claim> {
    let first = fetch!(
        tx,
        fetch_optional as FirstRow,
        "find whose a ciphertext is",
        "SELECT id, identity, caller, source, account_sent FROM change WHERE bucket = $1 AND id = $2",
        first.bucket().number(),
        first.0
    )?;
    // Changes are kept longer than these rows. Were it otherwise, it would be nobody's to send.
    let Some(first) = first else { return Ok(Claim::Foreign) };
    if first.caller != submission.caller || first.identity != submission.identity.0 {
        return Ok(Claim::Foreign);
    }
    if first.source == submission.source.0 && first.account_sent == submission.account_sent {
        return Ok(Claim::Before(ChangeId(first.id)));
    }
    let again = fetch!(
        tx,
        fetch_optional as (Uuid,),
        "find the change of a ciphertext",
        "SELECT change FROM submission_again
         WHERE bucket = $1 AND digest = $2 AND source = $3 AND account_sent = $4",
        submission.bucket(),
        &submission.digest[..],
        submission.source.0,
        submission.account_sent
    )?;
    Ok(again.map_or(Claim::New, |(change,)| Claim::Before(ChangeId(change))))
}

impl Submission<'_> {
    fn bucket(&self) -> i16 {
        Bucket::of_digest(self.digest).number()
    }
}

/// Forgets the ciphertexts in one bucket that first came before `before`: before
/// [`opens_since`](crate::transport_key::opens_since) nothing opens them any more. Gives how many.
pub async fn forget(tx: &mut Tx<'_>, bucket: Bucket, before: DateTime<Utc>) -> Result<u64> {
    execute!(
        tx,
        "forget the changes of ciphertexts",
        "DELETE FROM submission_again WHERE bucket = $1 AND digest IN
             (SELECT digest FROM submission WHERE bucket = $1 AND change < $2)",
        bucket.number(),
        change::first_id_of(before),
    )?;
    execute!(
        tx,
        "forget ciphertexts",
        "DELETE FROM submission WHERE bucket = $1 AND change < $2",
        bucket.number(),
        change::first_id_of(before),
    )
}
