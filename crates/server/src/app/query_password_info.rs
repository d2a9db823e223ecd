//! What a client needs to know before it changes a password: the accounts, the rules, the transport key.

use lockstep_core::id::{IdentityId, SourceId, TransportKeyId};
use lockstep_core::password_policy::describe::describe;
use lockstep_core::source::Source;
use lockstep_store::{Tx, account, identity};
use lockstep_vault::transport::TransportPadding;

use super::{App, Error};
use crate::auth::Permit;

/// Whose password, where, and how it will be encrypted.
#[derive(Debug)]
pub struct Question {
    /// The person's alias.
    pub user_name: String,
    /// The source's name; none: the built-in source.
    pub source_name: Option<String>,
    /// The padding that the transport key must be for.
    pub padding: TransportPadding,
}

/// The answer.
#[derive(Debug)]
pub struct PasswordInfo {
    /// The person.
    pub identity: IdentityId,
    /// The source.
    pub source: SourceId,
    /// The published transport key.
    pub key: TransportKeyId,
    /// Its public half: base64 of the DER SubjectPublicKeyInfo, on one line.
    pub public_key: String,
    /// The person's accounts there, in the order of their names.
    pub accounts: Vec<FoundAccount>,
    /// The rules that bind there, in the contract's words.
    pub policies: Vec<String>,
}

/// An account that can get a password.
#[derive(Debug)]
pub struct FoundAccount {
    /// What the wire calls `accountId`.
    pub native_id: String,
    /// What people read.
    pub name: String,
}

/// Answers one question, all of it from the same committed state.
pub async fn query_password_info(app: &App, permit: &Permit, question: Question) -> Result<PasswordInfo, Error> {
    let (within, permit) = (app.clone(), permit.clone());
    let answer = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let configuration = within.configuration.read(tx).await?;
            let person = identity::find_by_alias(tx, &question.user_name).await?;
            permit.reaches(person.as_ref().map(|person| person.id))?;
            let person = person.ok_or(Error::Unknown { field: "userName", what: "an identity" })?;
            let name = question.source_name.as_deref().unwrap_or(Source::IDENTITY_NOW);
            let place = configuration.source_named(tx, name).await?;
            let place = place.ok_or(Error::Unknown { field: "sourceName", what: "a source" })?;
            if !place.takes_passwords() {
                return Err(Error::no_passwords());
            }

            let accounts = account::list_of(tx, person.id).await?;
            let accounts = accounts.into_iter().filter(|account| account.source == place.id && !account.vanished);
            let policy = configuration.policy_on(tx, &place, &person).await?;
            let policy = policy.ok_or(Error::Lacking("a password policy that is referred to"))?;
            let key = configuration.published_key(tx, padding_name(question.padding)).await?;
            let key = key.ok_or(Error::Lacking("a published transport key"))?;
            Ok(PasswordInfo {
                identity: person.id,
                source: place.id,
                key: key.id,
                public_key: key.public_key.clone(),
                accounts: accounts
                    .map(|account| FoundAccount { native_id: account.native_id, name: account.name })
                    .collect(),
                policies: describe(&policy),
            })
        })
    });
    answer.await
}

/// The name that the store keeps for a padding.
pub(super) fn padding_name(padding: TransportPadding) -> &'static str {
    TransportPadding::NAMES.iter().find(|(known, _)| *known == padding).map_or("", |(_, name)| name)
}
