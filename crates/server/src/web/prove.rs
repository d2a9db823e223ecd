//! `/prove`: somebody who is signed in shows once more who they are, on the way to what is dangerous.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::form::{self, FormCookie};
use super::page::{Leave, ProvePage, page};
use super::second::{self, Asked};
use super::sign_in::{own, own_password};
use super::{Tried, Web, failed, session};
use crate::api::client_address::ClientAddress;
use crate::app::Error;
use crate::app::session::{OpenSession, Proof, prove};
use crate::app::sign_in::Purpose;

/// What the form is about, within its session.
const ABOUT: [&str; 1] = ["prove"];

/// The page with the form.
pub(super) async fn show(State(web): State<Web>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let to = form::in_address(query.as_deref(), "to");
    let shown = async {
        let open = match session::enter(&web, &headers, own(&to)).await? {
            Ok(open) => open,
            Err(elsewhere) => return Ok(elsewhere),
        };
        match open.session.is_fresh(web.app.clock.utc()) {
            true => Ok(session::go_to(own(&to))),
            false => form(&web, &headers, StatusCode::OK, &open, own(&to), None).await,
        }
    };
    shown.await.unwrap_or_else(|error| failed(&web, &headers, &error))
}

/// The form that comes back.
pub(super) async fn submit(
    State(web): State<Web>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = async {
        let to = form::Fields::of(&body);
        let to = own(to.get("to"));
        let mut open = match session::enter(&web, &headers, to).await? {
            Ok(open) => open,
            Err(elsewhere) => return Ok(elsewhere),
        };
        let id = open.session.id.to_string();
        let fields = match form::received(&web, &headers, &body, &session::about(&id, &ABOUT)) {
            Ok(fields) => fields,
            Err(refused) => return Ok(refused.told(&web, &headers)),
        };
        let again =
            async |open: &OpenSession, status, refused| form(&web, &headers, status, open, to, Some(refused)).await;
        let wrong = match (open.has_second_factor, fields.get("passkey")) {
            (false, _) => "wrong-password",
            (true, "") => "wrong-second",
            (true, _) => "wrong-passkey",
        };
        let trying = async {
            let proof = match open.has_second_factor {
                true => Some(Proof::Second(second::brought(&web, &fields).await?)),
                false => {
                    let tried = own_password(&web, &open.alias, fields.get("current"), Purpose::Proof);
                    tried.await?.map(|signed_in| Proof::Password(Box::new(signed_in)))
                }
            };
            match proof {
                Some(proof) => prove(&web.app, &mut open, proof).await,
                None => Ok(None),
            }
        };
        let tried = match web.attempt(address, trying).await {
            Err(Error::Unavailable(_)) => {
                return form(&web, &headers, StatusCode::SERVICE_UNAVAILABLE, &open, to, Some("source-away")).await;
            }
            tried => tried?,
        };
        match tried {
            Tried::TooMany => again(&open, StatusCode::TOO_MANY_REQUESTS, "too-many").await,
            Tried::Wrong => again(&open, StatusCode::BAD_REQUEST, wrong).await,
            Tried::Right(token) => Ok(session::keep(session::go_to(to), &token)),
        }
    };
    match done.await {
        Ok(response) => response,
        // It was proven a moment earlier in another window, or the session has just ended: the page that is wanted knows.
        Err(Error::Outdated) => session::go_to(own(form::Fields::of(&body).get("to"))),
        Err(error) => failed(&web, &headers, &error),
    }
}

async fn form(
    web: &Web,
    headers: &HeaderMap,
    status: StatusCode,
    open: &OpenSession,
    to: &str,
    refused: Option<&'static str>,
) -> Result<Response, Error> {
    let text = web.languages.of(headers);
    let cookie = FormCookie::of(headers);
    let id = open.session.id.to_string();
    let form_token = cookie.token(&web.app, &session::about(&id, &ABOUT));
    let second = match open.has_second_factor {
        true => second::asked(web, open.session.identity, &form_token).await?,
        false => Asked::default(),
    };
    let script = second.passkey.is_some();
    let shown = ProvePage {
        text,
        visitor: session::visitor(web, &cookie, open),
        to,
        form_token: &form_token,
        user_name: &open.alias,
        asks_second: open.has_second_factor,
        second,
        refused: refused.map(|id| text.text(id)),
    };
    Ok(cookie.keep(page(status, &shown, &Leave { form: "", script })))
}
