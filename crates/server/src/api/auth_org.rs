//! `…/auth-org/…`: the organisation's sign-in settings.

use axum::extract::State;
use axum::response::Response;
use lockstep_core::auth_org::{LockoutConfig, NetworkConfig, SessionConfig};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::conditional::{Conditions, tagged};
use super::error::{Error, ErrorResponse};
use super::extract::JsonBody;
use super::openapi::Refused;
use super::patch::{PatchBody, PatchOperations};
use crate::app::auth_org as app;
use crate::app::revision::Seen;
use crate::auth::Permit;

/// How many wrong tries lock.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LockoutConfiguration)]
pub(super) struct LockoutView {
    /// How many wrong tries in a row lock.
    #[schema(minimum = 1, maximum = 15)]
    maximum_attempts: i64,
    /// For how long nobody is let in after that, in minutes.
    #[schema(minimum = 5, maximum = 60)]
    lockout_duration: i64,
    /// Tries that are further apart than this are not in a row; in minutes.
    #[schema(minimum = 5, maximum = 60)]
    lockout_window: i64,
}

/// Where people are trusted, for the policies that ask for a second factor elsewhere.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[schema(as = NetworkConfiguration)]
pub(super) struct NetworkView {
    /// Addresses and networks. None, or an empty list: nobody is trusted for their network.
    #[schema(examples(json!(["192.0.2.0/24", "2001:db8::/32"])))]
    range: Option<Vec<String>>,
    /// Countries, by two letters. None, or an empty list: nobody is trusted for their country.
    #[schema(examples(json!(["DE", "AT"])))]
    geolocation: Option<Vec<String>>,
    /// Whether what is listed is what is trusted; otherwise everything else is.
    whitelisted: bool,
}

/// How long a session on the pages goes on.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SessionConfiguration)]
pub(super) struct SessionView {
    /// For how long one that nobody uses goes on, in minutes.
    #[schema(minimum = 1, maximum = 1440)]
    max_idle_time: i64,
    /// Whether it outlives the browser's being closed: false, and it cannot be changed.
    remember_me: bool,
    /// The longest that one goes on, in minutes; more than `maxIdleTime`.
    #[schema(minimum = 1, maximum = 10080)]
    max_session_time: i64,
}

/// Read how many wrong tries lock
///
/// Passwords, and codes of a second factor, each by themselves.
#[utoipa::path(
    get,
    path = "/auth-org/lockout-config",
    tag = "Sign-in settings",
    responses(
        (status = 200, description = "The settings.", body = LockoutView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        Refused,
    ),
)]
pub(super) async fn get_lockout_config(State(api): State<Api>, permit: Permit) -> Result<Response, Error> {
    Ok(tagged(app::get::<LockoutConfig>(&api.app, &permit).await?, LockoutView::from))
}

/// Change how many wrong tries lock
///
/// A JSON Patch (RFC 6902). It counts for the tries that there were, too.
#[utoipa::path(
    patch,
    path = "/auth-org/lockout-config",
    tag = "Sign-in settings",
    params(Conditions),
    request_body(content = PatchOperations, content_type = "application/json-patch+json"),
    responses(
        (status = 200, description = "The settings as they are now.", body = LockoutView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "A field is wrong, or the patch cannot be carried out.", body = ErrorResponse),
        (status = 412, description = "They are not any more as `If-Match` says.", body = ErrorResponse),
        Refused,
    ),
)]
pub(super) async fn change_lockout_config(
    State(api): State<Api>,
    permit: Permit,
    seen: Seen,
    PatchBody(patch): PatchBody,
) -> Result<Response, Error> {
    Ok(tagged(app::change::<LockoutConfig>(&api.app, &permit, seen, patch).await?, LockoutView::from))
}

/// Read where people are trusted
///
/// Before it was said for the first time, nowhere.
#[utoipa::path(
    get,
    path = "/auth-org/network-config",
    tag = "Sign-in settings",
    responses(
        (status = 200, description = "Networks and countries.", body = NetworkView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        Refused,
    ),
)]
pub(super) async fn get_network_config(State(api): State<Api>, permit: Permit) -> Result<Response, Error> {
    Ok(tagged(app::get::<NetworkConfig>(&api.app, &permit).await?, NetworkView::from))
}

