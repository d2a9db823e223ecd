//! `/people`: whoever is ORG_ADMIN or HELPDESK helps somebody. They never see a password, nor choose one.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use lockstep_core::id::{ChangeId, IdentityId};
use lockstep_core::operation::Operation;
use lockstep_core::scope::UserLevel;
use lockstep_store::org_config;

use super::changes::Told;
use super::form::{self, FormCookie};
use super::page::{CodePage, Leave, PeoplePage, PersonPage, ShownAccount, ShownDelivery, ShownPerson, page, then};
use super::passwords::on;
use super::sign_in::PEOPLE;
use super::text::Language;
use super::{Web, changes, failed, session};
use crate::app::generate_digit_token::{Request, generate_digit_token};
use crate::app::help::{self, FOUND, FailingDelivery, Helped, HelpedAccount};
use crate::app::own_change::change_of;
use crate::app::session::OpenSession;
use crate::app::{Error, identity};
use crate::auth::Permit;

/// Whether somebody helps others.
pub(super) fn helps(open: &OpenSession) -> bool {
    [UserLevel::OrgAdmin, UserLevel::HelpDesk].iter().any(|level| open.levels.contains(level))
}

/// Finds people.
pub(super) async fn find(State(web): State<Web>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let sought = form::in_address(query.as_deref(), "q");
    let shown = async {
        let open = match session::enter(&web, &headers, PEOPLE).await? {
            Ok(open) => open,
            Err(elsewhere) => return Ok(elsewhere),
        };
        let people = help::search(&web.app, &leave(&open, Operation::ListIdentities)?, &sought).await?;
        let text = web.languages.of(&headers);
        let cookie = FormCookie::of(&headers);
        let own = open.session.id.to_string();
        // Whoever seeks somebody seeks nothing else.
        let failing = match sought.trim() {
            "" => help::failing(&web.app, &leave(&open, Operation::GetPasswordChangeStatus)?).await?,
            _ => Vec::new(),
        };
        let more_failing = failing.len() == FOUND as usize;
        let failing = failing.into_iter().map(|FailingDelivery { failing, source }| {
            let place = address_of(failing.identity);
            ShownDelivery {
                form_token: cookie.token(&web.app, &session::about(&own, &[&place])),
                retry: format!("{place}/retry"),
                change: failing.change.to_string(),
                link: format!("{place}/changes/{}", failing.change),
                name: failing.display_name,
                source,
                reason: failing.reason.unwrap_or_default(),
                until: text.with(
                    "delivery-until",
                    "date",
                    &failing.expires_at.format("%Y-%m-%d %H:%M UTC").to_string(),
                ),
            }
        });
        let shown = PeoplePage {
            text,
            more_failing: more_failing.then(|| text.counted("deliveries-more", "count", i64::from(FOUND))),
            failing: failing.collect(),
            visitor: session::visitor(&web, &cookie, &open),
            sought: sought.trim(),
            more: (people.len() == FOUND as usize).then(|| text.counted("people-more", "count", i64::from(FOUND))),
            people: people
                .into_iter()
                .map(|listed| ShownPerson {
                    link: address_of(listed.identity.id),
                    name: listed.identity.display_name,
                    alias: listed.identity.alias,
                    is_enabled: listed.identity.enabled,
                })
                .collect(),
        };
        Ok(cookie.keep(page(StatusCode::OK, &shown, &Leave::default())))
    };
    shown.await.unwrap_or_else(|error| failed(&web, &headers, &error))
}

