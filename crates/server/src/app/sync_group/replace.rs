//! Giving a sync group another name, another policy or other members.

use lockstep_core::audit::Action;
use lockstep_core::id::SyncGroupId;
use lockstep_store::{Tx, configuration, sync_group};

use super::{Group, Groups, Wanted, joins, leaves};
use crate::app::record::{About, record};
use crate::app::revision::{Revised, Seen};
use crate::app::{App, Error};
use crate::auth::Permit;

/// Replaces it. A source that leaves keeps the policy that bound there.
pub async fn replace(
    app: &App,
    permit: &Permit,
    id: SyncGroupId,
    seen: Seen,
    wanted: Wanted,
) -> Result<Revised<Group>, Error> {
    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            let groups = Groups::load(tx).await?;
            let before = groups.find(id)?;
            seen.is(&before)?;
            let (old, new) = (before.group, wanted.group(id));
            groups.judge(tx, &new).await?;
            sync_group::put(tx, &new, now).await?;
            let about = About::default().with("group", id.0).with("policy", new.policy.0);
            record(tx, &permit, Action::PasswordSyncGroupUpdated, about, now).await?;
            for source in new.sources.iter().filter(|source| !old.sources.contains(source)) {
                joins(tx, &permit, id, *source, now).await?;
            }
            for source in old.sources.iter().filter(|source| !new.sources.contains(source)) {
                leaves(tx, &permit, &old, *source, now).await?;
            }
            Groups::load(tx).await?.find(id)
        })
    });
    Ok(written.await?.into())
}
