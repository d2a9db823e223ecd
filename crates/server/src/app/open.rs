//! Opening everything: the master key, the database, the vault. What is missing on the first start is made.

use std::sync::Arc;

use lockstep_store::data_key::{self, DataKey};
use lockstep_store::listing::{Cursors, Limits};
use lockstep_store::{Options, Store, Tx, restore_mark};
use lockstep_vault::Vault;
use lockstep_vault::hash::HashCost;
use lockstep_vault::key_ring::{KeyRing, KeyRingError, WrappedKey};
use lockstep_vault::master_key::{MasterKey, MasterKeyError};
use lockstep_vault::secret::draw_id;
use lockstep_vault::token::{SigningError, TokenSettings};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::await_change::Waiters;
use super::configuration::Remembered;
use super::restore_mark::RestoreMarkError;
use super::{App, RestoreMark, Shared, signing_keys};
use crate::clock::Clock;
use crate::compute::Computing;
use crate::config::{Config, MasterKeyConfig};
use crate::geography::{Geography, GeographyError};
use crate::metrics::Metrics;
use crate::worker::{Sources, Waker};

/// What a process wants of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It serves the API and works: on SQLite it must be the only one that does.
    Serve,
    /// It works without an API, likewise.
    Work,
    /// It ends what a restored database calls unfinished: no other may serve meanwhile.
    Restore,
    /// It is a command that runs beside a server, or without one.
    Tool,
}

