//! Who has a page open: what their browser has of the session.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lockstep_core::operation::Operation;
use lockstep_vault::secret::Secret;

use super::Web;
use super::form::{self, FormCookie};
use super::page::Visitor;
use crate::app::Error;
use crate::app::session::{self, OpenSession};
use crate::auth::{Caller, Permit};

/// The cookie's name. With `__Host-` no other host of the domain can plant one.
const COOKIE: &str = "__Host-lockstep-session";

/// The session of a browser, if it has one that goes on.
pub(super) async fn find(web: &Web, headers: &HeaderMap) -> Result<Option<OpenSession>, Error> {
    match form::cookie(headers, COOKIE) {
        Some(token) => session::find(&web.app, &token).await,
        None => Ok(None),
    }
}

/// The same for a page that asks by itself: that it is used is not written down.
pub(super) async fn look(web: &Web, headers: &HeaderMap) -> Result<Option<OpenSession>, Error> {
    match form::cookie(headers, COOKIE) {
        Some(token) => session::look(&web.app, &token).await,
        None => Ok(None),
    }
}

/// Gives the browser the token. It keeps it until it is closed, at the longest; the session may end earlier.
pub(super) fn keep(mut response: Response, token: &Secret) -> Response {
    let cookie = format!("{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax", token.expose());
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Takes the token back.
pub(super) fn forget(mut response: Response) -> Response {
    const GONE: &str = "__Host-lockstep-session=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";
    response.headers_mut().append(header::SET_COOKIE, HeaderValue::from_static(GONE));
    response
}

/// Leave for the person to do something, where the table of operations gives it.
pub(super) fn permit(open: &OpenSession, operation: Operation) -> Result<Permit, Error> {
    Caller::in_session(open).permit(operation)
}

/// What a form in this session is about: with the session in it, it is good for no other.
pub(super) fn about<'a>(open: &'a str, parts: &[&'a str]) -> Vec<&'a str> {
    std::iter::once(open).chain(parts.iter().copied()).collect()
}

/// The person, as every page shows them.
pub(super) fn visitor(web: &Web, cookie: &FormCookie, open: &OpenSession) -> Visitor {
    let id = open.session.id.to_string();
    let sign_out_token = cookie.token(&web.app, &about(&id, &["sign-out"]));
    Visitor { name: open.display_name.clone(), sign_out_token }
}

/// Sends somebody to another of our pages.
pub(super) fn go_to(path: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(path) else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}
