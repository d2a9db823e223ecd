//! Who has a page open: what their browser has of the session.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lockstep_core::auth_org::Trust;
use lockstep_core::operation::Operation;
use lockstep_core::session::Origin;
use lockstep_vault::secret::Secret;

use super::Web;
use super::changes::CHANGES;
use super::form::{self, FormCookie};
use super::page::Visitor;
use super::passwords::address_of;
use super::people;
use super::sign_in::SECURITY;
use crate::app::Error;
use crate::app::session::{self, OpenSession};
use crate::auth::{Caller, Permit};

/// The cookie's name. With `__Host-` no other host of the domain can plant one.
const COOKIE: &str = "__Host-lockstep-session";

/// What a browser has of a session, if anything.
pub(super) fn token(headers: &HeaderMap) -> Option<String> {
    form::cookie(headers, COOKIE)
}

/// The session of a browser, if it has one that goes on.
pub(super) async fn find(web: &Web, headers: &HeaderMap) -> Result<Option<OpenSession>, Error> {
    match token(headers) {
        Some(token) => session::find(&web.app, &token).await,
        None => Ok(None),
    }
}

/// The same for a page that asks by itself: that it is used is not written down.
pub(super) async fn look(web: &Web, headers: &HeaderMap) -> Result<Option<OpenSession>, Error> {
    match token(headers) {
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

/// Whoever has a page open. Whoever is not signed in is sent to where they can, and from there to the page that they wanted;
/// whoever must change their password is sent to where they do.
pub(super) async fn enter(web: &Web, headers: &HeaderMap, to: &str) -> Result<Result<OpenSession, Response>, Error> {
    let Some(open) = find(web, headers).await? else { return Ok(Err(go_to(&format!("/sign-in?to={to}")))) };
    Ok(led_away(&open, to).map_or(Ok(open), Err))
}

/// Where somebody is sent who must change their password, from any page that does not lead to that.
pub(super) fn led_away(open: &OpenSession, to: &str) -> Option<Response> {
    let change = address_of(open.sign_in_source);
    // Where the policy asks for a second factor they get one first.
    let leads_there = to == change || to.starts_with(CHANGES) || to.starts_with(SECURITY);
    (open.session.must_change && !leads_there).then(|| go_to(&change))
}

/// The same for what is dangerous: whoever has not shown a moment ago who they are does that first.
pub(super) async fn enter_again(
    web: &Web,
    headers: &HeaderMap,
    to: &str,
) -> Result<Result<OpenSession, Response>, Error> {
    match enter(web, headers, to).await? {
        Ok(open) if !open.session.is_fresh(web.app.clock.utc()) => Ok(Err(go_to(&format!("/prove?to={to}")))),
        entered => Ok(entered),
    }
}

/// Where somebody comes from, as they are told it themselves later.
pub(super) fn origin(address: IpAddr, headers: &HeaderMap) -> Origin {
    Origin { address: address.to_canonical().to_string(), browser: browser(headers) }
}

/// What people call the browser that sends these headers. Empty where it is none of those that are known.
pub(super) fn browser(headers: &HeaderMap) -> String {
    called(headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default())
}

/// Browsers and systems, each with what is in the names of those that have it. Most browsers claim to be others too: the first
/// that fits is the one.
const BROWSERS: [(&str, &str); 6] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];
const SYSTEMS: [(&str, &str); 6] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// What people call a browser that calls itself this. Empty where it is none of those that are known.
fn called(agent: &str) -> String {
    let first = |of: &[(&str, &'static str)]| of.iter().find(|(part, _)| agent.contains(part)).map(|(_, name)| *name);
    let parts: Vec<&str> = [first(&BROWSERS), first(&SYSTEMS)].into_iter().flatten().collect();
    parts.join(", ")
}

/// How far the person is trusted for where they are.
pub(super) fn trust(web: &Web, open: &OpenSession, address: IpAddr) -> Trust {
    // A proxy's own address stands where it did not say for whom it asks, or what it said cannot be read: that is nowhere.
    if web.app.config.proxy.trusted_proxies.iter().any(|network| network.contains(&address.to_canonical())) {
        return Trust::default();
    }
    open.settings.trust(address, web.app.geography.country(address).as_deref())
}

/// What a form in this session is about: with the session in it, it is good for no other.
pub(super) fn about<'a>(open: &'a str, parts: &[&'a str]) -> Vec<&'a str> {
    std::iter::once(open).chain(parts.iter().copied()).collect()
}

/// The person, as every page shows them.
pub(super) fn visitor(web: &Web, cookie: &FormCookie, open: &OpenSession) -> Visitor {
    let id = open.session.id.to_string();
    let sign_out_token = cookie.token(&web.app, &about(&id, &["sign-out"]));
    Visitor { name: open.display_name.clone(), helps: people::helps(open), sign_out_token }
}

/// Sends somebody to another of our pages.
pub(super) fn go_to(path: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(path) else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_called_what_people_call_it() {
        for (agent, name) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge, Windows"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari, iPhone"),
            ("curl/8.0", ""),
            ("<script>Firefox/1", "Firefox"),
        ] {
            assert_eq!(called(agent), name);
        }
    }
}
