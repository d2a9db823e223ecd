//! Keeps this node's keys that sign access tokens the ones that the database has: a new one is known to everybody long before
//! it signs, and one that was removed verifies nothing any more.

use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::app::{App, signing_keys};

/// How often they are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Does it until the process stops. What fails is tried again the next time.
pub(super) async fn follow(app: App, stop: CancellationToken) {
    let mut used = Vec::new();
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        match signing_keys::use_them(&app.store, &app.vault, &app.clock, used.clone()).await {
            Ok(now) => used = now,
            Err(error) => tracing::warn!(%error, "the keys that sign tokens could not be read; this is tried again"),
        }
    }
}

/// Makes the next key where it is time, and forgets those that are over.
///
/// # Errors
/// When the store fails or no key can be made.
pub(super) async fn maintain(app: &App) -> anyhow::Result<()> {
    let changed = signing_keys::maintain(&app.store, &app.vault, &app.clock).await;
    if changed.context("cannot look after the keys that sign tokens")? {
        tracing::info!("the keys that sign tokens were changed");
    }
    Ok(())
}
