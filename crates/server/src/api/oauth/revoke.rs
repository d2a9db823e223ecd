//! `POST /oauth/revoke` (RFC 7009).

use axum::Json;
use axum::extract::State;
use utoipa::{IntoParams, ToSchema};

use super::attempt::attempt;
use super::parameters::Parameters;
use super::{OAuthError, OAuthErrorBody};
use crate::api::Api;
use crate::api::client_address::ClientAddress;
use crate::api::error::{Error, ErrorResponse, MessageError, ProtocolError};
use crate::app::revoke_token::revoke_token;

/// A token, and the credentials of the client that has it, which may stand in an `Authorization: Basic` header instead.
#[derive(ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that are read from several places")]
pub struct TokenOfClient {
    /// An access token or a refresh token.
    token: Option<String>,
    /// Not needed.
    token_type_hint: Option<String>,
    /// The client's id.
    client_id: Option<String>,
    /// Its secret, if it has one.
    client_secret: Option<String>,
}

/// Nothing more to say.
#[derive(serde::Serialize, ToSchema)]
pub struct Nothing {}

/// End a token
///
/// A refresh token ends the whole sign-in that it came from, an access token ends alone, on every node at once. What is no
/// token, or another client's, is left alone, and the answer is the same.
#[utoipa::path(
    post,
    path = "/oauth/revoke",
    operation_id = "revokeToken",
    tag = "Tokens",
    params(TokenOfClient),
    request_body(content(
        (TokenOfClient = "application/x-www-form-urlencoded"),
        (TokenOfClient = "multipart/form-data"),
    )),
    responses(
        (status = 200, description = "If it was the client's, it is dead.", body = Nothing),
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
pub(in crate::api) async fn revoke(
    State(api): State<Api>,
    ClientAddress(address): ClientAddress,
    parameters: Parameters,
) -> Result<Json<Nothing>, Error> {
    let id = parameters.client_id.ok_or(OAuthError::invalid_request("client_id is required"))?;
    let token = parameters.token.ok_or(OAuthError::invalid_request("token is required"))?;
    let revoked = revoke_token(&api.app, &id, parameters.client_secret.as_ref(), &token);
    attempt(&api, address, &id, revoked).await?;
    Ok(Json(Nothing {}))
}
