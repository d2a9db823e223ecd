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

use super::form::{self, FormCookie};
use super::page::{EnrolPage, Leave, message, page, then_sign_in};
use super::{Tried, Web};
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
    let fields = match form::received(&web, &headers, &body, &ABOUT) {
        Ok(fields) => fields,
        Err(refused) => return Ok(refused.told(&web, &headers)),
    };
    let text = web.languages.of(&headers);
    let again = |status, why: &[String]| Ok(form(&web, &headers, status, why));
    if fields.get("new_password") != fields.get("repeated") {
        return again(StatusCode::BAD_REQUEST, &[text.text("not-repeated")]);
    }
    let Ok(password) = Password::try_from(fields.get("new_password")) else {
        return again(StatusCode::BAD_REQUEST, &[text.text("not-a-password")]);
    };
    let code = Secret::new(fields.get("code").to_owned());
    let trying = async {
        let enrolled = enrol(&web.app, &code, &password).await?;
        Ok(Some(enrolled).filter(|enrolled| *enrolled != Enrolled::WrongCode))
    };
    let enrolled = match web.attempt(address, trying).await? {
        Tried::TooMany => return again(StatusCode::TOO_MANY_REQUESTS, &[text.text("too-many")]),
        Tried::Wrong => Enrolled::WrongCode,
        Tried::Right(enrolled) => enrolled,
    };
    match enrolled {
        Enrolled::Done => Ok(form::forget(then_sign_in(text, "enrolled", "enrolled-about"))),
        Enrolled::Unfinished => Ok(message(text, StatusCode::ACCEPTED, "unfinished", "unfinished-about")),
        Enrolled::Refused(reasons) => again(StatusCode::BAD_REQUEST, &reasons),
        Enrolled::WrongCode => again(StatusCode::BAD_REQUEST, &[text.text("wrong-code")]),
    }
}

fn form(web: &Web, headers: &HeaderMap, status: StatusCode, refused: &[String]) -> Response {
    let cookie = FormCookie::of(headers);
    let form_token = cookie.token(&web.app, &ABOUT);
    let shown = EnrolPage { text: web.languages.of(headers), form_token: &form_token, refused };
    cookie.keep(page(status, &shown, &Leave { form: "", script: true }))
}
