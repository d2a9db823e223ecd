//! The keys: whether the master key is there and opens the others, and whether those that clients need are published.

use chrono::{DateTime, Utc};
use lockstep_store::transport_key::TransportKey;
use lockstep_store::{Store, Tx, data_key, signing_key, transport_key};
use lockstep_vault::Vault;
use lockstep_vault::hash::HashCost;
use lockstep_vault::key_ring::{KeyRing, KeyRingError, WrappedKey};
use lockstep_vault::master_key::MasterKey;
use lockstep_vault::token::TokenSettings;
use uuid::Uuid;

use super::{Findings, told};
use crate::app::open;
use crate::config::Config;

const MASTER: &str = "Master key";
const AREA: &str = "Keys";

/// The master key, and those before and after it where there are some.
pub(super) fn master_keys(config: &Config, found: &mut Findings) -> Option<Vec<MasterKey>> {
    match open::master_keys(&config.master_key) {
        Ok(keys) => {
            found.good(MASTER, "it can be read, and only its owner can");
            Some(keys)
        }
        Err(error) => {
            let remedy =
                "without it nothing in the database can be opened: put the copy of it back, or correct [master-key]";
            let remedy = (!error.to_string().contains("chmod")).then_some(remedy);
            found.problem(MASTER, told(&error), remedy);
            None
        }
    }
}

/// The vault, where the master key opens the data keys.
pub(super) async fn vault(
    config: &Config,
    masters: Option<&[MasterKey]>,
    store: Option<&Store>,
    found: &mut Findings,
) -> Option<Vault> {
    let (Some(masters), Some(store)) = (masters, store) else {
        found.skipped(AREA, "they were not looked at: that takes the database and the master key");
        return None;
    };
    let (data, signing, transport) = match store.read(|tx: &mut Tx<'_>| Box::pin(load(tx))).await {
        Ok(rows) => rows,
        Err(error) => {
            found.problem(AREA, told(&error), None);
            return None;
        }
    };
    if data.is_empty() {
        found.warning(AREA, "there are none yet", "they are made when a server starts");
        return None;
    }
    let ring = match KeyRing::open(masters, &data) {
        Ok(ring) => ring,
        Err(error) => {
            let remedy = match error {
                KeyRingError::OtherMasterKey { .. } => {
                    "this is not the master key of this database: put back the one with that id, or name the right database"
                }
                _ => "the database is damaged: put a backup back",
            };
            found.problem(AREA, told(&error), Some(remedy));
            return None;
        }
    };
    found.good(AREA, format!("the master key opens all {} data keys", data.len()));
    let vault =
        Vault::new(ring, HashCost::default(), TokenSettings { issuer: Some(config.public_url()), audience: None });
    sign(&vault, &signing, found);
    publish(&vault, &transport, found);
    Some(vault)
}

type Rows = (Vec<WrappedKey>, Vec<(Uuid, Vec<u8>, DateTime<Utc>)>, Vec<TransportKey>);

async fn load(tx: &mut Tx<'_>) -> lockstep_store::Result<Rows> {
    let data = data_key::list(tx).await?.into_iter().map(|key| WrappedKey {
        id: key.id,
        purpose: key.purpose,
        master_key_id: key.master_key_id,
        wrapped: key.wrapped,
    });
    Ok((data.collect(), signing_key::list(tx).await?, transport_key::list(tx).await?))
}

fn sign(vault: &Vault, keys: &[(Uuid, Vec<u8>, DateTime<Utc>)], found: &mut Findings) {
    match vault.use_signing_keys(keys.iter().map(|(id, sealed, _)| (*id, sealed.as_slice()))) {
        Ok(()) if keys.is_empty() => {
            found.warning(AREA, "there is no key to sign tokens with yet", "it is made when a server starts");
        }
        Ok(()) => found.good(AREA, "the key that signs tokens can be opened"),
        Err(error) => {
            let text = format!("a key that signs tokens cannot be opened: {}", told(&error));
            found.problem(AREA, text, Some("the database is damaged: put a backup back"));
        }
    }
}

fn publish(vault: &Vault, keys: &[TransportKey], found: &mut Findings) {
    let published: Vec<&TransportKey> = keys.iter().filter(|key| key.state == "published").collect();
    if published.is_empty() {
        let text = "no transport key is published, so no password can be sent yet";
        found.warning(AREA, text, "it is made when a server starts");
    }
    for key in published {
        let (id, padding) = (key.id, &key.padding);
        let since = key.since.format("%Y-%m-%d %H:%M:%SZ");
        match key.sealed_private.as_deref().map(|sealed| vault.transport_key(id, sealed)) {
            Some(Ok(_)) => found.good(AREA, format!("the transport key for {padding} is published since {since}")),
            _ => found.problem(
                AREA,
                format!("the published transport key {id} for {padding} cannot be opened"),
                Some("publish another one with `lockstep keys rotate-transport`"),
            ),
        }
    }
}
