//! `POST …/accounts/{id}/unlock`, `…/enable` and `…/disable`.

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
use crate::app::account;
use crate::auth::Permit;

/// What was asked for was done.
#[derive(Serialize, ToSchema)]
#[schema(as = AccountsAsyncResult)]
pub struct Done {
    /// The account; there is nothing to wait for.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    id: String,
}

/// Unlock an account
///
/// Ends a lock after wrong passwords on the account's source. On the built-in source the person may try to sign in again. A
/// body is not needed; what it says is ignored.
#[utoipa::path(
    post,
    path = "/accounts/{id}/unlock",
    tag = "Accounts",
    params(("id" = String, Path, description = "The account.")),
    responses(
        (status = 202, description = "It is unlocked.", body = Done),
        (status = 400, description = "The source cannot unlock, or refuses.", body = ErrorResponse),
        (status = 404, description = "There is no such account.", body = ErrorResponse),
        (status = 503, description = "The source cannot be reached now.", body = ErrorResponse),
        Refused,
    ),
)]
pub(in crate::api) async fn unlock_account(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<AccountId>,
) -> Result<(StatusCode, Json<Done>), Error> {
    account::unlock(&api.app, &permit, id).await?;
    Ok(done(id))
}

/// Enable an account
///
/// Lets the account sign in on its source. On the built-in source it enables the person.
#[utoipa::path(
    post,
    path = "/accounts/{id}/enable",
    tag = "Accounts",
    params(("id" = String, Path, description = "The account.")),
    responses(
        (status = 202, description = "It is enabled.", body = Done),
        (status = 400, description = "The source cannot enable, or refuses.", body = ErrorResponse),
        (status = 404, description = "There is no such account.", body = ErrorResponse),
        (status = 503, description = "The source cannot be reached now.", body = ErrorResponse),
        Refused,
    ),
)]
pub(in crate::api) async fn enable_account(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<AccountId>,
) -> Result<(StatusCode, Json<Done>), Error> {
    account::set_enabled(&api.app, &permit, id, true).await?;
    Ok(done(id))
}

/// Disable an account
///
/// Keeps the account from signing in on its source. On the built-in source it disables the person: their tokens end at once,
/// and so does every change that waits for delivery to them.
#[utoipa::path(
    post,
    path = "/accounts/{id}/disable",
    tag = "Accounts",
    params(("id" = String, Path, description = "The account.")),
    responses(
        (status = 202, description = "It is disabled.", body = Done),
        (status = 400, description = "The source cannot disable, or refuses.", body = ErrorResponse),
        (status = 404, description = "There is no such account.", body = ErrorResponse),
        (status = 503, description = "The source cannot be reached now.", body = ErrorResponse),
        Refused,
    ),
)]
pub(in crate::api) async fn disable_account(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<AccountId>,
) -> Result<(StatusCode, Json<Done>), Error> {
    account::set_enabled(&api.app, &permit, id, false).await?;
    Ok(done(id))
}

fn done(id: AccountId) -> (StatusCode, Json<Done>) {
    (StatusCode::ACCEPTED, Json(Done { id: id.to_string() }))
}
