//! What is small, seldom written and needed for every request, kept in memory once it was needed: sources, groups,
//! policies, the dictionary, API clients and the public halves of transport keys.
//!
//! It is as fresh as a read of the rows. Each transaction that wants it reads the version of the configuration first,
//! which is another one after every write to one of these tables, by whichever process; then nothing is kept that was read
//! under the version before. Nothing secret is in it but the hashes of the clients' secrets. The file `lockstep.toml` is
//! not here, but in [`crate::config`].

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use lockstep_core::id::{ClientId, PasswordPolicyId, SourceId, TransportKeyId};
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_core::password_policy::dictionary::{Dictionary, InvalidDictionary};
use lockstep_core::source::Source;
use lockstep_core::sync_group::SyncGroup;
use lockstep_store::client::Client;
use lockstep_store::{
    Error, Tx, client, configuration, dictionary, password_policy, source, sync_group, transport_key,
};
use uuid::Uuid;

type Result<T, E = Error> = std::result::Result<T, E>;

/// The configuration that was used last.
#[derive(Debug, Default)]
pub struct Remembered(Mutex<Arc<Configuration>>);

/// What was needed of the configuration under one version so far.
#[derive(Debug, Default)]
pub struct Configuration {
    version: Option<Uuid>,
    sources: Rows<SourceId, Source>,
    sources_by_name: Rows<String, Source>,
    groups: Rows<SourceId, Option<Arc<SyncGroup>>>,
    policies: Rows<PasswordPolicyId, PasswordPolicy>,
    clients: Rows<ClientId, Client>,
    transport_keys: Rows<TransportKeyId, TransportKey>,
    published_keys: Rows<&'static str, TransportKey>,
    dictionary: Rows<(), Result<Dictionary, InvalidDictionary>>,
}

/// A transport key without its private half.
#[derive(Debug)]
pub struct TransportKey {
    /// Its id.
    pub id: TransportKeyId,
    /// How long its modulus is, in bits.
    pub size: u16,
    /// Base64 of the DER SubjectPublicKeyInfo, on one line.
    pub public_key: String,
    /// The name of its state.
    pub state: String,
}

impl Remembered {
    /// The configuration as `tx` sees it. What is asked of it is asked with the same transaction.
    ///
    /// The version is read before the rows, so that what is kept under a version is never older than it. It may be newer:
    /// a transaction that writes reads each row as it is at that moment on PostgreSQL, and on SQLite it sees what others
    /// wrote who share its commit, which may come to nothing. Then nobody else ever sees that version.
    ///
    /// # Errors
    /// When the version cannot be read.
    pub async fn read(&self, tx: &mut Tx<'_>) -> Result<Arc<Configuration>> {
        let version = configuration::version(tx).await?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Before anything is configured, nothing tells two states from each other.
        if known.version != version || version.is_none() {
            *known = Arc::new(Configuration { version, ..Configuration::default() });
        }
        Ok(Arc::clone(&known))
    }
}

impl Configuration {
    /// A source by its id.
    pub async fn source(&self, tx: &mut Tx<'_>, id: SourceId) -> Result<Option<Arc<Source>>> {
        self.sources.get(id, source::find(tx, id)).await
    }

    /// A source by its name, whatever its case.
    pub async fn source_named(&self, tx: &mut Tx<'_>, name: &str) -> Result<Option<Arc<Source>>> {
        self.sources_by_name.get(source::name_key(name), source::find_by_name(tx, name)).await
    }

    /// The group that a source is in. That it is in none is kept, too: this is asked about sources that exist.
    pub async fn group_of(&self, tx: &mut Tx<'_>, source: SourceId) -> Result<Option<Arc<SyncGroup>>> {
        let found = async { Ok(Some(sync_group::find_of(tx, source).await?.map(Arc::new))) };
        Ok(self.groups.get(source, found).await?.and_then(|group| (*group).clone()))
    }

    /// A password policy by its id.
    pub async fn policy(&self, tx: &mut Tx<'_>, id: PasswordPolicyId) -> Result<Option<Arc<PasswordPolicy>>> {
        self.policies.get(id, password_policy::find(tx, id)).await
    }

    /// An API client by its id.
    pub async fn client(&self, tx: &mut Tx<'_>, id: ClientId) -> Result<Option<Arc<Client>>> {
        self.clients.get(id, client::find(tx, id)).await
    }

    /// A transport key by its id.
    pub async fn transport_key(&self, tx: &mut Tx<'_>, id: TransportKeyId) -> Result<Option<Arc<TransportKey>>> {
        let found = async { Ok(transport_key::find(tx, id).await?.map(TransportKey::from)) };
        self.transport_keys.get(id, found).await
    }

    /// The transport key that new changes with that padding are encrypted with.
    pub async fn published_key(&self, tx: &mut Tx<'_>, padding: &'static str) -> Result<Option<Arc<TransportKey>>> {
        let found = async { Ok(transport_key::published(tx, padding).await?.map(TransportKey::from)) };
        self.published_keys.get(padding, found).await
    }

    /// The words that no password may hold; the inner error says that what is stored is no dictionary.
    pub async fn dictionary(&self, tx: &mut Tx<'_>) -> Result<Option<Arc<Result<Dictionary, InvalidDictionary>>>> {
        let found = async { Ok(dictionary::find(tx).await?.map(|words| Dictionary::parse(words.as_bytes()))) };
        self.dictionary.get((), found).await
    }
}

impl From<transport_key::TransportKey> for TransportKey {
    fn from(key: transport_key::TransportKey) -> Self {
        Self { id: key.id, size: key.size, public_key: key.public_key, state: key.state }
    }
}

/// Rows of one kind by what they are asked for with.
#[derive(Debug)]
struct Rows<K, V>(Mutex<HashMap<K, Arc<V>>>);

impl<K, V> Default for Rows<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V> Rows<K, V> {
    /// The row, from memory or else from `find`. That there is none is not kept: whoever asks for what does not exist could
    /// fill the memory with it.
    async fn get(&self, key: K, find: impl Future<Output = Result<Option<V>>>) -> Result<Option<Arc<V>>> {
        if let Some(row) = self.rows().get(&key) {
            return Ok(Some(Arc::clone(row)));
        }
        let found = find.await?.map(Arc::new);
        if let Some(row) = &found {
            self.rows().insert(key, Arc::clone(row));
        }
        Ok(found)
    }

    fn rows(&self) -> std::sync::MutexGuard<'_, HashMap<K, Arc<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
