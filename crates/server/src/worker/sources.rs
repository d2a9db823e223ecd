//! The connectors in use: built from the sources' rows when they are first needed, built anew when the rows change.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lockstep_connectors::{
    AccountRef, ConfigError, Connector, Failure, FailureKind, LockState, Report, Secrets, SignIn,
};
use lockstep_core::id::SourceId;
use lockstep_core::password::Password;
use lockstep_core::source::Source;
use lockstep_engine::Gate;
use lockstep_store::{Store, Tx, source, source_secret};
use lockstep_vault::Vault;
use lockstep_vault::seal::{Binding, OpenError};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::clock::Clock;

/// How long a source's row is believed by deliveries before it is read again.
const BELIEVED: Duration = Duration::from_secs(2);

/// How many people are asked about at a source at once.
const SIGN_INS: usize = 64;

/// How long a person waits for a source at most, whatever its own settings.
const PATIENCE: Duration = Duration::from_secs(20);

/// Every source that was needed so far.
pub struct Sources {
    store: Arc<Store>,
    vault: Vault,
    clock: Clock,
    live: Mutex<HashMap<SourceId, Live>>,
}

/// A source in use.
pub struct InUse {
    /// What people call it.
    pub(super) name: String,
    /// The source as it was when the connector was built.
    pub(crate) row: Source,
    /// In which version that was.
    pub(crate) version: i64,
    /// How it is talked to.
    pub(crate) connector: Box<dyn Connector>,
    /// How many talk to it at once.
    pub(super) gate: Arc<Gate>,
}

struct Live {
    gate: Arc<Gate>,
    /// Places for people who sign in. They wait for nobody's delivery, and nobody's delivery for them.
    sign_ins: Arc<Semaphore>,
    read_at: Duration,
    built: Option<(i64, Arc<InUse>)>,
}

