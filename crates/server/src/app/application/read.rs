//! Reading applications.

use lockstep_core::id::ApplicationId;
use lockstep_store::{Tx, account};

use super::{Told, find, load};
use crate::app::revision::Revised;
use crate::app::{App, Error};
use crate::auth::Permit;

/// Those that people see where they change passwords.
pub async fn list(app: &App, permit: &Permit) -> Result<Vec<Told>, Error> {
    let mut all = list_all(app, permit).await?;
    all.retain(|told| told.application.use_for_password_management);
    Ok(all)
}

/// All of them.
pub async fn list_all(app: &App, _: &Permit) -> Result<Vec<Told>, Error> {
    app.store.read(|tx: &mut Tx<'_>| Box::pin(load(tx))).await
}

/// Those in which the caller has an account, as far as people see them.
pub async fn list_assigned(app: &App, permit: &Permit) -> Result<Vec<Told>, Error> {
    let person = permit.person()?;
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let accounts = account::list_of(tx, person).await?;
            let mut all = load(tx).await?;
            all.retain(|told| {
                let application = &told.application;
                application.use_for_password_management
                    && accounts.iter().any(|account| account.source == application.source && !account.vanished)
            });
            Ok(all)
        })
    });
    read.await
}

/// One of them.
pub async fn get(app: &App, _: &Permit, id: ApplicationId) -> Result<Revised<Told>, Error> {
    let all = app.store.read(|tx: &mut Tx<'_>| Box::pin(load(tx))).await?;
    Ok(find(&all, id)?.into())
}
