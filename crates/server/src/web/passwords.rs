//! `/passwords`: the Password Manager. A person sees their passwords and changes one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use lockstep_core::id::SourceId;
use lockstep_core::operation::Operation;
use lockstep_core::password::Password;
use lockstep_core::password_policy::rules::Violation;
use lockstep_core::password_policy::strength::Strength;
use serde::Serialize;

use super::changes::CHANGES;
use super::form::{self, FormCookie};
use super::page::{Card, ChangePage, Leave, PasswordsPage, Section, ShownExpiry, ShownOutside, ShownRule, page, then};
use super::session;
use super::sign_in::{HOME, SECURITY};
use super::text::Language;
use super::{Web, failed, questions, rules};
use crate::api::client_address::ClientAddress;
use crate::app::Error;
use crate::app::change_own_password::{
    self, Asked, Changeable, broken_rules, change_own_password, changeable, strength_for,
};
use crate::app::own_passwords::{OwnAccount, OwnPassword, Place, SharedBy, own_passwords};
use crate::app::security_questions;
use crate::app::session::OpenSession;

/// With more passwords than this they can be sought.
const MANY: usize = 8;

/// The Password Manager.
pub(super) async fn list(State(web): State<Web>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let sought = form::in_address(query.as_deref(), "q").trim().to_owned();
    let shown = async {
        let found = match session::token(&headers) {
            Some(token) => own_passwords(&web.app, &token).await?,
            None => None,
        };
        let Some((open, passwords)) = found else { return Ok(sign_in_first(HOME)) };
        if let Some(elsewhere) = session::led_away(&open, HOME) {
            return Ok(elsewhere);
        }
        let text = web.languages.of(&headers);
        let cookie = FormCookie::of(&headers);
        let visitor = session::visitor(&web, &cookie, &open);
        let passwords = passwords?;
        let sought = (passwords.len() > MANY || !sought.is_empty()).then_some(&*sought);
        let found = |password: &&OwnPassword| sought.is_none_or(|sought| is_called(text, password, sought));
        let passwords: Vec<&OwnPassword> = passwords.iter().filter(found).collect();
        let shown = PasswordsPage { text, visitor, sought, sections: sections(text, &passwords) };
        Ok(cookie.keep(page(StatusCode::OK, &shown, &Leave::default())))
    };
    shown.await.unwrap_or_else(|error| failed(&web, &headers, &error))
}

/// The form with which one is changed.
pub(super) async fn show(
    State(web): State<Web>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Path(source): Path<String>,
) -> Response {
    let shown = async {
        let (source, own_address) = named(&source)?;
        let open = match session::enter_again(&web, &headers, &own_address).await? {
            Ok(open) => open,
            Err(elsewhere) => return Ok(elsewhere),
        };
        let changeable = changeable(&web.app, &session::permit(&open, Operation::SetPassword)?, source).await?;
        if let Some(first) = more_first(&web, &headers, &open, &changeable, address).await? {
            return Ok(first);
        }
        let form = Form { web: &web, headers: &headers, open: &open, changeable: &changeable };
        Ok(form.page(StatusCode::OK, "", None, &[]))
    };
    shown.await.unwrap_or_else(|error| failed(&web, &headers, &error))
}

