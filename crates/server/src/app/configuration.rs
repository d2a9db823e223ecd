//! What is small, seldom written and needed for every request, kept in memory once it was needed: sources, applications,
//! groups, policies, the dictionary, the sign-in settings, API clients and the public halves of transport keys.
//!
//! It is as fresh as a read of the rows. Each transaction that wants it reads the version of the configuration first,
//! which is another one after every write to one of these tables, by whichever process; then nothing is kept that was read
//! under the version before. Nothing secret is in it but the hashes of the clients' secrets. The file `lockstep.toml` is
//! not here, but in [`crate::config`].

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use lockstep_core::auth_org::AuthOrg;
use lockstep_core::id::{ClientId, PasswordPolicyId, SourceId, TransportKeyId};
use lockstep_core::identity::Identity;
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_core::password_policy::dictionary::{Dictionary, InvalidDictionary};
use lockstep_core::password_policy::holder::binding_policy;
use lockstep_core::source::Source;
use lockstep_core::sync_group::SyncGroup;
use lockstep_store::client::Client;
use lockstep_store::{
    Error, Tx, auth_org, client, configuration, dictionary, password_policy, source, sync_group, transport_key,
};
use uuid::Uuid;

use super::own_passwords::Systems;

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
    systems: Rows<(), Arc<Systems>>,
    policies: Rows<PasswordPolicyId, PasswordPolicy>,
    clients: Rows<ClientId, Client>,
    transport_keys: Rows<TransportKeyId, TransportKey>,
    published_keys: Rows<&'static str, TransportKey>,
    dictionary: Rows<(), Result<Dictionary, InvalidDictionary>>,
    auth_org: Rows<(), AuthOrg>,
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
    /// # Errors
    /// When the version cannot be read.
    pub async fn read(&self, tx: &mut Tx<'_>) -> Result<Arc<Configuration>> {
        let version = configuration::version(tx).await?;
        Ok(self.of(version))
    }

    /// The same, and whether the access token with that id was revoked.
    ///
    /// # Errors
    /// When the version cannot be read.
    pub async fn read_beside(&self, tx: &mut Tx<'_>, token: Uuid) -> Result<(Arc<Configuration>, bool)> {
        let (version, revoked) = configuration::version_and_revoked(tx, token).await?;
        Ok((self.of(version), revoked))
    }

    /// The configuration under the version that a transaction has just read; what is asked of it is asked with the same one.
    pub(super) fn of(&self, version: Option<Uuid>) -> Arc<Configuration> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Before anything is configured, nothing tells two states from each other.
        if known.version != version || version.is_none() {
            *known = Arc::new(Configuration { version, ..Configuration::default() });
        }
        Arc::clone(&known)
    }
}

impl Configuration {
    /// A source by its id.
    pub async fn source(&self, tx: &mut Tx<'_>, id: SourceId) -> Result<Option<Arc<Source>>> {
        if let known @ Some(_) = self.sources.known(&id) {
            return Ok(known);
        }
        let found = source::find(tx, id).await?;
        self.keep(tx, &self.sources, id, found).await
    }

    /// A source by its name, whatever its case.
    pub async fn source_named(&self, tx: &mut Tx<'_>, name: &str) -> Result<Option<Arc<Source>>> {
        let key = source::name_key(name);
        if let known @ Some(_) = self.sources_by_name.known(&key) {
            return Ok(known);
        }
        let found = source::find_by_name(tx, name).await?;
        self.keep(tx, &self.sources_by_name, key, found).await
    }

    /// The group that a source is in. That it is in none is kept, too: this is asked about sources that exist.
    pub async fn group_of(&self, tx: &mut Tx<'_>, source: SourceId) -> Result<Option<Arc<SyncGroup>>> {
        if let Some(known) = self.groups.known(&source) {
            return Ok((*known).clone());
        }
        let found = sync_group::find_of(tx, source).await?.map(Arc::new);
        self.keep(tx, &self.groups, source, Some(found.clone())).await?;
        Ok(found)
    }

