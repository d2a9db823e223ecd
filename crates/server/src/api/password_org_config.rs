//! `…/password-org-config`: the organisation's password settings.

use axum::extract::State;
use axum::response::Response;
use lockstep_core::org_config::{PasswordOrgConfig, PasswordOrgConfigChange};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::conditional::{Conditions, tagged};
use super::error::{Error, ErrorResponse};
use super::extract::JsonBody;
use super::openapi::Refused;
use crate::app::org_config as app;
use crate::app::revision::Seen;
use crate::auth::Permit;

/// The organisation's password settings. In a request, what is left out or null has its default, or stays as it is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[schema(as = PasswordOrgConfig)]
pub(super) struct OrgConfigView {
    /// Whether pages show the organisation's own instructions.
    custom_instructions_enabled: bool,
    /// Whether digit tokens can be drawn.
    digit_token_enabled: bool,
    /// How long a digit token lives unless a request says it, in minutes.
    #[schema(minimum = 1, maximum = 60)]
    digit_token_duration_minutes: i64,
    /// How many digits it has unless a request asks for more.
    #[schema(minimum = 6, maximum = 18)]
    digit_token_length: i64,
}

/// Read the password settings
///
/// Before they are made, the defaults hold.
#[utoipa::path(
    get,
    path = "/password-org-config",
    tag = "Password settings",
    responses(
        (status = 200, description = "The settings.", body = OrgConfigView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        Refused,
    ),
)]
pub(super) async fn get_org_config(State(api): State<Api>, permit: Permit) -> Result<Response, Error> {
    Ok(tagged(app::get(&api.app, &permit).await?, OrgConfigView::from))
}

/// Make the password settings
///
/// What is left out has its default. There is one set of them: if it is there, change it.
#[utoipa::path(
    post,
    path = "/password-org-config",
    tag = "Password settings",
    request_body = OrgConfigView,
    responses(
        (status = 200, description = "The settings that were made.", body = OrgConfigView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "A field is wrong, or there are settings already.", body = ErrorResponse),
        Refused,
    ),
)]
pub(super) async fn create_org_config(
    State(api): State<Api>,
    permit: Permit,
    JsonBody(change): JsonBody<PasswordOrgConfigChange>,
) -> Result<Response, Error> {
    Ok(tagged(app::create(&api.app, &permit, change).await?, OrgConfigView::from))
}

/// Change the password settings
///
/// What is left out stays as it is.
#[utoipa::path(
    put,
    path = "/password-org-config",
    tag = "Password settings",
    params(Conditions),
    request_body = OrgConfigView,
    responses(
        (status = 200, description = "The settings as they are now.", body = OrgConfigView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "A field is wrong.", body = ErrorResponse),
        (status = 412, description = "They are not any more as `If-Match` says.", body = ErrorResponse),
        Refused,
    ),
)]
pub(super) async fn change_org_config(
    State(api): State<Api>,
    permit: Permit,
    seen: Seen,
    JsonBody(change): JsonBody<PasswordOrgConfigChange>,
) -> Result<Response, Error> {
    Ok(tagged(app::change(&api.app, &permit, seen, change).await?, OrgConfigView::from))
}

impl From<PasswordOrgConfig> for OrgConfigView {
    fn from(config: PasswordOrgConfig) -> Self {
        Self {
            custom_instructions_enabled: config.custom_instructions_enabled,
            digit_token_enabled: config.digit_token_enabled,
            digit_token_duration_minutes: config.digit_token_duration_minutes,
            digit_token_length: config.digit_token_length,
        }
    }
}

impl Default for OrgConfigView {
    fn default() -> Self {
        PasswordOrgConfig::default().into()
    }
}
