//! `POST …/source-apps`; `GET`, `PATCH` and `DELETE …/source-apps/{id}`.

use axum::extract::State;
use axum::response::Response;
use lockstep_core::id::{ApplicationId, SourceId};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::AppView;
use crate::api::Api;
use crate::api::conditional::{Conditions, tagged};
use crate::api::error::Error;
use crate::api::extract::{JsonBody, PathId, prose, required};
use crate::api::openapi::{BadRequest, Refused, RefusedOne};
use crate::api::patch::{self, PatchBody, PatchOperations};
use crate::app::Error as AppError;
use crate::app::application::{Told, Wanted, change, create, delete, read};
use crate::app::revision::Seen;
use crate::auth::Permit;

/// What can be patched, where the outcome is what Lockstep has. The last five are as they are.
const WRITABLE: [&str; 8] = [
    "name",
    "description",
    "accountSource",
    "enabled",
    "provisionRequestEnabled",
    "matchAllAccounts",
    "appCenterEnabled",
    "owner",
];

/// What an application should be.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SourceAppRequest)]
pub(in crate::api) struct AppRequest {
    /// What people call it; unique.
    #[schema(value_type = String, required, min_length = 1, max_length = 255, examples("Payroll"))]
    name: Option<String>,
    /// A sentence for people.
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// Of no effect: an application stands for all accounts of its source. The vendor's clients send false unless told otherwise.
    #[expect(dead_code, reason = "only the type is looked at")]
    match_all_accounts: Option<bool>,
    /// Where its accounts are.
    #[schema(value_type = AccountSourceRequest, required)]
    account_source: Option<AccountSourceRequest>,
}

/// Where the accounts of an application should be.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AccountSourceRequest {
    /// The source.
    #[schema(value_type = String, required)]
    id: Option<SourceId>,
    /// Whether people see the application where they change passwords; true unless said.
    use_for_password_management: Option<bool>,
}

/// Make an application
///
/// People see it where they change passwords unless it says otherwise.
#[utoipa::path(
    post,
    path = "/source-apps",
    tag = "Applications",
    request_body = AppRequest,
    responses(
        (status = 200, description = "The application that was made.", body = AppView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "A field is missing or wrong, or the name is taken.", body = BadRequest),
        Refused,
    ),
)]
pub(in crate::api) async fn create_application(
    State(api): State<Api>,
    permit: Permit,
    JsonBody(body): JsonBody<AppRequest>,
) -> Result<Response, Error> {
    Ok(tagged(create::create(&api.app, &permit, body.wanted()?).await?, AppView::from))
}

/// Read an application
///
/// With the source that its accounts are on.
#[utoipa::path(
    get,
    path = "/source-apps/{id}",
    tag = "Applications",
    params(("id" = String, Path, description = "The application.")),
    responses(
        (status = 200, description = "The application.", body = AppView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "The header for experimental operations is missing.", body = BadRequest),
        RefusedOne,
        Refused,
    ),
)]
pub(in crate::api) async fn get_application(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<ApplicationId>,
) -> Result<Response, Error> {
    Ok(tagged(read::get(&api.app, &permit, id).await?, AppView::from))
}

/// Change an application
///
/// A JSON Patch (RFC 6902) of `name`, `description` and `accountSource`.
#[utoipa::path(
    patch,
    path = "/source-apps/{id}",
    tag = "Applications",
    params(("id" = String, Path, description = "The application."), Conditions),
    request_body(content = PatchOperations, content_type = "application/json-patch+json"),
    responses(
        (status = 200, description = "The application as it is now.", body = AppView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "The patch cannot be applied, or what comes out cannot be.", body = BadRequest),
        RefusedOne,
        Refused,
    ),
)]
pub(in crate::api) async fn change_application(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<ApplicationId>,
    seen: Seen,
    PatchBody(patch): PatchBody,
) -> Result<Response, Error> {
    let wanted = move |told: Told| {
        let before = serde_json::to_value(AppView::from(told)).unwrap_or_default();
        patched(&before, patch::apply(before.clone(), &patch, &WRITABLE)?)
    };
    Ok(tagged(change::change(&api.app, &permit, id, seen, wanted).await?, AppView::from))
}

/// Delete an application
///
/// Its source and the accounts there stay.
#[utoipa::path(
    delete,
    path = "/source-apps/{id}",
    tag = "Applications",
    params(("id" = String, Path, description = "The application."), Conditions),
    responses(
        (status = 200, description = "The application that is gone.", body = AppView),
        (status = 400, description = "The header for experimental operations is missing.", body = BadRequest),
        RefusedOne,
        Refused,
    ),
)]
pub(in crate::api) async fn delete_application(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<ApplicationId>,
    seen: Seen,
) -> Result<axum::Json<AppView>, Error> {
    Ok(axum::Json(delete::delete(&api.app, &permit, id, seen).await?.into()))
}

impl AppRequest {
    fn wanted(self) -> Result<Wanted, AppError> {
        let source = self.account_source.ok_or(AppError::Missing("accountSource"))?;
        Ok(Wanted {
            name: required("name", self.name, 255)?,
            description: prose("description", self.description, 2000)?.unwrap_or_default(),
            source: source.id.ok_or(AppError::Missing("accountSource.id"))?,
            use_for_password_management: source.use_for_password_management.unwrap_or(true),
        })
    }
}

/// What the patched application is, if Lockstep has such a thing.
fn patched(before: &Value, after: Value) -> Result<Wanted, AppError> {
    let fixed = WRITABLE.iter().filter(|field| !matches!(**field, "name" | "description" | "accountSource"));
    if let Some(field) = fixed.into_iter().find(|field| after.get(**field) != before.get(**field)) {
        return Err(AppError::ReadOnly(format!("/{field}")));
    }
    let wrong = AppError::Illegal { field: "a path of the patch", reason: "has a value of the wrong type".to_owned() };
    let shown = |app: &Value| app["accountSource"]["useForPasswordManagement"].as_bool();
    // Naming another source says nothing of whether people see it.
    let shown = shown(&after).or_else(|| shown(before)).unwrap_or(true);
    let request: AppRequest = serde_json::from_value(after).map_err(|_| wrong)?;
    Ok(Wanted { use_for_password_management: shown, ..request.wanted()? })
}
