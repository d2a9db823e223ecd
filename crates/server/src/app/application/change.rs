//! Changing parts of an application.

use lockstep_core::audit::Action;
use lockstep_core::id::ApplicationId;
use lockstep_store::{Tx, application, configuration};

use super::{Told, Wanted, find, judge, load};
use crate::app::record::{About, record};
use crate::app::revision::{Revised, Seen};
use crate::app::{App, Error};
use crate::auth::Permit;

/// Makes it what `wanted` says of what it is.
pub async fn change(
    app: &App,
    permit: &Permit,
    id: ApplicationId,
    seen: Seen,
    wanted: impl FnOnce(Told) -> Result<Wanted, Error> + Clone + Send + 'static,
) -> Result<Revised<Told>, Error> {
    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            let all = load(tx).await?;
            let before = find(&all, id)?;
            seen.is(&before)?;
            let new = wanted(before)?.application(id);
            judge(tx, &all, &new).await?;
            application::put(tx, &new, now).await?;
            let about = About::source(new.source).with("application", id.0);
            record(tx, &permit, Action::ApplicationUpdated, about, now).await?;
            find(&load(tx).await?, id)
        })
    });
    Ok(written.await?.into())
}
