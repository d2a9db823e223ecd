//! Ending a sync group: its sources have passwords of their own from then on.

use lockstep_core::audit::Action;
use lockstep_core::id::SyncGroupId;
use lockstep_store::{Tx, configuration, sync_group};

use super::{Groups, leaves};
use crate::app::record::{About, record};
use crate::app::revision::Seen;
use crate::app::{App, Error};
use crate::auth::Permit;

/// Deletes it. Its policy becomes that of each member.
pub async fn delete(app: &App, permit: &Permit, id: SyncGroupId, seen: Seen) -> Result<(), Error> {
    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            let before = Groups::load(tx).await?.find(id)?;
            seen.is(&before)?;
            sync_group::remove(tx, id).await?;
            let about = About::default().with("group", id.0);
            record(tx, &permit, Action::PasswordSyncGroupDeleted, about, now).await?;
            for source in &before.group.sources {
                leaves(tx, &permit, &before.group, *source, now).await?;
            }
            Ok(())
        })
    });
    written.await
}