/// The form that comes back.
pub(super) async fn submit(
    State(web): State<Web>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Path(source): Path<String>,
    body: Bytes,
) -> Response {
    let done = async {
        let (source, own_address) = named(&source)?;
        let open = match session::enter_again(&web, &headers, &own_address).await? {
            Ok(open) => open,
            Err(elsewhere) => return Ok(elsewhere),
        };
        let id = open.session.id.to_string();
        let fields = match form::received(&web, &headers, &body, &session::about(&id, &[&own_address])) {
            Ok(fields) => fields,
            Err(refused) => return Ok(refused.told(&web, &headers)),
        };
        let permit = session::permit(&open, Operation::SetPassword)?;
        let changeable = changeable(&web.app, &permit, source).await?;
        let text = web.languages.of(&headers);
        if let Some(first) = more_first(&web, &headers, &open, &changeable, address).await? {
            return Ok(first);
        }
        let chosen = fields.get("account");
        let again = |refused: &str, broken: &[Violation]| {
            let form = Form { web: &web, headers: &headers, open: &open, changeable: &changeable };
            Ok(form.page(StatusCode::BAD_REQUEST, chosen, Some(&text.text(refused)), broken))
        };

        let refuse = |id: &str| again(id, &[]);
        if fields.get("new_password") != fields.get("repeated") {
            return refuse("not-repeated");
        }
        let Ok(password) = Password::try_from(fields.get("new_password")) else { return refuse("not-a-password") };
        let Some(account) = account_of(&changeable.password, chosen) else { return refuse("choose-account") };
        match change_own_password(&web.app, &permit, &open, source, account, &password).await? {
            Asked::Accepted(change, token) => Ok(session::keep(session::go_to(&format!("{CHANGES}/{change}")), &token)),
            Asked::Worn => refuse("worn"),
            Asked::TooLong => refuse("too-long"),
            Asked::Broken(broken) => again("broken", &broken),
        }
    };
    match done.await {
        Ok(response) => response,
        // The same form was there a moment earlier, or the session has just ended: what there is of it stands in the list.
        Err(Error::Outdated) => session::go_to(CHANGES),
        Err(error) => failed(&web, &headers, &error),
    }
}

/// The account that is meant: of several the chosen one.
fn account_of<'a>(password: &'a OwnPassword, chosen: &str) -> Option<&'a str> {
    let of = |account: &'a OwnAccount| account.native_id.as_str();
    match password.accounts.as_slice() {
        [only] => Some(of(only)),
        several => several.iter().map(of).find(|account| *account == chosen),
    }
}

/// What a script is told while a new password is written: each rule, in the order of the page, and a sentence.
#[derive(Serialize)]
struct Checked {
    /// Whether it is kept; none where that shows only later.
    kept: Vec<Option<bool>>,
    told: String,
    /// How hard it is to guess, of four, and in words; none where it is no password.
    strength: Option<(u8, String)>,
}

impl Checked {
    /// Nothing could be looked at: why.
    fn not(rules: &[Violation], told: String) -> Self {
        Self { kept: vec![None; rules.len()], told, strength: None }
    }
}

/// Which rules a password keeps, before it is sent. It changes nothing, and says nothing that the form would not say.
pub(super) async fn check(
    State(web): State<Web>,
    headers: HeaderMap,
    Path(source): Path<String>,
    body: Bytes,
) -> Response {
    let checked = async {
        let (source, address) = named(&source)?;
        let Some(open) = session::find(&web, &headers).await? else { return Ok(sign_in_first(&address)) };
        let id = open.session.id.to_string();
        let fields = match form::received(&web, &headers, &body, &session::about(&id, &[&address])) {
            Ok(fields) => fields,
            Err(refused) => return Ok(refused.told(&web, &headers)),
        };
        if open.session.must_change && source != open.sign_in_source {
            return Err(Error::NotFound("password of yours"));
        }
        let permit = session::permit(&open, Operation::SetPassword)?;
        let Changeable { password: own, rules, .. } = changeable(&web.app, &permit, source).await?;
        let text = web.languages.of(&headers);
        let Some(account) = account_of(&own, fields.get("account")) else {
            return Ok(Json(Checked::not(&rules, text.text("which-account"))).into_response());
        };
        let Ok(password) = Password::try_from(fields.get("new_password")) else {
            return Ok(Json(Checked::not(&rules, text.text("not-a-password"))).into_response());
        };
        let broken = broken_rules(&web.app, &permit, source, Some(account), &password).await?;
        let kept = |rule: &Violation| match rule {
            Violation::Reused { .. } => None,
            rule => Some(!broken.contains(rule)),
        };
        let told = match broken.len() {
            0 => text.text("rules-kept"),
            count => text.counted("rules-broken", "number", count as i64),
        };
        let (level, said) = match strength_for(&open, &password) {
            Strength::Weak => (1, "strength-weak"),
            Strength::Fair => (2, "strength-fair"),
            Strength::Good => (3, "strength-good"),
            Strength::Strong => (4, "strength-strong"),
        };
        let strength = Some((level, text.text(said)));
        Ok(Json(Checked { kept: rules.iter().map(kept).collect(), told, strength }).into_response())
    };
    checked.await.unwrap_or_else(|error: Error| failed(&web, &headers, &error))
}

