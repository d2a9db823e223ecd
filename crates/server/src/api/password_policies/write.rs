//! `POST …/password-policies`, `PUT` and `DELETE …/password-policies/{id}`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use lockstep_core::id::PasswordPolicyId;
use lockstep_core::password_policy::PasswordPolicy;

use super::{Beside, PolicyView, Rules};
use crate::api::Api;
use crate::api::conditional::{Conditions, tagged};
use crate::api::error::Error;
use crate::api::extract::{JsonBodies, PathId, prose, required};
use crate::api::openapi::{BadRequest, Refused, RefusedOne};
use crate::app::Error as AppError;
use crate::app::password_policy::{Wanted, create, delete, replace};
use crate::app::revision::Seen;
use crate::auth::Permit;

/// Make a password policy
///
/// What is left out is off. It binds nowhere until a source or a sync group names it.
#[utoipa::path(
    post,
    path = "/password-policies",
    tag = "Password policies",
    request_body = Rules,
    responses(
        (status = 200, description = "The policy that was made.", body = PolicyView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "A field is missing or wrong, or the name is taken.", body = BadRequest),
        Refused,
    ),
)]
pub(in crate::api) async fn create_password_policy(
    State(api): State<Api>,
    permit: Permit,
    JsonBodies(rules, beside): JsonBodies<PasswordPolicy, Beside>,
) -> Result<Response, Error> {
    Ok(tagged(create::create(&api.app, &permit, wanted(rules, beside)?).await?, PolicyView::from))
}

/// Give a password policy other rules
///
/// The whole policy: what is left out is off. The Default policy keeps its name.
#[utoipa::path(
    put,
    path = "/password-policies/{id}",
    tag = "Password policies",
    params(("id" = String, Path, description = "The policy."), Conditions),
    request_body = Rules,
    responses(
        (status = 200, description = "The policy as it is now.", body = PolicyView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "A field is missing or wrong, or the name is taken.", body = BadRequest),
        RefusedOne,
        Refused,
    ),
)]
pub(in crate::api) async fn replace_password_policy(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<PasswordPolicyId>,
    seen: Seen,
    JsonBodies(rules, beside): JsonBodies<PasswordPolicy, Beside>,
) -> Result<Response, Error> {
    let replaced = replace::replace(&api.app, &permit, id, seen, wanted(rules, beside)?).await?;
    Ok(tagged(replaced, PolicyView::from))
}

/// Delete a password policy
///
/// Not while a source or a sync group names it; `causes` says which do. The Default policy stays.
#[utoipa::path(
    delete,
    path = "/password-policies/{id}",
    tag = "Password policies",
    params(("id" = String, Path, description = "The policy."), Conditions),
    responses(
        (status = 204, description = "It is gone."),
        (status = 400, description = "It is in use, or the Default policy.", body = BadRequest),
        RefusedOne,
        Refused,
    ),
)]
pub(in crate::api) async fn delete_password_policy(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<PasswordPolicyId>,
    seen: Seen,
) -> Result<StatusCode, Error> {
    delete::delete(&api.app, &permit, id, seen).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn wanted(mut rules: PasswordPolicy, beside: Beside) -> Result<Wanted, AppError> {
    rules.name = required("name", Some(rules.name), 255)?;
    rules.description = prose("description", rules.description, 2000)?;
    Ok(Wanted { rules, sources: beside.source_ids })
}
