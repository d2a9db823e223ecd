//! Whether a token lives, and whose it is (RFC 7662), for the client that has it or an administrating one.

use lockstep_core::client::ClientKind;
use lockstep_core::id::ClientId;
use lockstep_core::scope::UserLevel;
use lockstep_store::token_family::TokenFamily;
use lockstep_store::{Tx, refresh_token, token_family};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::Secret;
use lockstep_vault::token::Claims;
use uuid::Uuid;

use super::App;
use super::credentials::{self, Owner};
use super::issue_token::NoToken;
use super::refresh_tokens::living as person;
use crate::auth::{Caller, living};

/// A token that lives.
pub enum Introspected {
    /// An access token, and what its owner is now.
    Access(Box<Claims>, Caller),
    /// A refresh token.
    Refresh(TokenFamily),
}

/// Looks at `token`. None: it does not live, is no token, or is none of the client's business.
pub async fn introspect_token(
    app: &App,
    id: &str,
    secret: &Secret,
    token: &Secret,
) -> Result<Option<Introspected>, NoToken> {
    let owner = credentials::prove(app, id, Some(secret)).await?.ok_or(NoToken::WrongCredentials)?;
    let (owner, all) = match owner {
        Owner::Program(client) if client.settings.kind == ClientKind::Public => return Err(NoToken::WrongCredentials),
        Owner::Program(client) => (client.id.0, client.levels.contains(&UserLevel::OrgAdmin)),
        Owner::Person(token) => (token.row.id.0, false),
    };
    let now = app.clock.utc();
    if let Ok(claims) = app.vault.verify_token(token.expose(), now) {
        if !all && claims.client_id.parse::<Uuid>() != Ok(owner) {
            return Ok(None);
        }
        let caller = living(app, claims.clone(), now).await?;
        return Ok(caller.map(|caller| Introspected::Access(Box::new(claims), caller)));
    }
    let hash = app.vault.keyed_hash(HashPurpose::RefreshToken, token.expose().as_bytes());
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let Some((family, None)) = refresh_token::find(tx, &hash).await? else { return Ok(None) };
            let Some(family) = token_family::find(tx, family).await? else { return Ok(None) };
            let lives = family.ended_at.is_none() && now < family.expires_at;
            let lives = lives && person(tx, family.identity).await?.is_some();
            Ok::<_, lockstep_store::Error>(lives.then_some(family))
        })
    });
    let family = read.await?.filter(|family| all || family.client == ClientId(owner));
    Ok(family.map(Introspected::Refresh))
}
