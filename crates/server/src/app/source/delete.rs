//! A source goes, when nothing refers to it any more.

use lockstep_core::audit::Action;
use lockstep_core::id::SourceId;
use lockstep_store::source::References;
use lockstep_store::{Tx, configuration, source};

use super::about;
use crate::app::record::record;
use crate::app::revision::Seen;
use crate::app::{App, Error};
use crate::auth::Permit;

/// Deletes a source, its secrets, its tombstones and the accounts there that are nobody's.
pub async fn delete(app: &App, permit: &Permit, id: SourceId, seen: Seen) -> Result<(), Error> {
    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            let stored = source::find_stored(tx, id).await?.ok_or(Error::NotFound("source"))?;
            seen.is(&stored.version)?;
            if stored.source.is_built_in() {
                return Err(Error::Impossible(format!("{} is built in", stored.source.name)));
            }
            let by = needed_by(source::references(tx, id).await?);
            if !by.is_empty() {
                return Err(Error::InUse { what: "source", by });
            }
            source::remove(tx, id).await?;
            Ok(record(tx, &permit, Action::SourceDeleted, about(id, false), now).await?)
        })
    });
    written.await
}

/// What keeps a source from being deleted, in words.
pub(in crate::app) fn needed_by(references: References) -> Vec<String> {
    let References { group, applications, accounts, people } = references;
    let mut by: Vec<String> = group.into_iter().map(|name| format!("the sync group {name:?} has it")).collect();
    by.extend(applications.into_iter().map(|name| format!("the application {name:?} stands for it")));
    by.extend((accounts > 0).then(|| format!("it has {accounts} accounts of people")));
    by.extend((people > 0).then(|| format!("{people} people sign in with it")));
    by
}
