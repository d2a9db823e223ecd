//! `…/auth-users/{id}`: what a person is in the organisation.

use axum::extract::State;
use axum::response::Response;
use lockstep_core::id::IdentityId;
use lockstep_core::scope::UserLevel;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use utoipa::ToSchema;

use super::Api;
use super::conditional::{Conditions, tagged};
use super::error::{Error, ErrorResponse};
use super::extract::PathId;
use super::openapi::{Refused, RefusedOne};
use super::patch::{self, PatchBody, PatchOperations};
use super::time::instant;
use crate::app::Error as AppError;
use crate::app::level::{self, AuthUser, GRANTED};
use crate::app::revision::Seen;
use crate::auth::Permit;

/// A person, as far as signing in and administering goes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuthUser)]
pub(super) struct AuthUserView {
    /// The organisation.
    tenant: String,
    /// The person.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    id: String,
    /// The login name.
    uid: String,
    /// The login name.
    alias: String,
    /// What people are called.
    display_name: String,
    /// The first name, if it is known.
    firstname: Option<String>,
    /// The last name, if it is known.
    lastname: Option<String>,
    /// Where mail reaches the person, if anywhere.
    email: Option<String>,
    /// When the sign-in password was last changed.
    #[schema(format = "date-time")]
    last_password_change_date: Option<String>,
    /// What the person may do besides what everybody may.
    capabilities: Vec<Capability>,
}

/// A level that can be granted.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = Capability)]
enum Capability {
    /// Administers the organisation.
    OrgAdmin,
    /// Helps people who cannot sign in.
    #[serde(rename = "HELPDESK")]
    HelpDesk,
    /// Looks after sources.
    SourceAdmin,
}

/// What can be patched.
#[derive(Deserialize)]
struct Patched {
    capabilities: Option<Vec<String>>,
}

/// Read what a person is
///
/// Levels are those of this moment; tokens do not keep them.
#[utoipa::path(
    get,
    path = "/auth-users/{id}",
    tag = "Levels of people",
    params(("id" = String, Path, description = "The person.")),
    responses(
        (status = 200, description = "The person.", body = AuthUserView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        RefusedOne,
        Refused,
    ),
)]
pub(super) async fn get_auth_user(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<IdentityId>,
) -> Result<Response, Error> {
    Ok(tagged(level::get(&api.app, &permit, id).await?, |user| view(&api, &user)))
}

/// Grant and revoke levels
///
/// A JSON Patch (RFC 6902) of `capabilities`. It counts at once, also for tokens that live. Nobody grants a level to
/// themselves, and the last ORG_ADMIN stays one.
#[utoipa::path(
    patch,
    path = "/auth-users/{id}",
    tag = "Levels of people",
    params(("id" = String, Path, description = "The person."), Conditions),
    request_body(content = PatchOperations, content_type = "application/json-patch+json"),
    responses(
        (status = 200, description = "The person as they are now.", body = AuthUserView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "The patch cannot be applied, or what comes out cannot be.", body = ErrorResponse),
        RefusedOne,
        Refused,
    ),
)]
pub(super) async fn change_auth_user(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<IdentityId>,
    seen: Seen,
    PatchBody(patch): PatchBody,
) -> Result<Response, Error> {
    let within = api.clone();
    let wanted = move |user: &AuthUser| {
        let before = serde_json::to_value(view(&within, user)).unwrap_or_default();
        levels(patch::apply(before, &patch, &["capabilities"])?)
    };
    Ok(tagged(level::change(&api.app, &permit, id, seen, wanted).await?, |user| view(&api, &user)))
}

fn levels(patched: Value) -> Result<BTreeSet<UserLevel>, AppError> {
    let illegal = || AppError::Illegal {
        field: "capabilities",
        reason: "must be a list of ORG_ADMIN, HELPDESK and SOURCE_ADMIN".to_owned(),
    };
    let patched: Patched = serde_json::from_value(patched).map_err(|_| illegal())?;
    let level = |name: String| name.parse().ok().filter(|level| GRANTED.contains(level)).ok_or_else(illegal);
    patched.capabilities.unwrap_or_default().into_iter().map(level).collect()
}

fn view(api: &Api, user: &AuthUser) -> AuthUserView {
    let identity = &user.identity;
    let capability = |level: &UserLevel| match level {
        UserLevel::OrgAdmin => Some(Capability::OrgAdmin),
        UserLevel::HelpDesk => Some(Capability::HelpDesk),
        UserLevel::SourceAdmin => Some(Capability::SourceAdmin),
        UserLevel::User => None,
    };
    AuthUserView {
        tenant: api.app.config.organisation.name.clone(),
        id: identity.id.to_string(),
        uid: identity.alias.clone(),
        alias: identity.alias.clone(),
        display_name: identity.display_name.clone(),
        firstname: identity.attributes.get("firstname").cloned(),
        lastname: identity.attributes.get("lastname").cloned(),
        email: identity.email.clone(),
        last_password_change_date: user.password_changed_at.map(instant),
        capabilities: user.levels.iter().filter_map(capability).collect(),
    }
}
