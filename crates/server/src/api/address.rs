//! The forms that an address of the contract comes in.
//!
//! Older clients put the version first (`/v2024/set-password`), newer ones after the first segment
//! (`/set-password/v1`). All clients join texts, so a base address that ends in a slash gives `//v2024/…`: several
//! slashes count as one.

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// The versions that come first.
pub const VERSIONS: [&str; 5] = ["v2024", "v3", "beta", "v2025", "v2026"];

/// The version that comes after the first segment.
pub const INNER_VERSION: &str = "v1";

/// Every address of an operation with its version: `first` is the first segment, `rest` what follows it.
pub fn forms(first: &str, rest: &str) -> Vec<(&'static str, String)> {
    let outer = VERSIONS.into_iter().map(|version| (version, format!("/{version}/{first}{rest}")));
    outer.chain([(INNER_VERSION, format!("/{first}/{INNER_VERSION}{rest}"))]).collect()
}

/// The version in a matched pattern; requests are counted for each.
pub fn version(pattern: &str) -> &'static str {
    let first = pattern.trim_start_matches('/').split('/').next();
    VERSIONS.into_iter().find(|version| Some(*version) == first).unwrap_or(INNER_VERSION)
}

/// The request with several slashes in a row made one. The query is left alone.
pub fn single_slashes(mut request: Request) -> Request {
    let uri = request.uri();
    if !uri.path().contains("//") {
        return request;
    }
    let mut path = String::with_capacity(uri.path().len());
    for character in uri.path().chars() {
        if character != '/' || !path.ends_with('/') {
            path.push(character);
        }
    }
    if let Some(query) = uri.query() {
        path.push('?');
        path.push_str(query);
    }
    // What was a path before is one now; if not, the router answers that there is no such address.
    if let Ok(path) = PathAndQuery::try_from(path) {
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(path);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn an_operation_has_both_forms() {
        let addresses: Vec<String> =
            forms("password-change-status", "/{id}").into_iter().map(|(_, path)| path).collect();
        assert!(addresses.contains(&"/v2024/password-change-status/{id}".to_owned()));
        assert!(addresses.contains(&"/password-change-status/v1/{id}".to_owned()));
        assert_eq!(addresses.len(), 6);
    }

    #[test]
    fn the_version_is_found_in_both_forms() {
        for (version_, path) in forms("generate-password-reset-token", "/digit") {
            assert_eq!(version(&path), version_, "{path}");
        }
        assert_eq!(version("/oauth/token"), "v1");
    }

    #[test]
    fn several_slashes_count_as_one_but_not_in_the_query() {
        for (given, wanted) in [
            ("//oauth/token?a=//b", "/oauth/token?a=//b"),
            ("///v2024////set-password", "/v2024/set-password"),
            ("/v3/x/", "/v3/x/"),
            ("//", "/"),
            ("/%2F/x", "/%2F/x"),
        ] {
            let request = Request::builder().uri(given).body(Body::empty()).expect("request");
            assert_eq!(single_slashes(request).uri().to_string(), wanted);
        }
    }
}