/// Why nothing could be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The master key could not be read.
    #[error("cannot read the master key")]
    MasterKey(#[from] MasterKeyError),
    /// The database could not be opened, migrated or read.
    #[error("cannot open the database")]
    Store(#[from] lockstep_store::Error),
    /// The password of the database could not be read.
    #[error("cannot read store.password-file {path}: {source}", path = path.display())]
    Password {
        /// Which file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The configuration does not say where the restore mark is kept.
    #[error("store.restore-mark must be named")]
    NoRestoreMark,
    /// This process may not serve from this database as it is.
    #[error(transparent)]
    RestoreMark(#[from] RestoreMarkError),
    /// The data keys do not belong to this master key, or are no data keys.
    #[error("cannot unlock the vault")]
    KeyRing(#[from] KeyRingError),
    /// A key that signs tokens could not be made.
    #[error("cannot make a key to sign tokens with")]
    Signing(#[from] SigningError),
    /// A key that signs tokens could not be opened.
    #[error("cannot open a key that signs tokens")]
    Sealed(#[from] lockstep_vault::seal::OpenError),
    /// The database of countries cannot be used.
    #[error(transparent)]
    Geography(#[from] GeographyError),
    /// There can be no more threads.
    #[error("cannot start the threads that compute")]
    Threads(#[source] std::io::Error),
    /// What a test asked for makes no sense.
    #[cfg(feature = "failpoints")]
    #[error("cannot arm a failpoint")]
    Failpoint(#[from] crate::failpoint::ArmingError),
}

impl App {
    /// Opens everything that `config` names, and brings the database up to date.
    ///
    /// # Errors
    /// See [`OpenError`]. Nothing is left half made.
    pub async fn open(config: Config, role: Role) -> Result<Self, OpenError> {
        let clock = Clock::start();
        let url = with_password(&config)?;
        let lock_timeout = config.engine.node_timeout / 2;
        let options = Options { exclusive: role != Role::Tool, lock_timeout, ..Options::default() };
        // Read before anything is made that it will wrap.
        master_keys(&config.master_key)?;
        let geography = match role {
            Role::Serve => Geography::load(config.geography.as_ref())?,
            Role::Work | Role::Restore | Role::Tool => Geography::none(),
        };
        let restore_mark = RestoreMark::new(config.restore_mark().ok_or(OpenError::NoRestoreMark)?);
        let store = Arc::new(Store::open(&url, options).await?);
        store.migrate(clock.utc()).await?;
        let origin = draw_id();
        store.write(move |tx: &mut Tx<'_>| Box::pin(restore_mark::create(tx, origin))).await?;
        if matches!(role, Role::Serve | Role::Work) {
            restore_mark.admit(&store, config.engine.node_timeout).await?;
        }
        let ring = key_ring(&store, &config.master_key, &clock).await?;
        let tokens = TokenSettings { issuer: Some(config.public_url()), audience: None };
        let vault = Vault::new(ring, HashCost::default(), tokens);
        if signing_keys::use_them(&store, &vault, &clock, Vec::new()).await?.is_empty() {
            signing_keys::maintain(&store, &vault, &clock).await?;
            signing_keys::use_them(&store, &vault, &clock, Vec::new()).await?;
        }
        Ok(Self(Arc::new(Shared {
            geography,
            passkeys: super::passkey::relying_party(&config),
            sources: Sources::new(Arc::clone(&store), vault.clone(), clock.clone()),
            role,
            config,
            clock,
            store,
            configuration: Remembered::default(),
            restore_mark,
            vault,
            waker: Waker::default(),
            stopping: CancellationToken::new(),
            waiters: Waiters::default(),
            cursors: Cursors::new(Limits::default()),
            metrics: Metrics::new(),
            #[cfg(feature = "failpoints")]
            failpoints: crate::failpoint::Failpoints::from_environment()?,
            computing: Computing::start().map_err(OpenError::Threads)?,
        })))
    }

    /// Closes connectors and database. What was begun ends first.
    pub async fn close(&self) {
        self.sources.close().await;
        self.store.close().await;
    }
}

/// The key, the one before it where that is named, and the one after it where a change of the key file is under way:
/// whichever wraps the data keys at this moment is among them. The first wraps what is made anew.
pub(super) fn master_keys(config: &MasterKeyConfig) -> Result<Vec<MasterKey>, MasterKeyError> {
    let next = config.file.as_deref().map(MasterKey::read_next).transpose()?.flatten();
    let key = read_master_key(config)?;
    let previous = config.previous.as_deref().map(read_master_key).transpose()?;
    Ok([Some(key), previous, next].into_iter().flatten().collect())
}

/// The key itself.
pub(super) fn read_master_key(config: &MasterKeyConfig) -> Result<MasterKey, MasterKeyError> {
    // Exactly one is named: the configuration has been checked.
    match (&config.file, &config.environment, &config.credential) {
        (Some(file), _, _) => MasterKey::read_file(file),
        (_, Some(name), _) => MasterKey::from_environment(name),
        (_, _, name) => MasterKey::from_systemd_credential(name.as_deref().unwrap_or_default()),
    }
}

/// The data keys of this database; made, all or none, when it has none yet.
async fn key_ring(store: &Store, config: &MasterKeyConfig, clock: &Clock) -> Result<KeyRing, OpenError> {
    match open_key_ring(store, &master_keys(config)?, clock).await {
        // The master key may have been changed between reading it and reading what it wraps.
        Err(OpenError::KeyRing(KeyRingError::OtherMasterKey { .. })) => {
            open_key_ring(store, &master_keys(config)?, clock).await
        }
        opened => opened,
    }
}

async fn open_key_ring(store: &Store, masters: &[MasterKey], clock: &Clock) -> Result<KeyRing, OpenError> {
    // Made anew each time, and kept only where there are none: of two first starts at once one wins.
    let (_, made) = KeyRing::create(&masters[0]);
    let made: Vec<DataKey> = made.into_iter().map(stored).collect();
    let now = clock.utc();
    let kept =
        store.write(move |tx: &mut Tx<'_>| Box::pin(async move { data_key::create(tx, &made, now).await })).await?;
    let wrapped: Vec<WrappedKey> = kept
        .into_iter()
        .map(|key| WrappedKey {
            id: key.id,
            purpose: key.purpose,
            master_key_id: key.master_key_id,
            wrapped: key.wrapped,
        })
        .collect();
    Ok(KeyRing::open(masters, &wrapped)?)
}

/// A wrapped key as the store keeps it.
pub(super) fn stored(key: WrappedKey) -> DataKey {
    DataKey { id: key.id, purpose: key.purpose, master_key_id: key.master_key_id, wrapped: key.wrapped }
}

/// The database's address, with the password from its file put in.
pub(super) fn with_password(config: &Config) -> Result<Zeroizing<String>, OpenError> {
    let address = &config.store.url;
    let Some(path) = &config.store.password_file else { return Ok(Zeroizing::new(address.clone())) };
    let password = std::fs::read(path).map_err(|source| OpenError::Password { path: path.clone(), source })?;
    let password = Zeroizing::new(password);
    // `postgres://user@host/…` becomes `postgres://user:password@host/…`.
    let Some((user, host)) = address.split_once('@') else { return Ok(Zeroizing::new(address.clone())) };
    // Room for all of it at once, so that growing leaves no copy behind.
    let mut whole = Zeroizing::new(String::with_capacity(address.len() + 2 + 3 * password.len()));
    whole.extend([user, ":"]);
    whole.extend(percent_encode(line(&password), NON_ALPHANUMERIC));
    whole.extend(["@", host]);
    Ok(whole)
}

/// Without the line ends that editors add.
fn line(bytes: &[u8]) -> &[u8] {
    let length = bytes.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
    &bytes[..length]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_from_the_file_is_put_into_the_address() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("password");
        for (file, url, whole) in [
            ("p@ss w:rd%\r\n", "postgres://user@host/db", "postgres://user:p%40ss%20w%3Ard%25@host/db"),
            ("trailing \n\n", "postgres://user@host/db?a=b@c", "postgres://user:trailing%20@host/db?a=b@c"),
            ("ignored", "sqlite:/some/file", "sqlite:/some/file"),
        ] {
            std::fs::write(&path, file).expect("written");
            let text = format!("[store]\nurl = {url:?}\npassword-file = {path:?}\n[master-key]\nfile = \"x\"\n");
            let config: Config = toml::from_str(&text).expect("a configuration");
            assert_eq!(with_password(&config).expect("read").as_str(), whole);
            assert!(!format!("{config:?}").contains("postgres:"), "a password may stand in the address");
        }
    }
}
