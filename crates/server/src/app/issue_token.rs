//! Exchanging the credentials of an API client or of a personal access token for an access token.

use chrono::{DateTime, Utc};
use lockstep_core::audit::{Action, Actor};
use lockstep_core::client::Grant;
use lockstep_core::scope::Scopes;
use lockstep_store::{Tx, audit, client, personal_access_token};
use lockstep_vault::secret::{Secret, draw_id_at};

use super::access_token::{self, Holder, IssuedToken};
use super::credentials::{self, Owner};
use super::{App, Error, passed};

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// The credentials are wrong, or those of a client that gets no tokens.
    #[error("the credentials are wrong")]
    WrongCredentials,
    /// The client does not get tokens in this way.
    #[error("the client does not have this grant")]
    Grant,
    /// The code or the refresh token is wrong, over, used, or somebody else's.
    #[error("the grant is not valid")]
    NotValid,
    /// The scope is unknown, or more than the client has.
    #[error("the scope is unknown or more than the client has")]
    Scope,
    /// Something failed inside.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<lockstep_store::Error> for NoToken {
    fn from(error: lockstep_store::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Issues an access token to the client `id`. `wanted` are scopes with spaces between them; none: all that it has.
pub async fn issue_token(app: &App, id: &str, secret: &Secret, wanted: Option<&str>) -> Result<IssuedToken, NoToken> {
    let owner = credentials::prove(app, id, Some(secret)).await?.ok_or(NoToken::WrongCredentials)?;
    if matches!(&owner, Owner::Program(client) if !client.settings.has(Grant::ClientCredentials)) {
        return Err(NoToken::Grant);
    }
    let scopes = narrowed(owner.scopes(), wanted)?;
    let now = app.clock.utc();
    let issued = access_token::issue(app, &owner.holder(&scopes), now)?;
    record(app, &owner, now).await?;
    Ok(issued)
}

/// The scopes that are wanted, which must be among those that there are; all of them where none are wanted.
pub(super) fn narrowed(has: &Scopes, wanted: Option<&str>) -> Result<Scopes, NoToken> {
    let Some(wanted) = wanted else { return Ok(has.clone()) };
    let wanted: Scopes = wanted.parse().map_err(|_| NoToken::Scope)?;
    match has.cover(&wanted) {
        true => Ok(wanted),
        false => Err(NoToken::Scope),
    }
}

impl Owner {
    fn scopes(&self) -> &Scopes {
        match self {
            Self::Program(client) => &client.scopes,
            Self::Person(token) => &token.row.scopes,
        }
    }

    fn holder<'a>(&'a self, scopes: &'a Scopes) -> Holder<'a> {
        match self {
            Self::Program(client) => Holder {
                client_id: client.id.to_string(),
                secret_hash: &client.secret_hash,
                person: None,
                levels: client.levels.iter().copied().collect(),
                valid_from: None,
                family: None,
                scopes,
                seconds: client.token_seconds,
            },
            Self::Person(token) => Holder {
                client_id: token.row.id.to_string(),
                secret_hash: &token.row.secret_hash,
                person: Some(&token.person),
                levels: token.levels.iter().copied().collect(),
                valid_from: token.valid_from,
                family: None,
                scopes,
                seconds: token.row.token_seconds,
            },
        }
    }
}

async fn record(app: &App, owner: &Owner, now: DateTime<Utc>) -> Result<(), Error> {
    let (program, token, event) = match owner {
        Owner::Program(client) => {
            let event = passed(Action::ClientTokenIssue, Actor::Client(client.id), None, now);
            (Some(client.id), None, event)
        }
        Owner::Person(token) => {
            let person = token.person.id;
            let event = passed(Action::PersonalAccessTokenUsed, Actor::Identity(person), Some(person), now);
            (None, Some(token.row.id), event)
        }
    };
    let recorded = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            if let Some(program) = program {
                client::used(tx, program, now).await?;
            }
            if let Some(token) = token {
                personal_access_token::used(tx, token, now).await?;
            }
            audit::append(tx, draw_id_at(event.at), &event).await
        })
    });
    match recorded.await {
        // It was removed meanwhile: what it got is dead already.
        Err(error) if error.is_reference_violation() => Ok(()),
        recorded => recorded.map_err(Error::Store),
    }
}
