//! A new source.

use lockstep_core::audit::Action;
use lockstep_core::id::SourceId;
use lockstep_core::source::{Feature, Source};
use lockstep_store::{Tx, configuration, source, source_secret};
use lockstep_vault::seal::Binding;
use lockstep_vault::secret::draw_id;

use super::{Draft, Told, about, drafted, judge, taken, told};
use crate::app::record::record;
use crate::app::revision::Revised;
use crate::app::{App, Error};
use crate::auth::Permit;

/// Makes a source of the kind `connector`. Passwords can be set on it only if the draft says so: whoever makes one tries it
/// first.
pub async fn create(app: &App, permit: &Permit, connector: String, draft: Draft) -> Result<Revised<Told>, Error> {
    let base = Source {
        id: SourceId(draw_id()),
        name: String::new(),
        description: String::new(),
        connector,
        config: serde_json::Value::Null,
        features: Default::default(),
        policy_holders: Vec::new(),
        concurrency: Source::CONCURRENCY,
        aggregation: Default::default(),
    };
    let mut made = drafted(base, &draft);
    let can = judge::connect(app, &made, draft.secrets.clone())?;
    if draft.features.is_none() {
        made.features.extend(can.sign_in.then_some(Feature::Authenticate));
        made.features.extend(can.unlock.then_some(Feature::Unlock));
    }
    let sealed: Vec<(String, Vec<u8>)> = draft
        .secrets
        .iter()
        .map(|(name, value)| {
            let binding = Binding::ConnectorSecret { source: made.id, name };
            (name.clone(), app.vault.seal(&binding, value.as_bytes()))
        })
        .collect();

    let (now, permit) = (app.clock.utc(), permit.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            configuration::lock(tx).await?;
            source::put(tx, &made, now).await.map_err(taken)?;
            for (name, sealed) in &sealed {
                source_secret::put(tx, made.id, name, sealed, now).await?;
            }
            record(tx, &permit, Action::SourceCreated, about(made.id, false), now).await?;
            told(tx, made.id).await
        })
    });
    written.await
}
