//! `DELETE …/personal-access-tokens/{id}`.

use axum::extract::State;
use axum::http::StatusCode;
use lockstep_core::id::PersonalAccessTokenId;

use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::PathId;
use crate::api::openapi::Refused;
use crate::app::personal_access_tokens;
use crate::auth::Permit;

/// Delete a personal access token
///
/// One's own, or with the level ORG_ADMIN anybody's. The access tokens that it was exchanged for are dead at once.
#[utoipa::path(
    delete,
    path = "/personal-access-tokens/{id}",
    tag = "Personal access tokens",
    params(("id" = String, Path, description = "The token's id.")),
    responses(
        (status = 204, description = "It is deleted."),
        (status = 404, description = "There is no such token.", body = ErrorResponse),
        Refused,
    ),
)]
pub async fn delete_personal_access_token(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<PersonalAccessTokenId>,
) -> Result<StatusCode, Error> {
    personal_access_tokens::delete(&api.app, &permit, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
