//! `/security`: how a person shows who they are, and where they are signed in. Everything that is changed here asks for a fresh
//! proof of who they are.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chrono::{DateTime, Utc};
use lockstep_vault::secret::Secret;
use qrcodegen::{QrCode, QrCodeEcc};
use zeroize::Zeroizing;

use super::form::{self, Fields, FormCookie};
use super::page::{
    AddPasskeyPage, Leave, RecoveryCodesPage, SecurityPage, ShownFactor, ShownQuestions, ShownSession, TotpPage, page,
};
use super::sign_in::SECURITY;
use super::text::Language;
use super::{Web, failed, questions, session};
use crate::app::Error;
use crate::app::passkey::{self, Added};
use crate::app::second_factor::{self, OwnSecondFactor};
use crate::app::security_questions::{self, OwnQuestions};
use crate::app::session::{Listed, OpenSession};

/// What the forms are about, within their session.
const ABOUT: [&str; 1] = ["security"];

/// Where a second factor is set up.
const TOTP: &str = "/security/totp";

/// Where a passkey is made.
const PASSKEY: &str = "/security/passkey";

/// Light squares around the picture, without which it is not read (ISO/IEC 18004).
const MARGIN: i32 = 4;

/// What there is.
pub(super) async fn show(State(web): State<Web>, headers: HeaderMap) -> Response {
    let shown = async {
        let open = match session::enter(&web, &headers, SECURITY).await? {
            Ok(open) => open,
            Err(elsewhere) => return Ok(elsewhere),
        };
        let own = second_factor::own(&web.app, open.session.identity).await?;
        let questions = security_questions::own(&web.app, &open).await?;
        let sessions = crate::app::session::list(&web.app, open.session.identity, &open.settings.session).await?;
        let text = web.languages.of(&headers);
        let page_of = Own::of(&web, &headers, &open);
        let shown = SecurityPage {
            text,
            factors: factors(text, &own),
            recovery_codes_left: text.counted("recovery-codes-left", "count", own.recovery_codes_left),
            may_add_passkey: web.app.passkeys.is_some(),
            may_add_codes: own.codes_since.is_none(),
            questions: of_questions(text, &questions, &open),
            sessions: sessions.iter().map(|listed| said(text, listed, &open)).collect(),
            visitor: session::visitor(&web, &page_of.cookie, &open),
            form_token: &page_of.token,
        };
        Ok(page_of.cookie.keep(page(StatusCode::OK, &shown, &Leave::default())))
    };
    shown.await.unwrap_or_else(|error| failed(&web, &headers, &error))
}

/// Begins to set codes by the clock up.
pub(super) async fn begin_totp(State(web): State<Web>, headers: HeaderMap, body: Bytes) -> Response {
    act(&web, &headers, &body, async |open, _| match second_factor::begin(&web.app, open).await {
        // There is one already: the page says so.
        Err(Error::Conflict(_)) => Ok(session::go_to(SECURITY)),
        begun => begun.map(|()| session::go_to(TOTP)),
    })
    .await
}

/// The picture for the app, and the form for its first code.
pub(super) async fn totp(State(web): State<Web>, headers: HeaderMap) -> Response {
    let shown = async {
        let open = match enter(&web, &headers, TOTP).await? {
            Ok(open) => open,
            Err(elsewhere) => return Ok(elsewhere),
        };
        set_up(&web, &headers, &open, StatusCode::OK, None).await
    };
    shown.await.unwrap_or_else(|error| failed(&web, &headers, &error))
}

/// The first code: the device has the secret.
pub(super) async fn confirm_totp(State(web): State<Web>, headers: HeaderMap, body: Bytes) -> Response {
    act_on(TOTP, &web, &headers, &body, async |open, fields| {
        match second_factor::confirm(&web.app, open, fields.get("second")).await {
            Ok(Some(codes)) => Ok(recovery_codes_page(&web, &headers, open, &codes)),
            Ok(None) => set_up(&web, &headers, open, StatusCode::BAD_REQUEST, Some("wrong-second")).await,
            Err(Error::Outdated | Error::NotFound(_)) => Ok(session::go_to(SECURITY)),
            Err(error) => Err(error),
        }
    })
    .await
}

/// No codes by the clock any more.
pub(super) async fn remove_totp(State(web): State<Web>, headers: HeaderMap, body: Bytes) -> Response {
    act(&web, &headers, &body, async |open, _| {
        second_factor::remove(&web.app, open).await?;
        Ok(session::go_to(SECURITY))
    })
    .await
}

/// The form with which a device makes a passkey.
pub(super) async fn passkey(State(web): State<Web>, headers: HeaderMap) -> Response {
    let shown = async {
        let open = match enter(&web, &headers, PASSKEY).await? {
            Ok(open) => open,
            Err(elsewhere) => return Ok(elsewhere),
        };
        make_passkey(&web, &headers, &open, StatusCode::OK, None).await
    };
    shown.await.unwrap_or_else(|error| failed(&web, &headers, &error))
}

