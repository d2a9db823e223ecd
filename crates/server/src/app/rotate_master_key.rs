//! A new master key: the data keys are wrapped again, and nothing else changes. What is sealed and hashed with them, the
//! pepper included, stays as it is, and servers that run keep the data keys in memory.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use lockstep_store::{Tx, data_key};
use lockstep_vault::key_ring::WrappedKey;
use lockstep_vault::master_key::{MasterKey, MasterKeyError};

use super::App;
use super::open::{master_keys, read_master_key, stored};

/// The data keys are under another master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Its id.
    pub id: String,
    /// How many data keys it wraps.
    pub data_keys: usize,
    /// Where the old key is kept, if this changed the key file.
    pub kept: Option<PathBuf>,
}

/// Why the master key was not changed, or not to the end. Everything can still be opened, and the same command goes on.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// Where the key comes from cannot be written by us.
    #[error(
        "the master key comes from where this command cannot put another: name the new key under [master-key] and the old \
         one under [master-key.previous], restart every server, and run this again"
    )]
    NotAFile,
    /// Somebody is at it.
    #[error("another process changes the master key at this moment")]
    UnderWay,
    /// A key could not be read or written.
    #[error("cannot change the master key")]
    Key(#[from] MasterKeyError),
    /// The database could not be read or written.
    #[error("cannot wrap the data keys anew")]
    Store(#[from] lockstep_store::Error),
    /// Another host was faster.
    #[error(
        "another host changed the master key meanwhile: its new key is the one that counts. Copy that key to this host, and do \
         not give this host's to anybody"
    )]
    Overtaken,
    /// Somebody made a data key meanwhile.
    #[error("data key {0} is still under another master key: run this again")]
    Left(uuid::Uuid),
}

/// Wraps every data key by another master key: by the configured one where the one before is named beside it, otherwise by
/// a new one, which then takes the place of the old in the key file.
pub async fn rotate_master_key(app: &App) -> Result<Rotated, RotateError> {
    let config = &app.config.master_key;
    match (&config.previous, &config.file) {
        (Some(_), _) => {
            let key = read_master_key(config)?;
            Ok(Rotated { data_keys: rewrap(app, &key).await?, id: key.id().to_owned(), kept: None })
        }
        (None, Some(file)) => in_file(app, file).await,
        (None, None) => Err(RotateError::NotAFile),
    }
}

/// The order is what makes a kill harmless: the new key is on the disk before anything is wrapped by it, and the old one
/// leaves the key file only when nothing is wrapped by it any more.
async fn in_file(app: &App, path: &Path) -> Result<Rotated, RotateError> {
    let failed = |source| MasterKeyError::Read { path: path.to_owned(), source };
    let lock = File::open(path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(RotateError::UnderWay),
        Err(TryLockError::Error(source)) => return Err(failed(source).into()),
    }
    let old = MasterKey::read_file(path)?;
    let new = MasterKey::prepare_next(path)?;
    let data_keys = rewrap(app, &new).await?;
    let kept = MasterKey::promote_next(path, &old)?;
    Ok(Rotated { id: new.id().to_owned(), data_keys, kept: Some(kept) })
}

/// Wraps them in one transaction, and looks whether it were all. What another host has wrapped meanwhile is left alone: whoever
/// then copied this host's key over that one would have destroyed the only key that opens anything.
async fn rewrap(app: &App, master: &MasterKey) -> Result<usize, RotateError> {
    let wrapped: Vec<WrappedKey> = app.vault.rewrap(master);
    let ours: Vec<String> = master_keys(&app.config.master_key)?.iter().map(|key| key.id().to_owned()).collect();
    let write = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let found = data_key::list(tx).await?;
            for key in wrapped {
                let before = found.iter().find(|found| found.id == key.id && ours.contains(&found.master_key_id));
                let before = before.ok_or(RotateError::Overtaken)?;
                match data_key::rewrap(tx, &before.wrapped, &stored(key)).await {
                    Err(lockstep_store::Error::NotFound(_)) => return Err(RotateError::Overtaken),
                    rewrapped => rewrapped?,
                }
            }
            Ok::<_, RotateError>(())
        })
    });
    write.await?;
    let keys = app.store.read(|tx: &mut Tx<'_>| Box::pin(data_key::list(tx))).await?;
    match keys.iter().find(|key| key.master_key_id != master.id()) {
        Some(left) => Err(RotateError::Left(left.id)),
        None => Ok(keys.len()),
    }
}
