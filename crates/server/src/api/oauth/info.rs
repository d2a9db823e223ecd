//! `GET /oauth/info`: whose the caller's own token is.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::{OAuthError, OAuthErrorBody};
use crate::api::Api;
use crate::api::caller::bearer;
use crate::api::error::{Error, ErrorResponse, MessageError, ProtocolError};
use crate::auth;

/// Whose a token is, and what it may be used for now.
#[derive(Serialize, ToSchema)]
pub struct TokenInfo {
    /// The installation.
    tenant_id: String,
    /// The place it runs in.
    pod: String,
    /// The organisation.
    org: String,
    /// The person; null for a program that acts for nobody.
    identity_id: Option<String>,
    /// That person's login name.
    user_name: Option<String>,
    /// What its owner is in the organisation.
    authorities: Vec<String>,
    /// The API client or personal access token that it was issued to.
    client_id: String,
    /// What it may be used for.
    scope: Vec<String>,
    /// Whether its owner proved more than a password.
    strong_auth: bool,
    /// From when on it is dead, in seconds since 1970.
    exp: i64,
    /// The token's own id.
    jti: String,
}

/// Ask whose a token is
///
/// The token's owner, scopes and levels as they are at this moment, and when it ends.
#[utoipa::path(
    get,
    path = "/oauth/info",
    operation_id = "getTokenInfo",
    tag = "Tokens",
    responses(
        (status = 200, description = "Whose it is.", body = TokenInfo),
        (status = 401, description = "The token does not live.", body = OAuthErrorBody),
        (status = 406, description = "The `Accept` header leaves JSON out.", body = ProtocolError),
        (status = 413, description = "The body is larger than 1 MiB.", body = ProtocolError),
        (status = 415, description = "Not given.", body = ProtocolError),
        (status = 429, description = "Too many requests; the header `Retry-After` says how many seconds to wait.",
            body = MessageError),
        (status = 500, description = "Something failed on the server.", body = ErrorResponse),
    ),
    security(("bearer" = [])),
)]
pub(in crate::api) async fn info(State(api): State<Api>, headers: HeaderMap) -> Result<Json<TokenInfo>, Error> {
    let token = bearer(&headers).ok_or(OAuthError::INVALID_TOKEN)?;
    let now = api.app.clock.utc();
    let claims = api.app.vault.verify_token(token, now).map_err(|_| OAuthError::INVALID_TOKEN)?;
    let caller = auth::living(&api.app, claims.clone(), now).await?.ok_or(OAuthError::INVALID_TOKEN)?;
    api.requests.count(caller.name(), "v1")?;
    Ok(Json(TokenInfo {
        tenant_id: claims.tenant_id,
        pod: claims.pod,
        org: claims.org,
        identity_id: claims.identity_id,
        user_name: claims.user_name,
        authorities: caller.levels.iter().map(ToString::to_string).collect(),
        client_id: claims.client_id,
        scope: caller.scopes.0.iter().map(ToString::to_string).collect(),
        strong_auth: claims.strong_auth,
        exp: claims.exp,
        jti: claims.jti,
    }))
}
