//! Pages for people: every address there is, in one table, and what surrounds them.
//!
//! A page is made on the server and needs no script: signing in, changing one's passwords, and setting a first one. A form says
//! where it came from and brings back what only its own page was told (`form`). Who has a page open is known by a cookie
//! (`session`). Programs have the API; a page takes no bearer token, and the API no cookie.

mod authorize;
mod brand;
mod changes;
mod enrol;
mod form;
mod page;
mod passwords;
mod people;
mod prove;
mod questions;
mod reset;
mod rules;
mod second;
mod security;
mod session;
mod sign_in;
mod text;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use self::brand::Brand;
use self::changes::Places;
use self::text::Languages;
use crate::api::limit::Failures;
use crate::app::{App, Error as AppError};

/// How many wrong passwords and codes are looked at from one address within a minute.
const TRIES: u32 = 20;

/// The same for this machine, which a reverse proxy is on: all people come from there.
const TRIES_HERE: u32 = 600;

/// The most bytes of a form: its texts are short.
const LARGEST_FORM: usize = 64 * 1024;

/// What the pages share.
#[derive(Clone)]
struct Web(Arc<Shared>);

struct Shared {
    app: App,
    languages: Languages,
    brand: Brand,
    elsewhere: Failures,
    here: Failures,
    /// Places for those who watch a change.
    watching: Places,
}

impl std::ops::Deref for Web {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<Web> for App {
    fn from_ref(web: &Web) -> Self {
        web.app.clone()
    }
}

/// What came of trying a password or a code.
enum Tried<T> {
    /// Too much was tried from the address: it was not looked at.
    TooMany,
    Wrong,
    Right(T),
}

impl Web {
    /// Tries a password or a code, which gives nothing where it is wrong. It counts against the address before it is looked at,
    /// and is forgiven unless it was wrong: what fails here is nobody's wrong password.
    async fn attempt<T>(
        &self,
        address: IpAddr,
        trying: impl Future<Output = Result<Option<T>, AppError>>,
    ) -> Result<Tried<T>, AppError> {
        let (failures, now) = (self.failures(address), || self.app.clock.monotonic());
        if failures.attempt(address, "", now()).is_err() {
            return Ok(Tried::TooMany);
        }
        let tried = trying.await;
        if !matches!(tried, Ok(None)) {
            failures.forgive(address, "", now());
        }
        Ok(tried?.map_or(Tried::Wrong, Tried::Right))
    }

    fn failures(&self, address: IpAddr) -> &Failures {
        match address.is_loopback() {
            true => &self.here,
            false => &self.elsewhere,
        }
    }
}

/// The pages of `app`.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(app: App) -> Router<S> {
    let brand = Brand::of(&app.config.organisation);
    let languages = Languages::new(&brand);
    let (elsewhere, here) = (Failures::new(TRIES), Failures::new(TRIES_HERE));
    let shared = Shared { app, languages, brand, elsewhere, here, watching: Places::default() };
    Router::new()
        // For people whom a client sends.
        .route("/oauth/authorize", get(authorize::show).post(authorize::submit))
        // For people, about themselves.
        .route("/", get(home))
        .route("/sign-in", get(sign_in::show).post(sign_in::submit))
        .route("/sign-in/link", get(sign_in::show_link).post(sign_in::follow_link))
        .route("/sign-out", post(sign_in::leave))
        .route("/passwords", get(passwords::list))
        .route("/passwords/{source}", get(passwords::show).post(passwords::submit))
        .route("/passwords/{source}/check", post(passwords::check))
        .route("/passwords/{source}/suggest", post(passwords::suggest))
        .route("/passwords/changes", get(changes::list))
        .route("/passwords/changes/{id}", get(changes::watch))
        .route("/passwords/changes/{id}/events", get(changes::events))
        .route("/prove", get(prove::show).post(prove::submit))
        .route("/prove/questions", get(questions::show_again).post(questions::submit_again))
        .route("/security", get(security::show))
        .route("/security/totp", get(security::totp).post(security::begin_totp))
        .route("/security/totp/confirm", post(security::confirm_totp))
        .route("/security/totp/remove", post(security::remove_totp))
        .route("/security/passkey", get(security::passkey).post(security::add_passkey))
        .route("/security/passkey/remove", post(security::remove_passkey))
        .route("/security/recovery-codes", post(security::recovery_codes))
        .route("/security/questions", get(questions::show).post(questions::submit))
        .route("/security/questions/remove", post(questions::remove))
        .route("/security/sessions", post(security::end_sessions))
        // For people who help others.
        .route("/people", get(people::find))
        .route("/people/{id}", get(people::show))
        .route("/people/{id}/changes/{change}", get(people::watch))
        .route("/people/{id}/changes/{change}/events", get(people::events))
        .route("/people/{id}/code", post(people::draw))
        .route("/people/{id}/unlock", post(people::unlock))
        .route("/people/{id}/retry", post(people::retry))
        .route("/people/{id}/sessions", post(people::end_sessions))
        .route("/people/{id}/second-factor", post(people::remove_second_factor))
        // For people who have a code from an administrator, or from the help desk.
        .route("/enrol", get(enrol::show).post(enrol::submit))
        .route("/passwordreset", get(reset::show).post(reset::submit))
        // What the pages are made of.
        .route("/assets/lockstep.css", get(async |State(web): State<Web>| web.brand.stylesheet()))
        .route("/assets/logo", get(async |State(web): State<Web>| web.brand.logo()))
        .route("/assets/icons/{digest}", get(brand::icon))
        .route("/assets/enrol.js", get(async || script(include_str!("../assets/enrol.js"))))
        .route("/assets/password.js", get(async || script(include_str!("../assets/password.js"))))
        .route("/assets/passkey.js", get(async || script(include_str!("../assets/passkey.js"))))
        .route("/assets/watch.js", get(async || script(include_str!("../assets/watch.js"))))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .with_state(Web(Arc::new(shared)))
}

async fn home() -> Response {
    session::go_to(sign_in::HOME)
}

/// A page that says that it did not work, and why as far as a person can do something about it.
fn failed(web: &Web, headers: &HeaderMap, error: &AppError) -> Response {
    let text = web.languages.of(headers);
    match error {
        AppError::NotFound(_) | AppError::Forbidden(_) | AppError::Unknown { .. } => {
            page::message(text, StatusCode::NOT_FOUND, "not-found", "not-found-about")
        }
        error => {
            let error: &dyn std::error::Error = error;
            tracing::error!(error, "a page could not be made");
            page::message(text, StatusCode::INTERNAL_SERVER_ERROR, "failed", "failed-about")
        }
    }
}

fn script(text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], text)
}
