//! One account, read by what its source never changes about it.

use std::collections::HashSet;
use std::sync::Arc;

use lockstep_core::aggregation::{Counters, Known};
use lockstep_core::audit::Actor;
use lockstep_store::Tx;

use super::page::{Page, Planned};
use super::run::entry;
use super::{chain, leavers, write};
use crate::app::App;

/// Reads it and makes it what the source says. Gives what was done and what was left, or why it could not be done.
pub(in crate::app) async fn reload(app: &App, known: Known, actor: Actor) -> Result<(Counters, Vec<String>), String> {
    let source = app.sources.current(known.account.source).await.map_err(|error| chain(&error))?;
    if !source.connector.capabilities().read_accounts {
        return Err("the accounts of this source cannot be read".to_owned());
    }
    let kind = &source.row.connector;
    let stable_id = known.account.stable_id.clone();
    let found = source.connector.account(&stable_id).await.map_err(|failure| failure.detail)?;
    let Some(found) = found else {
        let gone = vec![(known.account.id, known.account.identity)];
        let going = leavers::going(app, &source, gone, HashSet::new()).await.map_err(|error| chain(&error))?;
        let counters =
            Counters { read: 1, gone: 1, identities_retired: going.retiring.len() as u64, ..Counters::default() };
        let now = app.clock.utc();
        let take = app
            .store
            .write(move |tx: &mut Tx<'_>| Box::pin(async move { leavers::write(tx, &going, actor, now).await }))
            .await;
        take.map_err(|error| chain(&error))?;
        known.account.identity.into_iter().for_each(|identity| app.waker.wake(identity));
        return Ok((counters, Vec::new()));
    };
    let (mut page, _) = Page::new(source.row.clone(), app.clock.utc(), true, [entry(kind, found)]);
    loop {
        match write::page(app, Arc::new(page.clone()), actor, None).await.map_err(|error| chain(&error))? {
            Planned::Page(plan) => return Ok((Counters { read: 1, ..plan.counters }, plan.reports)),
            Planned::Displaced(others) => {
                for stable_id in others {
                    match source.connector.account(&stable_id).await.map_err(|failure| failure.detail)? {
                        Some(found) => drop(page.add(entry(kind, found))),
                        None => drop(page.gone.insert(stable_id)),
                    }
                }
            }
        }
    }
}
