//! `GET …/oauth-clients/{id}`.

use axum::Json;
use axum::extract::State;
use lockstep_core::id::ClientId;

use super::OauthClient;
use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::PathId;
use crate::api::openapi::Refused;
use crate::app::oauth_clients;
use crate::auth::Permit;

/// Read an API client
///
/// Everything but its secret, which nobody knows. Takes the level ORG_ADMIN.
#[utoipa::path(
    get,
    path = "/oauth-clients/{id}",
    tag = "OAuth clients",
    params(("id" = String, Path, description = "The client's id.")),
    responses(
        (status = 200, description = "The client.", body = OauthClient),
        (status = 404, description = "There is no such client.", body = ErrorResponse),
        Refused,
    ),
)]
pub async fn get_oauth_client(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<ClientId>,
) -> Result<Json<OauthClient>, Error> {
    Ok(Json(OauthClient::of(oauth_clients::get(&api.app, &permit, id).await?)))
}
