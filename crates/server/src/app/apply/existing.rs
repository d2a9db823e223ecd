//! What there is, as far as a file has to do with it: the few things that are listed in whole, and of people, accounts
//! and tokens those that the file names.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use lockstep_core::account::Account;
use lockstep_core::application::Application;
use lockstep_core::auth_org::AuthOrg;
use lockstep_core::change::IntentKind;
use lockstep_core::id::{AccountId, ApplicationId, IdentityId, SourceId};
use lockstep_core::identity::Identity;
use lockstep_core::org_config::PasswordOrgConfig;
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_core::password_policy::dictionary::Dictionary;
use lockstep_core::scope::UserLevel;
use lockstep_core::security_question::SecurityQuestions;
use lockstep_core::source::Source;
use lockstep_core::sync_group::SyncGroup;
use lockstep_store::client::Client;
use lockstep_store::personal_access_token::PersonalAccessToken;
use lockstep_store::source::References;
use lockstep_store::{
    Tx, account, aggregation, application, application_icon, auth_org, client, dictionary, identity, intent,
    org_config, password_policy, personal_access_token, security_question, source, source_secret, sync_group,
};
use lockstep_vault::Vault;
use lockstep_vault::seal::Binding;
use toml::Spanned;
use zeroize::Zeroizing;

use super::wanted::Wanted;
use super::{Error, native_key};

/// What there is.
#[derive(Default)]
pub(super) struct Existing {
    pub(super) dictionary: Dictionary,
    pub(super) org_config: Option<PasswordOrgConfig>,
    pub(super) security_questions: Option<SecurityQuestions>,
    pub(super) auth_org: AuthOrg,
    pub(super) policies: Vec<PasswordPolicy>,
    pub(super) sources: Vec<Source>,
    /// The opened secrets of the sources that the file names.
    pub(super) secrets: HashMap<SourceId, BTreeMap<String, Zeroizing<String>>>,
    pub(super) groups: Vec<SyncGroup>,
    pub(super) applications: Vec<Application>,
    /// The digests of their icons.
    pub(super) icons: HashMap<ApplicationId, String>,
    pub(super) clients: Vec<Client>,
    /// By [`Identity::alias_key`].
    pub(super) identities: HashMap<String, Identity>,
    /// Of the ids that the file gives, those that are taken, and by whom.
    pub(super) identity_ids: HashSet<IdentityId>,
    /// Of those whose levels the file says.
    pub(super) levels: HashMap<IdentityId, BTreeSet<UserLevel>>,
    /// Of those whom the file disables, who is disabled already because their account is gone.
    pub(super) retired: HashSet<IdentityId>,
    /// By source and stable id.
    pub(super) accounts: HashMap<(SourceId, String), Account>,
    /// What is to become of those accounts.
    pub(super) intents: HashMap<AccountId, IntentKind>,
    /// The stable id of the account that has a native id, by source and [`native_key`].
    pub(super) natives: HashMap<(SourceId, String), String>,
    /// What needs the sources that the file does not name and that therefore go.
    pub(super) held: HashMap<SourceId, References>,
    /// Those of the people that the file gives tokens to.
    pub(super) tokens: Vec<PersonalAccessToken>,
}

impl Existing {
    /// Reads it, in the transaction that will write the rest.
    pub(super) async fn load(tx: &mut Tx<'_>, vault: &Vault, wanted: &Wanted) -> Result<Self, Error> {
        let mut existing = Self {
            org_config: org_config::find(tx).await?,
            security_questions: security_question::find(tx).await?,
            auth_org: auth_org::get(tx).await?,
            policies: password_policy::list(tx).await?,
            sources: source::list(tx).await?,
            groups: sync_group::list(tx).await?,
            applications: application::list(tx).await?,
            icons: application_icon::list(tx).await?.into_iter().collect(),
            clients: client::list(tx).await?,
            ..Self::default()
        };
        if let Some(text) = dictionary::find(tx).await? {
            existing.dictionary = Dictionary::parse(text.as_bytes()).unwrap_or_default();
        }
        if wanted.prune && names_any_source(wanted) {
            for source in &existing.sources {
                if !wanted.source.iter().any(|one| names_source(one.get_ref().name.get_ref(), source)) {
                    existing.held.insert(source.id, source::references(tx, source.id).await?);
                }
            }
        }
        existing.load_secrets(tx, vault, wanted).await?;
        existing.load_people(tx, wanted).await?;
        Ok(existing)
    }

