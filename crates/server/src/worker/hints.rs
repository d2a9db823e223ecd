//! Hints between the nodes of one PostgreSQL: what this node accepted for the buckets of others, and what they accepted
//! for its own. Losing one costs the time until the owner polls, and nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use lockstep_core::id::IdentityId;
use lockstep_store::hint::LONGEST;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::app::App;

/// How long it takes until a lost connection is made anew: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// Sends what comes from `identities` to the other nodes. While one hint is being sent, the next one gathers.
pub(super) async fn send(app: App, mut identities: UnboundedReceiver<IdentityId>) {
    let mut gathered = Vec::with_capacity(LONGEST);
    while identities.recv_many(&mut gathered, LONGEST).await > 0 {
        let named: Vec<IdentityId> = gathered.drain(..).collect::<BTreeSet<_>>().into_iter().collect();
        if let Err(error) = app.store.hint(&named).await {
            let error = chain(&error);
            tracing::warn!(error, identities = named.len(), "the other nodes get no hint; they find the rows");
        }
    }
}

/// Wakes the engine for what other nodes hint at.
pub(super) async fn receive(app: App) {
    let (first, longest) = PAUSES;
    let mut pause = first;
    loop {
        let mut hints = match app.store.hints().await {
            Ok(Some(hints)) => hints,
            // SQLite: there are no other nodes.
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(error = chain(&error), "no hints from other nodes; the rows are polled");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(longest);
                continue;
            }
        };
        let error = loop {
            match hints.next().await {
                Ok(identities) => identities.into_iter().for_each(|identity| app.waker.wake_here(identity)),
                Err(error) => break error,
            }
            pause = first;
        };
        tracing::warn!(error = chain(&error), "the connection for hints is lost; it is made anew");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

fn chain(error: &lockstep_store::Error) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}
