//! `/sign-in` and `/sign-out`: a person comes to their own pages, and leaves them.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use lockstep_core::password::Password;

use super::form::{self, FormCookie, NotTaken};
use super::page::{Leave, SignInPage, page, then_sign_in};
use super::{Tried, Web, failed, session};
use crate::api::client_address::ClientAddress;
use crate::app::sign_in::{SignedIn, sign_in};
use crate::app::{self, Error};

/// What the form is about.
const ABOUT: [&str; 1] = ["sign-in-here"];

/// Where people go who did not want to go anywhere else.
pub(super) const HOME: &str = "/passwords";

/// The page with the form.
pub(super) async fn show(State(web): State<Web>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let mut pairs = url::form_urlencoded::parse(query.as_deref().unwrap_or_default().as_bytes());
    let to = pairs.find(|(name, _)| name == "to").map(|(_, to)| to).unwrap_or_default();
    match session::find(&web, &headers).await {
        Ok(Some(_)) => session::go_to(own(&to)),
        Ok(None) => form(&web, &headers, StatusCode::OK, own(&to), "", None),
        Err(error) => failed(&web, &headers, &error),
    }
}

/// The form that comes back.
pub(super) async fn submit(
    State(web): State<Web>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fields = match form::received(&web, &headers, &body, &ABOUT) {
        Ok(fields) => fields,
        Err(refused) => return refused.told(&web, &headers),
    };
    let (to, user_name) = (own(fields.get("to")), fields.get("user_name"));
    let again = |status, why| form(&web, &headers, status, to, user_name, Some(why));
    let trying = async {
        match signed_in(&web, user_name, fields.get("password")).await? {
            Some(signed_in) => app::session::begin(&web.app, signed_in).await,
            None => Ok(None),
        }
    };
    match web.attempt(address, trying).await {
        Ok(Tried::TooMany) => again(StatusCode::TOO_MANY_REQUESTS, "too-many"),
        Ok(Tried::Wrong) => again(StatusCode::BAD_REQUEST, "not-signed-in"),
        // A session begins with a token that nobody had before.
        Ok(Tried::Right(token)) => session::keep(form::forget(session::go_to(to)), &token),
        Err(error) => failed(&web, &headers, &error),
    }
}

/// The person leaves.
pub(super) async fn leave(State(web): State<Web>, headers: HeaderMap, body: Bytes) -> Response {
    // Somebody else's page sends no cookie of ours along, and must not have it taken away either.
    if !form::is_from_here(&web.app, &headers) {
        return NotTaken::FromElsewhere.told(&web, &headers);
    }
    let open = match session::find(&web, &headers).await {
        Ok(open) => open,
        Err(error) => return failed(&web, &headers, &error),
    };
    let text = web.languages.of(&headers);
    let left = || session::forget(then_sign_in(text, "signed-out", "signed-out-about"));
    let Some(open) = open else { return left() };
    let id = open.session.id.to_string();
    if let Err(refused) = form::received(&web, &headers, &body, &session::about(&id, &["sign-out"])) {
        return refused.told(&web, &headers);
    }
    match app::session::end(&web.app, &open.session).await {
        Ok(()) => left(),
        Err(error) => failed(&web, &headers, &error),
    }
}

/// Whose password it is, if it is that of whoever has this user name. What can be no password is nobody's; the work is the same.
pub(super) async fn signed_in(web: &Web, user_name: &str, password: &str) -> Result<Option<SignedIn>, Error> {
    match Password::try_from(password) {
        Ok(password) => sign_in(&web.app, user_name, password).await,
        Err(_) => {
            let other = Password::try_from("?").map_err(|_| Error::Lacking("a password"))?;
            sign_in(&web.app, "", other).await
        }
    }
}

/// Only to pages of ours, and to such as are a person's own.
fn own(to: &str) -> &str {
    let own = to == HOME || to.strip_prefix(HOME).is_some_and(|rest| rest.starts_with('/'));
    let plain = to.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-'));
    if own && plain { to } else { HOME }
}

fn form(
    web: &Web,
    headers: &HeaderMap,
    status: StatusCode,
    to: &str,
    user_name: &str,
    refused: Option<&'static str>,
) -> Response {
    let text = web.languages.of(headers);
    let cookie = FormCookie::of(headers);
    let form_token = cookie.token(&web.app, &ABOUT);
    let refused = refused.map(|id| text.text(id));
    let shown = SignInPage { text, to, form_token: &form_token, user_name, refused };
    cookie.keep(page(status, &shown, &Leave::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_away_from_here() {
        for (to, goes) in [
            ("/passwords", "/passwords"),
            (
                "/passwords/changes/2c918086749d78830174a1a40e121518",
                "/passwords/changes/2c918086749d78830174a1a40e121518",
            ),
            ("", HOME),
            ("/passwordsx", HOME),
            ("//evil.example.test", HOME),
            ("https://evil.example.test/passwords", HOME),
            ("/passwords/..//evil.example.test", HOME),
            ("/passwords\\evil", HOME),
            ("/passwords/\r\nset-cookie: x", HOME),
            ("/sign-out", HOME),
        ] {
            assert_eq!(own(to), goes, "{to:?}");
        }
    }
}
