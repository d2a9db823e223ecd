//! `/sign-in` and `/sign-out`: a person comes to their own pages, and leaves them.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use lockstep_core::password::Password;

use super::form::{self, Fields, FormCookie, NotTaken};
use super::page::{Leave, LinkPage, SignInPage, page, then_sign_in};
use super::second::{self, Asked};
use super::{Tried, Web, failed, session};
use crate::api::client_address::ClientAddress;
use crate::app::sign_in::{Entered, Purpose, SignedIn, halfway, sign_in, with_passkey};
use crate::app::sign_in_link::follow;
use crate::app::{self, Error, passkey};

/// What the form is about.
const ABOUT: [&str; 1] = ["sign-in-here"];

/// Where people go who did not want to go anywhere else.
pub(super) const HOME: &str = "/passwords";

/// Where those who help find others.
pub(super) const PEOPLE: &str = "/people";

/// Where they see and change how they show who they are.
pub(super) const SECURITY: &str = "/security";

/// The page with the form.
pub(super) async fn show(State(web): State<Web>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let to = form::in_address(query.as_deref(), "to");
    match session::find(&web, &headers).await {
        Ok(Some(_)) => session::go_to(own(&to)),
        Ok(None) => form(&web, &headers, StatusCode::OK, own(&to), Credentials::default()).await,
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
    let (to, user_name, half) = (own(fields.get("to")), fields.get("user_name"), fields.get("half"));
    let again = async |status, half: &str, refused| {
        form(&web, &headers, status, to, Credentials { user_name, half, refused }).await
    };
    let origin = session::origin(address, &headers);
    let trying = async {
        match signed_in(&web, &fields, Purpose::Session).await? {
            Some(signed_in) => app::session::begin(&web.app, signed_in, origin).await,
            None => Ok(None),
        }
    };
    match web.attempt(address, trying).await {
        Ok(Tried::TooMany) => again(StatusCode::TOO_MANY_REQUESTS, half, Some("too-many")).await,
        Ok(Tried::Wrong) => match wrong(&web, &fields).await {
            Ok((half, why)) => again(StatusCode::BAD_REQUEST, half, Some(why)).await,
            Err(error) => failed(&web, &headers, &error),
        },
        Ok(Tried::Right(Entered::Halfway(half))) => again(StatusCode::OK, half.expose(), None).await,
        // A session begins with a token that nobody had before.
        Ok(Tried::Right(Entered::In(token))) => session::keep(form::forget(session::go_to(to)), &token),
        Err(Error::Unavailable(_)) => again(StatusCode::SERVICE_UNAVAILABLE, half, Some("source-away")).await,
        Err(error) => failed(&web, &headers, &error),
    }
}

/// The page that a link leads to. A button, since programs that look at links in messages must not use them up.
pub(super) async fn show_link(State(web): State<Web>, headers: HeaderMap) -> Response {
    link_form(&web, &headers, StatusCode::OK, None)
}

/// The code of a link comes.
pub(super) async fn follow_link(
    State(web): State<Web>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fields = match form::received(&web, &headers, &body, &ABOUT) {
        Ok(fields) => fields,
        Err(refused) => return refused.told(&web, &headers),
    };
    let following = follow(&web.app, fields.get("code"), session::origin(address, &headers));
    match web.attempt(address, following).await {
        Ok(Tried::TooMany) => link_form(&web, &headers, StatusCode::TOO_MANY_REQUESTS, Some("too-many")),
        Ok(Tried::Wrong) => link_form(&web, &headers, StatusCode::BAD_REQUEST, Some("wrong-link")),
        Ok(Tried::Right(token)) => session::keep(form::forget(session::go_to(HOME)), &token),
        Err(error) => failed(&web, &headers, &error),
    }
}

fn link_form(web: &Web, headers: &HeaderMap, status: StatusCode, refused: Option<&'static str>) -> Response {
    let text = web.languages.of(headers);
    let cookie = FormCookie::of(headers);
    let form_token = cookie.token(&web.app, &ABOUT);
    let shown = LinkPage { text, form_token: &form_token, refused: refused.map(|id| text.text(id)) };
    cookie.keep(page(status, &shown, &Leave { form: "", script: true }))
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
    match app::session::end(&web.app, &open).await {
        Ok(()) => left(),
        Err(error) => failed(&web, &headers, &error),
    }
}

/// What the form shows, and why the try before was in vain.
#[derive(Default)]
pub(super) struct Credentials<'a> {
    pub(super) user_name: &'a str,
    /// With this, somebody is halfway in, and their second factor is asked for; empty: the password is.
    pub(super) half: &'a str,
    pub(super) refused: Option<&'static str>,
}

