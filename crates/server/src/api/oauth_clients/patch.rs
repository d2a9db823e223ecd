//! `PATCH …/oauth-clients/{id}`.

use axum::Json;
use axum::extract::State;
use lockstep_core::id::ClientId;

use super::OauthClient;
use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::PathId;
use crate::api::openapi::Refused;
use crate::api::patch::{PatchBody, PatchOperations};
use crate::app::oauth_clients;
use crate::auth::Permit;

/// Change an API client
///
/// A JSON Patch (RFC 6902) of what is set about it. Its id, type, scopes and secret cannot be changed. Takes the level
/// ORG_ADMIN.
#[utoipa::path(
    patch,
    path = "/oauth-clients/{id}",
    tag = "OAuth clients",
    params(("id" = String, Path, description = "The client's id.")),
    request_body(content = PatchOperations, content_type = "application/json-patch+json"),
    responses(
        (status = 200, description = "The client as it is now.", body = OauthClient),
        (status = 400, description = "The patch cannot be carried out.", body = ErrorResponse),
        (status = 404, description = "There is no such client.", body = ErrorResponse),
        Refused,
    ),
)]
pub async fn patch_oauth_client(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<ClientId>,
    PatchBody(patch): PatchBody,
) -> Result<Json<OauthClient>, Error> {
    Ok(Json(OauthClient::of(oauth_clients::change(&api.app, &permit, id, patch).await?)))
}
