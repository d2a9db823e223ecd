//! The writes of a plan, one statement or a few each, in the plan's order.

use chrono::{DateTime, Utc};
use lockstep_core::account::Account;
use lockstep_core::application::Application;
use lockstep_core::audit::{Action, Actor};
use lockstep_core::auth_org::AuthOrg;
use lockstep_core::change::{Intent, IntentKind};
use lockstep_core::id::{
    AccountId, ApplicationId, ClientId, IdentityId, IntentId, PasswordPolicyId, SourceId, SyncGroupId,
};
use lockstep_core::identity::Identity;
use lockstep_core::org_config::PasswordOrgConfig;
use lockstep_core::password_policy::PasswordPolicy;
use lockstep_core::password_policy::dictionary::Dictionary;
use lockstep_core::scope::UserLevel;
use lockstep_core::security_question::SecurityQuestions;
use lockstep_core::source::Source;
use lockstep_core::sync_group::SyncGroup;
use lockstep_store::client::Client;
use lockstep_store::history::Holder;
use lockstep_store::personal_access_token::PersonalAccessToken;
use lockstep_store::sign_in_password::SignInPassword;
use lockstep_store::{Result, Tx};
use lockstep_store::{
    account, aggregation, application, application_icon, auth_org, client, dictionary, history, identity, intent,
    org_config, password_policy, password_set, personal_access_token, security_question, sign_in_password, source,
    source_secret, sync_group,
};
use lockstep_vault::secret::draw_id;
use std::collections::BTreeSet;

use crate::app::record::{About, record_by};

/// One thing to write. A noun that exists already is replaced.
#[derive(Debug)]
pub(super) enum Write {
    Dictionary(Dictionary),
    OrgConfig(PasswordOrgConfig),
    SecurityQuestions(SecurityQuestions),
    AuthOrg(AuthOrg),
    Policy(PasswordPolicy),
    Source(Source),
    SourceSecret {
        source: SourceId,
        name: String,
        sealed: Vec<u8>,
    },
    Group(SyncGroup),
    Application(Application),
    Icon(ApplicationId, Option<Icon>),
    Identity(Identity),
    Levels(IdentityId, BTreeSet<UserLevel>),
    Account {
        account: Account,
        native_key: String,
    },
    Intent(IdentityId, IntentKind),
    /// What is to become of an account, or that the identity is disabled, is taken back.
    Withdraw(IdentityId, Option<AccountId>),
    FoundAgain(AccountId),
    /// Who is disabled stays so, whatever their source says later.
    StaysDisabled(IdentityId),
    FirstPassword(IdentityId, FirstPassword),
    Client(Client),
    Token(PersonalAccessToken),
    RemoveApplication(ApplicationId),
    RemoveGroup(SyncGroupId),
    RemoveSource(SourceId),
    RemovePolicy(PasswordPolicyId),
    RemoveClient(ClientId),
    Audit(Action, About),
}

/// An icon, and the digest by which it is known.
#[derive(Debug)]
pub(super) struct Icon {
    pub(super) digest: String,
    pub(super) picture: Vec<u8>,
}

/// The first sign-in password of a new identity, as the vault hashed it.
#[derive(Clone)]
pub(super) struct FirstPassword {
    pub(super) salt: [u8; 16],
    pub(super) hash: Vec<u8>,
}

impl std::fmt::Debug for FirstPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FirstPassword(redacted)")
    }
}

/// Keeps the people and accounts that are about to be written as they are until the transaction ends, and says whether there are
/// any: then they may have changed before, and the plan is made anew. Otherwise what somebody else commits between planning and
/// writing would be written over: an administrator disables a person, and a file that says nothing of that enables them again.
/// Accounts come before people, as for everybody who holds both. SQLite has one writer at a time.
pub(super) async fn hold(tx: &mut Tx<'_>, writes: &[Write]) -> Result<bool> {
    let (mut accounts, mut people) = (Vec::new(), Vec::new());
    for write in writes {
        match write {
            Write::Account { account, .. } => accounts.push(account.id),
            Write::FoundAgain(account) => accounts.push(*account),
            Write::Intent(identity, IntentKind::Disable) => people.push(*identity),
            Write::Intent(_, kind) => accounts.extend(kind.account()),
            Write::Withdraw(_, account) => accounts.extend(*account),
            Write::Identity(identity) => people.push(identity.id),
            Write::Levels(identity, _) | Write::StaysDisabled(identity) => people.push(*identity),
            _ => {}
        }
    }
    let accounts = aggregation::hold_accounts(tx, &accounts).await?;
    Ok(aggregation::hold_people(tx, &people).await? + accounts > 0)
}

