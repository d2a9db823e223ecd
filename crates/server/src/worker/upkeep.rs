//! What time makes due beside the changes themselves: the restore mark, transport keys, and rows that have served.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use lockstep_core::id::{Bucket, ChangeId};
use lockstep_store::{Tx, change, submission};
use tokio_util::sync::CancellationToken;

use super::transport_keys;
use crate::app::App;
use crate::failpoint::failpoint;

/// How often the restore mark is raised and the transport keys are looked at, and how often, counted in that, the old
/// changes.
const EVERY: Duration = Duration::from_secs(60);
const PRUNE_EVERY: u32 = 60;

/// How long the status of a final change can be asked for.
const KEPT: TimeDelta = TimeDelta::days(30);
/// How many changes are looked for at a time; each bucket's are removed in a transaction of its own.
const BATCH: u32 = 500;

/// Does it until the process stops. What fails is tried again the next time.
pub(super) async fn keep(app: App, stop: CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    let mut ticks: u32 = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = look_after(&app, ticks.is_multiple_of(PRUNE_EVERY)).await {
            let error = format!("{error:#}");
            tracing::error!(error, "upkeep failed; it is tried again");
        }
        ticks = ticks.wrapping_add(1);
    }
}

async fn look_after(app: &App, prune_too: bool) -> anyhow::Result<()> {
    // Whatever else fails must not keep it from rising.
    let raised = app.restore_mark.raise(&app.store).await.context("cannot raise the restore mark");
    transport_keys::maintain(app).await.and(raised)?;
    if prune_too {
        forget_submissions(app).await?;
        failpoint!(app, SubmissionsForgotten);
        prune(app).await?;
        failpoint!(app, ChangesPruned);
    }
    Ok(())
}

/// A destroyed key opens nothing, so it no longer matters who sent what under it.
async fn forget_submissions(app: &App) -> anyhow::Result<()> {
    for bucket in Bucket::all() {
        app.store
            .write(move |tx: &mut Tx<'_>| Box::pin(async move { submission::forget(tx, bucket).await }))
            .await
            .context("cannot forget the ciphertexts of destroyed keys")?;
    }
    Ok(())
}

async fn prune(app: &App) -> anyhow::Result<()> {
    let before = app.clock.utc() - KEPT;
    let mut after = None;
    loop {
        let list = app.store.scan(move |tx: &mut Tx<'_>| Box::pin(change::old(tx, after, before, BATCH)));
        let old: lockstep_store::Result<Vec<ChangeId>> = list.await;
        let old = old.context("cannot list old changes")?;
        let Some(last) = old.last().copied() else { return Ok(()) };
        let mut buckets: BTreeMap<Bucket, Vec<ChangeId>> = BTreeMap::new();
        for id in old {
            buckets.entry(id.bucket()).or_default().push(id);
        }
        for (bucket, ids) in buckets {
            let remove =
                app.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { change::remove(tx, bucket, &ids).await }));
            let removed: lockstep_store::Result<u64> = remove.await;
            removed.context("cannot remove old changes")?;
        }
        after = Some(last);
    }
}
