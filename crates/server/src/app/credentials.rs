//! Whose id and secret these are: an API client's, or those of a personal access token.
//!
//! Whether the id is unknown, the secret wrong, the client disabled or its person gone, the same work is done and the same
//! is said. Who fails too often is kept waiting by the API, not here.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use lockstep_core::client::ClientKind;
use lockstep_core::id::{ClientId, IdentityId, PersonalAccessTokenId};
use lockstep_core::identity::Identity;
use lockstep_core::scope::UserLevel;
use lockstep_store::client::Client;
use lockstep_store::personal_access_token::PersonalAccessToken;
use lockstep_store::{Tx, client, identity, personal_access_token};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::Secret;
use uuid::Uuid;

use super::{App, Error};

/// Whose they are.
pub(super) enum Owner {
    /// An API client that is enabled.
    Program(Box<Client>),
    /// A person who is enabled.
    Person(Box<Token>),
}

/// A personal access token that has not expired, and whose it is.
pub(super) struct Token {
    pub(super) row: PersonalAccessToken,
    pub(super) person: Identity,
    pub(super) levels: BTreeSet<UserLevel>,
    pub(super) valid_from: Option<DateTime<Utc>>,
}

/// The owner of an id, if the secret is theirs. A public client has none, and must show none.
pub(super) async fn prove(app: &App, id: &str, secret: Option<&Secret>) -> Result<Option<Owner>, Error> {
    let found = find(app, id.parse().map_or(Uuid::nil(), |ClientId(id)| id)).await?;
    // A hash is computed and compared for nobody too.
    let nobody = [0; 32];
    let (purpose, stored, public) = match &found {
        Some(Owner::Person(token)) => (HashPurpose::PersonalAccessToken, token.row.secret_hash.as_slice(), false),
        Some(Owner::Program(client)) => {
            let public = client.settings.kind == ClientKind::Public;
            (HashPurpose::ClientSecret, client.secret_hash.as_slice(), public)
        }
        None => (HashPurpose::ClientSecret, nobody.as_slice(), false),
    };
    let shown = secret.map_or("", Secret::expose);
    let right = app.vault.verify_keyed_hash(purpose, shown.as_bytes(), stored);
    let proven = match public {
        true => secret.is_none(),
        false => right && secret.is_some(),
    };
    let now = app.clock.utc();
    let lives = |owner: &Owner| match owner {
        Owner::Program(client) => client.enabled,
        Owner::Person(token) => token.person.enabled && token.row.expires_at.is_none_or(|end| now < end),
    };
    Ok(found.filter(|owner| proven && lives(owner)))
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
            let token = token.zip(person).map(|(row, person)| Token { row, person, levels, valid_from });
            let program = program.map(|client| Owner::Program(Box::new(client)));
            Ok(program.or(token.map(|token| Owner::Person(Box::new(token)))))
        })
    });
    found.await.map_err(Error::Store)
}
