//! What happens to every request on its way in and to every answer on its way out.
//!
//! On the way in: an id, and a place for the caller's name. On the way out: errors are rendered and, where something
//! failed inside, logged with their source chain; the headers that every answer has; the counters; one line of the log.
//! A line of the log holds the matched pattern of the address, never its query or what stood in place of an id, and
//! never a header or a body.

use std::any::Any;
use std::error::Error as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::ResponseForPanic;

use super::Api;
use super::error::{Carried, Error};

/// The header with the id of the request; errors repeat it as their `trackingId`.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("slpt-request-id");

/// Where whoever finds out who calls writes it down for the log.
#[derive(Debug, Clone, Default)]
pub(super) struct CallerName(Arc<OnceLock<String>>);

impl CallerName {
    pub(super) fn set(&self, name: String) {
        let _ = self.0.set(name);
    }
}

/// The outermost layer.
pub(super) async fn around(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let started = api.app.clock.monotonic();
    let id = lockstep_vault::secret::draw_id().simple().to_string();
    let caller = CallerName::default();
    request.extensions_mut().insert(caller.clone());
    let method = known_method(&request);
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("no address", MatchedPath::as_str);

    let mut response = next.run(request).await;
    let took = api.app.clock.monotonic().saturating_sub(started);
    if let Some(Carried(error)) = response.extensions_mut().remove::<Carried>() {
        if error.is_internal() {
            tracing::error!(request.id = %id, error = chain(&error), "a request failed inside");
        }
        response = error.render(&id);
    }
    dress(&mut response, &id);
    log(method, route, response.status(), took, &id, caller.0.get());
    api.app.metrics.request(method, route, response.status().as_u16(), took);
    response
}

/// Turns a panic into an answer of the contract's shape. The panic's own text goes to the log alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panics;

impl ResponseForPanic for Panics {
    type ResponseBody = axum::body::Body;

    fn response_for_panic(&mut self, panic: Box<dyn Any + Send + 'static>) -> Response {
        let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
        tracing::error!(panic = text.unwrap_or("without a text"), "a handler panicked");
        Error::Panicked.into_response()
    }
}

/// How long what never changes may be kept.
pub(crate) const UNCHANGING: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

fn dress(response: &mut Response, id: &str) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    // Nothing is kept but what never changes.
    if headers.get(header::CACHE_CONTROL) != Some(&UNCHANGING) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn log(method: &str, route: &str, status: StatusCode, took: Duration, id: &str, caller: Option<&String>) {
    tracing::info!(
        http.method = method,
        http.route = route,
        http.status = status.as_u16(),
        milliseconds = took.as_secs_f64() * 1000.0,
        request.id = id,
        caller = caller.map_or("nobody", String::as_str),
        "answered a request"
    );
}

/// A method can be any word; what is counted and logged is one of those that exist.
fn known_method(request: &Request) -> &'static str {
    const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    METHODS.into_iter().find(|known| *known == request.method().as_str()).unwrap_or("another")
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
