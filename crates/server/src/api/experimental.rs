//! Operations that may still change: clients must say that they know with `X-SailPoint-Experimental: true`, under the
//! versions whose clients can.

use axum::extract::Request;
use axum::http::HeaderName;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use lockstep_core::operation::Experimental;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Required};
use utoipa_axum::router::UtoipaMethodRouter;

use super::Api;
use super::error::Error;
use super::openapi::operations;

/// The header that says a client knows the operation may change.
const EXPERIMENTAL: HeaderName = HeaderName::from_static("x-sailpoint-experimental");

/// Whether an operation asks for the header under this version. The clients that send none use the others.
pub(super) fn is_asked_for(experimental: Experimental, version: &str) -> bool {
    match experimental {
        Experimental::Never => false,
        Experimental::Always => !matches!(version, "beta" | "v1"),
        Experimental::Since2025 => matches!(version, "v2025" | "v2026"),
    }
}

/// The same operation for clients that must know it is experimental.
pub(super) fn asked_for((schemas, mut paths, methods): UtoipaMethodRouter<Api>) -> UtoipaMethodRouter<Api> {
    let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["true"])).build();
    let parameter = ParameterBuilder::new()
        .name("X-SailPoint-Experimental")
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some("Says that the client knows this operation may change."))
        .schema(Some(schema))
        .build();
    for operation in operations(&mut paths) {
        operation.parameters.get_or_insert_default().push(RefOr::T(parameter.clone()));
    }
    (schemas, paths, methods.route_layer(from_fn(require_header)))
}

async fn require_header(request: Request, next: Next) -> Response {
    let value = request.headers().get(EXPERIMENTAL);
    match value.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true")) {
        true => next.run(request).await,
        false => Error::Experimental.into_response(),
    }
}
