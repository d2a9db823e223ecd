//! Tokens: how a client gets one, and how others verify it. Its errors have OAuth's own shape (RFC 6749 section 5.2).

mod attempt;
pub mod info;
pub mod introspect;
pub mod jwks;
pub mod metadata;
mod parameters;
pub mod revoke;
pub mod token;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Why there is no token, in the words of RFC 6749.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{description}")]
pub struct OAuthError {
    code: OAuthCode,
    description: &'static str,
}

/// The codes of RFC 6749 section 5.2 that occur here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OAuthCode {
    /// A parameter is missing, there twice, or cannot be read.
    InvalidRequest,
    /// The credentials are wrong. Which half is not said.
    InvalidClient,
    /// The client does not get tokens in this way.
    UnauthorizedClient,
    /// The code or the refresh token is wrong, over, used, or another client's.
    InvalidGrant,
    /// The access token does not live.
    InvalidToken,
    /// The scope is unknown, or more than the client has.
    InvalidScope,
    /// There is no such grant here.
    UnsupportedGrantType,
}

/// The body of such an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct OAuthErrorBody {
    /// What kind of error it is.
    pub error: OAuthCode,
    /// A sentence for developers.
    pub error_description: &'static str,
}

impl OAuthError {
    /// A parameter is missing, there twice, or cannot be read.
    pub const fn invalid_request(description: &'static str) -> Self {
        Self { code: OAuthCode::InvalidRequest, description }
    }

    /// The credentials are wrong.
    pub const INVALID_CLIENT: Self =
        Self { code: OAuthCode::InvalidClient, description: "client_id and client_secret do not belong together" };

    /// The scope is unknown, or more than the client has.
    pub const INVALID_SCOPE: Self =
        Self { code: OAuthCode::InvalidScope, description: "the scope is unknown or more than the client has" };

    /// The client does not get tokens in this way.
    pub const UNAUTHORIZED_CLIENT: Self =
        Self { code: OAuthCode::UnauthorizedClient, description: "the client does not have this grant" };

    /// The code or the refresh token is wrong, over, used, or another client's. Which is not said.
    pub const INVALID_GRANT: Self = Self {
        code: OAuthCode::InvalidGrant,
        description: "the code or refresh token is unknown, expired, used or not for this request",
    };

    /// The access token does not live (RFC 6750 section 3.1).
    pub const INVALID_TOKEN: Self = Self {
        code: OAuthCode::InvalidToken,
        description: "the access token is missing, expired, revoked or not ours",
    };

    /// There is no such grant here.
    pub const UNSUPPORTED_GRANT_TYPE: Self = Self {
        code: OAuthCode::UnsupportedGrantType,
        description: "grant_type must be client_credentials, authorization_code or refresh_token",
    };

    /// The answer.
    pub fn render(&self) -> Response {
        let body = Json(OAuthErrorBody { error: self.code, error_description: self.description });
        // RFC 6749 section 5.2 wants the scheme named to whoever tried one, RFC 6750 section 3 the error.
        let challenge = HeaderValue::from_static(match self.code {
            OAuthCode::InvalidClient => "Basic realm=\"lockstep\"",
            OAuthCode::InvalidToken => "Bearer error=\"invalid_token\"",
            _ => return (StatusCode::BAD_REQUEST, body).into_response(),
        });
        (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)], body).into_response()
    }
}
