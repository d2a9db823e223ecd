//! Making a sync group.

use lockstep_core::audit::Action;
use lockstep_core::id::SyncGroupId;
use lockstep_store::{Tx, configuration, sync_group};
use lockstep_vault::secret::draw_id;

use super::{Group, Groups, Wanted, joins};
use crate::app::record::{About, record};
use crate::app::revision::Revised;
use crate::app::{App, Error};
use crate::auth::Permit;

/// Makes it. The next change on any member reaches all of them.
pub async fn create(app: &App, permit: &Permit, wanted: Wanted) -> Result<Revised<Group>, Error> {
    let (now, permit) = (app.clock.utc(), permit.clone());
    let group = wanted.group(SyncGroupId(draw_id()));
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            Groups::load(tx).await?.judge(tx, &group).await?;
            sync_group::put(tx, &group, now).await?;
            let about = About::default().with("group", group.id.0).with("policy", group.policy.0);
            record(tx, &permit, Action::PasswordSyncGroupCreated, about, now).await?;
            for source in &group.sources {
                joins(tx, &permit, group.id, *source, now).await?;
            }
            Groups::load(tx).await?.find(group.id)
        })
    });
    Ok(written.await?.into())
}
