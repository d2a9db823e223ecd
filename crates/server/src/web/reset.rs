//! `/passwordreset`: somebody who forgot their password sets a new one, with a code that the help desk read to them.
//!
//! A form brings back which recovery it goes on with, and no more; where that stands is the server's knowledge, and which form is
//! shown next follows from it. The code and the token are in no address.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use lockstep_core::password::Password;
use lockstep_core::password_policy::rules::Violation;
use lockstep_core::recovery::Stage;

use super::form::{self, Fields, FormCookie};
use super::page::{Leave, MessagePage, ResetPage, ResetStep, ShownRule, page, then, then_sign_in};
use super::{Tried, Web, failed, rules, second};
use crate::api::client_address::ClientAddress;
use crate::app::Error;
use crate::app::recover::{Open, Recovered, begin, find, rules_of, set_new_password, show_second_factor};

/// What the forms are about.
const ABOUT: [&str; 1] = ["reset"];

/// The page with the first form.
pub(super) async fn show(State(web): State<Web>, headers: HeaderMap) -> Response {
    first(&web, &headers, StatusCode::OK, "", None)
}

/// A form that comes back.
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
    let (recovery, user_name) = (fields.get("recovery"), fields.get("user_name"));
    let done = async {
        if recovery.is_empty() {
            let trying = begin(&web.app, user_name, fields.get("code"));
            let again = |status, why| Ok(first(&web, &headers, status, user_name, Some(why)));
            return match web.attempt(address, trying).await? {
                Tried::TooMany => again(StatusCode::TOO_MANY_REQUESTS, "too-many"),
                Tried::Wrong => again(StatusCode::BAD_REQUEST, "reset-wrong"),
                Tried::Right(token) => next(&web, &headers, token.expose(), Refused::Nothing).await,
            };
        }
        let Some(open) = find(&web.app, recovery).await? else { return Ok(over(&web, &headers)) };
        match open.stage {
            Stage::SecondFactor => {
                let trying = async {
                    let right = show_second_factor(&web.app, recovery, second::brought(&web, &fields).await?).await?;
                    Ok(right.then_some(()))
                };
                let refused = match web.attempt(address, trying).await? {
                    Tried::TooMany => Refused::Said(StatusCode::TOO_MANY_REQUESTS, "too-many"),
                    Tried::Wrong if fields.get("passkey").is_empty() => {
                        Refused::Said(StatusCode::BAD_REQUEST, "wrong-second")
                    }
                    Tried::Wrong => Refused::Said(StatusCode::BAD_REQUEST, "wrong-passkey"),
                    Tried::Right(()) => Refused::Nothing,
                };
                next(&web, &headers, recovery, refused).await
            }
            Stage::NewPassword => new_password(&web, &headers, &fields, &open).await,
            // The one before is still under way.
            Stage::Asked(_) => Ok(unfinished(&web, &headers)),
        }
    };
    match done.await {
        Ok(response) => response,
        // It went on, or ended, in another window.
        Err(Error::Outdated) => over(&web, &headers),
        Err(error) => failed(&web, &headers, &error),
    }
}

async fn new_password(web: &Web, headers: &HeaderMap, fields: &Fields, open: &Open) -> Result<Response, Error> {
    let recovery = fields.get("recovery");
    let refuse = |why| next(web, headers, recovery, Refused::Said(StatusCode::BAD_REQUEST, why));
    if fields.get("new_password") != fields.get("repeated") {
        return refuse("not-repeated").await;
    }
    let Ok(password) = Password::try_from(fields.get("new_password")) else { return refuse("not-a-password").await };
    match set_new_password(&web.app, open, recovery, &password).await? {
        Recovered::Done => {
            let text = web.languages.of(headers);
            Ok(form::forget(then_sign_in(text, "reset-done", "reset-done-about")))
        }
        Recovered::Broken(broken) => next(web, headers, recovery, Refused::Broken(broken)).await,
        Recovered::Refused(reasons) => next(web, headers, recovery, Refused::Reasons(reasons)).await,
        Recovered::Partly(reasons) => Ok(form::forget(partly(web, headers, &reasons))),
        Recovered::Unfinished => Ok(unfinished(web, headers)),
    }
}

/// Why the form before was in vain.
enum Refused {
    Nothing,
    /// What is said, by its text.
    Said(StatusCode, &'static str),
    /// The new password broke these rules.
    Broken(Vec<Violation>),
    /// The new password was refused later, for these reasons.
    Reasons(Vec<String>),
}

/// The form for wherever a recovery stands.
async fn next(web: &Web, headers: &HeaderMap, recovery: &str, refused: Refused) -> Result<Response, Error> {
    let Some(open) = find(&web.app, recovery).await? else { return Ok(over(web, headers)) };
    let text = web.languages.of(headers);
    let (status, said, broken, reasons) = match refused {
        Refused::Nothing => (StatusCode::OK, None, Vec::new(), Vec::new()),
        Refused::Said(status, why) => (status, Some(why), Vec::new(), Vec::new()),
        Refused::Broken(broken) => (StatusCode::BAD_REQUEST, Some("broken"), broken, Vec::new()),
        Refused::Reasons(reasons) => (StatusCode::BAD_REQUEST, None, Vec::new(), reasons),
    };
    let step = match open.stage {
        Stage::SecondFactor => {
            let form_token = FormCookie::of(headers).token(&web.app, &ABOUT);
            let second = second::asked(web, open.identity, &form_token).await?;
            ResetStep::Second { recovery, second }
        }
        Stage::NewPassword => {
            let shown = |rule: &Violation| {
                let (text, is_broken) = (rules::said(text, *rule), broken.contains(rule));
                ShownRule { text, is_broken }
            };
            let rules = rules_of(&web.app, &open).await?.iter().map(shown).collect();
            ResetStep::Password { recovery, user_name: &open.alias, rules, reasons: &reasons }
        }
        Stage::Asked(_) => return Ok(unfinished(web, headers)),
    };
    Ok(shown(web, headers, status, step, said))
}

fn first(
    web: &Web,
    headers: &HeaderMap,
    status: StatusCode,
    user_name: &str,
    refused: Option<&'static str>,
) -> Response {
    shown(web, headers, status, ResetStep::Code { user_name }, refused)
}

fn shown(
    web: &Web,
    headers: &HeaderMap,
    status: StatusCode,
    step: ResetStep<'_>,
    refused: Option<&'static str>,
) -> Response {
    let text = web.languages.of(headers);
    let cookie = FormCookie::of(headers);
    let form_token = cookie.token(&web.app, &ABOUT);
    let script = step.script().is_some();
    let shown = ResetPage { text, form_token: &form_token, step, refused: refused.map(|id| text.text(id)) };
    cookie.keep(page(status, &shown, &Leave { form: "", script }))
}

fn partly(web: &Web, headers: &HeaderMap, reasons: &[String]) -> Response {
    let text = web.languages.of(headers);
    let (title, message, next) = (text.text("reset-partly"), reasons.join(" "), ("/sign-in", text.text("sign-in")));
    let shown = MessagePage { text, title: &title, message: &message, next: Some(next) };
    page(StatusCode::OK, &shown, &Leave::default())
}

fn over(web: &Web, headers: &HeaderMap) -> Response {
    let text = web.languages.of(headers);
    then(text, StatusCode::CONFLICT, "reset-over", "reset-over-about", ("/sign-in", "sign-in"))
}

fn unfinished(web: &Web, headers: &HeaderMap) -> Response {
    let text = web.languages.of(headers);
    then(text, StatusCode::ACCEPTED, "unfinished", "unfinished-about", ("/sign-in", "sign-in"))
}