/// Writes everything, in order.
pub(super) async fn all(tx: &mut Tx<'_>, writes: &[Write], now: DateTime<Utc>) -> Result<()> {
    for write in writes {
        one(tx, write, now).await?;
    }
    Ok(())
}

async fn one(tx: &mut Tx<'_>, write: &Write, now: DateTime<Utc>) -> Result<()> {
    match write {
        Write::Dictionary(words) => dictionary::put(tx, words.to_text(), now).await,
        Write::OrgConfig(config) => org_config::put(tx, config, now).await,
        Write::SecurityQuestions(questions) => security_question::put(tx, questions, now).await,
        Write::AuthOrg(settings) => auth_org::put(tx, settings, now).await,
        Write::Policy(policy) => password_policy::put(tx, policy, now).await,
        Write::Source(source) => source::put(tx, source, now).await,
        Write::SourceSecret { source, name, sealed } => source_secret::put(tx, *source, name, sealed, now).await,
        Write::Group(group) => sync_group::put(tx, group, now).await,
        Write::Application(application) => application::put(tx, application, now).await,
        Write::Icon(id, Some(icon)) => application_icon::put(tx, *id, &icon.digest, &icon.picture).await,
        Write::Icon(id, None) => application_icon::remove(tx, *id).await,
        Write::Identity(identity) => person(tx, identity, now).await,
        Write::Levels(id, levels) => identity::set_levels(tx, *id, levels, now).await,
        Write::Account { account, native_key } => account::put(tx, account, native_key, now).await,
        Write::Intent(id, kind) => intent::put(tx, *id, Intent { id: IntentId(draw_id()), kind: *kind }, now).await,
        Write::Withdraw(id, account) => intent::withdraw(tx, *id, *account).await,
        Write::StaysDisabled(id) => aggregation::stay_disabled(tx, *id).await,
        Write::FoundAgain(id) => account::find_again(tx, *id).await,
        Write::FirstPassword(id, password) => first_password(tx, *id, password, now).await,
        Write::Client(client) => client::put(tx, client, now).await,
        Write::Token(token) => {
            personal_access_token::remove(tx, token.id).await?;
            personal_access_token::insert(tx, token).await
        }
        Write::RemoveApplication(id) => application::remove(tx, *id).await.map(drop),
        Write::RemoveGroup(id) => sync_group::remove(tx, *id).await.map(drop),
        Write::RemoveSource(id) => source::remove(tx, *id).await.map(drop),
        Write::RemovePolicy(id) => password_policy::remove(tx, *id).await.map(drop),
        Write::RemoveClient(id) => client::remove(tx, *id).await.map(drop),
        // Whoever runs the command has the master key; as whom that is, Lockstep does not know.
        Write::Audit(action, about) => record_by(tx, Actor::Nobody, *action, about.clone(), now).await,
    }
}

/// Whoever signs in with another source's password from now on is signed out: the one before proves nothing any more.
async fn person(tx: &mut Tx<'_>, person: &Identity, now: DateTime<Utc>) -> Result<()> {
    let before = identity::find(tx, person.id).await?;
    identity::put(tx, person, now).await?;
    match before.is_some_and(|before| before.sign_in_source != person.sign_in_source) {
        true => identity::end_tokens(tx, person.id, None, now).await,
        false => Ok(()),
    }
}

/// Stores the hash and makes it the newest of its history, as every later change of it does.
async fn first_password(tx: &mut Tx<'_>, id: IdentityId, password: &FirstPassword, now: DateTime<Utc>) -> Result<()> {
    history::salt(tx, id, &password.salt).await?;
    let stored = SignInPassword {
        hash: password.hash.clone(),
        changed_at: now,
        must_change: false,
        failures: 0,
        failed_at: None,
    };
    sign_in_password::put(tx, id, &stored).await?;
    let group = sync_group::find_of(tx, SourceId::IDENTITY_NOW).await?;
    let holder = group.map_or(Holder::Source(SourceId::IDENTITY_NOW), |group| Holder::SyncGroup(group.id));
    password_set::put(tx, id, AccountId(id.0), now).await?;
    history::push(tx, id, holder, &password.hash, 1, now).await
}
