//! `/passwords/changes`: a person sees their latest changes, and watches where one arrives.
//!
//! A page about a change that goes on is kept up to date by events that the server sends (`…/events`): the whole page, whenever it
//! is another one. Where that fails the page asks by itself, and where there is no script it reloads.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use chrono::SecondsFormat;
use futures_util::stream;
use lockstep_core::change::{ChangeState, TargetState};
use lockstep_core::id::ChangeId;
use lockstep_core::operation::Operation;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::form::FormCookie;
use super::page::{Leave, OwnChangePage, OwnChangesPage, ShownChange, ShownLine, Visitor, page, rendered};
use super::passwords::{address_of, shown, sign_in_first};
use super::session;
use super::sign_in::HOME;
use super::text::Language;
use super::{Web, failed};
use crate::app::Error;
use crate::app::own_change::{Line, ListedChange, OwnChange, change_of, changes_of};

/// Where the latest changes are; each is behind it.
pub(super) const CHANGES: &str = "/passwords/changes";

/// The latest changes.
pub(super) async fn list(State(web): State<Web>, headers: HeaderMap) -> Response {
    let shown = async {
        let open = match session::enter(&web, &headers, CHANGES).await? {
            Ok(open) => open,
            Err(elsewhere) => return Ok(elsewhere),
        };
        let permit = session::permit(&open, Operation::GetPasswordChangeStatus)?;
        let changes = changes_of(&web.app, &permit, open.session.identity).await?;
        let text = web.languages.of(&headers);
        let cookie = FormCookie::of(&headers);
        let visitor = session::visitor(&web, &cookie, &open);
        let changes = changes.iter().map(|change| listed(text, CHANGES, change)).collect();
        let shown = OwnChangesPage { text, visitor, changes };
        Ok(cookie.keep(page(StatusCode::OK, &shown, &Leave::default())))
    };
    shown.await.unwrap_or_else(|error| failed(&web, &headers, &error))
}

/// What becomes of a change.
pub(super) async fn watch(State(web): State<Web>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    once(own(web, headers, id)).await
}

/// The same as often as it is another.
pub(super) async fn events(State(web): State<Web>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    watched(&web.clone(), move || own(web.clone(), headers.clone(), id.clone())).await
}

/// A page about a change, as it is at a moment.
pub(super) enum Told {
    /// The page, and whether the change goes on.
    Page { html: String, is_running: bool, cookie: FormCookie },
    /// There is none to be seen.
    Elsewhere(Response),
}

impl Told {
    /// A page.
    pub(super) fn page(cookie: FormCookie, shown: &OwnChangePage<'_>) -> Result<Self, Error> {
        let html = shown.render().map_err(|_| Error::Lacking("a page"))?;
        Ok(Self::Page { html, is_running: shown.is_running, cookie })
    }
}

async fn own(web: Web, headers: HeaderMap, id: String) -> Told {
    let told = async {
        let id: ChangeId = id.parse().map_err(|_| Error::NotFound("password change"))?;
        let address = format!("{CHANGES}/{id}");
        // The page asks again and again by itself.
        let Some(open) = session::look(&web, &headers).await? else {
            return Ok(Told::Elsewhere(sign_in_first(&address)));
        };
        let permit = session::permit(&open, Operation::GetPasswordChangeStatus)?;
        let change = change_of(&web.app, &permit, open.session.identity, id).await?;
        let text = web.languages.of(&headers);
        let cookie = FormCookie::of(&headers);
        let visitor = session::visitor(&web, &cookie, &open);
        Told::page(cookie, &told(text, visitor, &change, Some(address_of(change.source)), HOME))
    };
    told.await.unwrap_or_else(|error| Told::Elsewhere(failed(&web, &headers, &error)))
}

/// The page itself.
pub(super) async fn once(told: impl Future<Output = Told>) -> Response {
    match told.await {
        Told::Page { html, is_running, cookie } => {
            cookie.keep(rendered(StatusCode::OK, html, &Leave { form: "", script: is_running }))
        }
        Told::Elsewhere(page) => page,
    }
}

/// How often is looked whether the page is another.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// How long one answer goes on; the browser asks for the next by itself. A server that is to stop waits no longer for it.
const LONGEST: Duration = Duration::from_secs(10);

/// How long the browser waits before it asks for the next.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Sends the page as often as it is another, until the change is over. Where it may not be seen, or too many watch already, the
/// browser is told so, and the page asks by itself.
pub(super) async fn watched<T, F>(web: &Web, told: T) -> Response
where
    T: Fn() -> F + Send + 'static,
    F: Future<Output = Told> + Send + 'static,
{
    let Ok(place) = Arc::clone(&web.watching).try_acquire_owned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    if let Told::Elsewhere(page) = told().await {
        return page;
    }
    let watching =
        Watching { told, sent: String::new(), until: Instant::now() + LONGEST, is_over: false, _place: place };
    let pages = stream::unfold(watching, async |mut watching| {
        let page = watching.next().await?;
        Some((Ok::<_, Infallible>(Event::default().retry(AGAIN_AFTER).data(page)), watching))
    });
    Sse::new(pages).into_response()
}