/// A person.
pub(super) async fn show(State(web): State<Web>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    let shown = async {
        let (id, place) = named(&id)?;
        let open = match session::enter(&web, &headers, &place).await? {
            Ok(open) => open,
            Err(elsewhere) => return Ok(elsewhere),
        };
        let helped = help::look(&web.app, &leave(&open, Operation::GetIdentity)?, id).await?;
        let config = web.app.store.read(|tx: &mut lockstep_store::Tx<'_>| Box::pin(org_config::find(tx)));
        let has_codes = config.await.map_err(Error::Store)?.unwrap_or_default().digit_token_enabled;
        Ok(person(&web, &headers, &open, &place, &helped, has_codes))
    };
    shown.await.unwrap_or_else(|error| failed(&web, &headers, &error))
}

/// What became of a person's change.
pub(super) async fn watch(
    State(web): State<Web>,
    headers: HeaderMap,
    Path((id, change)): Path<(String, String)>,
) -> Response {
    changes::once(theirs(web, headers, id, change)).await
}

/// The same as often as it is another.
pub(super) async fn events(
    State(web): State<Web>,
    headers: HeaderMap,
    Path((id, change)): Path<(String, String)>,
) -> Response {
    changes::watched(&web.clone(), move || theirs(web.clone(), headers.clone(), id.clone(), change.clone())).await
}

async fn theirs(web: Web, headers: HeaderMap, id: String, change: String) -> Told {
    let told = async {
        let (id, place) = named(&id)?;
        let change: ChangeId = change.parse().map_err(|_| Error::NotFound("password change"))?;
        // The page asks again and again by itself.
        let Some(open) = session::look(&web, &headers).await? else {
            return Ok(Told::Elsewhere(session::go_to(&format!("/sign-in?to={place}/changes/{change}"))));
        };
        if open.session.must_change {
            return Ok(Told::Elsewhere(session::go_to(PEOPLE)));
        }
        let permit = leave(&open, Operation::GetPasswordChangeStatus)?;
        let change = change_of(&web.app, &permit, id, change).await?;
        let text = web.languages.of(&headers);
        let cookie = FormCookie::of(&headers);
        let visitor = session::visitor(&web, &cookie, &open);
        Told::page(&open, cookie, &changes::told(text, visitor, &change, None, &place))
    };
    told.await.unwrap_or_else(|error| Told::Elsewhere(failed(&web, &headers, &error)))
}

/// Draws a code that is read to the person.
pub(super) async fn draw(State(web): State<Web>, headers: HeaderMap, Path(id): Path<String>, body: Bytes) -> Response {
    act(&web, &headers, &id, &body, Operation::CreateDigitToken, async |open, permit, id| {
        let helped = identity::get(&web.app, &leave(open, Operation::GetIdentity)?, id).await?.identity;
        let request = Request { alias: helped.alias, length: None, duration_minutes: None };
        let drawn = generate_digit_token(&web.app, permit, request).await?;
        let text = web.languages.of(&headers);
        let (cookie, back) = (FormCookie::of(&headers), address_of(id));
        let shown = CodePage {
            text,
            visitor: session::visitor(&web, &cookie, open),
            about: text.with("help-code-for", "name", &helped.display_name),
            digits: drawn.code.expose(),
            back: &back,
        };
        Ok(Some(cookie.keep(page(StatusCode::OK, &shown, &Leave::default()))))
    })
    .await
}

/// Lets a person in again.
pub(super) async fn unlock(
    State(web): State<Web>,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    act(&web, &headers, &id, &body, Operation::UnlockAccount, async |_, permit, id| {
        help::unlock(&web.app, permit, id).await.map(|()| None)
    })
    .await
}

/// Has what is tried again for a person tried at once, and leads to what becomes of it.
pub(super) async fn retry(State(web): State<Web>, headers: HeaderMap, Path(id): Path<String>, body: Bytes) -> Response {
    act(&web, &headers, &id, &body, Operation::UnlockAccount, async |_, permit, id| {
        help::retry(&web.app, permit, id).await?;
        let change: Result<ChangeId, _> = form::Fields::of(&body).get("change").parse();
        Ok(change.ok().map(|change| session::go_to(&format!("{}/changes/{change}", address_of(id)))))
    })
    .await
}

/// Signs a person out everywhere.
pub(super) async fn end_sessions(
    State(web): State<Web>,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    act(&web, &headers, &id, &body, Operation::UnlockAccount, async |_, permit, id| {
        help::end_sessions(&web.app, permit, id).await.map(|()| None)
    })
    .await
}

/// Takes a person's second factor away. A help desk does not: with a code in its place it could be that person.
pub(super) async fn remove_second_factor(
    State(web): State<Web>,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    act(&web, &headers, &id, &body, Operation::ChangeAuthUser, async |_, permit, id| {
        help::remove_second_factor(&web.app, permit, id).await.map(|()| None)
    })
    .await
}

/// Does what a form of a person's page asks for, where whoever sends it has just shown who they are. Leads back to the page
/// where that makes none of its own.
async fn act(
    web: &Web,
    headers: &HeaderMap,
    id: &str,
    body: &Bytes,
    operation: Operation,
    done: impl AsyncFnOnce(&OpenSession, &Permit, IdentityId) -> Result<Option<Response>, Error>,
) -> Response {
    let acted = async {
        let (id, place) = named(id)?;
        let open = match session::enter_again(web, headers, &place).await? {
            Ok(open) => open,
            Err(elsewhere) => return Ok(elsewhere),
        };
        let permit = leave(&open, operation)?;
        let own = open.session.id.to_string();
        if let Err(refused) = form::received(web, headers, body, &session::about(&own, &[&place])) {
            return Ok(refused.told(web, headers));
        }
        match done(&open, &permit, id).await {
            Ok(made) => Ok(made.unwrap_or_else(|| session::go_to(&place))),
            // The person has a level, or is disabled, or codes were switched off meanwhile.
            Err(Error::Forbidden(_) | Error::Impossible(_) | Error::NotEnabled(_)) => {
                let text = web.languages.of(headers);
                let back = (&*place, "back-to-person");
                Ok(then(text, StatusCode::FORBIDDEN, "help-refused", "help-refused-about", back))
            }
            Err(error) => Err(error),
        }
    };
    acted.await.unwrap_or_else(|error| failed(web, headers, &error))
}

/// Leave to do something for others, for whoever helps.
fn leave(open: &OpenSession, operation: Operation) -> Result<Permit, Error> {
    match helps(open) {
        true => session::permit(open, operation),
        false => Err(Error::Forbidden("this takes the level ORG_ADMIN or HELPDESK".to_owned())),
    }
}

/// The person that an address names, and the address in its one spelling.
fn named(id: &str) -> Result<(IdentityId, String), Error> {
    let id: IdentityId = id.parse().map_err(|_| Error::NotFound("identity"))?;
    Ok((id, address_of(id)))
}

fn address_of(id: IdentityId) -> String {
    format!("{PEOPLE}/{id}")
}

fn account(text: &Language, account: &HelpedAccount) -> ShownAccount {
    let HelpedAccount { source, name, changed_outside_at } = account.clone();
    let outside = changed_outside_at.map(|at| text.with("changed-outside", "date", &on(at)));
    ShownAccount { source, name, outside }
}

fn person(
    web: &Web,
    headers: &HeaderMap,
    open: &OpenSession,
    place: &str,
    helped: &Helped,
    has_codes: bool,
) -> Response {
    let text = web.languages.of(headers);
    let cookie = FormCookie::of(headers);
    let own = open.session.id.to_string();
    let form_token = cookie.token(&web.app, &session::about(&own, &[place]));
    let identity = &helped.listed.identity;
    let changes = format!("{place}/changes");
    let sessions = i64::try_from(helped.sessions).unwrap_or(i64::MAX);
    let shown = PersonPage {
        text,
        visitor: session::visitor(web, &cookie, open),
        form_token: &form_token,
        place,
        name: &identity.display_name,
        alias: &identity.alias,
        email: identity.email.as_deref().unwrap_or_default(),
        is_enabled: identity.enabled,
        is_locked: helped.is_locked,
        are_codes_locked: helped.are_codes_locked,
        has_second_factor: helped.has_second_factor,
        has_answers: helped.has_answers,
        may_remove: open.levels.contains(&UserLevel::OrgAdmin),
        has_codes,
        sessions: text.counted("help-sessions", "count", sessions),
        accounts: helped.accounts.iter().map(|own| account(text, own)).collect(),
        changes: helped.changes.iter().map(|change| changes::listed(text, &changes, change)).collect(),
    };
    cookie.keep(page(StatusCode::OK, &shown, &Leave::default()))
}
