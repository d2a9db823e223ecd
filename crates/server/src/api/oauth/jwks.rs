//! `GET /oauth/jwks` and `/.well-known/jwks.json`: the keys that others verify our tokens with (RFC 7517).

use axum::Json;
use axum::extract::State;
use lockstep_vault::token::Jwks;

use crate::api::Api;

/// The public halves of every key that a living token may be signed with.
pub async fn jwks(State(api): State<Api>) -> Json<Jwks> {
    Json(api.app.vault.jwks())
}
