//! Whether a form that comes in is one of our own pages', sent by whoever was shown it.
//!
//! Two things must hold. The browser says that the form stands on our own page (`Origin`, or where that is withheld
//! `Sec-Fetch-Site`). And the form brings back a token that goes with a cookie: the cookie is `__Host-`, so that no other
//! host can plant it, and the token is bound to what the page was about, so that it is good for no other.
//!
//! Browsers keep a `Secure` cookie that comes over plain HTTP from this machine only; Safari does not even then.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use lockstep_vault::hash::HashPurpose;
use lockstep_vault::secret::draw_token;
use url::Url;
use zeroize::Zeroizing;

use super::Web;
use super::page::message;
use crate::app::App;

/// The cookie's name.
const COOKIE: &str = "__Host-lockstep-form";

/// The cookie of a browser, or a new one for it.
pub(super) struct FormCookie {
    value: String,
    is_new: bool,
}

impl FormCookie {
    /// The one that the browser has, if it looks like one of ours.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match sent(headers) {
            Some(value) => Self { value, is_new: false },
            None => Self { value: draw_token().expose().to_owned(), is_new: true },
        }
    }

    /// What a form about `about` must bring back.
    pub(super) fn token(&self, app: &App, about: &[&str]) -> String {
        // With their lengths before them, no two lists are the same text.
        let mut bytes = self.value.clone().into_bytes();
        for part in about {
            bytes.extend_from_slice(format!("\0{}\0{part}", part.len()).as_bytes());
        }
        hex::encode(app.vault.keyed_hash(HashPurpose::FormToken, &bytes))
    }

    /// Gives the browser the cookie, if it has none.
    pub(super) fn keep(&self, mut response: Response) -> Response {
        if self.is_new {
            let cookie = format!("{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax", self.value);
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
        }
        response
    }
}

/// Takes the cookie back: what it was for is done.
pub(super) fn forget(mut response: Response) -> Response {
    const GONE: &str = "__Host-lockstep-form=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";
    response.headers_mut().append(header::SET_COOKIE, HeaderValue::from_static(GONE));
    response
}

/// Why a form is not taken.
pub(super) enum NotTaken {
    /// It stands on somebody else's page, as far as the browser says.
    FromElsewhere,
    /// It was shown to nobody who has this cookie.
    Old,
}

impl NotTaken {
    /// What the person reads.
    pub(super) fn told(self, web: &Web, headers: &HeaderMap) -> Response {
        let why = match self {
            Self::FromElsewhere => "not-from-here",
            Self::Old => "form-is-old",
        };
        message(web.languages.of(headers), StatusCode::FORBIDDEN, "cannot-continue", why)
    }
}

/// The fields of a form, if it is one of our own pages' and about `about`, sent by whoever was shown it.
pub(super) fn received(web: &Web, headers: &HeaderMap, body: &Bytes, about: &[&str]) -> Result<Fields, NotTaken> {
    if !is_from_here(&web.app, headers) {
        return Err(NotTaken::FromElsewhere);
    }
    let fields = Fields::of(body);
    match fields.is_shown_to(&web.app, headers, about) {
        true => Ok(fields),
        false => Err(NotTaken::Old),
    }
}

/// Whether the browser says that the form stands on one of our own pages.
pub(super) fn is_from_here(app: &App, headers: &HeaderMap) -> bool {
    let own = Url::parse(&app.config.public_url()).map(|url| url.origin().ascii_serialization());
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match text("origin") {
        // Withheld, since our pages say `no-referrer`; then this says the same, and no page can make it up.
        None | Some("null") => text("sec-fetch-site") == Some("same-origin"),
        Some(origin) => own.as_deref() == Ok(origin),
    }
}

/// The fields of a form.
pub(super) struct Fields(Vec<(String, Zeroizing<String>)>);

impl Fields {
    /// Reads a urlencoded body.
    pub(super) fn of(body: &Bytes) -> Self {
        let pairs = url::form_urlencoded::parse(body).into_owned();
        Self(pairs.map(|(name, value)| (name, Zeroizing::new(value))).collect())
    }

    /// A field; empty where it is missing.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    /// Whether the token in it is the one that goes with the cookie.
    pub(super) fn is_shown_to(&self, app: &App, headers: &HeaderMap, about: &[&str]) -> bool {
        let Some(value) = sent(headers) else { return false };
        let expected = FormCookie { value, is_new: false }.token(app, about);
        // As long as both are of one length, the time does not tell how much of it agrees.
        aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_bytes(), self.get("form_token").as_bytes())
            .is_ok()
    }

    /// Every field whose name is among these, in their order.
    pub(super) fn query(&self, names: &[&str]) -> Vec<(String, String)> {
        let known = self.0.iter().filter(|(name, _)| names.contains(&name.as_str()));
        known.map(|(name, value)| (name.clone(), value.to_string())).collect()
    }
}

fn sent(headers: &HeaderMap) -> Option<String> {
    cookie(headers, COOKIE)
}

/// A field of the address that somebody came by; empty where it is missing.
pub(super) fn in_address(query: Option<&str>, name: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// What a browser sent as this cookie, if it looks like one of our tokens.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let value = pairs.find(|(known, _)| *known == name)?.1;
    let plain =
        value.len() == 43 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    plain.then(|| value.to_owned())
}
