//! Reading sync groups.

use lockstep_core::id::SyncGroupId;
use lockstep_store::Tx;

use super::{Group, Groups};
use crate::app::revision::Revised;
use crate::app::{App, Error};
use crate::auth::Permit;

/// Every group, in the order of their names.
pub async fn list(app: &App, _: &Permit) -> Result<Vec<Group>, Error> {
    Ok(app.store.read(|tx: &mut Tx<'_>| Box::pin(Groups::load(tx))).await?.all)
}

/// One of them.
pub async fn get(app: &App, _: &Permit, id: SyncGroupId) -> Result<Revised<Group>, Error> {
    let read = app.store.read(|tx: &mut Tx<'_>| Box::pin(Groups::load(tx)));
    Ok(read.await?.find(id)?.into())
}