/// Somebody who watches a change.
struct Watching<T> {
    told: T,
    /// The page that they have.
    sent: String,
    until: Instant,
    is_over: bool,
    _place: OwnedSemaphorePermit,
}

impl<T: Fn() -> F, F: Future<Output = Told>> Watching<T> {
    /// The next page that is another. None when there is no more to come, or not in this answer.
    async fn next(&mut self) -> Option<String> {
        while !self.is_over && Instant::now() < self.until {
            // Looked at anew each time: whoever is signed out meanwhile sees nothing more.
            let Told::Page { html, is_running, .. } = (self.told)().await else { return None };
            self.is_over = !is_running;
            if html != self.sent {
                self.sent.clone_from(&html);
                return Some(html);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        None
    }
}

/// A change as it is listed, where `place` is what the page about it stands behind.
pub(super) fn listed(text: &Language, place: &str, change: &ListedChange) -> ShownChange {
    let (kind, state) = match change.state {
        ChangeState::Accepted | ChangeState::Judged => ("running", "state-changing"),
        ChangeState::Finished => ("done", "state-done"),
        ChangeState::Failed => ("failed", "state-not-everywhere"),
    };
    ShownChange {
        link: format!("{place}/{}", change.id),
        name: match &change.group {
            Some(group) => group.clone(),
            None if change.places.is_empty() => text.text("source-gone"),
            None => shown(text, &change.places).join(", "),
        },
        at: change.asked_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        // Whose clock it is, is said: nobody tells us where the person is.
        shown_at: change.asked_at.format("%Y-%m-%d %H:%M UTC").to_string(),
        kind,
        state: text.text(state),
    }
}

/// The page about a change, with where it can be asked for once more by whom it is about, and where it leads back to.
pub(super) fn told<'a>(
    text: &'a Language,
    visitor: Visitor,
    change: &'a OwnChange,
    again: Option<String>,
    back: &'a str,
) -> OwnChangePage<'a> {
    let has = |line: &Line| line.state == TargetState::Applied;
    let is_over = change.state.is_final();
    let is_everywhere = is_over && !change.lines.is_empty() && change.lines.iter().all(has);
    let is_anywhere = change.lines.iter().any(|line| has(line) || line.is_unsure);
    // Whoever helps reads it of somebody else.
    let titles = match () {
        () if !is_over => ["change-running", "their-change-running"],
        () if is_everywhere => ["change-done", "their-change-done"],
        () if is_anywhere => ["change-partly", "their-change-partly"],
        () => ["change-refused", "their-change-refused"],
    };
    let title = titles[usize::from(again.is_none())];
    let until = change.until.format("%Y-%m-%d %H:%M UTC").to_string();
    let is_lagging = |line: &Line| !has(line) && line.state != TargetState::Superseded;
    let line = |line: &Line| ShownLine {
        // Told where the places do not tell two of them apart.
        account: (change.lines.iter().filter(|other| other.places == line.places).count() > 1)
            .then(|| line.account.clone()),
        kind: match line.state {
            TargetState::Applied => "done",
            state if state.is_final() => "failed",
            _ => "running",
        },
        places: shown(text, &line.places),
        state: match line.state {
            // What exactly is the matter with a system is for those who can do something about it.
            TargetState::Retrying if again.is_some() => text.with("state-retrying-until", "date", &until),
            _ => said(text, line),
        },
        is_unsure: line.is_unsure,
    };
    OwnChangePage {
        text,
        visitor,
        title: text.text(title),
        refusals: if is_over { &change.refusals } else { &[] },
        lines: change.lines.iter().map(line).collect(),
        again,
        back,
        is_running: !is_over,
        is_over,
        is_everywhere,
        is_partly: is_over && is_anywhere && change.lines.iter().any(is_lagging),
        is_anywhere,
    }
}

/// How far an account is. Why it is no further comes from the system itself, in its words.
fn said(text: &Language, line: &Line) -> String {
    let because = |id, plain| match &line.reason {
        Some(reason) => text.with(id, "reason", reason),
        None => text.text(plain),
    };
    match line.state {
        TargetState::Waiting => text.text("state-waiting"),
        TargetState::Pending | TargetState::Applying | TargetState::Verifying => text.text("state-changing"),
        TargetState::Applied => text.text("state-done"),
        TargetState::Retrying => because("state-retrying", "state-retrying-plain"),
        TargetState::Failed => because("state-failed", "state-failed-plain"),
        TargetState::Superseded => text.text("state-superseded"),
        TargetState::NotAttempted => text.text("state-not-attempted"),
        TargetState::Expired => because("state-expired", "state-expired-plain"),
    }
}
