//! What people have of the applications: for each that they have an account for, which one that is.
//!
//! None of it is stored. It follows from applications and accounts, and its id from theirs.

use chrono::{DateTime, Utc};
use lockstep_core::account::Account;
use lockstep_core::application::Application;
use lockstep_core::filter::apply::Record;
use lockstep_core::filter::{Condition, Expression, Operator, Value};
use lockstep_core::id::{AccountId, IdentityId};
use lockstep_core::identity::Identity;
use lockstep_store::{Tx, account, identity, source};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::application::{self, Told};
use super::revision::{Revised, Seen};
use super::{App, Error};
use crate::auth::Permit;

/// What somebody has of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserApp {
    /// Its id.
    pub id: Uuid,
    /// The application.
    pub application: Application,
    /// The name of the application's source.
    pub source_name: String,
    /// Whether passwords on that source can be set.
    pub takes_passwords: bool,
    /// Whose it is.
    pub owner: Identity,
    /// Their accounts for it, one at least, in the order of their names.
    pub accounts: Vec<Account>,
    /// When the application was made.
    pub created_at: DateTime<Utc>,
    /// When the application was last changed.
    pub modified_at: Option<DateTime<Utc>>,
}

/// Whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// This person's.
    Id(IdentityId),
    /// That of the person with this login name.
    Alias(String),
    /// That of the person whose account this is.
    Account(AccountId),
}

impl Whose {
    /// Whose a filter asks for, if it asks for one person's.
    pub fn of(filter: &Expression) -> Option<Self> {
        match filter {
            Expression::And(parts) => parts.iter().find_map(Self::of),
            Expression::Condition(Condition { field, operator: Operator::Equal, values }) => {
                match (field.name, values.first()?) {
                    ("ownerId", Value::Id(id)) => Some(Self::Id(IdentityId(*id))),
                    ("ownerAlias", Value::Text(alias)) => Some(Self::Alias(alias.clone())),
                    ("accountId", Value::Id(id)) => Some(Self::Account(AccountId(*id))),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

impl Record for UserApp {
    fn value(&self, field: &str) -> Option<Value> {
        match field {
            "id" => Some(Value::Id(self.id)),
            "ownerId" => Some(Value::Id(self.owner.id.0)),
            "ownerName" => Some(Value::Text(self.owner.display_name.clone())),
            "ownerAlias" => Some(Value::Text(self.owner.alias.clone())),
            "accountId" => self.accounts.first().map(|account| Value::Id(account.id.0)),
            "sourceAppId" => Some(Value::Id(self.application.id.0)),
            _ => None,
        }
    }
}

/// What the caller has.
pub async fn list_own(app: &App, permit: &Permit) -> Result<Vec<UserApp>, Error> {
    let person = permit.person()?;
    app.store.read(move |tx: &mut Tx<'_>| Box::pin(load(tx, person))).await
}

/// What somebody has; nothing where there is nobody.
pub async fn list_of(app: &App, _: &Permit, whose: Whose) -> Result<Vec<UserApp>, Error> {
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let person = match whose {
                Whose::Id(id) => Some(id),
                // PostgreSQL has no NUL in a text, and nobody has one in their name.
                Whose::Alias(alias) if alias.contains('\0') => None,
                Whose::Alias(alias) => identity::find_by_alias(tx, &alias).await?.map(|identity| identity.id),
                Whose::Account(id) => account::find(tx, id).await?.and_then(|account| account.identity),
            };
            match person {
                Some(person) => load(tx, person).await,
                None => Ok(Vec::new()),
            }
        })
    });
    read.await
}

/// One thing of the caller's.
pub async fn get_own(app: &App, permit: &Permit, id: Uuid) -> Result<Revised<UserApp>, Error> {
    let own = list_own(app, permit).await?.into_iter().find(|one| one.id == id);
    Ok(own.ok_or(Error::NotFound("application of yours"))?.into())
}

/// Has the caller use `account` for it. There is no choice to keep here: a password change names its account. So this can only
/// be the account that is there already.
pub async fn choose(
    app: &App,
    permit: &Permit,
    id: Uuid,
    seen: Seen,
    account: impl FnOnce(&UserApp) -> Result<AccountId, Error>,
) -> Result<Revised<UserApp>, Error> {
    let own = get_own(app, permit, id).await?;
    seen.is(&own.value)?;
    let chosen = account(&own.value)?;
    match own.value.accounts.iter().position(|account| account.id == chosen) {
        Some(0) => Ok(own),
        Some(_) => Err(Error::Impossible(
            "no account is chosen beforehand: a password change names the one it is for".to_owned(),
        )),
        None => Err(Error::Unknown { field: "account.id", what: "an account of yours for this application" }),
    }
}

async fn load(tx: &mut Tx<'_>, person: IdentityId) -> Result<Vec<UserApp>, Error> {
    let Some(owner) = identity::find(tx, person).await? else { return Ok(Vec::new()) };
    let all: Vec<Account> = account::list_of(tx, person).await?;
    let mut found = Vec::new();
    for Told { application, source_name, created_at, modified_at } in application::load(tx).await? {
        let on = |account: &&Account| account.source == application.source && !account.vanished;
        let accounts: Vec<Account> = all.iter().filter(on).cloned().collect();
        if accounts.is_empty() || !application.use_for_password_management {
            continue;
        }
        let takes_passwords =
            source::find(tx, application.source).await?.is_some_and(|source| source.takes_passwords());
        let digest = Sha256::new().chain_update(application.id.0).chain_update(person.0).finalize();
        let id = Uuid::from_slice(&digest[..16]).unwrap_or_default();
        let owner = owner.clone();
        found.push(UserApp { id, application, source_name, takes_passwords, owner, accounts, created_at, modified_at });
    }
    Ok(found)
}
