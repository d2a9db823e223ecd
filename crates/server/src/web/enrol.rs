//! `/enrol`: a person who has a code sets their first password.
//!
//! The code comes behind the `#` of a link, which a browser sends to nobody; a small script puts it into the form, and
//! where there is no script the person does.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use lockstep_core::password::Password;
use lockstep_vault::secret::Secret;

use super::Web;
use super::form::{self, Fields, FormCookie};
use super::page::{EnrolPage, Leave, message, page};
use super::text::ENGLISH;
use crate::api::client_address::ClientAddress;
use crate::api::error::Error;
use crate::app::enrol::{Enrolled, enrol};

/// What the form is about.
const ABOUT: [&str; 1] = ["enrol"];

/// The page with the form.
pub(super) async fn show(State(web): State<Web>, headers: HeaderMap) -> Response {
    form(&web, &headers, StatusCode::OK, &[])
}

/// The form that comes back.
pub(super) async fn submit(
    State(web): State<Web>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Error> {
    if !form::is_from_here(&web.app, &headers) {
        return Ok(message(StatusCode::FORBIDDEN, ENGLISH.cannot_continue, ENGLISH.not_from_here));
    }
    let fields = Fields::of(&body);
    if !fields.is_shown_to(&web.app, &headers, &ABOUT) {
        return Ok(message(StatusCode::FORBIDDEN, ENGLISH.cannot_continue, ENGLISH.form_is_old));
    }
    let again = |status, why: &[String]| Ok(form(&web, &headers, status, why));
    if fields.get("new_password") != fields.get("repeated") {
        return again(StatusCode::BAD_REQUEST, &[ENGLISH.not_repeated.to_owned()]);
    }
    let Ok(password) = Password::try_from(fields.get("new_password")) else {
        return again(StatusCode::BAD_REQUEST, &[ENGLISH.not_a_password.to_owned()]);
    };
    if web.attempt(address).is_err() {
        return again(StatusCode::TOO_MANY_REQUESTS, &[ENGLISH.too_many.to_owned()]);
    }
    let code = Secret::new(fields.get("code").to_owned());
    let enrolled = enrol(&web.app, &code, &password).await.inspect_err(|_| web.forgive(address))?;
    if !matches!(enrolled, Enrolled::WrongCode) {
        web.forgive(address);
    }
    match enrolled {
        Enrolled::Done => Ok(form::forget(message(StatusCode::OK, ENGLISH.enrolled, ENGLISH.enrolled_about))),
        Enrolled::Unfinished => Ok(message(StatusCode::ACCEPTED, ENGLISH.unfinished, ENGLISH.unfinished_about)),
        Enrolled::Refused(reasons) => again(StatusCode::BAD_REQUEST, &reasons),
        Enrolled::WrongCode => again(StatusCode::BAD_REQUEST, &[ENGLISH.wrong_code.to_owned()]),
    }
}

fn form(web: &Web, headers: &HeaderMap, status: StatusCode, refused: &[String]) -> Response {
    let cookie = FormCookie::of(headers);
    let form_token = cookie.token(&web.app, &ABOUT);
    let shown = EnrolPage { text: &ENGLISH, form_token: &form_token, refused };
    cookie.keep(page(status, &shown, &Leave { form: "", script: true }))
}
