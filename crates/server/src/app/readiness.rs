//! Whether this process can do its work, and how much of it there is.

use std::time::Duration;

use lockstep_store::{Tx, lane, transport_key};
use lockstep_vault::transport::TransportPadding;

use super::query_password_info::padding_name;
use super::{App, Error};

/// Reads what the first request would need: the database, and a published transport key.
pub async fn check(app: &App) -> Result<(), Error> {
    let padding = padding_name(TransportPadding::Pkcs1v15);
    let published = app.store.read(move |tx: &mut Tx<'_>| Box::pin(transport_key::published(tx, padding)));
    match published.await? {
        Some(_) => Ok(()),
        None => Err(Error::Lacking("a published transport key")),
    }
}

/// Counts what is not final, and says how this node stands and which sources do not answer, for the metrics.
pub async fn measure(app: &App) -> Result<(), Error> {
    let counts = app.store.scan(|tx: &mut Tx<'_>| Box::pin(lane::counts(tx))).await?;
    let unfinished: i64 = counts.changes.iter().map(|(_, count)| count).sum();
    let age = counts.oldest.and_then(|oldest| (app.clock.utc() - oldest).to_std().ok()).unwrap_or(Duration::ZERO);
    app.metrics.queue(u64::try_from(unfinished).unwrap_or_default(), age);
    if let Some((owned, at)) = app.waker.standing() {
        app.metrics.node(owned, app.clock.monotonic().saturating_sub(at));
    }
    for (source, open) in app.sources.circuits() {
        app.metrics.circuit(&source, f64::from(u8::from(open)));
    }
    Ok(())
}
