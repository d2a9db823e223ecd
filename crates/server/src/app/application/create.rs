//! Making an application.

use lockstep_core::audit::Action;
use lockstep_core::id::ApplicationId;
use lockstep_store::{Tx, application, configuration};
use lockstep_vault::secret::draw_id;

use super::{Told, Wanted, find, judge, load};
use crate::app::record::{About, record};
use crate::app::revision::Revised;
use crate::app::{App, Error};
use crate::auth::Permit;

/// Makes it.
pub async fn create(app: &App, permit: &Permit, wanted: Wanted) -> Result<Revised<Told>, Error> {
    let (now, permit) = (app.clock.utc(), permit.clone());
    let new = wanted.application(ApplicationId(draw_id()));
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            let all = load(tx).await?;
            judge(tx, &all, &new).await?;
            application::put(tx, &new, now).await?;
            let about = About::source(new.source).with("application", new.id.0);
            record(tx, &permit, Action::ApplicationCreated, about, now).await?;
            find(&load(tx).await?, new.id)
        })
    });
    Ok(written.await?.into())
}
