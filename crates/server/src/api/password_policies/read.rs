//! `GET …/password-policies` and `GET …/password-policies/{id}`.

use axum::extract::State;
use axum::response::Response;
use lockstep_core::id::PasswordPolicyId;

use super::PolicyView;
use crate::api::Api;
use crate::api::conditional::tagged;
use crate::api::error::Error;
use crate::api::extract::PathId;
use crate::api::list::{ListRequest, Listed, Paging};
use crate::api::openapi::{BadRequest, Refused, RefusedOne};
use crate::app::password_policy::read as app;
use crate::auth::Permit;

/// List the password policies
///
/// In the order of their names.
#[utoipa::path(
    get,
    path = "/password-policies",
    tag = "Password policies",
    params(Paging),
    responses(
        (status = 200, description = "The policies.", body = Vec<PolicyView>,
            headers(("X-Total-Count" = u64, description = "How many there are, where `count` asks."))),
        (status = 400, description = "A parameter is wrong.", body = BadRequest),
        Refused,
    ),
)]
pub(in crate::api) async fn list_password_policies(
    State(api): State<Api>,
    permit: Permit,
    list: ListRequest,
) -> Result<Listed<PolicyView>, Error> {
    list.unsorted()?;
    let policies = app::list(&api.app, &permit).await?;
    Ok(list.part(policies.into_iter().map(PolicyView::from).collect()))
}

/// Read a password policy
///
/// With its rules and the sources whose own list names it.
#[utoipa::path(
    get,
    path = "/password-policies/{id}",
    tag = "Password policies",
    params(("id" = String, Path, description = "The policy.")),
    responses(
        (status = 200, description = "The policy.", body = PolicyView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "The header for experimental operations is missing.", body = BadRequest),
        RefusedOne,
        Refused,
    ),
)]
pub(in crate::api) async fn get_password_policy(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<PasswordPolicyId>,
) -> Result<Response, Error> {
    Ok(tagged(app::get(&api.app, &permit, id).await?, PolicyView::from))
}
