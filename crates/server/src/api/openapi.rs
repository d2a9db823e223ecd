//! Our own OpenAPI document, from the table of addresses and the descriptions beside the handlers.
//!
//! The same document is committed as `openapi/lockstep.json`, printed by `lockstep openapi` and served at
//! `/openapi.json`; a test compares them.

use axum::Json;
use lockstep_core::operation::{Method, Operation as Row};
use utoipa::openapi::path::{Operation, PathItem, Paths};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, ContactBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder, RefOr, Required};
use utoipa_axum::router::UtoipaMethodRouter;

use super::error::{ErrorResponse, MessageError, PlainError, ProtocolError};

/// How any operation may refuse a request, whatever it is about.
#[derive(utoipa::IntoResponses)]
pub enum Refused {
    /// No token, or one that does not live.
    #[response(status = 401)]
    Unauthorised(PlainError),
    /// The token does not allow it; `causes` names the scope, level or ownership that is missing.
    #[response(status = 403)]
    Forbidden(ErrorResponse),
    /// The `Accept` header leaves JSON out.
    #[response(status = 406)]
    NotAcceptable(ProtocolError),
    /// The body is larger than 1 MiB.
    #[response(status = 413)]
    TooLarge(ProtocolError),
    /// The body is not JSON.
    #[response(status = 415)]
    MediaType(ProtocolError),
    /// Too many requests of this client; the header `Retry-After` says how many seconds to wait.
    #[response(status = 429)]
    TooMany(MessageError),
    /// Something failed on the server.
    #[response(status = 500)]
    Internal(ErrorResponse),
}

/// How an operation on one thing may refuse a request besides.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "describes answers that are made elsewhere")]
pub(super) enum RefusedOne {
    /// There is no such thing.
    #[response(status = 404)]
    Nothing(ErrorResponse),
    /// It is not any more as `If-Match` says.
    #[response(status = 412)]
    Outdated(ErrorResponse),
}

/// What is wrong with a request.
#[derive(utoipa::ToSchema)]
#[schema(as = BadRequest)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes answers that are made elsewhere")]
pub(super) enum BadRequest {
    /// A field or parameter is missing or wrong, refers to nothing, or cannot be done.
    Content(ErrorResponse),
    /// The header for experimental operations is missing.
    Header(PlainError),
}

/// Puts an operation at `path` and describes it as its row has it: its name, with the version behind it since each must be
/// unique, and the scopes of which one is asked for.
///
/// # Panics
/// When the handler is described with another method than the row has, which every test of the document shows.
pub(super) fn at<S>(
    path: &str,
    version: &str,
    operation: Row,
    (schemas, mut paths, methods): UtoipaMethodRouter<S>,
) -> UtoipaMethodRouter<S> {
    let rule = operation.rule();
    let mut suffix = version.to_owned();
    suffix[..1].make_ascii_uppercase();
    let mut scopes = rule.scopes.to_vec();
    scopes.extend(rule.own.iter().filter(|scope| !rule.scopes.contains(scope)));
    for item in paths.paths.values_mut() {
        let described = match rule.method {
            Method::Get => item.get.as_mut(),
            Method::Post => item.post.as_mut(),
            Method::Put => item.put.as_mut(),
            Method::Patch => item.patch.as_mut(),
            Method::Delete => item.delete.as_mut(),
        };
        let described = described.expect("the handler has the row's method");
        described.operation_id = Some(format!("{}{suffix}", rule.id));
        let asked = scopes.iter().map(|scope| SecurityRequirement::new("bearer", [scope.as_str()]));
        described.security = Some(asked.collect());
    }
    let items = std::mem::take(&mut paths.paths);
    paths.paths.extend(items.into_values().map(|item| (path.to_owned(), item)));
    (schemas, paths, methods)
}

/// Says that an operation can do without a body.
pub(super) fn body_optional<S>((schemas, mut paths, methods): UtoipaMethodRouter<S>) -> UtoipaMethodRouter<S> {
    for operation in operations(&mut paths) {
        if let Some(RefOr::T(body)) = &mut operation.request_body {
            body.required = Some(Required::False);
        }
    }
    (schemas, paths, methods)
}

/// Every operation of these paths.
pub(super) fn operations(paths: &mut Paths) -> impl Iterator<Item = &mut Operation> {
    let items = paths.paths.values_mut().flat_map(|item| {
        let PathItem { get, post, put, patch, delete, .. } = item;
        [get.as_mut(), post.as_mut(), put.as_mut(), patch.as_mut(), delete.as_mut()]
    });
    items.flatten()
}

/// The document without its paths.
pub(super) fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Lockstep")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Changes passwords on every system that shares them. Each operation has one address for each version of the \
             contract that clients are written for; all of them do the same.",
        ))
        .license(Some(License::new("Apache-2.0 OR MIT")))
        .contact(Some(ContactBuilder::new().url(Some(env!("CARGO_PKG_REPOSITORY"))).build()))
        .build();
    OpenApiBuilder::new().info(info).build()
}

/// The document with what concerns all of it.
pub(super) fn finish(mut document: OpenApi) -> OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The access token that `/oauth/token` gives."))
        .build();
    let basic = HttpBuilder::new()
        .scheme(HttpAuthScheme::Basic)
        .description(Some("The id and the secret of an API client or of a personal access token."))
        .build();
    let components = document.components.get_or_insert_with(Components::new);
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    components.add_security_scheme("basic", SecurityScheme::Http(basic));
    document
}

/// `GET /openapi.json`.
pub(super) async fn serve() -> Json<OpenApi> {
    Json(super::document())
}
