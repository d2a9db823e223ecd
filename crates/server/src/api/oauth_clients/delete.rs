//! `DELETE …/oauth-clients/{id}`.

use axum::extract::State;
use axum::http::StatusCode;
use lockstep_core::id::ClientId;

use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::PathId;
use crate::api::openapi::Refused;
use crate::app::oauth_clients;
use crate::auth::Permit;

/// Delete an API client
///
/// Its tokens are dead at once, and so are those of the people who signed in at it. Takes the level ORG_ADMIN.
#[utoipa::path(
    delete,
    path = "/oauth-clients/{id}",
    tag = "OAuth clients",
    params(("id" = String, Path, description = "The client's id.")),
    responses(
        (status = 204, description = "It is deleted."),
        (status = 404, description = "There is no such client.", body = ErrorResponse),
        Refused,
    ),
)]
pub async fn delete_oauth_client(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<ClientId>,
) -> Result<StatusCode, Error> {
    oauth_clients::delete(&api.app, &permit, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
