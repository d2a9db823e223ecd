//! `POST …/accounts/{id}/reload`: one account is read again.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use lockstep_core::id::AccountId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::PathId;
use crate::api::openapi::Refused;
use crate::app::reload_account as app;
use crate::auth::Permit;

/// The task that says what became of it.
#[derive(Serialize, ToSchema)]
pub struct AccountsAsyncResult {
    /// Ask for it at `task-status`.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    id: String,
}

/// Read an account again
///
/// Reads one account from its source, and gives the task that says how that ended. An account that is not there any more is
/// taken for gone.
#[utoipa::path(
    post,
    path = "/accounts/{id}/reload",
    tag = "Aggregation",
    params(("id" = String, Path, description = "The account.")),
    responses(
        (status = 202, description = "The task.", body = AccountsAsyncResult),
        (status = 400, description = "The account is on no source that can be read.", body = ErrorResponse),
        (status = 404, description = "There is no such account.", body = ErrorResponse),
        Refused,
    ),
)]
pub async fn reload_account(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<AccountId>,
) -> Result<(StatusCode, Json<AccountsAsyncResult>), Error> {
    let task = app::reload_account(&api.app, &permit, id).await?;
    Ok((StatusCode::ACCEPTED, Json(AccountsAsyncResult { id: task.to_string() })))
}
