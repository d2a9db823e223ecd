//! What a client asks of a person who signs in (RFC 6749 section 4.1, RFC 7636), and the code that it gets.
//!
//! Where a client or its address is not known for certain, nobody is sent anywhere.

use chrono::TimeDelta;
use lockstep_core::client::{Grant, RedirectUri};
use lockstep_core::id::ClientId;
use lockstep_core::scope::Scopes;
use lockstep_core::session::Origin;
use lockstep_store::authorization_code::{self, AuthorizationCode};
use lockstep_store::{Tx, client};
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::{Secret, draw_token};

use super::issue_token::narrowed;
use super::sign_in::{self, Entered, SignedIn};
use super::{App, Error};

/// How long a code is good.
const LIFE: TimeDelta = TimeDelta::seconds(60);

/// The longest `state` that is carried.
const LONGEST_STATE: usize = 2048;

/// What a client asks, as it was sent. Empty is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// `client_id`.
    pub client_id: Option<String>,
    /// `redirect_uri`.
    pub redirect_uri: Option<String>,
    /// `response_type`.
    pub response_type: Option<String>,
    /// `response_mode`.
    pub response_mode: Option<String>,
    /// `scope`.
    pub scope: Option<String>,
    /// `state`.
    pub state: Option<String>,
    /// `code_challenge`.
    pub code_challenge: Option<String>,
    /// `code_challenge_method`.
    pub code_challenge_method: Option<String>,
    /// Whether any of them was there twice.
    pub twice: bool,
}

/// A request that makes sense.
#[derive(Debug)]
pub struct Authorisation {
    /// The client.
    pub client: ClientId,
    /// What it is called.
    pub name: String,
    /// Where the code is sent.
    pub redirect: RedirectUri,
    /// What comes back with it.
    pub state: Option<String>,
    challenge: String,
    scopes: Scopes,
}

/// Why a request makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum NotAuthorised {
    /// Who asks, or where the answer would go, is not known for certain.
    #[error("the client or its redirect_uri is not known")]
    Unknown,
    /// The client is told, at its address.
    #[error("{description}")]
    Told {
        /// Where.
        redirect: RedirectUri,
        /// What it gets back with it.
        state: Option<String>,
        /// RFC 6749's name of the error.
        code: &'static str,
        /// A sentence for developers.
        description: &'static str,
    },
    /// Something failed inside.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Checks what a client asks.
///
/// # Errors
/// See [`NotAuthorised`].
pub async fn check(app: &App, asked: Asked) -> Result<Authorisation, NotAuthorised> {
    let id: ClientId = asked.client_id.as_deref().and_then(|id| id.parse().ok()).ok_or(NotAuthorised::Unknown)?;
    let found = app.store.read(move |tx: &mut Tx<'_>| Box::pin(client::find(tx, id))).await.map_err(Error::Store)?;
    let client = found.filter(|client| client.enabled).ok_or(NotAuthorised::Unknown)?;
    let sent = asked.redirect_uri.unwrap_or_default();
    let redirect = client.settings.redirect_uris.iter().find(|own| own.as_str() == sent);
    let redirect = redirect.ok_or(NotAuthorised::Unknown)?.clone();

    let state = asked.state.filter(|state| state.len() <= LONGEST_STATE);
    let told = |code, description| {
        Err(NotAuthorised::Told { redirect: redirect.clone(), state: state.clone(), code, description })
    };
    if asked.twice {
        return told("invalid_request", "a parameter is there twice");
    }
    match asked.response_type.as_deref() {
        Some("code") => {}
        Some(_) => return told("unsupported_response_type", "response_type must be code"),
        None => return told("invalid_request", "response_type is required"),
    }
    if asked.response_mode.is_some_and(|mode| mode != "query") {
        return told("invalid_request", "response_mode must be query");
    }
    if !client.settings.has(Grant::AuthorizationCode) {
        return told("unauthorized_client", "the client does not have the grant AUTHORIZATION_CODE");
    }
    if asked.code_challenge_method.as_deref() != Some("S256") {
        return told("invalid_request", "code_challenge_method must be S256");
    }
    let Some(challenge) = asked.code_challenge.filter(|challenge| is_sha256(challenge)) else {
        return told("invalid_request", "code_challenge must be the SHA-256 of the verifier, in base64url");
    };
    let Ok(scopes) = narrowed(&client.scopes, asked.scope.as_deref()) else {
        return told("invalid_scope", "the scope is unknown or more than the client has");
    };
    Ok(Authorisation { client: id, name: client.name, redirect, state, challenge, scopes })
}

/// Gives the code that a sign-in is worth; none where it is worth nothing any more.
pub async fn grant(
    app: &App,
    asked: &Authorisation,
    signed_in: SignedIn,
    origin: Origin,
) -> Result<Option<Entered<Secret>>, Error> {
    let (now, within) = (app.clock.utc(), app.clone());
    let code = draw_token();
    let hash = app.vault.keyed_hash(HashPurpose::AuthorizationCode, code.expose().as_bytes());
    let row = AuthorizationCode {
        client: asked.client,
        identity: signed_in.identity,
        redirect_uri: asked.redirect.to_string(),
        challenge: asked.challenge.clone(),
        scopes: asked.scopes.clone(),
        expires_at: now + LIFE,
        family: None,
    };
    let granted = std::sync::Arc::new((signed_in, origin, row));
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        let (within, granted) = (within.clone(), granted.clone());
        Box::pin(async move {
            let (signed_in, origin, row) = &*granted;
            let entered = sign_in::confirm(&within, tx, signed_in, origin, now).await?;
            if let Some(Entered::In(())) = entered {
                authorization_code::insert(tx, &hash, row).await?;
            }
            Ok::<_, Error>(entered)
        })
    });
    Ok(written.await?.map(|entered| entered.worth(code)))
}

/// 32 bytes in base64url are 43 characters.
fn is_sha256(challenge: &str) -> bool {
    challenge.len() == 43 && challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
