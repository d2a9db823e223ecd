//! Exchanging the credentials of an API client or of a personal access token for an access token.
//!
//! Whether the id is unknown, the secret wrong, the client disabled or its person gone, the same work is done and the
//! same is said. Who fails too often is kept waiting by the API, not here.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lockstep_core::audit::{Action, Actor, Event, Outcome};
use lockstep_core::id::{ClientId, IdentityId, PersonalAccessTokenId};
use lockstep_core::identity::Identity;
use lockstep_core::scope::{Scopes, UserLevel};
use lockstep_store::{Tx, audit, client, identity, personal_access_token};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::{Secret, draw_id, draw_id_at};
use lockstep_vault::token::{Claims, SigningError};
use uuid::Uuid;

use super::{App, Error};

/// The contract's name for the place a token was issued in: there is one.
const POD: &str = "lockstep";

/// An access token. It has no `Debug`: whoever holds the token is its owner.
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// How many seconds it lives.
    pub seconds: i64,
    /// What it says.
    pub claims: Claims,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// The credentials are wrong, or those of a client that gets no tokens.
    #[error("the credentials are wrong")]
    WrongCredentials,
    /// The scope is unknown, or more than the client has.
    #[error("the scope is unknown or more than the client has")]
    Scope,
    /// Something failed inside.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Whose credentials they are.
struct Owner {
    id: Uuid,
    secret_hash: Vec<u8>,
    scopes: Scopes,
    seconds: u32,
    levels: Vec<UserLevel>,
    person: Option<Identity>,
    valid_from: Option<DateTime<Utc>>,
    enabled: bool,
}

/// Issues an access token to the client `id`. `wanted` are scopes with spaces between them; none: all that it has.
pub async fn issue_token(app: &App, id: &str, secret: &Secret, wanted: Option<&str>) -> Result<IssuedToken, NoToken> {
    let owner = find(app, id.parse().map_or(Uuid::nil(), |ClientId(id)| id)).await?;
    let owner = proven(app, owner, secret).ok_or(NoToken::WrongCredentials)?;
    let scopes: Scopes = match wanted {
        Some(wanted) => wanted.parse().map_err(|_| NoToken::Scope)?,
        None => owner.scopes.clone(),
    };
    if !owner.scopes.cover(&scopes) {
        return Err(NoToken::Scope);
    }
    let now = app.clock.utc();
    let claims = claims(app, &owner, &scopes, now);
    let token = app.vault.issue_token(&claims).map_err(|error: SigningError| Error::Signing(error))?;
    record(app, &owner, now).await?;
    Ok(IssuedToken { token, seconds: i64::from(owner.seconds), claims })
}

/// Looks in both places whatever the id looks like.
async fn find(app: &App, id: Uuid) -> Result<Option<Owner>, Error> {
    let found = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let program = client::find(tx, ClientId(id)).await?;
            let token = personal_access_token::find(tx, PersonalAccessTokenId(id)).await?;
            let owner = token.as_ref().map_or(IdentityId(Uuid::nil()), |token| token.identity);
            let person = identity::find(tx, owner).await?;
            let levels = identity::levels(tx, owner).await?;
            let valid_from = identity::tokens_valid_from(tx, owner).await?;
            let program = program.map(|client| Owner {
                id,
                secret_hash: client.secret_hash,
                scopes: client.scopes,
                seconds: client.token_seconds,
                levels: client.levels.into_iter().collect(),
                person: None,
                valid_from: None,
                enabled: client.enabled,
            });
            Ok(program.or(token.map(|token| Owner {
                id,
                secret_hash: token.secret_hash,
                scopes: token.scopes,
                seconds: token.token_seconds,
                levels: levels.into_iter().collect(),
                enabled: person.as_ref().is_some_and(|person| person.enabled),
                person,
                valid_from,
            })))
        })
    });
    found.await.map_err(Error::Store)
}

/// The owner, if the secret is theirs. A hash is computed and compared for nobody too.
fn proven(app: &App, owner: Option<Owner>, secret: &Secret) -> Option<Owner> {
    let nobody = [0; 32];
    let (purpose, stored) = match &owner {
        Some(owner) if owner.person.is_some() => (HashPurpose::PersonalAccessToken, owner.secret_hash.as_slice()),
        Some(owner) => (HashPurpose::ClientSecret, owner.secret_hash.as_slice()),
        None => (HashPurpose::ClientSecret, nobody.as_slice()),
    };
    let right = app.vault.verify_keyed_hash(purpose, secret.expose().as_bytes(), stored);
    owner.filter(|owner| right && owner.enabled)
}

fn claims(app: &App, owner: &Owner, scopes: &Scopes, now: DateTime<Utc>) -> Claims {
    // A second has room for "tokens end now" and for a token that is issued after it: the token is then dated to the
    // next second.
    let earliest = owner.valid_from.map_or(i64::MIN, |from| from.timestamp_millis().div_euclid(1000) + 1);
    let issued = match owner.valid_from {
        Some(from) if now.timestamp() * 1000 < from.timestamp_millis() => earliest,
        _ => now.timestamp(),
    };
    let authority = |level: &UserLevel| serde_json::to_value(level).ok()?.as_str().map(str::to_owned);
    Claims {
        tenant_id: app.config.organisation.name.clone(),
        org: app.config.organisation.name.clone(),
        pod: POD.to_owned(),
        identity_id: owner.person.as_ref().map(|person| person.id.to_string()),
        user_name: owner.person.as_ref().map(|person| person.alias.clone()),
        authorities: owner.levels.iter().filter_map(authority).collect(),
        client_id: match owner.person {
            Some(_) => PersonalAccessTokenId(owner.id).to_string(),
            None => ClientId(owner.id).to_string(),
        },
        scope: scopes.0.iter().map(ToString::to_string).collect(),
        strong_auth: false,
        exp: now.timestamp() + i64::from(owner.seconds),
        iat: issued,
        jti: draw_id().simple().to_string(),
    }
}

async fn record(app: &App, owner: &Owner, now: DateTime<Utc>) -> Result<(), Error> {
    let person = owner.person.as_ref().map(|person| person.id);
    let (action, actor) = match person {
        Some(person) => (Action::PersonalAccessTokenUsed, Actor::Identity(person)),
        None => (Action::ClientTokenIssue, Actor::Client(ClientId(owner.id))),
    };
    let event = Event {
        action,
        actor,
        identity: person,
        source: None,
        account: None,
        change: None,
        at: now,
        outcome: Outcome::Passed,
        detail: BTreeMap::new(),
    };
    let token = person.map(|_| PersonalAccessTokenId(owner.id));
    let recorded = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            if let Some(token) = token {
                personal_access_token::used(tx, token, now).await?;
            }
            audit::append(tx, draw_id_at(event.at), &event).await
        })
    });
    recorded.await.map_err(Error::Store)
}
