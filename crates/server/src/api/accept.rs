//! Whether a client takes JSON at all (RFC 9110 section 12.5.1).
//!
//! There is one format, so nothing is negotiated: a client whose `Accept` leaves JSON out is told so before anything is
//! done, instead of getting an answer that it cannot read. What cannot be parsed counts as no preference. The dictionary is
//! plain text; clients that were made for it ask for either.

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::Error;

/// Refuses a request whose `Accept` leaves out `application/json`.
pub(super) async fn json(request: Request, next: Next) -> Response {
    match takes("application/json", request.headers()) {
        true => next.run(request).await,
        false => Error::NotAcceptable.into_response(),
    }
}

/// Refuses a request whose `Accept` leaves out both `text/plain` and `application/json`.
pub(super) async fn text(request: Request, next: Next) -> Response {
    let headers = request.headers();
    match takes("text/plain", headers) || takes("application/json", headers) {
        true => next.run(request).await,
        false => Error::NotAcceptable.into_response(),
    }
}

fn takes(wanted: &str, headers: &HeaderMap) -> bool {
    let values: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let ranges: Vec<(String, bool)> = values.iter().flat_map(|value| value.split(',')).filter_map(range).collect();
    if ranges.is_empty() {
        return true;
    }
    // The most specific range decides.
    let named = |wanted: &str| ranges.iter().find(|(name, _)| name == wanted).map(|(_, taken)| *taken);
    let kind = wanted.split('/').next().unwrap_or_default();
    named(wanted).or_else(|| named(&format!("{kind}/*"))).or_else(|| named("*/*")).unwrap_or(false)
}

/// A media range and whether its weight is more than nothing.
fn range(text: &str) -> Option<(String, bool)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next()?.to_ascii_lowercase();
    let (kind, subtype) = name.split_once('/')?;
    if kind.is_empty() || subtype.is_empty() {
        return None;
    }
    let weight = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    let refused = weight.and_then(|(_, weight)| weight.trim().parse::<f32>().ok()).is_some_and(|weight| weight <= 0.0);
    Some((name, !refused))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_what_leaves_json_out_is_refused() {
        for (accept, taken) in [
            ("application/json", true),
            ("application/json, text/plain, */*", true),
            ("Application/JSON;q=0.5", true),
            ("text/html, application/*;q=0.1", true),
            ("*/*", true),
            ("", true),
            ("nonsense", true),
            ("text/html", false),
            ("application/xml, text/*", false),
            ("application/json;q=0", false),
            ("application/json; q=0.0, */*", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(takes("application/json", &headers), taken, "{accept}");
        }
        assert!(takes("application/json", &HeaderMap::new()));
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("text/*"))]);
        assert!(takes("text/plain", &headers));
    }
}
