//! What time makes due beside the changes themselves: the restore mark, keys, and rows that have served.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use lockstep_core::id::{Bucket, ChangeId};
use lockstep_store::{
    Tx, authorization_code, change, enrolment, recovery, revoked_token, session, sign_in_link, submission,
    token_family, transport_key,
};
use tokio_util::sync::CancellationToken;

use super::{signing_keys, transport_keys};
use crate::app::{App, passkey};
use crate::failpoint::failpoint;

/// How often the restore mark is raised and the transport keys are looked at; and how often, counted in that, ciphertexts
/// are forgotten and old changes removed: those once a day, as every identity's newest change is looked at then.
const EVERY: Duration = Duration::from_secs(60);
const FORGET_EVERY: u32 = 60;
const PRUNE_EVERY: u32 = 24 * 60;

/// How long the status of a final change can be asked for, at least.
const KEPT: TimeDelta = TimeDelta::days(30);
/// How long a token is kept that is dead: the longest access token of a sign-in that is over lives for twelve hours. A session is
/// kept for as long as it may live, if that is longer.
const DEAD_FOR: TimeDelta = TimeDelta::hours(13);
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
        match look_after(&app, ticks).await {
            Ok(()) => ticks = ticks.wrapping_add(1),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(error, "upkeep failed; it is tried again");
            }
        }
    }
}

async fn look_after(app: &App, ticks: u32) -> anyhow::Result<()> {
    // Whatever else fails must not keep it from rising.
    let raised = app.restore_mark.raise(&app.store).await.context("cannot raise the restore mark");
    transport_keys::maintain(app).await.and(raised)?;
    signing_keys::maintain(app).await?;
    if !ticks.is_multiple_of(FORGET_EVERY) {
        return Ok(());
    }
    forget_tokens(app).await?;
    let read = app.store.read(|tx: &mut Tx<'_>| Box::pin(transport_key::opens_since(tx)));
    let opens_since: lockstep_store::Result<Option<DateTime<Utc>>> = read.await;
    let Some(before) = opens_since.context("cannot find since when transport keys open")? else { return Ok(()) };
    forget_submissions(app, before).await?;
    failpoint!(app, SubmissionsForgotten);
    if ticks.is_multiple_of(PRUNE_EVERY) {
        // Not later: no submission names a change that is removed.
        prune(app, before.min(app.clock.utc() - KEPT)).await?;
        failpoint!(app, ChangesPruned);
    }
    Ok(())
}

/// What has been dead for so long that nobody asks about it: sign-ins, codes, and the access tokens that were revoked.
async fn forget_tokens(app: &App) -> anyhow::Result<()> {
    let now = app.clock.utc();
    let (before, within) = (now - DEAD_FOR, app.clone());
    let forget = app.store.write(move |tx: &mut Tx<'_>| {
        let within = within.clone();
        Box::pin(async move {
            let settings = within.configuration.read(tx).await?.auth_org(tx).await?;
            token_family::forget(tx, before).await?;
            authorization_code::forget(tx, before).await?;
            revoked_token::forget(tx, before).await?;
            session::forget_worn(tx, before).await?;
            session::forget(tx, before.min(now - settings.session.longest())).await?;
            recovery::forget(tx, before).await?;
            passkey::forget_spent(tx, now).await?;
            sign_in_link::forget(tx, before).await?;
            enrolment::forget(tx, before).await
        })
    });
    let forgotten: lockstep_store::Result<()> = forget.await;
    forgotten.context("cannot forget dead tokens")
}

/// What came before any key was published that still opens is opened by none, so it no longer matters who sent it.
async fn forget_submissions(app: &App, before: DateTime<Utc>) -> anyhow::Result<()> {
    for bucket in Bucket::all() {
        app.store
            .write(move |tx: &mut Tx<'_>| Box::pin(async move { submission::forget(tx, bucket, before).await }))
            .await
            .context("cannot forget the ciphertexts of destroyed keys")?;
    }
    Ok(())
}

async fn prune(app: &App, before: DateTime<Utc>) -> anyhow::Result<()> {
    let mut seen = None;
    loop {
        let list = app.store.scan(move |tx: &mut Tx<'_>| Box::pin(change::old(tx, seen, before, BATCH)));
        let old: lockstep_store::Result<Vec<ChangeId>> = list.await;
        let old = old.context("cannot list old changes")?;
        let more = old.len() == BATCH as usize;
        seen = old.last().copied();
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
        if !more {
            return Ok(());
        }
    }
}
