//! What is small, seldom written and needed for every request, kept in memory: sources, groups, policies, the dictionary,
//! API clients and the public halves of transport keys.
//!
//! It is as fresh as a read of the rows. Each transaction that wants it reads the number of the configuration first, which
//! grows with every write to one of these tables, by whichever process; if that is not the number they were read under,
//! all of them are read again. Nothing secret is in it but the hashes of the clients' secrets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use lockstep_core::id::{ClientId, PasswordPolicyId, SourceId, TransportKeyId};
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_core::password_policy::dictionary::{Dictionary, InvalidDictionary};
use lockstep_core::source::Source;
use lockstep_core::sync_group::SyncGroup;
use lockstep_store::client::Client;
use lockstep_store::{
    Result, Tx, client, configuration, dictionary, password_policy, source, sync_group, transport_key,
};

/// The configuration under one number.
#[derive(Debug)]
pub struct Configuration {
    number: i64,
    sources: HashMap<SourceId, Source>,
    source_names: HashMap<String, SourceId>,
    groups: HashMap<SourceId, Arc<SyncGroup>>,
    policies: HashMap<PasswordPolicyId, PasswordPolicy>,
    clients: HashMap<ClientId, Client>,
    transport_keys: HashMap<TransportKeyId, TransportKey>,
    dictionary: Result<Dictionary, InvalidDictionary>,
}

/// What clients may know of a transport key, and what is known of its use.
#[derive(Debug)]
pub struct TransportKey {
    /// Its id.
    pub id: TransportKeyId,
    /// How payloads under it are padded.
    pub padding: String,
    /// How long its modulus is, in bits.
    pub size: u16,
    /// Base64 of the DER SubjectPublicKeyInfo, on one line.
    pub public_key: String,
    /// How far it is.
    pub state: String,
}

/// The configuration that was read last.
#[derive(Debug, Default)]
pub struct Remembered(Mutex<Option<Arc<Configuration>>>);

impl Remembered {
    /// The configuration as `tx` sees it, which is one that reads: only such a transaction sees one state of number and rows
    /// on PostgreSQL.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read(&self, tx: &mut Tx<'_>) -> Result<Arc<Configuration>> {
        let number = configuration::number(tx).await?;
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.number == number) {
            return Ok(known);
        }
        let fresh = Arc::new(Configuration::load(tx, number).await?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&fresh));
        Ok(fresh)
    }
}

impl Configuration {
    async fn load(tx: &mut Tx<'_>, number: i64) -> Result<Self> {
        let sources = source::list(tx).await?;
        let groups = sync_group::list(tx).await?.into_iter().map(Arc::new);
        let policies = password_policy::list(tx).await?;
        let words = match policies.iter().any(|policy| policy.use_dictionary) {
            true => dictionary::find(tx).await?,
            false => None,
        };
        let dictionary = words.map_or(Ok(Dictionary::default()), |words| Dictionary::parse(words.as_bytes()));
        let keys = transport_key::list(tx).await?.into_iter().map(|key| TransportKey {
            id: key.id,
            padding: key.padding,
            size: key.size,
            public_key: key.public_key,
            state: key.state,
        });
        Ok(Self {
            number,
            source_names: sources.iter().map(|source| (source::name_key(&source.name), source.id)).collect(),
            sources: sources.into_iter().map(|source| (source.id, source)).collect(),
            groups: groups.flat_map(|group| members(&group)).collect(),
            policies: policies.into_iter().map(|policy| (policy.id, policy)).collect(),
            clients: client::list(tx).await?.into_iter().map(|client| (client.id, client)).collect(),
            transport_keys: keys.map(|key| (key.id, key)).collect(),
            dictionary,
        })
    }

    /// A source by its id.
    pub fn source(&self, id: SourceId) -> Option<&Source> {
        self.sources.get(&id)
    }

    /// A source by its name, whatever its case.
    pub fn source_named(&self, name: &str) -> Option<&Source> {
        self.source(*self.source_names.get(&source::name_key(name))?)
    }

    /// The group that a source is in.
    pub fn group_of(&self, source: SourceId) -> Option<&SyncGroup> {
        self.groups.get(&source).map(Arc::as_ref)
    }

    /// A password policy by its id.
    pub fn policy(&self, id: PasswordPolicyId) -> Option<&PasswordPolicy> {
        self.policies.get(&id)
    }

    /// The words that no password may hold; none where no policy asks for them.
    ///
    /// # Errors
    /// When what is stored is no dictionary.
    pub fn dictionary(&self) -> Result<&Dictionary, InvalidDictionary> {
        self.dictionary.as_ref().map_err(Clone::clone)
    }

    /// An API client by its id.
    pub fn client(&self, id: ClientId) -> Option<&Client> {
        self.clients.get(&id)
    }

    /// A transport key whose private half is not destroyed, by its id.
    pub fn transport_key(&self, id: TransportKeyId) -> Option<&TransportKey> {
        self.transport_keys.get(&id)
    }

    /// The transport key that new changes with that padding are encrypted with.
    pub fn published_key(&self, padding: &str) -> Option<&TransportKey> {
        self.transport_keys.values().find(|key| key.padding == padding && key.state == "published")
    }
}

fn members(group: &Arc<SyncGroup>) -> Vec<(SourceId, Arc<SyncGroup>)> {
    group.sources.iter().map(|source| (*source, Arc::clone(group))).collect()
}