    /// The source of that name. Names differ in more than case.
    pub(super) fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| names_source(name, source))
    }

    async fn load_secrets(&mut self, tx: &mut Tx<'_>, vault: &Vault, wanted: &Wanted) -> Result<(), Error> {
        for name in wanted.source.iter().map(|source| source.get_ref().name.get_ref()) {
            let Some(id) = self.source(name).map(|source| source.id) else { continue };
            let mut opened = BTreeMap::new();
            for (name, sealed) in source_secret::list(tx, id).await? {
                let bytes = vault.open(&Binding::ConnectorSecret { source: id, name: &name }, &sealed)?;
                let text = std::str::from_utf8(&bytes).unwrap_or_default();
                opened.insert(name, Zeroizing::new(text.to_owned()));
            }
            self.secrets.insert(id, opened);
        }
        Ok(())
    }

    async fn load_people(&mut self, tx: &mut Tx<'_>, wanted: &Wanted) -> Result<(), Error> {
        for wanted in wanted.identity.iter().map(Spanned::get_ref) {
            let id = self.load_identity(tx, wanted.alias.get_ref()).await?;
            if let Some(id) = id.filter(|_| wanted.enabled == Some(false))
                && aggregation::is_retired(tx, id).await?
            {
                self.retired.insert(id);
            }
            if let Some(id) = id.filter(|_| wanted.levels.is_some()) {
                self.levels.insert(id, identity::levels(tx, id).await?);
            }
            if let Some(id) = &wanted.id
                && identity::find(tx, *id.get_ref()).await?.is_some()
            {
                self.identity_ids.insert(*id.get_ref());
            }
            for wanted in wanted.account.iter().map(Spanned::get_ref) {
                let stable_id = wanted.stable_id.as_ref().unwrap_or(&wanted.native_id).get_ref();
                self.load_account(tx, wanted.source.get_ref(), stable_id, wanted.native_id.get_ref()).await?;
            }
        }
        for wanted in &wanted.lone_account {
            if let Some(owner) = &wanted.identity {
                self.load_identity(tx, owner.get_ref()).await?;
            }
            let wanted = wanted.account.get_ref();
            let stable_id = wanted.stable_id.as_ref().unwrap_or(&wanted.native_id).get_ref();
            self.load_account(tx, wanted.source.get_ref(), stable_id, wanted.native_id.get_ref()).await?;
        }
        for wanted in wanted.personal_access_token.iter().map(Spanned::get_ref) {
            if let Some(owner) = self.load_identity(tx, wanted.identity.get_ref()).await? {
                let known: HashSet<_> = self.tokens.iter().map(|token| token.id).collect();
                let tokens = personal_access_token::list_of(tx, owner).await?;
                self.tokens.extend(tokens.into_iter().filter(|token| !known.contains(&token.id)));
            }
            if let Some(id) = &wanted.id
                && !self.tokens.iter().any(|token| token.id == *id.get_ref())
            {
                self.tokens.extend(personal_access_token::find(tx, *id.get_ref()).await?);
            }
        }
        Ok(())
    }

    async fn load_identity(&mut self, tx: &mut Tx<'_>, alias: &str) -> Result<Option<IdentityId>, Error> {
        let Some(identity) = identity::find_by_alias(tx, alias).await? else { return Ok(None) };
        let id = identity.id;
        self.identities.insert(Identity::alias_key(alias), identity);
        Ok(Some(id))
    }

    async fn load_account(
        &mut self,
        tx: &mut Tx<'_>,
        source_name: &str,
        stable_id: &str,
        native_id: &str,
    ) -> Result<(), Error> {
        // Of a source that is only to be, there is no account.
        let Some(source) = self.source(source_name) else { return Ok(()) };
        let (id, key) = (source.id, native_key(source, native_id));
        if let Some(account) = account::find_by_stable_id(tx, id, stable_id).await? {
            if let Some(owner) = account.identity {
                let intent = intent::find_about(tx, owner, account.id).await?;
                self.intents.extend(intent.map(|intent| (account.id, intent.kind)));
            }
            self.accounts.insert((id, stable_id.to_owned()), account);
        }
        if let Some(account) = account::find_by_native_key(tx, id, &key).await? {
            self.natives.insert((id, key), account.stable_id);
        }
        Ok(())
    }
}

/// Whether a file means this source by that name. Names of two sources differ in more than case.
pub(super) fn names_source(name: &str, source: &Source) -> bool {
    source.name.to_lowercase() == name.to_lowercase()
}

/// Whether a file has a source besides the built-in one.
pub(super) fn names_any_source(wanted: &Wanted) -> bool {
    wanted.source.iter().any(|one| one.get_ref().name.get_ref().to_lowercase() != Source::IDENTITY_NOW.to_lowercase())
}
