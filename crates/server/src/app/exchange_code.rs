//! Exchanging the code of a person's sign-in for tokens (RFC 6749 section 4.1.3, RFC 7636 section 4.6).
//!
//! A code is good once. One that comes again was stolen from somebody, and so what it gave ends.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use lockstep_core::audit::{Action, Actor};
use lockstep_core::client::Grant;
use lockstep_core::id::FamilyId;
use lockstep_core::scope::Scopes;
use lockstep_store::authorization_code::{self, AuthorizationCode};
use lockstep_store::client::{self, Client};
use lockstep_store::token_family::{self, TokenFamily};
use lockstep_store::{Tx, audit, refresh_token};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::{Secret, draw_id, draw_id_at, draw_token};

use super::access_token::IssuedToken;
use super::credentials::{self, Owner};
use super::issue_token::NoToken;
use super::refresh_tokens::{Given, Signer, living, reused};
use super::{App, passed};

/// What a client shows.
pub struct Shown<'a> {
    /// Its id.
    pub client_id: &'a str,
    /// Its secret, if it has one.
    pub secret: Option<&'a Secret>,
    /// The code.
    pub code: &'a Secret,
    /// Where the code was sent to.
    pub redirect_uri: &'a str,
    /// What the challenge is the hash of.
    pub verifier: &'a Secret,
}

/// Exchanges a code.
pub async fn exchange_code(app: &App, shown: Shown<'_>) -> Result<IssuedToken, NoToken> {
    let client = program(app, shown.client_id, shown.secret, Grant::AuthorizationCode).await?;
    let challenge = challenge(shown.verifier).ok_or(NoToken::NotValid)?;
    let hash = app.vault.keyed_hash(HashPurpose::AuthorizationCode, shown.code.expose().as_bytes());
    let refresh = client.settings.refreshes().then(draw_token);
    let next = refresh.as_ref().map(|token| app.vault.keyed_hash(HashPurpose::RefreshToken, token.expose().as_bytes()));
    let (now, redirect_uri, within) = (app.clock.utc(), shown.redirect_uri.to_owned(), client.clone());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let Some(code) = authorization_code::hold(tx, &hash).await? else { return Ok(None) };
            if let Some(family) = code.family {
                reused(tx, family, code.identity, now).await?;
                return Ok(None);
            }
            let fits = code.client == within.id && code.redirect_uri == redirect_uri && code.challenge == challenge;
            if !fits || code.expires_at <= now {
                return Ok(None);
            }
            let Some((person, levels)) = living(tx, code.identity).await? else { return Ok(None) };
            let family = family(&within, &code, now);
            token_family::insert(tx, &family).await?;
            authorization_code::exchanged(tx, &hash, family.id).await?;
            if let Some(next) = next {
                refresh_token::insert(tx, &next, family.id).await?;
            }
            client::used(tx, within.id, now).await?;
            let event = passed(Action::SignInTokenIssue, Actor::Client(within.id), Some(person.id), now);
            audit::append(tx, draw_id_at(now), &event).await?;
            Ok::<_, lockstep_store::Error>(Some(Given { family: family.id, scopes: family.scopes, person, levels }))
        })
    });
    let given = written.await?.ok_or(NoToken::NotValid)?;
    Signer { client: &client, given: &given }.sign(app, refresh, now)
}

/// The client that shows these credentials, if it gets tokens in that way.
pub(super) async fn program(app: &App, id: &str, secret: Option<&Secret>, grant: Grant) -> Result<Client, NoToken> {
    match credentials::prove(app, id, secret).await? {
        Some(Owner::Program(client)) if client.settings.has(grant) => Ok(*client),
        Some(_) => Err(NoToken::Grant),
        None => Err(NoToken::WrongCredentials),
    }
}

fn family(client: &Client, code: &AuthorizationCode, now: DateTime<Utc>) -> TokenFamily {
    // What was taken from the client since is not given any more.
    let scopes: Scopes = code.scopes.0.iter().copied().filter(|scope| client.scopes.grants(*scope)).collect();
    TokenFamily {
        id: FamilyId(draw_id()),
        client: client.id,
        identity: code.identity,
        scopes,
        created_at: now,
        expires_at: now + TimeDelta::seconds(client.settings.refresh_seconds),
        ended_at: None,
    }
}

/// The challenge of a verifier; none of what cannot be one (RFC 7636 section 4.1).
fn challenge(verifier: &Secret) -> Option<String> {
    let text = verifier.expose();
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let fits = (43..=128).contains(&text.len()) && text.bytes().all(unreserved);
    fits.then(|| URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_the_rfcs() {
        // RFC 7636, appendix B.
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        assert_eq!(challenge(&verifier).as_deref(), Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
        for wrong in ["short".to_owned(), "x".repeat(129), format!("{}+", "x".repeat(43))] {
            assert_eq!(challenge(&Secret::new(wrong)), None);
        }
    }
}
