//! The HTTP API: every address there is, in one table, and what surrounds every request.
//!
//! Handlers parse, call one use case of [`crate::app`] and render; they hold no rule and no SQL. The table is also where
//! our OpenAPI document comes from, so an address cannot be served without being described. Pages for people are not
//! here.

mod accept;
pub mod accounts;
pub mod address;
pub mod aggregation;
mod auth_org;
mod auth_users;
pub(crate) mod boundary;
mod caller;
pub(crate) mod client_address;
mod conditional;
pub mod error;
mod experimental;
pub mod extract;
pub mod identities;
pub(crate) mod limit;
pub mod list;
mod listener;
pub mod oauth;
pub mod oauth_clients;
pub mod openapi;
mod password_dictionary;
pub mod password_management;
mod password_org_config;
mod password_policies;
mod password_sync_groups;
pub mod patch;
pub mod personal_access_tokens;
mod prefer;
mod source_apps;
pub mod sources;
mod system;
mod time;
mod user_apps;

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRef};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use axum::{Extension, Router};
use chrono::{DateTime, SecondsFormat, Utc};
use lockstep_core::operation::Operation;
use tokio::net::TcpListener;
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use crate::app::App;
use crate::tls::Tls;
use crate::web;
use aggregation::{load_accounts, reload_account, task_status, update_account};
use client_address::Peer;
use error::Error;
use limit::{FAILURES, Failures, Requests};
use listener::TlsListener;
use oauth::{info, introspect, jwks, metadata, revoke, token};
use password_management::{digit, query, set, status};
use prefer::Waits;

/// What handlers share: the application, and what is counted for the length of a process. Every layer that a request
/// passes takes a copy, so that is cheap.
#[derive(Clone)]
pub struct Api(Arc<Shared>);

/// What an [`Api`] holds.
pub struct Shared {
    app: App,
    requests: Requests,
    failures: Failures,
    waits: Waits,
}