/// What a script is told that asks for a password.
#[derive(Serialize)]
struct Suggested<'a> {
    /// A password that keeps the rules; none where it cannot be made up.
    password: Option<&'a str>,
    told: String,
}

/// Makes a password up. It changes nothing; nobody but the browser that asked has it.
pub(super) async fn suggest(
    State(web): State<Web>,
    headers: HeaderMap,
    Path(source): Path<String>,
    body: Bytes,
) -> Response {
    let suggested = async {
        let (source, address) = named(&source)?;
        let open = match session::enter_again(&web, &headers, &address).await? {
            Ok(open) => open,
            Err(elsewhere) => return Ok(elsewhere),
        };
        let id = open.session.id.to_string();
        let fields = match form::received(&web, &headers, &body, &session::about(&id, &[&address])) {
            Ok(fields) => fields,
            Err(refused) => return Ok(refused.told(&web, &headers)),
        };
        let permit = session::permit(&open, Operation::SetPassword)?;
        let own = changeable(&web.app, &permit, source).await?.password;
        let text = web.languages.of(&headers);
        let Some(account) = account_of(&own, fields.get("account")) else {
            return Ok(Json(Suggested { password: None, told: text.text("which-account") }).into_response());
        };
        let suggested = change_own_password::suggest(&web.app, &permit, source, account).await?;
        let told = text.text(if suggested.is_some() { "suggested" } else { "not-suggested" });
        let password = suggested.as_ref().map(Password::expose);
        Ok(Json(Suggested { password, told }).into_response())
    };
    suggested.await.unwrap_or_else(|error: Error| failed(&web, &headers, &error))
}

/// The source that an address names, and the address in its one spelling.
fn named(source: &str) -> Result<(SourceId, String), Error> {
    let source: SourceId = source.parse().map_err(|_| Error::NotFound("password of yours"))?;
    Ok((source, address_of(source)))
}

/// Where a password is changed.
pub(super) fn address_of(source: SourceId) -> String {
    format!("{HOME}/{source}")
}

/// Sends somebody who is not signed in to where they can, and from there to the page that they wanted.
pub(super) fn sign_in_first(to: &str) -> Response {
    session::go_to(&format!("/sign-in?to={to}"))
}

/// Where somebody goes first who has to show more than the password: to the questions that they have answered, or to where they get
/// something to show.
async fn more_first(
    web: &Web,
    headers: &HeaderMap,
    open: &OpenSession,
    changeable: &Changeable,
    address: IpAddr,
) -> Result<Option<Response>, Error> {
    // Whoever has a second factor has just shown it: that is what a fresh proof is for them.
    if open.has_second_factor || !changeable.policy.asks_for_second_factor(session::trust(web, open, address)) {
        return Ok(None);
    }
    let own = security_questions::own(&web.app, open).await?;
    if let asked @ Some(_) = questions::first(web, open, &own, &address_of(changeable.password.source)) {
        return Ok(asked);
    }
    if own.are_enough() {
        return Ok(None);
    }
    let about = match own.questions {
        Some(_) => "needs-second-factor-or-answers",
        None => "needs-second-factor-about",
    };
    let text = web.languages.of(headers);
    Ok(Some(then(text, StatusCode::FORBIDDEN, "needs-second-factor", about, (SECURITY, "security"))))
}

/// Whether a password, or where it is asked for, is called like that.
fn is_called(text: &Language, password: &OwnPassword, sought: &str) -> bool {
    let (SharedBy::Group(name) | SharedBy::Source(name)) = &password.shared_by else {
        return shown(text, &password.places).iter().any(|place| contains(place, sought));
    };
    contains(name, sought) || shown(text, &password.places).iter().any(|place| contains(place, sought))
}

fn contains(name: &str, sought: &str) -> bool {
    name.to_lowercase().contains(&sought.to_lowercase())
}

fn sections(text: &Language, passwords: &[&OwnPassword]) -> Vec<Section> {
    let of = |id, title, about: Option<&str>, is: fn(&SharedBy) -> bool| {
        let cards: Vec<Card> =
            passwords.iter().filter(|password| is(&password.shared_by)).map(|password| card(text, password)).collect();
        (!cards.is_empty()).then(|| Section {
            id,
            title: text.text(title),
            about: about.map(|id| text.text(id)),
            cards,
        })
    };
    let sections = [
        of("groups", "password-groups", Some("password-groups-about"), |by| matches!(by, SharedBy::Group(_))),
        of("sources", "sources", Some("sources-about"), |by| matches!(by, SharedBy::Source(_))),
        of("applications", "applications", None, |by| matches!(by, SharedBy::Nothing)),
    ];
    sections.into_iter().flatten().collect()
}

