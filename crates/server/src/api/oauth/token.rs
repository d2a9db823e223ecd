//! `POST /oauth/token`: exchanges credentials, the code of a sign-in, or a refresh token for an access token.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::attempt::attempt;
use super::parameters::Parameters;
use super::{OAuthError, OAuthErrorBody};
use crate::api::Api;
use crate::api::client_address::ClientAddress;
use crate::api::error::{Error, ErrorResponse, MessageError, ProtocolError};
use crate::app::access_token::IssuedToken;
use crate::app::exchange_code::{Shown, exchange_code};
use crate::app::issue_token::issue_token;
use crate::app::refresh_tokens::refresh;

/// What a client asks for. The parameters may stand in the body or in the query, and the credentials in an
/// `Authorization: Basic` header instead.
#[derive(ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes parameters that are read from several places")]
pub struct TokenRequest {
    /// `client_credentials`, `authorization_code` or `refresh_token`.
    #[schema(examples("client_credentials"))]
    grant_type: Option<String>,
    /// The id of an API client or of a personal access token.
    client_id: Option<String>,
    /// Its secret.
    client_secret: Option<String>,
    /// The scopes wanted, with spaces between them; left out: all that the client, or the sign-in, has.
    scope: Option<String>,
    /// The code that `/oauth/authorize` sent.
    code: Option<String>,
    /// Where it was sent to.
    redirect_uri: Option<String>,
    /// What the `code_challenge` is the SHA-256 of.
    code_verifier: Option<String>,
    /// The refresh token that came with the token before. It is good once.
    refresh_token: Option<String>,
}

/// An access token, and whose it is.
#[derive(Serialize, ToSchema)]
pub struct TokenResponse {
    /// The token, for `Authorization: Bearer`.
    access_token: String,
    /// Always `bearer`.
    token_type: &'static str,
    /// How many seconds it lives.
    expires_in: i64,
    /// Its scopes, with spaces between them.
    scope: String,
    /// The installation.
    tenant_id: String,
    /// The place it runs in.
    pod: String,
    /// The organisation.
    org: String,
    /// The person whose token it is; null for a program that acts for nobody.
    identity_id: Option<String>,
    /// That person's login name.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    /// Whether its owner proved more than a password.
    strong_auth: bool,
    /// Whether its owner could.
    strong_auth_supported: bool,
    /// Whether it belongs to Lockstep itself.
    internal: bool,
    /// The token's own id.
    jti: String,
    /// With what the next token is got, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

/// Get an access token
///
/// Takes the credentials of an API client or of a personal access token, the code of a person's sign-in, or a refresh token, in
/// a urlencoded or multipart body, in the query, or, for the credentials, as HTTP Basic. Wrong credentials are answered without saying which half is wrong; who fails too often
/// waits.
#[utoipa::path(
    post,
    path = "/oauth/token",
    operation_id = "issueToken",
    tag = "Tokens",
    params(TokenRequest),
    request_body(content(
        (TokenRequest = "application/x-www-form-urlencoded"),
        (TokenRequest = "multipart/form-data"),
    )),
    responses(
        (status = 200, description = "The token.", body = TokenResponse),
        (status = 400, description = "A parameter is missing, wrong or there twice.", body = OAuthErrorBody),
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
pub(in crate::api) async fn issue(
    State(api): State<Api>,
    ClientAddress(address): ClientAddress,
    parameters: Parameters,
) -> Result<Json<TokenResponse>, Error> {
    let required = |what| OAuthError::invalid_request(what);
    let grant = parameters.grant_type.ok_or(required("grant_type is required"))?;
    if !matches!(grant.as_str(), "client_credentials" | "authorization_code" | "refresh_token") {
        return Err(OAuthError::UNSUPPORTED_GRANT_TYPE.into());
    }
    let id = parameters.client_id.ok_or(required("client_id is required"))?;
    let (app, secret, scope) = (&api.app, parameters.client_secret.as_ref(), parameters.scope.as_deref());
    let issued = match grant.as_str() {
        "authorization_code" => {
            let shown = Shown {
                client_id: &id,
                secret,
                code: parameters.code.as_ref().ok_or(required("code is required"))?,
                redirect_uri: parameters.redirect_uri.as_deref().ok_or(required("redirect_uri is required"))?,
                verifier: parameters.code_verifier.as_ref().ok_or(required("code_verifier is required"))?,
            };
            attempt(&api, address, &id, exchange_code(app, shown)).await?
        }
        "refresh_token" => {
            let token = parameters.refresh_token.as_ref().ok_or(required("refresh_token is required"))?;
            attempt(&api, address, &id, refresh(app, &id, secret, token, scope)).await?
        }
        _ => {
            let secret = secret.ok_or(required("client_secret is required"))?;
            attempt(&api, address, &id, issue_token(app, &id, secret, scope)).await?
        }
    };
    Ok(Json(issued.into()))
}

impl From<IssuedToken> for TokenResponse {
    fn from(issued: IssuedToken) -> Self {
        let claims = issued.claims;
        Self {
            access_token: issued.token,
            token_type: "bearer",
            expires_in: issued.seconds,
            scope: claims.scope.join(" "),
            tenant_id: claims.tenant_id,
            pod: claims.pod,
            org: claims.org,
            identity_id: claims.identity_id,
            user_name: claims.user_name,
            strong_auth: claims.strong_auth,
            strong_auth_supported: false,
            internal: false,
            jti: claims.jti,
            refresh_token: issued.refresh.map(|token| token.expose().to_owned()),
        }
    }
}