    /// What people may have passwords on.
    pub async fn systems(&self, tx: &mut Tx<'_>) -> Result<Arc<Systems>> {
        if let Some(known) = self.systems.known(&()) {
            return Ok((*known).clone());
        }
        let found = Arc::new(Systems::read(tx).await?);
        self.keep(tx, &self.systems, (), Some(Arc::clone(&found))).await?;
        Ok(found)
    }

    /// A password policy by its id.
    pub async fn policy(&self, tx: &mut Tx<'_>, id: PasswordPolicyId) -> Result<Option<Arc<PasswordPolicy>>> {
        if let known @ Some(_) = self.policies.known(&id) {
            return Ok(known);
        }
        let found = password_policy::find(tx, id).await?;
        self.keep(tx, &self.policies, id, found).await
    }

    /// The policy that binds the passwords of a person on a source.
    pub async fn policy_on(
        &self,
        tx: &mut Tx<'_>,
        source: &Source,
        person: &Identity,
    ) -> Result<Option<Arc<PasswordPolicy>>> {
        let group = self.group_of(tx, source.id).await?.map(|group| group.policy);
        self.policy(tx, binding_policy(group, &source.policy_holders, person)).await
    }

    /// An API client by its id.
    pub async fn client(&self, tx: &mut Tx<'_>, id: ClientId) -> Result<Option<Arc<Client>>> {
        if let known @ Some(_) = self.clients.known(&id) {
            return Ok(known);
        }
        let found = client::find(tx, id).await?;
        self.keep(tx, &self.clients, id, found).await
    }

    /// A transport key by its id.
    pub async fn transport_key(&self, tx: &mut Tx<'_>, id: TransportKeyId) -> Result<Option<Arc<TransportKey>>> {
        if let known @ Some(_) = self.transport_keys.known(&id) {
            return Ok(known);
        }
        let found = transport_key::find(tx, id).await?.map(TransportKey::from);
        self.keep(tx, &self.transport_keys, id, found).await
    }

    /// The transport key that new changes with that padding are encrypted with.
    pub async fn published_key(&self, tx: &mut Tx<'_>, padding: &'static str) -> Result<Option<Arc<TransportKey>>> {
        if let known @ Some(_) = self.published_keys.known(&padding) {
            return Ok(known);
        }
        let found = transport_key::published(tx, padding).await?.map(TransportKey::from);
        self.keep(tx, &self.published_keys, padding, found).await
    }

    /// The words that no password may hold; the inner error says that what is stored is no dictionary.
    pub async fn dictionary(&self, tx: &mut Tx<'_>) -> Result<Option<Arc<Result<Dictionary, InvalidDictionary>>>> {
        if let known @ Some(_) = self.dictionary.known(&()) {
            return Ok(known);
        }
        let found = dictionary::find(tx).await?.map(|words| Dictionary::parse(words.as_bytes()));
        self.keep(tx, &self.dictionary, (), found).await
    }

    /// The organisation's sign-in settings.
    pub async fn auth_org(&self, tx: &mut Tx<'_>) -> Result<Arc<AuthOrg>> {
        if let Some(known) = self.auth_org.known(&()) {
            return Ok(known);
        }
        let found = auth_org::get(tx).await?;
        let kept = self.keep(tx, &self.auth_org, (), Some(found.clone())).await?;
        Ok(kept.unwrap_or_else(|| Arc::new(found)))
    }

    /// Keeps a row that `tx` has just read, if it belongs to this version: on PostgreSQL a transaction that writes reads each
    /// row as it is at that moment, and row and version become others in one commit. That there is none is not kept: whoever
    /// asks for what does not exist could fill the memory with it.
    async fn keep<K: Eq + Hash, V>(
        &self,
        tx: &mut Tx<'_>,
        rows: &Rows<K, V>,
        key: K,
        found: Option<V>,
    ) -> Result<Option<Arc<V>>> {
        let Some(row) = found.map(Arc::new) else { return Ok(None) };
        if configuration::version(tx).await? == self.version {
            rows.locked().insert(key, Arc::clone(&row));
        }
        Ok(Some(row))
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
    fn known(&self, key: &K) -> Option<Arc<V>> {
        self.locked().get(key).map(Arc::clone)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<K, Arc<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
