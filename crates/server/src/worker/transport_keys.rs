//! Looks after the transport keys: makes them ahead of need, publishes, retires and destroys them.
//!
//! What is to be done is decided by `lockstep_vault::transport::rotation`; several nodes may ask at once, because each
//! step is made only from the state it starts in.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use lockstep_core::id::TransportKeyId;
use lockstep_store::{Tx, transport_key};
use lockstep_vault::transport::rotation::{KeyRecord, KeyState, Occasion, RotationAction, RotationPolicy, rotation};
use lockstep_vault::transport::{TransportKeySize, TransportPadding};

use crate::app::App;
use crate::failpoint::failpoint;

/// Does what time makes due.
///
/// # Errors
/// When the store fails or no key can be made.
pub(super) async fn maintain(app: &App) -> anyhow::Result<()> {
    look_after(app, Occasion::Schedule).await
}

/// Publishes a new key now, if the published one is not too young for that.
///
/// # Errors
/// When the store fails or no key can be made.
pub async fn rotate_transport_keys(app: &App) -> anyhow::Result<()> {
    look_after(app, Occasion::Early).await
}

/// Makes sure that clients have a key to encrypt with; the others are made in the background.
pub(super) async fn publish_first(app: &App) -> anyhow::Result<()> {
    while !step(app, Occasion::Schedule, Some(TransportPadding::Pkcs1v15)).await? {}
    Ok(())
}

async fn look_after(app: &App, occasion: Occasion) -> anyhow::Result<()> {
    let mut occasion = occasion;
    while !step(app, occasion, None).await? {
        occasion = Occasion::Schedule;
    }
    Ok(())
}

/// Makes every due change of state in one transaction and at most one new key. Says whether nothing is left to do now,
/// or, where `enough` is said, whether a key of that padding is published.
async fn step(app: &App, occasion: Occasion, enough: Option<TransportPadding>) -> anyhow::Result<bool> {
    let keys = app.store.read(|tx: &mut Tx<'_>| Box::pin(transport_key::list(tx))).await;
    let records: Vec<KeyRecord> = keys.context("cannot read the transport keys")?.iter().filter_map(record).collect();
    let published = |padding| records.iter().any(|key| key.padding == padding && key.state == KeyState::Published);
    if enough.is_some_and(published) {
        return Ok(true);
    }
    let now = app.clock.utc();
    // The store itself refuses to destroy a key that an unfinished change refers to.
    let mut actions = rotation(&records, &BTreeSet::new(), occasion, now, &policy(app));
    // The published key makes way before the next one is published.
    actions.sort_by_key(|action| matches!(action, RotationAction::Publish(_)));
    let moves: Vec<RotationAction> =
        actions.iter().filter(|action| !matches!(action, RotationAction::Generate { .. })).copied().collect();
    failpoint!(app, KeysBeforeMove if !moves.is_empty());
    let moved = app
        .store
        .write(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                let mut moved = Vec::new();
                for action in moves {
                    if carry_out(tx, action, now).await? {
                        moved.push(action);
                    }
                }
                Ok::<_, lockstep_store::Error>(moved)
            })
        })
        .await
        .context("cannot write down the state of a transport key")?;
    failpoint!(app, KeysMoved if !moved.is_empty());
    for action in &moved {
        if let RotationAction::Destroy(id) = action {
            app.vault.forget_transport_key(*id);
        }
        tracing::info!(key.action = ?action, "a transport key moved on");
    }
    let wanted = actions.iter().find_map(|action| match action {
        RotationAction::Generate { padding, .. } if enough.is_none_or(|only| only == *padding) => Some(*padding),
        _ => None,
    });
    match wanted {
        Some(padding) => generate(app, padding).await.map(|()| false),
        None => Ok(moved.is_empty()),
    }
}

/// Says whether it was still to be done: of several nodes one does it.
async fn carry_out(tx: &mut Tx<'_>, action: RotationAction, now: DateTime<Utc>) -> lockstep_store::Result<bool> {
    let (id, from, to) = match action {
        RotationAction::Generate { .. } => return Ok(false),
        RotationAction::Publish(id) => (id, KeyState::Ready, KeyState::Published),
        RotationAction::Accept(id) => (id, KeyState::Published, KeyState::Accepting),
        RotationAction::Retire(id) => (id, KeyState::Accepting, KeyState::Retired),
        RotationAction::Destroy(id) => return transport_key::destroy(tx, id, now).await,
    };
    transport_key::advance(tx, id, state_name(from), state_name(to), now).await
}

async fn generate(app: &App, padding: TransportPadding) -> anyhow::Result<()> {
    let bits = app.config.transport_keys.bits;
    let size = TransportKeySize::BITS.iter().find(|(_, known)| u32::from(*known) == bits);
    let (size, bits) = *size.context("the configuration names a size of keys that there is not")?;
    let (vault, id) = (app.vault.clone(), TransportKeyId(lockstep_vault::secret::draw_id()));
    let made = app.compute(move || vault.generate_transport_key(id, size, padding)).await?;
    let made = made.context("cannot make a transport key")?;
    failpoint!(app, KeyMade);
    let now = app.clock.utc();
    let key = transport_key::TransportKey {
        id,
        padding: padding_name(padding).to_owned(),
        size: bits,
        public_key: made.public_key,
        sealed_private: Some(made.sealed),
        state: state_name(KeyState::Ready).to_owned(),
        since: now,
        created_at: now,
    };
    app.store
        .write(move |tx: &mut Tx<'_>| Box::pin(async move { transport_key::insert(tx, &key).await }))
        .await
        .context("cannot store a transport key")?;
    failpoint!(app, KeyStored);
    tracing::info!(key.id = %id, key.padding = padding_name(padding), "a transport key was made");
    Ok(())
}

fn record(key: &transport_key::TransportKey) -> Option<KeyRecord> {
    let padding = TransportPadding::NAMES.iter().find(|(_, name)| *name == key.padding)?.0;
    let state = KeyState::NAMES.iter().find(|(_, name)| *name == key.state)?.0;
    Some(KeyRecord { id: key.id, padding, state, since: key.since })
}

fn state_name(state: KeyState) -> &'static str {
    KeyState::NAMES.iter().find(|(known, _)| *known == state).map_or("", |(_, name)| name)
}

fn padding_name(padding: TransportPadding) -> &'static str {
    TransportPadding::NAMES.iter().find(|(known, _)| *known == padding).map_or("", |(_, name)| name)
}

fn policy(app: &App) -> RotationPolicy {
    let days = |duration: Duration| TimeDelta::from_std(duration).unwrap_or(TimeDelta::days(1));
    RotationPolicy {
        published_for: days(app.config.transport_keys.rotate_every),
        accepted_for: days(app.config.transport_keys.overlap),
        ..RotationPolicy::default()
    }
}
