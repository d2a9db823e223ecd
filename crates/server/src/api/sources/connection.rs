//! `POST …/sources/{id}/connector/check-connection` and `…/test-configuration`: the same test under both names.

use axum::Json;
use axum::extract::State;
use lockstep_connectors::Level;
use lockstep_core::id::SourceId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::PathId;
use crate::api::openapi::Refused;
use crate::app::source::{self, Tested};
use crate::auth::Permit;

/// What a test found.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConnectionTest)]
pub struct ConnectionTest {
    /// The source.
    id: String,
    /// Its name.
    name: String,
    /// `SUCCESS`, also with warnings; or `FAILURE`.
    status: &'static str,
    /// How long it took.
    elapsed_millis: u64,
    /// What was found.
    details: ConnectionTestDetails,
}

/// What was found.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectionTestDetails)]
pub struct ConnectionTestDetails {
    /// What stands in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What was looked at, in order.
    checks: Vec<ConnectionCheck>,
}

/// One thing that was looked at.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectionCheck)]
pub struct ConnectionCheck {
    /// `GOOD` or `WARNING`.
    level: &'static str,
    /// A sentence for administrators.
    text: String,
}

/// Test a source's connection
///
/// Reaches the system, signs in there as the service account and looks at what can be looked at without changing anybody's
/// password.
#[utoipa::path(
    post,
    path = "/sources/{id}/connector/check-connection",
    tag = "Sources",
    params(("id" = String, Path, description = "The source.")),
    responses(
        (status = 200, description = "What was found.", body = ConnectionTest),
        (status = 404, description = "There is no such source.", body = ErrorResponse),
        Refused,
    ),
)]
pub(in crate::api) async fn check_connection(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<SourceId>,
) -> Result<Json<ConnectionTest>, Error> {
    Ok(Json(source::test_connection(&api.app, &permit, id).await?.into()))
}

/// Test a source's configuration
///
/// The same as testing its connection.
#[utoipa::path(
    post,
    path = "/sources/{id}/connector/test-configuration",
    tag = "Sources",
    params(("id" = String, Path, description = "The source.")),
    responses(
        (status = 200, description = "What was found.", body = ConnectionTest),
        (status = 404, description = "There is no such source.", body = ErrorResponse),
        Refused,
    ),
)]
pub(in crate::api) async fn test_configuration(
    state: State<Api>,
    permit: Permit,
    id: PathId<SourceId>,
) -> Result<Json<ConnectionTest>, Error> {
    check_connection(state, permit, id).await
}

impl From<Tested> for ConnectionTest {
    fn from(tested: Tested) -> Self {
        let checks = tested.checks.into_iter().map(|check| ConnectionCheck {
            level: match check.level {
                Level::Good => "GOOD",
                Level::Warning => "WARNING",
            },
            text: check.text,
        });
        Self {
            id: tested.id.to_string(),
            name: tested.name,
            status: if tested.failure.is_some() { "FAILURE" } else { "SUCCESS" },
            elapsed_millis: u64::try_from(tested.took.as_millis()).unwrap_or(u64::MAX),
            details: ConnectionTestDetails { error: tested.failure, checks: checks.collect() },
        }
    }
}