impl std::ops::Deref for Api {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<Api> for App {
    fn from_ref(api: &Api) -> Self {
        api.app.clone()
    }
}

impl Api {
    fn new(app: App) -> Self {
        let requests = Requests::new(&app.config.limits);
        Self(Arc::new(Shared { requests, failures: Failures::new(FAILURES), waits: Waits::default(), app }))
    }
}

/// The operations of the contract. Those with a version are at every address that the contract has for them.
fn contract() -> OpenApiRouter<Api> {
    let mut table = OpenApiRouter::with_openapi(openapi::head());
    // Tokens, for whoever holds credentials.
    let tokens = [
        openapi::body_optional(routes!(token::issue)),
        openapi::body_optional(routes!(revoke::revoke)),
        openapi::body_optional(routes!(introspect::introspect)),
        routes!(info::info),
    ];
    for (schemas, paths, methods) in tokens {
        table = table.routes((schemas, paths, methods.route_layer(from_fn(accept::json))));
    }
    for operation in Operation::ALL {
        let rule = operation.rule();
        for (version, path) in address::forms(rule.first, rule.rest) {
            table = table.routes(guarded(*operation, version, &path));
        }
    }
    table
}

/// An operation at one of its addresses, with its row beside it: what it asks for is asked by the [`Permit`] that its handler
/// takes.
///
/// [`Permit`]: crate::auth::Permit
fn guarded(operation: Operation, version: &str, path: &str) -> UtoipaMethodRouter<Api> {
    let (schemas, paths, methods) = openapi::at(path, version, operation, handler(operation));
    let guarded = (schemas, paths, methods.route_layer(Extension(operation)));
    let (schemas, paths, methods) = match experimental::is_asked_for(operation.rule().experimental, version) {
        true => experimental::asked_for(guarded),
        false => guarded,
    };
    let methods = match operation {
        Operation::GetDictionary => methods.route_layer(from_fn(accept::text)),
        _ => methods.route_layer(from_fn(accept::json)),
    };
    (schemas, paths, methods)
}

/// What answers an operation. One without a handler does not compile, and one without a row has no address.
fn handler(operation: Operation) -> UtoipaMethodRouter<Api> {
    match operation {
        Operation::QueryPasswordInfo => routes!(query::query_password_info),
        Operation::SetPassword => routes!(set::set_password),
        Operation::GetPasswordChangeStatus => routes!(status::password_change_status),
        Operation::CreateDigitToken => routes!(digit::generate_digit_token),
        Operation::ListSources => routes!(sources::read::list_sources),
        Operation::GetSource => routes!(sources::read::get_source),
        Operation::CreateSource => routes!(sources::write::create_source),
        Operation::PutSource => routes!(sources::write::put_source),
        Operation::UpdateSource => routes!(sources::write::update_source),
        Operation::DeleteSource => routes!(sources::write::delete_source),
        Operation::UpdatePasswordPolicyHolders => routes!(sources::policies::update_password_policy_holders),
        Operation::TestSourceConnection => routes!(sources::connection::check_connection),
        Operation::TestSourceConfiguration => routes!(sources::connection::test_configuration),
        Operation::ListAccounts => routes!(accounts::read::list_accounts),
        Operation::GetAccount => routes!(accounts::read::get_account),
        Operation::UnlockAccount => routes!(accounts::state::unlock_account),
        Operation::EnableAccount => routes!(accounts::state::enable_account),
        Operation::DisableAccount => routes!(accounts::state::disable_account),
        Operation::ListIdentities => routes!(identities::list_identities),
        Operation::GetIdentity => routes!(identities::get_identity),
        Operation::GetPublicIdentities => routes!(identities::list_public_identities),

        Operation::ListPasswordPolicies => routes!(password_policies::read::list_password_policies),
        Operation::GetPasswordPolicy => routes!(password_policies::read::get_password_policy),
        Operation::CreatePasswordPolicy => routes!(password_policies::write::create_password_policy),
        Operation::ReplacePasswordPolicy => routes!(password_policies::write::replace_password_policy),
        Operation::DeletePasswordPolicy => routes!(password_policies::write::delete_password_policy),

        Operation::ListSyncGroups => routes!(password_sync_groups::list_sync_groups),
        Operation::GetSyncGroup => routes!(password_sync_groups::get_sync_group),
        Operation::CreateSyncGroup => routes!(password_sync_groups::create_sync_group),
        Operation::ReplaceSyncGroup => routes!(password_sync_groups::replace_sync_group),
        Operation::DeleteSyncGroup => routes!(password_sync_groups::delete_sync_group),

        Operation::GetOrgConfig => routes!(password_org_config::get_org_config),
        Operation::CreateOrgConfig => routes!(password_org_config::create_org_config),
        Operation::ChangeOrgConfig => routes!(password_org_config::change_org_config),

        Operation::GetLockoutConfig => routes!(auth_org::get_lockout_config),
        Operation::ChangeLockoutConfig => routes!(auth_org::change_lockout_config),
        Operation::GetNetworkConfig => routes!(auth_org::get_network_config),
        Operation::CreateNetworkConfig => routes!(auth_org::create_network_config),
        Operation::ChangeNetworkConfig => routes!(auth_org::change_network_config),
        Operation::GetSessionConfig => routes!(auth_org::get_session_config),
        Operation::ChangeSessionConfig => routes!(auth_org::change_session_config),

        Operation::GetDictionary => routes!(password_dictionary::get_dictionary),
        Operation::ReplaceDictionary => routes!(password_dictionary::replace_dictionary),

        Operation::GetAuthUser => routes!(auth_users::get_auth_user),
        Operation::ChangeAuthUser => routes!(auth_users::change_auth_user),

        Operation::ListApplications => routes!(source_apps::list::list_applications),
        Operation::ListAllApplications => routes!(source_apps::list::list_all_applications),
        Operation::ListAssignedApplications => routes!(source_apps::list::list_assigned_applications),
        Operation::GetApplication => routes!(source_apps::one::get_application),
        Operation::CreateApplication => routes!(source_apps::one::create_application),
        Operation::ChangeApplication => routes!(source_apps::one::change_application),
        Operation::DeleteApplication => routes!(source_apps::one::delete_application),

        Operation::ListOwnUserApps => routes!(user_apps::list_own_user_apps),
        Operation::ListAllUserApps => routes!(user_apps::list_all_user_apps),
        Operation::ChangeUserApp => routes!(user_apps::change_user_app),
        Operation::ListUserAppAccounts => routes!(user_apps::list_user_app_accounts),
        Operation::ListOauthClients => routes!(oauth_clients::list::list_oauth_clients),
        Operation::CreateOauthClient => routes!(oauth_clients::create::create_oauth_client),
        Operation::GetOauthClient => routes!(oauth_clients::get::get_oauth_client),
        Operation::PatchOauthClient => routes!(oauth_clients::patch::patch_oauth_client),
        Operation::DeleteOauthClient => routes!(oauth_clients::delete::delete_oauth_client),
        Operation::ListPersonalAccessTokens => routes!(personal_access_tokens::list::list_personal_access_tokens),
        Operation::CreatePersonalAccessToken => routes!(personal_access_tokens::create::create_personal_access_token),
        Operation::PatchPersonalAccessToken => routes!(personal_access_tokens::patch::patch_personal_access_token),
        Operation::DeletePersonalAccessToken => routes!(personal_access_tokens::delete::delete_personal_access_token),
        Operation::ImportAccounts => openapi::body_optional(routes!(load_accounts::load_accounts)),
        Operation::GetTaskStatus => routes!(task_status::get),
        Operation::GetTaskStatusList => routes!(task_status::list),
        Operation::UpdateAccount => routes!(update_account::update_account),
        Operation::SubmitReloadAccount => routes!(reload_account::reload_account),
    }
}

/// What operators and other programs read, without a token.
fn system() -> Router<Api> {
    health()
        // Keys for verifying our tokens, how they are got, and our own description.
        .route("/oauth/jwks", get(jwks::jwks))
        .route("/.well-known/jwks.json", get(jwks::jwks))
        .route("/.well-known/oauth-authorization-server", get(metadata::metadata))
        .route("/openapi.json", get(openapi::serve))
}

/// Health and counters.
fn health() -> Router<Api> {
    Router::new()
        .route("/healthz", get(system::healthz))
        .route("/readyz", get(system::readyz))
        .route("/metrics", get(system::metrics))
}

/// The whole API of `app`. It must be served with the peer's address ([`serve`] does), which the token endpoint counts
/// failures by.
pub fn router(app: App) -> Router {
    let api = Api::new(app);
    let (contract, _) = contract().split_for_parts();
    let routed = contract
        .merge(system())
        .merge(web::router(api.app.clone()))
        .fallback(async || Error::NoRoute)
        .method_not_allowed_fallback(async || Error::Method)
        // The outermost first; together, as the router puts each layer that it is given into a box of its own.
        .layer((
            from_fn_with_state(api.clone(), boundary::around),
            CatchPanicLayer::custom(boundary::Panics),
            DefaultBodyLimit::max(extract::LARGEST_BODY),
        ))
        .with_state(api);
    // Routing sees the address only after the slashes are made single, so this stands outside.
    Router::new().fallback_service(routed.map_request(address::single_slashes))
}

/// Serves the API of `app` on `listener` until `stop` is there, then lets what was begun come to its end.
///
/// # Errors
/// Whatever the listener gives.
pub async fn serve(app: App, listener: TcpListener, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let service = router(app).into_make_service_with_connect_info::<Peer>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}

/// The same over TLS.
///
/// # Errors
/// Whatever the listener gives.
pub async fn serve_tls(
    app: App,
    listener: TcpListener,
    tls: &Tls,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let service = router(app).into_make_service_with_connect_info::<Peer>();
    axum::serve(TlsListener::new(listener, tls), service).with_graceful_shutdown(stop).await
}

/// Serves health and counters alone, for a process that has no API.
///
/// # Errors
/// Whatever the listener gives.
pub async fn serve_health(
    app: App,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, health().with_state(Api::new(app))).with_graceful_shutdown(stop).await
}

/// A time as the contract writes it: RFC 3339 in UTC, with milliseconds.
fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Our OpenAPI document.
pub fn document() -> utoipa::openapi::OpenApi {
    openapi::finish(contract().into_openapi())
}
