//! `GET /.well-known/oauth-authorization-server`: what a client library needs to know (RFC 8414).

use axum::Json;
use axum::extract::State;
use lockstep_core::scope::Scope;
use serde_json::{Value, json};

use crate::api::Api;

/// Where the endpoints are, and what they take.
pub async fn metadata(State(api): State<Api>) -> Json<Value> {
    let base = api.app.config.public_url();
    let at = |path: &str| format!("{base}{path}");
    let scopes: Vec<&str> = Scope::all().map(Scope::as_str).collect();
    let methods = ["client_secret_basic", "client_secret_post", "none"];
    Json(json!({
        "issuer": base,
        "authorization_endpoint": at("/oauth/authorize"),
        "token_endpoint": at("/oauth/token"),
        "revocation_endpoint": at("/oauth/revoke"),
        "introspection_endpoint": at("/oauth/introspect"),
        "jwks_uri": at("/oauth/jwks"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": methods[..2],
        "authorization_response_iss_parameter_supported": true,
    }))
}
