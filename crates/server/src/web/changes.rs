//! `/passwords/changes`: a person sees their latest changes, and watches where one arrives.
//!
//! A page about a change that goes on is kept up to date by events that the server sends (`…/events`): the whole page, whenever it
//! is another one. Where that fails the page asks by itself, and where there is no script it reloads.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use chrono::SecondsFormat;
use futures_util::stream;
use lockstep_core::change::{ChangeState, TargetState};
use lockstep_core::id::{ChangeId, SessionId};
use lockstep_core::operation::Operation;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::form::FormCookie;
use super::page::{Leave, OwnChangePage, OwnChangesPage, ShownChange, ShownLine, Visitor, page, rendered};
use super::passwords::{address_of, shown, sign_in_first};
use super::session;
use super::sign_in::HOME;
use super::text::Language;
use super::{Web, failed};
use crate::app::Error;
use crate::app::own_change::{Line, ListedChange, OwnChange, change_of, changes_of};
use crate::app::session::OpenSession;

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
    Page { html: String, is_running: bool, cookie: FormCookie, session: SessionId },
    /// There is none to be seen.
    Elsewhere(Response),
}

impl Told {
    /// A page.
    pub(super) fn page(open: &OpenSession, cookie: FormCookie, shown: &OwnChangePage<'_>) -> Result<Self, Error> {
        let html = shown.render().map_err(|_| Error::Lacking("a page"))?;
        Ok(Self::Page { html, is_running: shown.is_running, cookie, session: open.session.id })
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
        Told::page(&open, cookie, &told(text, visitor, &change, Some(address_of(change.source)), HOME))
    };
    told.await.unwrap_or_else(|error| Told::Elsewhere(failed(&web, &headers, &error)))
}

/// The page itself.
pub(super) async fn once(told: impl Future<Output = Told>) -> Response {
    match told.await {
        Told::Page { html, is_running, cookie, .. } => {
            cookie.keep(rendered(StatusCode::OK, html, &Leave { form: "", script: is_running }))
        }
        Told::Elsewhere(page) => page,
    }
}

/// How often is looked whether the page is another, and how often once it has not been for so many looks.
const LOOK_EVERY: Duration = Duration::from_millis(300);
const LOOK_SELDOM: Duration = Duration::from_secs(1);
const LOOKS: u32 = 10;

/// How many pages about changes are sent at once as they become others, and how many of one session. The rest ask by themselves.
const WATCHERS: usize = 500;
const WATCHERS_OF_ONE: usize = 4;

/// Who watches a change.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<Mutex<BTreeMap<SessionId, usize>>>);

/// Somebody's place. It is free again once this is dropped.
struct Taken {
    places: Places,
    session: SessionId,
}

impl Places {
    fn take(&self, session: SessionId) -> Option<Taken> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= WATCHERS {
            return None;
        }
        let own = taken.entry(session).or_default();
        (*own < WATCHERS_OF_ONE).then(|| {
            *own += 1;
            Taken { places: self.clone(), session }
        })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut own) = taken.entry(self.session) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

/// How long one answer goes on; the browser asks for the next by itself.
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
    let session = match told().await {
        Told::Page { session, .. } => session,
        Told::Elsewhere(page) => return page,
    };
    let Some(place) = web.watching.take(session) else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let (until, stopping) = (Instant::now() + LONGEST, web.app.stopping.clone());
    let watching = Watching { told, sent: String::new(), same: 0, until, stopping, is_over: false, _place: place };
    let pages = stream::unfold(watching, async |mut watching| {
        let page = watching.next().await?;
        Some((Ok::<_, Infallible>(Event::default().retry(AGAIN_AFTER).data(page)), watching))
    });
    // A proxy that gathers what it passes on would keep it back until the end.
    const UNBUFFERED: (HeaderName, HeaderValue) =
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    ([UNBUFFERED], Sse::new(pages)).into_response()
}

/// Somebody who watches a change.
struct Watching<T> {
    told: T,
    /// The page that they have, and how often it was the same.
    sent: String,
    same: u32,
    until: Instant,
    /// When the server stops: nothing more is sent, so that it need not wait.
    stopping: CancellationToken,
    is_over: bool,
    _place: Taken,
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
                self.same = 0;
                return Some(html);
            }
            self.same += 1;
            tokio::select! {
                () = tokio::time::sleep(if self.same < LOOKS { LOOK_EVERY } else { LOOK_SELDOM }) => {}
                () = self.stopping.cancelled() => return None,
            }
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