/// Say for the first time where people are trusted
///
/// Where anything is listed, `whitelisted` must be said. If it was said already, change it.
#[utoipa::path(
    post,
    path = "/auth-org/network-config",
    tag = "Sign-in settings",
    request_body = NetworkView,
    responses(
        (status = 200, description = "Networks and countries.", body = NetworkView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "A field is wrong, or it was said already.", body = ErrorResponse),
        Refused,
    ),
)]
pub(super) async fn create_network_config(
    State(api): State<Api>,
    permit: Permit,
    JsonBody(network): JsonBody<NetworkConfig>,
) -> Result<Response, Error> {
    Ok(tagged(app::create_network(&api.app, &permit, network).await?, NetworkView::from))
}

/// Change where people are trusted
///
/// A JSON Patch (RFC 6902) of what was said, or of the defaults.
#[utoipa::path(
    patch,
    path = "/auth-org/network-config",
    tag = "Sign-in settings",
    params(Conditions),
    request_body(content = PatchOperations, content_type = "application/json-patch+json"),
    responses(
        (status = 200, description = "Networks and countries as they are now.", body = NetworkView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "A field is wrong, or the patch cannot be carried out.", body = ErrorResponse),
        (status = 412, description = "They are not any more as `If-Match` says.", body = ErrorResponse),
        Refused,
    ),
)]
pub(super) async fn change_network_config(
    State(api): State<Api>,
    permit: Permit,
    seen: Seen,
    PatchBody(patch): PatchBody,
) -> Result<Response, Error> {
    Ok(tagged(app::change::<NetworkConfig>(&api.app, &permit, seen, patch).await?, NetworkView::from))
}

/// Read how long a session goes on
///
/// Of people who are signed in on the pages; tokens have lives of their own.
#[utoipa::path(
    get,
    path = "/auth-org/session-config",
    tag = "Sign-in settings",
    responses(
        (status = 200, description = "The settings.", body = SessionView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        Refused,
    ),
)]
pub(super) async fn get_session_config(State(api): State<Api>, permit: Permit) -> Result<Response, Error> {
    Ok(tagged(app::get::<SessionConfig>(&api.app, &permit).await?, SessionView::from))
}

/// Change how long a session goes on
///
/// A JSON Patch (RFC 6902). It counts for the sessions that there are, too. `rememberMe` stays false: a browser that is
/// closed forgets its session.
#[utoipa::path(
    patch,
    path = "/auth-org/session-config",
    tag = "Sign-in settings",
    params(Conditions),
    request_body(content = PatchOperations, content_type = "application/json-patch+json"),
    responses(
        (status = 200, description = "The settings as they are now.", body = SessionView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "A field is wrong, or the patch cannot be carried out.", body = ErrorResponse),
        (status = 412, description = "They are not any more as `If-Match` says.", body = ErrorResponse),
        Refused,
    ),
)]
pub(super) async fn change_session_config(
    State(api): State<Api>,
    permit: Permit,
    seen: Seen,
    PatchBody(patch): PatchBody,
) -> Result<Response, Error> {
    Ok(tagged(app::change::<SessionConfig>(&api.app, &permit, seen, patch).await?, SessionView::from))
}

impl From<LockoutConfig> for LockoutView {
    fn from(config: LockoutConfig) -> Self {
        let LockoutConfig { maximum_attempts, lockout_duration, lockout_window } = config;
        Self { maximum_attempts, lockout_duration, lockout_window }
    }
}

impl From<NetworkConfig> for NetworkView {
    fn from(config: NetworkConfig) -> Self {
        let NetworkConfig { range, geolocation, whitelisted } = config;
        Self { range, geolocation, whitelisted: whitelisted.unwrap_or_default() }
    }
}

impl Default for NetworkView {
    fn default() -> Self {
        NetworkConfig::default().into()
    }
}

impl From<SessionConfig> for SessionView {
    fn from(config: SessionConfig) -> Self {
        let SessionConfig { max_idle_time, remember_me, max_session_time } = config;
        Self { max_idle_time, remember_me, max_session_time }
    }
}
