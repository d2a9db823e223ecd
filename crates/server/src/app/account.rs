//! Accounts: reading them, and what can be done to one on its source besides a new password.

mod state;

use std::collections::BTreeMap;
use std::time::Duration;

use lockstep_connectors::{AccountRef, LockState};
use lockstep_core::filter::Query;
use lockstep_core::filter::collections::ACCOUNTS;
use lockstep_core::id::{AccountId, SourceId};
use lockstep_core::source::{Feature, Source};
use lockstep_store::listing::{self, ListedAccount, Start};
use lockstep_store::{Tx, source};

use super::list::{Part, Wanted, part};
use super::{App, Error};
use crate::auth::Permit;

pub use state::{set_enabled, unlock};

/// How long a source may take to say whether an account is locked, when that is not what was asked for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sources by their ids.
pub type Sources = BTreeMap<SourceId, Source>;

/// A part of the list of accounts, and the sources that there are.
pub async fn list(app: &App, permit: &Permit, wanted: Wanted) -> Result<(Part<ListedAccount>, Sources), Error> {
    let listed = part(app, permit, &ACCOUNTS, wanted, |tx, wanted, start| {
        Box::pin(async move {
            let page = listing::accounts(tx, &wanted.query, start, wanted.limit).await?;
            let total = match wanted.count {
                true => Some(listing::count_accounts(tx, &wanted.query).await?),
                false => None,
            };
            Ok((page, total))
        })
    });
    Ok((listed.await?, sources(app).await?))
}

/// One account, its source, and whether the source holds it locked: that is asked of the source, and none where it does not
/// say so at once.
pub async fn get(app: &App, _: &Permit, id: AccountId) -> Result<(ListedAccount, Sources, Option<bool>), Error> {
    let (listed, sources) = (find(app, id).await?, sources(app).await?);
    let tells = sources.get(&listed.account.source).is_some_and(|source| source.features.contains(&Feature::Unlock));
    let locked = match tells && listed.account.source != SourceId::IDENTITY_NOW {
        true => locked(app, &listed).await,
        false => None,
    };
    Ok((listed, sources, locked))
}

async fn locked(app: &App, listed: &ListedAccount) -> Option<bool> {
    let account = reference(listed);
    let asked = tokio::time::timeout(PATIENCE, app.sources.lock_state(listed.account.source, &account));
    Some(matches!(asked.await.ok()?.ok()?, LockState::Locked { .. }))
}

/// An account that has not vanished.
async fn find(app: &App, id: AccountId) -> Result<ListedAccount, Error> {
    let query = Query::parse(&ACCOUNTS, Some(&format!("id eq \"{id}\"")), None)?;
    let found = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move { listing::accounts(tx, &query, &Start::default(), 1).await })
    });
    found.await?.entries.pop().ok_or(Error::NotFound("account"))
}

async fn sources(app: &App) -> Result<Sources, Error> {
    let all = app.store.read(move |tx: &mut Tx<'_>| Box::pin(source::list(tx)));
    Ok(all.await?.into_iter().map(|source| (source.id, source)).collect())
}

/// The account as its source knows it.
fn reference(listed: &ListedAccount) -> AccountRef {
    AccountRef { native_id: listed.account.native_id.clone(), name: listed.account.name.clone() }
}
