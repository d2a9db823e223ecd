//! Reading password policies.

use lockstep_core::id::PasswordPolicyId;
use lockstep_store::Tx;

use super::{Policies, Policy};
use crate::app::revision::Revised;
use crate::app::{App, Error};
use crate::auth::Permit;

/// Every policy, in the order of their names.
pub async fn list(app: &App, _: &Permit) -> Result<Vec<Policy>, Error> {
    let read = app.store.read(|tx: &mut Tx<'_>| Box::pin(Policies::load(tx)));
    Ok(read.await?.told().collect())
}

/// One of them.
pub async fn get(app: &App, _: &Permit, id: PasswordPolicyId) -> Result<Revised<Policy>, Error> {
    let read = app.store.read(|tx: &mut Tx<'_>| Box::pin(Policies::load(tx)));
    Ok(read.await?.find(id)?.into())
}
