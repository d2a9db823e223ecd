//! From a bearer token to its living owner.

use lockstep_core::id::{ClientId, PersonalAccessTokenId};
use lockstep_core::scope::{Scope, Scopes};
use lockstep_store::client::Client;
use lockstep_store::{Tx, identity, personal_access_token};
use lockstep_vault::token::Claims;
use uuid::Uuid;

use super::{Caller, Refusal, Who};
use crate::api::error::Error;
use crate::app::{App, Error as AppError};

/// The owner of `token`, as the database has it at this moment.
///
/// # Errors
/// [`Refusal`] when the token does not live; an inner error when that cannot be found out.
pub async fn authenticate(app: &App, token: &str) -> Result<Caller, Error> {
    let claims = app.vault.verify_token(token, app.clock.utc()).map_err(Refusal::Token)?;
    let owner: Uuid = claims.client_id.parse().map_err(|_| Refusal::Revoked)?;
    let within = app.clone();
    let found = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            match claims.identity_id.is_some() {
                true => person(tx, PersonalAccessTokenId(owner), &claims).await,
                false => {
                    let client = within.configuration.read(tx).await?.client(tx, ClientId(owner)).await?;
                    Ok(client.and_then(|client| program(&client, &claims)))
                }
            }
        })
    });
    let caller = found.await.map_err(AppError::Store)?;
    Ok(caller.ok_or(Refusal::Revoked)?)
}

fn program(client: &Client, claims: &Claims) -> Option<Caller> {
    client.enabled.then(|| Caller {
        who: Who::Client(client.id),
        levels: client.levels.clone(),
        scopes: still_granted(claims, &client.scopes),
    })
}

async fn person(
    tx: &mut Tx<'_>,
    token: PersonalAccessTokenId,
    claims: &Claims,
) -> lockstep_store::Result<Option<Caller>> {
    let Some(row) = personal_access_token::find(tx, token).await? else { return Ok(None) };
    let living = identity::find(tx, row.identity).await?.is_some_and(|identity| identity.enabled);
    let valid_from = identity::tokens_valid_from(tx, row.identity).await?;
    // Issuing rounds up to whole seconds where this line would cut off a token that was issued after it.
    let ended = valid_from.is_some_and(|from| claims.iat.saturating_mul(1000) < from.timestamp_millis());
    if !living || ended || claims.identity_id != Some(row.identity.to_string()) {
        return Ok(None);
    }
    let levels = identity::levels(tx, row.identity).await?;
    let scopes = still_granted(claims, &row.scopes);
    Ok(Some(Caller { who: Who::Person { identity: row.identity, token }, levels, scopes }))
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
