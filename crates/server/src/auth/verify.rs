//! From a bearer token to its living owner.
//!
//! Whether it lives is read at every request, in as few statements as there can be: one for a program, one for a person's
//! token, two for one that came from a sign-in.

use chrono::{DateTime, Utc};
use lockstep_core::id::{ClientId, FamilyId, PersonalAccessTokenId};
use lockstep_core::scope::{Scope, Scopes};
use lockstep_store::client::Client;
use lockstep_store::{Tx, personal_access_token, token_family};
use lockstep_vault::token::Claims;
use uuid::Uuid;

use super::{Caller, Refusal, Who};
use crate::api::error::Error;
use crate::app::access_token::generation;
use crate::app::{App, Error as AppError};

/// The owner of `token`, as the database has it at this moment.
///
/// # Errors
/// [`Refusal`] when the token does not live; an inner error when that cannot be found out.
pub async fn authenticate(app: &App, token: &str) -> Result<Caller, Error> {
    let now = app.clock.utc();
    let claims = app.vault.verify_token(token, now).map_err(Refusal::Token)?;
    let caller = living(app, claims, now).await?;
    Ok(caller.ok_or(Refusal::Revoked)?)
}

/// The owner of a token with these claims; none where it does not live any more.
pub(crate) async fn living(app: &App, claims: Claims, now: DateTime<Utc>) -> Result<Option<Caller>, AppError> {
    let Ok(owner) = claims.client_id.parse::<Uuid>() else { return Ok(None) };
    // One without an id cannot be revoked by it.
    let id = claims.jti.parse().unwrap_or(Uuid::nil());
    let within = app.clone();
    let found = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            match (&claims.identity_id, &claims.sid) {
                (Some(_), None) => person(&within, tx, (PersonalAccessTokenId(owner), id), &claims, now).await,
                (Some(_), Some(sid)) => signed_in(&within, tx, (ClientId(owner), id), sid, &claims).await,
                (None, _) => {
                    let (configuration, revoked) = within.configuration.read_beside(tx, id).await?;
                    let client = configuration.client(tx, ClientId(owner)).await?;
                    Ok(client.filter(|_| !revoked).and_then(|client| program(&within, &client, &claims)))
                }
            }
        })
    });
    found.await.map_err(AppError::Store)
}

fn program(app: &App, client: &Client, claims: &Claims) -> Option<Caller> {
    let same_secret = claims.generation.as_deref() == Some(&generation(app, &client.secret_hash));
    (client.enabled && same_secret).then(|| Caller {
        who: Who::Client(client.id),
        levels: client.levels.clone(),
        scopes: still_granted(claims, &client.scopes),
    })
}

async fn person(
    app: &App,
    tx: &mut Tx<'_>,
    (token, id): (PersonalAccessTokenId, Uuid),
    claims: &Claims,
    now: DateTime<Utc>,
) -> lockstep_store::Result<Option<Caller>> {
    let Some(row) = personal_access_token::standing(tx, token, id).await? else { return Ok(None) };
    // Issuing rounds up to whole seconds where this line would cut off a token that was issued after it.
    let ended = row.valid_from.is_some_and(|from| claims.iat.saturating_mul(1000) < from.timestamp_millis());
    let over = row.expires_at.is_some_and(|end| end <= now);
    let same_secret = claims.generation.as_deref() == Some(&generation(app, &row.secret_hash));
    let same_person = claims.identity_id == Some(row.identity.to_string());
    if !row.enabled || row.revoked || ended || over || !same_secret || !same_person {
        return Ok(None);
    }
    let who = Who::Person { identity: row.identity, token };
    Ok(Some(Caller { who, levels: row.levels, scopes: still_granted(claims, &row.scopes) }))
}

async fn signed_in(
    app: &App,
    tx: &mut Tx<'_>,
    (client, id): (ClientId, Uuid),
    family: &str,
    claims: &Claims,
) -> lockstep_store::Result<Option<Caller>> {
    let Ok(family) = family.parse::<FamilyId>() else { return Ok(None) };
    let (configuration, revoked) = app.configuration.read_beside(tx, id).await?;
    let Some(client) = configuration.client(tx, client).await?.filter(|client| client.enabled) else { return Ok(None) };
    let Some(row) = token_family::standing(tx, family).await? else { return Ok(None) };
    let same = row.client == client.id && claims.identity_id == Some(row.identity.to_string());
    // A public client has no secret, and its tokens none that they could end with.
    let same_secret = claims.generation.as_deref() == Some(&generation(app, &client.secret_hash));
    if revoked || row.ended || !row.enabled || !same || !same_secret {
        return Ok(None);
    }
    let who = Who::SignedIn { identity: row.identity, client: client.id, family };
    Ok(Some(Caller { who, levels: row.levels, scopes: still_granted(claims, &client.scopes) }))
}

/// A scope that was taken from the client since is taken from its tokens too.
fn still_granted(claims: &Claims, now: &Scopes) -> Scopes {
    let issued: Scopes = claims.scope.iter().filter_map(|scope| scope.parse().ok()).collect();
    match issued.0.contains(&Scope::All) {
        true => now.clone(),
        false => issued.0.into_iter().filter(|scope| now.grants(*scope)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(scope: &str) -> Claims {
        Claims {
            tenant_id: String::new(),
            org: String::new(),
            pod: String::new(),
            identity_id: None,
            user_name: None,
            authorities: Vec::new(),
            client_id: String::new(),
            scope: scope.split_whitespace().map(str::to_owned).collect(),
            strong_auth: false,
            exp: 0,
            iat: 0,
            jti: String::new(),
            sid: None,
            generation: None,
        }
    }

    #[test]
    fn a_token_never_grants_more_than_its_client_has_now() {
        for (issued, now, left) in [
            ("idn:password-info:read", "sp:scopes:all", "idn:password-info:read"),
            ("idn:password-info:read idn:password-change:read", "idn:password-change:read", "idn:password-change:read"),
            ("sp:scopes:all", "idn:password-info:read", "idn:password-info:read"),
            ("sp:scopes:all", "sp:scopes:all", "sp:scopes:all"),
            ("idn:something:else", "sp:scopes:all", ""),
        ] {
            let now: Scopes = now.parse().expect("scopes");
            assert_eq!(still_granted(&claims(issued), &now).to_string(), left, "{issued}");
        }
    }
}
