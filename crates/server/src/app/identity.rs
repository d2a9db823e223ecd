//! Identities: reading them.

use lockstep_core::filter::collections::{IDENTITIES, PUBLIC_IDENTITIES};
use lockstep_core::filter::{Collection, Query};
use lockstep_core::id::IdentityId;
use lockstep_store::Tx;
use lockstep_store::listing::{self, ListedIdentity, Start};

use super::list::{Part, Wanted, part};
use super::{App, Error};
use crate::auth::Permit;

/// A part of the list of identities, for whoever administers.
pub async fn list(app: &App, permit: &Permit, wanted: Wanted) -> Result<Part<ListedIdentity>, Error> {
    page(app, permit, &IDENTITIES, wanted).await
}

/// A part of the list of identities, for everybody.
pub async fn list_public(app: &App, permit: &Permit, wanted: Wanted) -> Result<Part<ListedIdentity>, Error> {
    page(app, permit, &PUBLIC_IDENTITIES, wanted).await
}

/// One identity.
pub async fn get(app: &App, permit: &Permit, id: IdentityId) -> Result<ListedIdentity, Error> {
    permit.reaches(Some(id))?;
    let query = Query::parse(&IDENTITIES, Some(&format!("id eq \"{id}\"")), None)?;
    let found = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move { listing::identities(tx, &query, &Start::default(), 1).await })
    });
    found.await?.entries.pop().ok_or(Error::NotFound("identity"))
}

async fn page(
    app: &App,
    permit: &Permit,
    collection: &'static Collection,
    wanted: Wanted,
) -> Result<Part<ListedIdentity>, Error> {
    part(app, permit, collection, wanted, |tx, wanted, start| {
        Box::pin(async move {
            let page = listing::identities(tx, &wanted.query, start, wanted.limit).await?;
            let total = match wanted.count {
                true => Some(listing::count_identities(tx, &wanted.query).await?),
                false => None,
            };
            Ok((page, total))
        })
    })
    .await
}
