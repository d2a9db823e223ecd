//! `GET …/password-change-status/{id}`: what became of a change.

use axum::Json;
use axum::extract::State;
use lockstep_core::id::ChangeId;
use serde::Serialize;
use utoipa::ToSchema;

use super::set::PasswordChangeState;
use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::PathId;
use crate::api::openapi::Refused;
use crate::app::password_change_status as app;
use crate::auth::Permit;

/// What became of a change.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordStatus {
    /// The change.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    request_id: String,
    /// How far it is.
    state: PasswordChangeState,
    /// One line for each account that did not get the new password, naming source and cause; empty until the change is
    /// final.
    errors: Vec<String>,
    /// The sources that the change reaches.
    source_ids: Vec<String>,
}

/// What became of a change
///
/// Tells how far a password change is and, once it is final, which accounts did not get the new password and why. A
/// person's token sees that person's changes only, unless its owner is ORG_ADMIN or HELPDESK. A change can be asked about
/// for at least 30 days.
#[utoipa::path(
    get,
    path = "/password-change-status/{id}",
    tag = "Password management",
    params(("id" = String, Path, description = "The `requestId` that set-password gave.")),
    responses(
        (status = 200, description = "How far it is.", body = PasswordStatus),
        (status = 404, description = "There is no such change.", body = ErrorResponse),
        Refused,
    ),
)]
pub async fn password_change_status(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<ChangeId>,
) -> Result<Json<PasswordStatus>, Error> {
    let status = app::password_change_status(&api.app, &permit, id).await?;
    Ok(Json(PasswordStatus {
        request_id: id.to_string(),
        state: status.state.into(),
        errors: status.errors,
        source_ids: status.sources.iter().map(ToString::to_string).collect(),
    }))
}