fn card(text: &Language, password: &OwnPassword) -> Card {
    let names = shown(text, &password.places);
    let icons = password.places.iter().map(|place| match place {
        Place::Here => None,
        Place::Named(named) => named.icon.clone(),
    });
    let (name, places, icon) = match &password.shared_by {
        SharedBy::Group(name) | SharedBy::Source(name) => (name.clone(), names.into_iter().zip(icons).collect(), None),
        SharedBy::Nothing => (names.join(", "), Vec::new(), icons.flatten().next()),
    };
    // Where one system alone has it, this is its latest change.
    let apart = apart(text, password);
    let outside = password.outside.iter().map(|outside| outside.at).max().filter(|_| apart.is_empty());
    let changed = match (outside, password.changed_at) {
        (Some(at), _) => text.with("changed-outside", "date", &on(at)),
        (None, Some(at)) => text.with("last-changed", "date", &on(at)),
        (None, None) => text.text("never-changed"),
    };
    let expiry = password.expiry.map(|expiry| ShownExpiry {
        text: text.with(if expiry.is_over { "expired" } else { "expires" }, "date", &on(expiry.at)),
        is_near: expiry.is_near || expiry.is_over,
    });
    Card {
        expiry,
        icon,
        initial: name.chars().next().map(|first| first.to_uppercase().to_string()).unwrap_or_default(),
        label: text.with("change-password-of", "name", &name),
        link: address_of(password.source),
        name,
        places,
        changed,
        apart,
    }
}

/// Where a password that several systems share was changed by somebody else, by days. Where it is one system's, nothing is apart.
fn apart(text: &Language, password: &OwnPassword) -> Vec<ShownOutside> {
    let is_shared = matches!(password.shared_by, SharedBy::Group(_)) && password.sources.len() > 1;
    let mut by_day: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for outside in password.outside.iter().filter(|_| is_shared) {
        by_day.entry(on(outside.at)).or_default().extend(shown(text, &outside.places));
    }
    let there = |(date, places): (String, Vec<String>)| ShownOutside {
        text: text.with("changed-outside", "date", &date),
        places,
    };
    by_day.into_iter().map(there).collect()
}

/// A day, as people read it.
pub(super) fn on(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}

/// Places as they are called.
pub(super) fn shown(text: &Language, places: &[Place]) -> Vec<String> {
    let shown = |place: &Place| match place {
        Place::Here => text.text("here"),
        Place::Named(named) => named.name.to_string(),
    };
    places.iter().map(shown).collect()
}

/// The form, with what is wanted anew.
struct Form<'a> {
    web: &'a Web,
    headers: &'a HeaderMap,
    open: &'a OpenSession,
    changeable: &'a Changeable,
}

impl Form<'_> {
    fn page(&self, status: StatusCode, chosen: &str, refused: Option<&str>, broken: &[Violation]) -> Response {
        let Changeable { password, rules, caps, .. } = self.changeable;
        let text = self.web.languages.of(self.headers);
        let cookie = FormCookie::of(self.headers);
        let (id, action) = (self.open.session.id.to_string(), address_of(password.source));
        let form_token = cookie.token(&self.web.app, &session::about(&id, &[&action]));
        let places = shown(text, &password.places);
        let shown = ChangePage {
            text,
            visitor: session::visitor(self.web, &cookie, self.open),
            action: &action,
            is_wanted: self.open.session.must_change,
            form_token: &form_token,
            user_name: &self.open.alias,
            reaches: text.counted("change-reaches", "count", places.len() as i64),
            caps: caps
                .iter()
                .map(|(at, most)| (shown(text, at), text.with("cap", "bytes", &most.to_string())))
                .collect(),
            places,
            accounts: &password.accounts,
            chosen,
            rules: rules
                .iter()
                .map(|rule| ShownRule { text: rules::said(text, *rule), is_broken: broken.contains(rule) })
                .collect(),
            refused,
        };
        cookie.keep(page(status, &shown, &Leave { form: "", script: true }))
    }
}