/// Why somebody was not let in, and with what they go on: halfway in, or from the beginning.
pub(super) async fn wrong<'a>(web: &Web, fields: &'a Fields) -> Result<(&'a str, &'static str), Error> {
    let (half, passkey) = (fields.get("half"), fields.get("passkey"));
    if half.is_empty() {
        return Ok(("", if passkey.is_empty() { "not-signed-in" } else { "wrong-passkey" }));
    }
    Ok(match halfway(&web.app, half, Purpose::Session).await? {
        Some(_) => (half, if passkey.is_empty() { "wrong-second" } else { "wrong-passkey" }),
        None => ("", "half-over"),
    })
}

/// Who it is, by what the form brings: user name and password, with those shown already the second factor, or a passkey alone.
pub(super) async fn signed_in(web: &Web, fields: &Fields, purpose: Purpose) -> Result<Option<SignedIn>, Error> {
    match (fields.get("half"), fields.get("passkey")) {
        ("", "") => own_password(web, fields.get("user_name"), fields.get("password"), purpose).await,
        ("", response) => with_passkey(&web.app, response, fields.get("form_token"), purpose).await,
        (half, _) => match halfway(&web.app, half, purpose).await? {
            Some(halfway) => Ok(Some(halfway.with(second::brought(web, fields).await?))),
            None => Ok(None),
        },
    }
}

/// Whose password it is, if it is that of whoever has this user name. What can be no password is nobody's; the work is the same.
pub(super) async fn own_password(
    web: &Web,
    user_name: &str,
    password: &str,
    purpose: Purpose,
) -> Result<Option<SignedIn>, Error> {
    match Password::try_from(password) {
        Ok(password) => sign_in(&web.app, user_name, password, purpose).await,
        Err(_) => {
            let other = Password::try_from("?").map_err(|_| Error::Lacking("a password"))?;
            sign_in(&web.app, "", other, purpose).await
        }
    }
}

/// Only to pages of ours, and to such as are a person's own.
pub(super) fn own(to: &str) -> &str {
    let within = |place: &str| to.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let plain = to.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-'));
    if plain && [HOME, SECURITY, PEOPLE].into_iter().any(within) { to } else { HOME }
}

/// What the form with this token asks for: the second factor of whoever is halfway in; else a passkey will do alone.
pub(super) async fn asked(web: &Web, half: &str, form_token: &str) -> Result<Asked, Error> {
    if half.is_empty() {
        return Ok(Asked { passkey: passkey::ask_anybody(&web.app, form_token), has_codes: false });
    }
    match halfway(&web.app, half, Purpose::Session).await? {
        Some(halfway) => second::asked(web, halfway.identity, form_token).await,
        None => Ok(Asked::default()),
    }
}

async fn form(web: &Web, headers: &HeaderMap, status: StatusCode, to: &str, credentials: Credentials<'_>) -> Response {
    let text = web.languages.of(headers);
    let cookie = FormCookie::of(headers);
    let form_token = cookie.token(&web.app, &ABOUT);
    let Credentials { user_name, half, refused } = credentials;
    let refused = refused.map(|id| text.text(id));
    let second = match asked(web, half, &form_token).await {
        Ok(second) => second,
        Err(error) => return failed(web, headers, &error),
    };
    let leave = Leave { form: "", script: second.passkey.is_some() };
    let shown = SignInPage { text, to, form_token: &form_token, user_name, half, second, refused };
    cookie.keep(page(status, &shown, &leave))
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
