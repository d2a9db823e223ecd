//! Ending a token before its time (RFC 7009), by the client that has it.
//!
//! A refresh token ends its whole sign-in; an access token ends alone. Somebody else's, and what is no token, is left alone
//! without a word.

use chrono::DateTime;
use lockstep_core::audit::{Action, Actor, Detail, Event};
use lockstep_core::id::{ClientId, IdentityId};
use lockstep_store::{Tx, audit, refresh_token, revoked_token, token_family};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::{Secret, draw_id_at};
use uuid::Uuid;

use super::credentials::{self, Owner};
use super::issue_token::NoToken;
use super::{App, passed};

/// Ends `token`, if it is the client's.
pub async fn revoke_token(app: &App, id: &str, secret: Option<&Secret>, token: &Secret) -> Result<(), NoToken> {
    let owner = credentials::prove(app, id, secret).await?.ok_or(NoToken::WrongCredentials)?;
    let (owner, actor) = match owner {
        Owner::Program(client) => (client.id.0, Actor::Client(client.id)),
        Owner::Person(token) => (token.row.id.0, Actor::Identity(token.person.id)),
    };
    let now = app.clock.utc();
    let access = app.vault.verify_token(token.expose(), now).ok();
    let access = access.filter(|claims| claims.client_id.parse() == Ok(owner));
    let access = access.and_then(|claims| {
        let whose: Option<IdentityId> = claims.identity_id.and_then(|identity| identity.parse().ok());
        Some((claims.jti.parse::<Uuid>().ok()?, DateTime::from_timestamp(claims.exp, 0)?, whose))
    });
    let hash = app.vault.keyed_hash(HashPurpose::RefreshToken, token.expose().as_bytes());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let mut about = None;
            if let Some((family, _)) = refresh_token::find(tx, &hash).await? {
                let family = token_family::hold(tx, family).await?;
                if let Some(family) = family.filter(|family| family.client == ClientId(owner)) {
                    token_family::end(tx, family.id, now).await?;
                    about = Some((family.id.0, Some(family.identity)));
                }
            } else if let Some((token, expires_at, whose)) = access {
                revoked_token::insert(tx, token, expires_at).await?;
                about = Some((token, whose));
            }
            if let Some((what, whose)) = about {
                let detail = [("token", Detail::Id(what))].into();
                let event = Event { detail, ..passed(Action::TokenRevoked, actor, whose, now) };
                audit::append(tx, draw_id_at(now), &event).await?;
            }
            Ok::<_, lockstep_store::Error>(())
        })
    });
    Ok(written.await?)
}
