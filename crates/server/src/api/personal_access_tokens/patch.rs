//! `PATCH …/personal-access-tokens/{id}`.

use axum::Json;
use axum::extract::State;
use lockstep_core::id::PersonalAccessTokenId;

use super::PersonalAccessToken;
use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::PathId;
use crate::api::openapi::Refused;
use crate::api::patch::{PatchBody, PatchOperations};
use crate::app::personal_access_tokens;
use crate::auth::Permit;

/// Change a personal access token
///
/// A JSON Patch (RFC 6902) of one's own token: its name, its scopes, or how long its access tokens live.
#[utoipa::path(
    patch,
    path = "/personal-access-tokens/{id}",
    tag = "Personal access tokens",
    params(("id" = String, Path, description = "The token's id.")),
    request_body(content = PatchOperations, content_type = "application/json-patch+json"),
    responses(
        (status = 200, description = "The token as it is now.", body = PersonalAccessToken),
        (status = 400, description = "The patch cannot be carried out.", body = ErrorResponse),
        (status = 404, description = "The caller has no such token.", body = ErrorResponse),
        Refused,
    ),
)]
pub async fn patch_personal_access_token(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<PersonalAccessTokenId>,
    PatchBody(patch): PatchBody,
) -> Result<Json<PersonalAccessToken>, Error> {
    let changed = personal_access_tokens::change(&api.app, &permit, id, patch).await?;
    Ok(Json(PersonalAccessToken::of(changed)))
}