/// Why a source cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// The row could not be read.
    #[error("the source's settings could not be read")]
    Store(#[from] lockstep_store::Error),
    /// There is no such source any more.
    #[error("the source does not exist any more")]
    Gone,
    /// A stored secret could not be opened.
    #[error("the source's stored secret {name:?} cannot be opened: {source}")]
    Secret {
        /// Which.
        name: String,
        /// Why.
        source: OpenError,
    },
    /// The settings make no sense to the connector.
    #[error("the source's settings are wrong: {0}")]
    Config(#[from] ConfigError),
}

/// Why something was not done on a source.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be used at all.
    #[error(transparent)]
    Source(#[from] SourcesError),
    /// It could not be reached, or refused.
    #[error("{0}")]
    Failed(#[from] Failure),
}

impl Sources {
    /// None yet.
    pub fn new(store: Arc<Store>, vault: Vault, clock: Clock) -> Self {
        Self { store, vault, clock, live: Mutex::default() }
    }

    /// The entrance to a source. It outlives every change of the source's settings.
    pub(super) fn gate(&self, id: SourceId) -> Arc<Gate> {
        self.with(id, |live| Arc::clone(&live.gate))
    }

    /// The source as its row says, or said two seconds ago: for deliveries, of which there are many.
    pub(super) async fn get(&self, id: SourceId) -> Result<Arc<InUse>, SourcesError> {
        let now = self.clock.monotonic();
        let believed = self.with(id, |live| live.built.clone().filter(|_| live.read_at + BELIEVED > now));
        match believed {
            Some((_, source)) => Ok(source),
            None => self.current(id).await,
        }
    }

    /// The source as its row says now: whoever changed it a moment ago means the source as it is.
    pub(crate) async fn current(&self, id: SourceId) -> Result<Arc<InUse>, SourcesError> {
        let now = self.clock.monotonic();
        let known = self.with(id, |live| live.built.clone());
        let load = self.store.read(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                let Some(row) = source::find(tx, id).await? else { return Ok(None) };
                let version = source::versions(tx).await?.into_iter().find(|(other, _)| *other == id);
                let version = version.map_or(0, |(_, version)| version);
                Ok::<_, lockstep_store::Error>(Some((row, version, source_secret::list(tx, id).await?)))
            })
        });
        let (row, version, secrets) = load.await?.ok_or(SourcesError::Gone)?;
        let built = match known {
            Some((built, source)) if built == version => source,
            previous => {
                let source = self.build(row, version, secrets)?;
                tracing::info!(source.id = %id, source.name = source.name, source.version = version, "connector built");
                if let Some((_, old)) = previous {
                    // Whoever is still at work with the old one ends undisturbed.
                    tokio::spawn(async move { old.connector.close().await });
                }
                source
            }
        };
        self.with(id, |live| {
            live.read_at = now;
            live.built = Some((version, Arc::clone(&built)));
        });
        Ok(built)
    }

    /// Looks whether the source as its row says can be reached and lets us do what we are for. Changes nobody's password.
    ///
    /// # Errors
    /// What stands in the way.
    pub async fn test(&self, id: SourceId) -> Result<Report, Unusable> {
        Ok(self.current(id).await?.connector.test().await?)
    }

    /// How many bytes of a password the source keeps at most, where that is known.
    pub async fn most_bytes(&self, id: SourceId) -> Option<usize> {
        if id == SourceId::IDENTITY_NOW {
            return None;
        }
        self.get(id).await.ok()?.connector.capabilities().max_password_bytes
    }

    /// Asks the source whether a password is that of an account.
    ///
    /// # Errors
    /// When the source cannot be used at all.
    pub async fn sign_in(
        &self,
        id: SourceId,
        account: &AccountRef,
        password: &Password,
    ) -> Result<SignIn, SourcesError> {
        let source = self.current(id).await?;
        let full = "too many people are signing in with this source's passwords";
        let Ok(_place) = self.with(id, |live| Arc::clone(&live.sign_ins)).try_acquire_owned() else {
            return Ok(SignIn::Unable(Failure { kind: FailureKind::Busy, detail: full.to_owned() }));
        };
        let late = "no answer in time";
        let answer = tokio::time::timeout(PATIENCE, source.connector.sign_in(account, password)).await;
        Ok(answer.unwrap_or_else(|_| SignIn::Unable(Failure { kind: FailureKind::Timeout, detail: late.to_owned() })))
    }

    /// Whether the source holds an account locked after wrong passwords.
    ///
    /// # Errors
    /// What stands in the way.
    pub async fn lock_state(&self, id: SourceId, account: &AccountRef) -> Result<LockState, Unusable> {
        Ok(self.current(id).await?.connector.lock_state(account).await?)
    }

    /// Ends such a lock.
    ///
    /// # Errors
    /// What stands in the way.
    pub async fn unlock(&self, id: SourceId, account: &AccountRef) -> Result<(), Unusable> {
        Ok(self.current(id).await?.connector.unlock(account).await?)
    }

    /// Lets an account sign in on the source, or not.
    ///
    /// # Errors
    /// What stands in the way.
    pub async fn set_enabled(&self, id: SourceId, account: &AccountRef, enabled: bool) -> Result<(), Unusable> {
        Ok(self.current(id).await?.connector.set_enabled(account, enabled).await?)
    }

    /// Every source in use, and whether deliveries to it are held back because it does not answer.
    pub fn circuits(&self) -> Vec<(String, bool)> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let built = live.values().filter_map(|live| live.built.as_ref());
        built.map(|(_, source)| (source.name.clone(), source.gate.is_open())).collect()
    }

    /// Closes every connector.
    pub async fn close(&self) {
        let built: Vec<Arc<InUse>> = {
            let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
            live.values().filter_map(|live| live.built.as_ref()).map(|(_, source)| Arc::clone(source)).collect()
        };
        for source in built {
            source.connector.close().await;
        }
    }

    fn build(&self, row: Source, version: i64, sealed: BTreeMap<String, Vec<u8>>) -> Result<Arc<InUse>, SourcesError> {
        let opened = sealed.into_iter().map(|(name, sealed)| {
            let binding = Binding::ConnectorSecret { source: row.id, name: &name };
            let wrong = |source| SourcesError::Secret { name: name.clone(), source };
            let opened = self.vault.open(&binding, &sealed).map_err(wrong)?;
            let text = std::str::from_utf8(&opened).map_err(|_| wrong(OpenError::CannotBeOpened))?;
            Ok((name.clone(), Zeroizing::new(text.to_owned())))
        });
        let secrets: Secrets = opened.collect::<Result<_, SourcesError>>()?;
        let clock = self.clock.clone();
        let connector =
            lockstep_connectors::build(&row.connector, &row.config, &secrets, Arc::new(move || clock.utc()))?;
        let gate = self.gate(row.id);
        gate.resize(row.concurrency);
        Ok(Arc::new(InUse { name: row.name.clone(), version, connector, gate, row }))
    }

    fn with<T>(&self, id: SourceId, act: impl FnOnce(&mut Live) -> T) -> T {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        act(live.entry(id).or_insert_with(|| {
            let clock = self.clock.clone();
            let gate = Gate::new(Arc::new(move || clock.monotonic()), Source::CONCURRENCY);
            Live { gate, sign_ins: Arc::new(Semaphore::new(SIGN_INS)), read_at: Duration::ZERO, built: None }
        }))
    }
}
