//! `POST`, `PUT`, `PATCH` and `DELETE …/sources`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use lockstep_core::id::SourceId;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Source, SourceRequest};
use crate::api::Api;
use crate::api::conditional::tagged;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::{JsonBody, PathId, required};
use crate::api::openapi::Refused;
use crate::api::patch::{self, PatchBody, PatchOperations};
use crate::app::Error as AppError;
use crate::app::revision::Seen;
use crate::app::source;
use crate::auth::Permit;

/// What a patch may touch.
const WRITABLE: [&str; 6] = ["name", "description", "features", "connectorAttributes", "concurrency", "aggregation"];

/// Create a source
///
/// Makes a source. Its settings are checked and nothing is connected to: test the connection afterwards. Without
/// `features` no passwords can be set on it yet; add `PASSWORD` when the test is good.
#[utoipa::path(
    post,
    path = "/sources",
    tag = "Sources",
    request_body = SourceRequest,
    responses(
        (status = 201, description = "The source.", body = Source,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "A field is missing or wrong, or the name is taken.", body = ErrorResponse),
        Refused,
    ),
)]
pub(in crate::api) async fn create_source(
    State(api): State<Api>,
    permit: Permit,
    JsonBody(mut request): JsonBody<SourceRequest>,
) -> Result<Response, Error> {
    let connector = required("connector", request.connector.take(), super::LONGEST_NAME)?;
    let made = source::create(&api.app, &permit, connector, request.draft()?).await?;
    let mut response = tagged(made, Source::from);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Replace a source
///
/// Sets the name, description, settings and features of a source; what is left out is empty. `connector` must be the one that
/// it has.
#[utoipa::path(
    put,
    path = "/sources/{id}",
    tag = "Sources",
    params(
        ("id" = String, Path, description = "The source."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the client has seen."),
    ),
    request_body = SourceRequest,
    responses(
        (status = 200, description = "The source.", body = Source,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "A field is missing or wrong, or the name is taken.", body = ErrorResponse),
        (status = 404, description = "There is no such source.", body = ErrorResponse),
        (status = 412, description = "It was changed meanwhile.", body = ErrorResponse),
        Refused,
    ),
)]
pub(in crate::api) async fn put_source(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<SourceId>,
    seen: Seen,
    JsonBody(mut request): JsonBody<SourceRequest>,
) -> Result<Response, Error> {
    let connector = required("connector", request.connector.take(), super::LONGEST_NAME)?;
    let changed = source::change(&api.app, &permit, id, &seen, |told| {
        if told.stored.source.connector != connector {
            return Err(AppError::ReadOnly("connector".to_owned()));
        }
        let mut draft = request.draft()?;
        draft.features.get_or_insert_default();
        Ok(draft)
    });
    Ok(tagged(changed.await?, Source::from))
}

/// Change a source
///
/// Applies a JSON Patch (RFC 6902) to what is told of the source. `/name`, `/description`, `/features`,
/// `/connectorAttributes`, `/concurrency` and `/aggregation` can be changed.
#[utoipa::path(
    patch,
    path = "/sources/{id}",
    tag = "Sources",
    params(
        ("id" = String, Path, description = "The source."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the client has seen."),
    ),
    request_body(content = PatchOperations, content_type = "application/json-patch+json"),
    responses(
        (status = 200, description = "The source.", body = Source,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "The patch touches what cannot be changed, cannot be applied, or what it makes \
            is wrong.", body = ErrorResponse),
        (status = 404, description = "There is no such source.", body = ErrorResponse),
        (status = 412, description = "It was changed meanwhile.", body = ErrorResponse),
        Refused,
    ),
)]
pub(in crate::api) async fn update_source(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<SourceId>,
    seen: Seen,
    PatchBody(patch): PatchBody,
) -> Result<Response, Error> {
    let changed = source::change(&api.app, &permit, id, &seen, |told| {
        let request: SourceRequest = patch::applied(&Source::from(told.clone()), &patch, &WRITABLE)?;
        request.draft()
    });
    Ok(tagged(changed.await?, Source::from))
}

/// What a deletion becomes.
#[derive(Serialize, ToSchema)]
#[schema(as = DeletedSource)]
pub struct DeletedSource {
    /// Always `TASK_RESULT`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The id of the request. The source is gone already.
    id: String,
    /// Nothing.
    name: Option<String>,
}

/// Delete a source
///
/// Removes a source, its secrets, and the accounts there that are nobody's. While it has accounts of people, a sync group,
/// applications or people who sign in with it, it stays, and the error names them.
#[utoipa::path(
    delete,
    path = "/sources/{id}",
    tag = "Sources",
    params(
        ("id" = String, Path, description = "The source."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the client has seen."),
    ),
    responses(
        (status = 202, description = "It is gone.", body = DeletedSource),
        (status = 400, description = "Something refers to it.", body = ErrorResponse),
        (status = 404, description = "There is no such source.", body = ErrorResponse),
        (status = 412, description = "It was changed meanwhile.", body = ErrorResponse),
        Refused,
    ),
)]
pub(in crate::api) async fn delete_source(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<SourceId>,
    seen: Seen,
) -> Result<Response, Error> {
    source::delete(&api.app, &permit, id, seen).await?;
    let body = DeletedSource { kind: "TASK_RESULT", id: id.to_string(), name: None };
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}
