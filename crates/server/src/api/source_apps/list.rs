//! `GET …/source-apps`, `GET …/source-apps/all` and `GET …/source-apps/assigned`.

use axum::extract::State;
use lockstep_core::filter::collections::SOURCE_APPS;

use super::AppView;
use crate::api::Api;
use crate::api::error::Error;
use crate::api::list::{Choosing, ListRequest, Listed, Paging};
use crate::api::openapi::{BadRequest, Refused};
use crate::app::application::read as app;
use crate::auth::Permit;

/// List the applications
///
/// Those that people see where they change passwords.
#[utoipa::path(
    get,
    path = "/source-apps",
    tag = "Applications",
    params(Paging, Choosing),
    responses(
        (status = 200, description = "The applications.", body = Vec<AppView>,
            headers(("X-Total-Count" = u64, description = "How many there are, where `count` asks."))),
        (status = 400, description = "A parameter is wrong.", body = BadRequest),
        Refused,
    ),
)]
pub(in crate::api) async fn list_applications(
    State(api): State<Api>,
    permit: Permit,
    list: ListRequest,
) -> Result<Listed<AppView>, Error> {
    let query = list.query(&SOURCE_APPS)?;
    Ok(list.chosen(app::list(&api.app, &permit).await?, &query).map(AppView::from))
}

/// List all applications
///
/// Those that people do not see too.
#[utoipa::path(
    get,
    path = "/source-apps/all",
    tag = "Applications",
    params(Paging, Choosing),
    responses(
        (status = 200, description = "The applications.", body = Vec<AppView>,
            headers(("X-Total-Count" = u64, description = "How many there are, where `count` asks."))),
        (status = 400, description = "A parameter is wrong.", body = BadRequest),
        Refused,
    ),
)]
pub(in crate::api) async fn list_all_applications(
    State(api): State<Api>,
    permit: Permit,
    list: ListRequest,
) -> Result<Listed<AppView>, Error> {
    let query = list.query(&SOURCE_APPS)?;
    Ok(list.chosen(app::list_all(&api.app, &permit).await?, &query).map(AppView::from))
}

/// List one's own applications
///
/// Those in which the person whose token it is has an account.
#[utoipa::path(
    get,
    path = "/source-apps/assigned",
    tag = "Applications",
    params(Paging, Choosing),
    responses(
        (status = 200, description = "The applications.", body = Vec<AppView>,
            headers(("X-Total-Count" = u64, description = "How many there are, where `count` asks."))),
        (status = 400, description = "A parameter is wrong.", body = BadRequest),
        Refused,
    ),
)]
pub(in crate::api) async fn list_assigned_applications(
    State(api): State<Api>,
    permit: Permit,
    list: ListRequest,
) -> Result<Listed<AppView>, Error> {
    let query = list.query(&SOURCE_APPS)?;
    Ok(list.chosen(app::list_assigned(&api.app, &permit).await?, &query).map(AppView::from))
}
