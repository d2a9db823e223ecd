//! A page as it is sent: its templates, and the headers that keep it to itself.

use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::text::{ENGLISH, Text};

/// Signing in.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignInPage<'a> {
    pub(super) text: &'a Text,
    /// What the client is called.
    pub(super) client: &'a str,
    /// What the client asked, to be sent along.
    pub(super) fields: &'a [(String, String)],
    pub(super) form_token: &'a str,
    pub(super) user_name: &'a str,
    /// Why the try before was in vain.
    pub(super) refused: Option<&'static str>,
}

/// Setting a first password.
#[derive(Template)]
#[template(path = "enrol.html")]
pub(super) struct EnrolPage<'a> {
    pub(super) text: &'a Text,
    pub(super) form_token: &'a str,
    /// Why the try before was in vain.
    pub(super) refused: &'a [String],
}

/// A page that only says something.
#[derive(Template)]
#[template(path = "message.html")]
pub(super) struct MessagePage<'a> {
    pub(super) text: &'a Text,
    pub(super) title: &'a str,
    pub(super) message: &'a str,
}

/// What a page may do besides showing itself.
#[derive(Default)]
pub(super) struct Leave<'a> {
    /// Where a form may end up, besides here: an origin.
    pub(super) form: &'a str,
    /// Whether it has a script of ours.
    pub(super) script: bool,
}

/// The page with this status.
pub(super) fn page(status: StatusCode, page: &impl Template, leave: &Leave<'_>) -> Response {
    let Ok(body) = page.render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let scripts = if leave.script { " script-src 'self';" } else { "" };
    let policy = format!(
        "default-src 'none'; style-src 'self';{scripts} form-action 'self' {}; frame-ancestors 'none'; base-uri 'none'",
        leave.form
    );
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(OPENER, HeaderValue::from_static("same-origin"));
    response
}

/// A page that only says something.
pub(super) fn message(status: StatusCode, title: &str, message: &str) -> Response {
    page(status, &MessagePage { text: &ENGLISH, title, message }, &Leave::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NASTY: &str = "<script>alert('\"&')</script>";

    #[test]
    fn every_page_is_made_and_what_it_is_filled_with_is_text() {
        let fields = [("state".to_owned(), NASTY.to_owned())];
        let refused = [NASTY.to_owned()];
        let pages = [
            SignInPage {
                text: &ENGLISH,
                client: NASTY,
                fields: &fields,
                form_token: NASTY,
                user_name: NASTY,
                refused: Some(NASTY),
            }
            .render(),
            EnrolPage { text: &ENGLISH, form_token: NASTY, refused: &refused }.render(),
            MessagePage { text: &ENGLISH, title: NASTY, message: NASTY }.render(),
        ];
        for page in pages {
            let page = page.expect("a page");
            assert!(!page.contains("<script>alert") && page.contains("&#60;script&#62;"), "{page}");
            assert!(page.starts_with("<!doctype html>") && page.contains("lang=\"en\""), "{page}");
            assert!(!page.contains("style=") && !page.contains("onclick"), "{page}");
        }
    }

    #[test]
    fn a_page_keeps_to_itself() {
        let response = message(StatusCode::BAD_REQUEST, "a", "b");
        let policy = response.headers()["content-security-policy"].to_str().expect("text");
        for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(response.headers()["referrer-policy"], "no-referrer");
    }
}