/// The passkey that was made.
pub(super) async fn add_passkey(State(web): State<Web>, headers: HeaderMap, body: Bytes) -> Response {
    act_on(PASSKEY, &web, &headers, &body, async |open, fields| {
        let name = session::browser(&headers);
        let (response, form_token) = (fields.get("passkey"), fields.get("form_token"));
        match passkey::add(&web.app, open, name, response, form_token).await? {
            Added::Done(codes) => Ok(recovery_codes_page(&web, &headers, open, &codes)),
            Added::Wrong => make_passkey(&web, &headers, open, StatusCode::BAD_REQUEST, Some("passkey-not-made")).await,
            Added::TooMany => make_passkey(&web, &headers, open, StatusCode::CONFLICT, Some("passkey-too-many")).await,
        }
    })
    .await
}

/// One passkey less.
pub(super) async fn remove_passkey(State(web): State<Web>, headers: HeaderMap, body: Bytes) -> Response {
    act(&web, &headers, &body, async |open, fields| {
        let id = fields.get("passkey").parse().map_err(|_| Error::NotFound("passkey"))?;
        passkey::remove(&web.app, open, id).await?;
        Ok(session::go_to(SECURITY))
    })
    .await
}

/// New recovery codes.
pub(super) async fn recovery_codes(State(web): State<Web>, headers: HeaderMap, body: Bytes) -> Response {
    act(&web, &headers, &body, async |open, _| match second_factor::renew_recovery_codes(&web.app, open).await {
        Ok(codes) => Ok(recovery_codes_page(&web, &headers, open, &codes)),
        Err(Error::NotFound(_)) => Ok(session::go_to(SECURITY)),
        Err(error) => Err(error),
    })
    .await
}

/// Signs out elsewhere: in one session, or in all but this one.
pub(super) async fn end_sessions(State(web): State<Web>, headers: HeaderMap, body: Bytes) -> Response {
    act(&web, &headers, &body, async |open, fields| {
        let which = match fields.get("session") {
            "" => None,
            id => Some(id.parse().map_err(|_| Error::NotFound("session"))?),
        };
        crate::app::session::end_own(&web.app, open, which).await?;
        Ok(session::go_to(SECURITY))
    })
    .await
}

/// Does what a form of the page asks for, where its person has just shown who they are.
async fn act(
    web: &Web,
    headers: &HeaderMap,
    body: &Bytes,
    done: impl AsyncFnOnce(&OpenSession, &Fields) -> Result<Response, Error>,
) -> Response {
    act_on(SECURITY, web, headers, body, done).await
}

/// Whoever may change something here: they have just shown who they are, by whatever they can show.
pub(super) async fn enter(web: &Web, headers: &HeaderMap, to: &str) -> Result<Result<OpenSession, Response>, Error> {
    let open = match session::enter_again(web, headers, to).await? {
        Ok(open) => open,
        Err(elsewhere) => return Ok(Err(elsewhere)),
    };
    // Else whoever knows the password would answer the questions anew, or have a second factor in their place.
    let own = security_questions::own(&web.app, &open).await?;
    Ok(questions::first(web, &open, &own, to).map_or(Ok(open), Err))
}

/// The same, where the form stands on this page: whoever has to show first who they are comes back there.
pub(super) async fn act_on(
    place: &str,
    web: &Web,
    headers: &HeaderMap,
    body: &Bytes,
    done: impl AsyncFnOnce(&OpenSession, &Fields) -> Result<Response, Error>,
) -> Response {
    let acted = async {
        let open = match enter(web, headers, place).await? {
            Ok(open) => open,
            Err(elsewhere) => return Ok(elsewhere),
        };
        let id = open.session.id.to_string();
        match form::received(web, headers, body, &session::about(&id, &ABOUT)) {
            Ok(fields) => done(&open, &fields).await,
            Err(refused) => Ok(refused.told(web, headers)),
        }
    };
    match acted.await {
        Ok(response) => response,
        // Signed out elsewhere in the same moment.
        Err(Error::Outdated) => session::go_to(SECURITY),
        Err(error) => failed(web, headers, &error),
    }
}

/// The cookie of a page here, and the token of its forms.
pub(super) struct Own {
    pub(super) cookie: FormCookie,
    pub(super) token: String,
}

impl Own {
    pub(super) fn of(web: &Web, headers: &HeaderMap, open: &OpenSession) -> Self {
        let cookie = FormCookie::of(headers);
        let id = open.session.id.to_string();
        let token = cookie.token(&web.app, &session::about(&id, &ABOUT));
        Self { cookie, token }
    }
}

