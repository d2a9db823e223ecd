//! Changing a source: all of it, from what it is to what it is to be.

use std::collections::BTreeMap;

use lockstep_core::audit::Action;
use lockstep_core::id::SourceId;
use lockstep_core::source::{Feature, Source};
use lockstep_store::source::References;
use lockstep_store::{Tx, configuration, source, source_secret};
use lockstep_vault::seal::{Binding, OpenError};
use zeroize::Zeroizing;

use super::{Draft, Told, about, drafted, judge, revision, taken, told};
use crate::app::record::record;
use crate::app::revision::{Revised, Seen};
use crate::app::{App, Error};
use crate::auth::Permit;

/// Changes a source into what `draft` makes of it. The draft is made from the source as it is; the source is written only if
/// it is still so, and as the client has seen it.
pub async fn change(
    app: &App,
    permit: &Permit,
    id: SourceId,
    seen: &Seen,
    draft: impl FnOnce(&Told) -> Result<Draft, Error>,
) -> Result<Revised<Told>, Error> {
    let (before, sealed) = app
        .store
        .read(move |tx: &mut Tx<'_>| {
            Box::pin(async move { Ok::<_, Error>((told(tx, id).await?, source_secret::list(tx, id).await?)) })
        })
        .await?;
    let version = before.value.stored.version;
    seen.is(&version)?;
    let draft = draft(&before.value)?;
    let stored = &before.value.stored.source;
    let after = drafted(stored.clone(), &draft);
    let moved = judge::is_moved(stored, &after);
    if after.is_built_in() {
        if moved || after.name != stored.name || !draft.secrets.is_empty() {
            let text = format!("{} is built in: it has no settings, and its name stays", stored.name);
            return Err(Error::Impossible(text));
        }
    } else {
        let secrets = judge::secrets_after(moved, opened(app, id, sealed)?, &draft.secrets)?;
        judge::connect(app, &after, secrets)?;
    }
    if after == *stored && draft.secrets.is_empty() {
        return Ok(before);
    }

    let seal = |(name, value): (&String, &Zeroizing<String>)| {
        (name.clone(), app.vault.seal(&Binding::ConnectorSecret { source: id, name }, value.as_bytes()))
    };
    let sealed: Vec<(String, Vec<u8>)> = draft.secrets.iter().map(seal).collect();
    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            let current = source::find_stored(tx, id).await?.ok_or(Error::NotFound("source"))?;
            if revision(&current) != before.revision {
                return Err(Error::Outdated);
            }
            needed(tx, &current.source, &after).await?;
            source::put(tx, &after, now).await.map_err(taken)?;
            for (name, sealed) in &sealed {
                source_secret::put(tx, id, name, sealed, now).await?;
            }
            record(tx, &permit, Action::SourceUpdated, about(id, moved), now).await?;
            told(tx, id).await
        })
    });
    written.await
}

/// Refuses to take away what others rely on.
async fn needed(tx: &mut Tx<'_>, before: &Source, after: &Source) -> Result<(), Error> {
    let lost = |feature| before.features.contains(&feature) && !after.features.contains(&feature);
    let (passwords, sign_in) = (lost(Feature::Password), lost(Feature::Authenticate));
    if !passwords && !sign_in {
        return Ok(());
    }
    let References { group, people, .. } = source::references(tx, before.id).await?;
    let group = group.filter(|_| passwords).map(|name| format!("the sync group {name:?} needs PASSWORD"));
    let people = (sign_in && people > 0).then(|| format!("{people} people sign in with it: AUTHENTICATE"));
    let by: Vec<String> = group.into_iter().chain(people).collect();
    match by.is_empty() {
        true => Ok(()),
        false => Err(Error::InUse { what: "feature", by }),
    }
}

fn opened(
    app: &App,
    id: SourceId,
    sealed: BTreeMap<String, Vec<u8>>,
) -> Result<BTreeMap<String, Zeroizing<String>>, Error> {
    let open = |(name, sealed): (String, Vec<u8>)| {
        let bytes = app.vault.open(&Binding::ConnectorSecret { source: id, name: &name }, &sealed)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| OpenError::CannotBeOpened)?;
        Ok((name, Zeroizing::new(text.to_owned())))
    };
    sealed.into_iter().map(open).collect()
}
