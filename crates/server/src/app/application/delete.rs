//! Deleting an application. Its source and the accounts there stay.

use lockstep_core::audit::Action;
use lockstep_core::id::ApplicationId;
use lockstep_store::{Tx, application, configuration};

use super::{Told, find, load};
use crate::app::record::{About, record};
use crate::app::revision::Seen;
use crate::app::{App, Error};
use crate::auth::Permit;

/// Deletes it, and says what it was.
pub async fn delete(app: &App, permit: &Permit, id: ApplicationId, seen: Seen) -> Result<Told, Error> {
    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            let before = find(&load(tx).await?, id)?;
            seen.is(&before)?;
            application::remove(tx, id).await?;
            let about = About::source(before.application.source).with("application", id.0);
            record(tx, &permit, Action::ApplicationDeleted, about, now).await?;
            Ok(before)
        })
    });
    written.await
}