async fn set_up(
    web: &Web,
    headers: &HeaderMap,
    open: &OpenSession,
    status: StatusCode,
    refused: Option<&'static str>,
) -> Result<Response, Error> {
    let secret = match second_factor::being_set_up(&web.app, open).await {
        Err(Error::NotFound(_)) => return Ok(session::go_to(SECURITY)),
        secret => secret?,
    };
    let text = web.languages.of(headers);
    let lacking = || Error::Lacking("a link to a second factor");
    let link = secret.link(&text.brand(), &open.alias).ok_or_else(lacking)?;
    let key = secret.base32().ok_or_else(lacking)?;
    let code = QrCode::encode_text(link.expose(), QrCodeEcc::Medium).map_err(|_| lacking())?;
    let own = Own::of(web, headers, open);
    let shown = TotpPage {
        text,
        visitor: session::visitor(web, &own.cookie, open),
        form_token: &own.token,
        side: code.size() + 2 * MARGIN,
        dark: &dark(&code),
        key: &grouped(key.expose()),
        link: link.expose(),
        refused: refused.map(|id| text.text(id)),
    };
    Ok(own.cookie.keep(page(status, &shown, &Leave::default())))
}

/// The dark squares, as the path of an SVG.
fn dark(code: &QrCode) -> String {
    let squares = (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (x, y)));
    let dark = squares.filter(|(x, y)| code.get_module(*x, *y));
    dark.map(|(x, y)| format!("M{} {}h1v1h-1z", x + MARGIN, y + MARGIN)).collect()
}

/// In groups of four, as people type it.
fn grouped(key: &str) -> Zeroizing<String> {
    let mut grouped = Zeroizing::new(String::with_capacity(2 * key.len()));
    for (place, character) in key.chars().enumerate() {
        if place > 0 && place % 4 == 0 {
            grouped.push(' ');
        }
        grouped.push(character);
    }
    grouped
}

async fn make_passkey(
    web: &Web,
    headers: &HeaderMap,
    open: &OpenSession,
    status: StatusCode,
    refused: Option<&'static str>,
) -> Result<Response, Error> {
    let own = Own::of(web, headers, open);
    // Where the server's address has no name, there are none.
    let Some(asked) = passkey::ask_to_make(&web.app, open, &own.token).await? else {
        return Ok(session::go_to(SECURITY));
    };
    let text = web.languages.of(headers);
    let shown = AddPasskeyPage {
        text,
        visitor: session::visitor(web, &own.cookie, open),
        form_token: &own.token,
        asked: &asked,
        refused: refused.map(|id| text.text(id)),
    };
    Ok(own.cookie.keep(page(status, &shown, &Leave { form: "", script: true })))
}

/// What a person shows besides a password, as they read it.
fn factors(text: &Language, own: &OwnSecondFactor) -> Vec<ShownFactor> {
    let on = |at: DateTime<Utc>| at.format("%Y-%m-%d").to_string();
    let codes = own.codes_since.map(|since| ShownFactor {
        name: text.text("totp-name"),
        since: text.with("second-factor-since", "date", &on(since)),
        remove: "/security/totp/remove",
        id: None,
    });
    let passkeys = own.passkeys.iter().map(|passkey| ShownFactor {
        name: match passkey.name.as_str() {
            "" => text.text("passkey-name"),
            browser => text.with("passkey-name-of", "browser", browser),
        },
        since: match passkey.used_at {
            Some(used) => text.with("passkey-used", "date", &on(used)),
            None => text.with("second-factor-since", "date", &on(passkey.created_at)),
        },
        remove: "/security/passkey/remove",
        id: Some(passkey.id.to_string()),
    });
    codes.into_iter().chain(passkeys).collect()
}

/// How it is with a person's security questions; none where there is nothing to say of them.
fn of_questions(text: &Language, own: &OwnQuestions, open: &OpenSession) -> Option<ShownQuestions> {
    let questions = own.questions.as_ref()?;
    let about = match &own.answered {
        Some(_) if open.has_second_factor => text.text("questions-not-asked"),
        Some(_) if !own.are_enough() => text.counted("questions-not-enough", "count", questions.answers),
        Some(answers) => text.with("questions-answered", "date", &answers.answered_at.format("%Y-%m-%d").to_string()),
        // Whoever has something better needs none.
        None if open.has_second_factor => return None,
        None => text.counted("questions-about", "count", questions.answers),
    };
    Some(ShownQuestions { about, are_answered: own.answered.is_some() })
}

/// The recovery codes that were drawn; where none were, what there is.
fn recovery_codes_page(web: &Web, headers: &HeaderMap, open: &OpenSession, codes: &[Secret]) -> Response {
    if codes.is_empty() {
        return session::go_to(SECURITY);
    }
    let own = Own::of(web, headers, open);
    let text = web.languages.of(headers);
    let shown = RecoveryCodesPage { text, visitor: session::visitor(web, &own.cookie, open), codes };
    own.cookie.keep(page(StatusCode::OK, &shown, &Leave::default()))
}

fn said(text: &Language, listed: &Listed, open: &OpenSession) -> ShownSession {
    let Listed { session, origin } = listed;
    let browser = match origin.browser.as_str() {
        "" => text.text("unknown-browser"),
        name => name.to_owned(),
    };
    ShownSession {
        id: session.id.to_string(),
        browser,
        address: origin.address.clone(),
        since: text.with("session-since", "date", &session.created_at.format("%Y-%m-%d %H:%M UTC").to_string()),
        is_this: session.id == open.session.id,
    }
}
