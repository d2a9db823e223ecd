//! `GET …/sources` and `GET …/sources/{id}`.

use axum::extract::State;
use axum::response::Response;
use lockstep_core::filter::collections::SOURCES;
use lockstep_core::id::SourceId;

use super::Source;
use crate::api::Api;
use crate::api::conditional::tagged;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::PathId;
use crate::api::list::{Choosing, ListRequest, Listed, Paging};
use crate::api::openapi::Refused;
use crate::app::source;
use crate::auth::Permit;

/// List sources
///
/// The sources, the built-in one among them; by id unless `sorters` says otherwise. Filters and sorters: `id`, `name`, `type`,
/// `description`, `created`, `modified`, `status`, `connectorName`; filters also `features`; and those whose values are the
/// same for all.
#[utoipa::path(
    get,
    path = "/sources",
    tag = "Sources",
    params(Paging, Choosing),
    responses(
        (status = 200, description = "The sources.", body = Vec<Source>,
            headers(("X-Total-Count" = u64, description = "How many there are in all, with `count=true`."))),
        (status = 400, description = "A parameter is wrong.", body = ErrorResponse),
        Refused,
    ),
)]
pub(in crate::api) async fn list_sources(
    State(api): State<Api>,
    permit: Permit,
    list: ListRequest,
) -> Result<Listed<Source>, Error> {
    let found = source::list(&api.app, &permit, list.of(&SOURCES)?).await?;
    Ok(Listed::of(found, Source::from))
}

/// Get a source
///
/// One source. Its secrets are not told.
#[utoipa::path(
    get,
    path = "/sources/{id}",
    tag = "Sources",
    params(("id" = String, Path, description = "The source.")),
    responses(
        (status = 200, description = "The source.", body = Source,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 404, description = "There is no such source.", body = ErrorResponse),
        Refused,
    ),
)]
pub(in crate::api) async fn get_source(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<SourceId>,
) -> Result<Response, Error> {
    Ok(tagged(source::get(&api.app, &permit, id).await?, Source::from))
}
