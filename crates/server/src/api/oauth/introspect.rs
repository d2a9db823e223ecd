//! `POST /oauth/introspect` (RFC 7662).

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::attempt::attempt;
use super::parameters::Parameters;
use super::revoke::TokenOfClient;
use super::{OAuthError, OAuthErrorBody};
use crate::api::Api;
use crate::api::client_address::ClientAddress;
use crate::api::error::{Error, ErrorResponse, MessageError, ProtocolError};
use crate::app::introspect_token::{Introspected, introspect_token};

/// Whether a token lives, and whose it is. Of one that does not live nothing else is said.
#[derive(Default, Serialize, ToSchema)]
pub struct Introspection {
    /// Whether it lives.
    active: bool,
    /// Its scopes, with spaces between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// The client that it was issued to.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// The person's login name.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// `bearer`; absent for a refresh token.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    /// From when on it is dead, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    /// When it was issued, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    /// The person, or the program that acts for nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    /// Who issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    /// Its own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    /// What its owner is in the organisation now.
    #[serde(skip_serializing_if = "Option::is_none")]
    authorities: Option<Vec<String>>,
}

/// Ask whether a token lives
///
/// A client is told of its own tokens, one with the level ORG_ADMIN of all. Every other token is one that does not live.
#[utoipa::path(
    post,
    path = "/oauth/introspect",
    operation_id = "introspectToken",
    tag = "Tokens",
    params(TokenOfClient),
    request_body(content(
        (TokenOfClient = "application/x-www-form-urlencoded"),
        (TokenOfClient = "multipart/form-data"),
    )),
    responses(
        (status = 200, description = "Whether it lives.", body = Introspection),
        (status = 400, description = "A parameter is missing or there twice.", body = OAuthErrorBody),
        (status = 401, description = "The credentials are wrong.", body = OAuthErrorBody),
        (status = 406, description = "The `Accept` header leaves JSON out.", body = ProtocolError),
        (status = 413, description = "The body is larger than 1 MiB.", body = ProtocolError),
        (status = 415, description = "The body is no form.", body = ProtocolError),
        (status = 429, description = "Too many failures; the header `Retry-After` says how many seconds to wait.",
            body = MessageError),
        (status = 500, description = "Something failed on the server.", body = ErrorResponse),
    ),
    security((), ("basic" = [])),
)]
pub(in crate::api) async fn introspect(
    State(api): State<Api>,
    ClientAddress(address): ClientAddress,
    parameters: Parameters,
) -> Result<Json<Introspection>, Error> {
    let id = parameters.client_id.ok_or(OAuthError::invalid_request("client_id is required"))?;
    let secret = parameters.client_secret.ok_or(OAuthError::invalid_request("client_secret is required"))?;
    let token = parameters.token.ok_or(OAuthError::invalid_request("token is required"))?;
    let found = attempt(&api, address, &id, introspect_token(&api.app, &id, &secret, &token)).await?;
    let issuer = Some(api.app.config.public_url());
    Ok(Json(match found {
        None => Introspection::default(),
        Some(Introspected::Access(claims, caller)) => Introspection {
            active: true,
            scope: Some(caller.scopes.to_string()),
            sub: Some(claims.identity_id.clone().unwrap_or_else(|| claims.client_id.clone())),
            client_id: Some(claims.client_id),
            username: claims.user_name,
            token_type: Some("bearer"),
            exp: Some(claims.exp),
            iat: Some(claims.iat),
            iss: issuer,
            jti: Some(claims.jti),
            authorities: Some(caller.levels.iter().map(ToString::to_string).collect()),
        },
        Some(Introspected::Refresh(family)) => Introspection {
            active: true,
            scope: Some(family.scopes.to_string()),
            sub: Some(family.identity.to_string()),
            client_id: Some(family.client.to_string()),
            exp: Some(family.expires_at.timestamp()),
            iss: issuer,
            ..Introspection::default()
        },
    }))
}
