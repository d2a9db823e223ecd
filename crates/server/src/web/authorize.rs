//! `/oauth/authorize`: a person signs in, and the client that sent them gets a code.
//!
//! Nobody stays signed in here: each client asks for the password. Nor is anybody asked whether the client may: who makes
//! clients is an administrator.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lockstep_core::client::RedirectUri;

use super::form::{self, Fields, FormCookie};
use super::page::{AuthorizePage, Leave, message, page};
use super::sign_in::{Credentials, asked as second_asked, signed_in, wrong};
use super::{Tried, Web, session};
use crate::api::client_address::ClientAddress;
use crate::api::error::Error;
use crate::app::Error as AppError;
use crate::app::authorise::{self, Asked, Authorisation, NotAuthorised};
use crate::app::sign_in::{Entered, Purpose};

/// What a client may ask with, as it is carried from the query through the form.
const NAMES: [&str; 8] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
];

/// The page with the form.
pub(super) async fn show(
    State(web): State<Web>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Error> {
    let pairs = url::form_urlencoded::parse(query.as_deref().unwrap_or_default().as_bytes()).into_owned();
    let asked: Vec<(String, String)> = pairs.filter(|(name, _)| NAMES.contains(&name.as_str())).collect();
    match authorise::check(&web.app, read(&asked)).await {
        Ok(authorisation) => form(&web, &headers, StatusCode::OK, &authorisation, &asked, Credentials::default()).await,
        Err(refused) => refuse(&web, &headers, refused),
    }
}

/// The form that comes back.
pub(super) async fn submit(
    State(web): State<Web>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Error> {
    // What it was about comes with it.
    let asked = Fields::of(&body).query(&NAMES);
    let fields = match form::received(&web, &headers, &body, &about(&asked)) {
        Ok(fields) => fields,
        Err(refused) => return Ok(refused.told(&web, &headers)),
    };
    let authorisation = match authorise::check(&web.app, read(&asked)).await {
        Ok(authorisation) => authorisation,
        Err(refused) => return refuse(&web, &headers, refused),
    };
    let (user_name, half) = (fields.get("user_name"), fields.get("half"));
    let again = async |status, half: &str, refused| {
        let credentials = Credentials { user_name, half, refused };
        form(&web, &headers, status, &authorisation, &asked, credentials).await
    };
    let origin = session::origin(address, &headers);
    let trying = async {
        match signed_in(&web, &fields, Purpose::Client).await? {
            Some(signed_in) => authorise::grant(&web.app, &authorisation, signed_in, origin).await,
            None => Ok(None),
        }
    };
    let tried = match web.attempt(address, trying).await {
        Err(AppError::Unavailable(_)) => {
            return again(StatusCode::SERVICE_UNAVAILABLE, half, Some("source-away")).await;
        }
        tried => tried?,
    };
    let code = match tried {
        Tried::TooMany => return again(StatusCode::TOO_MANY_REQUESTS, half, Some("too-many")).await,
        Tried::Wrong => {
            let (half, why) = wrong(&web, &fields).await?;
            return again(StatusCode::BAD_REQUEST, half, Some(why)).await;
        }
        Tried::Right(Entered::Halfway(half)) => return again(StatusCode::OK, half.expose(), None).await,
        Tried::Right(Entered::In(code)) => code,
    };
    let said = [("code", code.expose())];
    Ok(form::forget(back(&web, &headers, &authorisation.redirect, authorisation.state.as_deref(), &said)))
}

/// What was asked, with each parameter once.
fn read(pairs: &[(String, String)]) -> Asked {
    let mut asked = Asked::default();
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        let place = match name.as_str() {
            "client_id" => &mut asked.client_id,
            "redirect_uri" => &mut asked.redirect_uri,
            "response_type" => &mut asked.response_type,
            "response_mode" => &mut asked.response_mode,
            "scope" => &mut asked.scope,
            "state" => &mut asked.state,
            "code_challenge" => &mut asked.code_challenge,
            "code_challenge_method" => &mut asked.code_challenge_method,
            _ => continue,
        };
        if place.is_some() {
            asked.twice = true;
            // Of two clients or addresses none is the one.
            if matches!(name.as_str(), "client_id" | "redirect_uri") {
                *place = Some(String::new());
            }
            continue;
        }
        *place = Some(value.clone());
    }
    asked
}

fn about(asked: &[(String, String)]) -> Vec<&str> {
    let parts = asked.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    std::iter::once("sign-in").chain(parts).collect()
}

async fn form(
    web: &Web,
    headers: &HeaderMap,
    status: StatusCode,
    authorisation: &Authorisation,
    asked: &[(String, String)],
    credentials: Credentials<'_>,
) -> Result<Response, Error> {
    let cookie = FormCookie::of(headers);
    let form_token = cookie.token(&web.app, &about(asked));
    let text = web.languages.of(headers);
    let Credentials { user_name, half, refused } = credentials;
    let second = second_asked(web, half, &form_token).await?;
    let script = second.passkey.is_some();
    let shown = AuthorizePage {
        text,
        client: &authorisation.name,
        fields: asked,
        form_token: &form_token,
        user_name,
        half,
        second,
        refused: refused.map(|id| text.text(id)),
    };
    let origin = authorisation.redirect.origin();
    Ok(cookie.keep(page(status, &shown, &Leave { form: &origin, script })))
}

fn refuse(web: &Web, headers: &HeaderMap, refused: NotAuthorised) -> Result<Response, Error> {
    match refused {
        NotAuthorised::Unknown => Ok(unknown(web, headers)),
        NotAuthorised::Told { redirect, state, code, description } => {
            let said = [("error", code), ("error_description", description)];
            Ok(back(web, headers, &redirect, state.as_deref(), &said))
        }
        NotAuthorised::Failed(error) => Err(error.into()),
    }
}

fn unknown(web: &Web, headers: &HeaderMap) -> Response {
    message(web.languages.of(headers), StatusCode::BAD_REQUEST, "cannot-continue", "unknown-client")
}

/// Sends the person back to the client, with who sends them (RFC 9207), so that the client cannot be made to take our
/// answer for another server's.
fn back(
    web: &Web,
    headers: &HeaderMap,
    redirect: &RedirectUri,
    state: Option<&str>,
    said: &[(&str, &str)],
) -> Response {
    let issuer = web.app.config.public_url();
    let mut parameters = said.to_vec();
    parameters.extend(state.map(|state| ("state", state)));
    parameters.push(("iss", &issuer));
    let Ok(location) = HeaderValue::from_str(&redirect.with(&parameters)) else {
        return unknown(web, headers);
    };
    let no_referrer = HeaderValue::from_static("no-referrer");
    let headers = [(header::LOCATION, location), (header::REFERRER_POLICY, no_referrer)];
    (StatusCode::SEE_OTHER, headers).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &str) -> Vec<(String, String)> {
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    #[test]
    fn of_two_clients_or_addresses_none_is_taken() {
        let asked = read(&pairs("client_id=a&redirect_uri=x&redirect_uri=y&state=1&state=2&scope="));
        assert_eq!((asked.client_id.as_deref(), asked.redirect_uri.as_deref()), (Some("a"), Some("")));
        assert!(asked.twice);
        assert_eq!((asked.state.as_deref(), asked.scope), (Some("1"), None));
        assert!(!read(&pairs("client_id=a&nonce=1&nonce=2")).twice);
    }
}
