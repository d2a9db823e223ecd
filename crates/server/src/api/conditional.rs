//! Conditional requests (RFC 9110 section 13): `ETag` on what is told, `If-Match` on what changes it.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::IntoParams;

use super::error::Error;
use crate::app::revision::{Revised, Revision, Seen};

impl<S: Send + Sync> FromRequestParts<S> for Seen {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let values: Vec<&str> =
            parts.headers.get_all(header::IF_MATCH).iter().map(|value| value.to_str().unwrap_or("?")).collect();
        let tags = values.iter().flat_map(|value| value.split(',')).map(str::trim).filter(|tag| !tag.is_empty());
        let tags: Vec<&str> = tags.collect();
        if tags.is_empty() || tags.contains(&"*") {
            return Ok(Self::Anything);
        }
        // A weak tag never matches (RFC 9110 section 13.1.1), and neither does what is none.
        let strong = |tag: &str| Some(Revision::sent(tag.strip_prefix('"')?.strip_suffix('"')?));
        Ok(Self::One(tags.into_iter().filter_map(strong).collect()))
    }
}

/// What a change may ask for.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header that is read by hand")]
pub(super) struct Conditions {
    /// The `ETag` under which the client has seen it: if it was changed since, nothing is done.
    #[param(rename = "If-Match", required = false)]
    if_match: Option<String>,
}

/// What is told of one thing, with its `ETag`.
pub(super) fn tagged<T, W: Serialize>(revised: Revised<T>, told: impl FnOnce(T) -> W) -> Response {
    let Revised { value, revision } = revised;
    with_tag(&revision, Json(told(value)).into_response())
}

/// An answer about something with this revision.
pub(super) fn with_tag(revision: &Revision, mut response: Response) -> Response {
    if let Ok(tag) = HeaderValue::try_from(format!("\"{revision}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    async fn seen(values: &[&str]) -> Seen {
        let mut request = Request::builder();
        for value in values {
            request = request.header("if-match", *value);
        }
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        Seen::from_request_parts(&mut parts, &()).await.expect("never refused")
    }

    #[tokio::test]
    async fn a_client_may_name_what_it_has_seen() {
        let one = |tags: &[&str]| Seen::One(tags.iter().map(|tag| Revision::sent(tag)).collect());
        for (values, expected) in [
            (&[][..], Seen::Anything),
            (&["*"], Seen::Anything),
            (&["\"a\""], one(&["a"])),
            (&["\"a\", \"b\"", "\"c\""], one(&["a", "b", "c"])),
            (&["W/\"a\""], one(&[])),
            (&["a"], one(&[])),
        ] {
            assert_eq!(seen(values).await, expected, "{values:?}");
        }
    }
}
