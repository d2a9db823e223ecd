//! One aggregation from its beginning to its end.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use lockstep_connectors::{AccountEntry, FailureKind, Reading, RefusalKind};
use lockstep_core::aggregation::{Aggregation, Entry, Guard, Verdict};
use lockstep_core::audit::Actor;
use lockstep_core::id::NodeId;
use lockstep_core::task::{Report, Task};
use lockstep_store::aggregation::{self, State};
use lockstep_store::{Tx, identity_value, task};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::page::{Page, Planned};
use super::{REPORTS, leavers, write};
use crate::app::App;
use crate::failpoint::failpoint;
use crate::worker::InUse;

/// Why an aggregation ended before its end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Another node is at work with it.
    Lost,
    /// This process stops.
    Stopping,
    /// It cannot be done.
    Failed(String),
    /// Somebody must agree to what it would do.
    Asks(String),
}

/// An aggregation that is under way.
pub(super) struct Run<'a> {
    app: &'a App,
    node: NodeId,
    stop: &'a CancellationToken,
    pub(super) task: Task,
    /// When it last said how far it is, by the monotonic clock.
    said: Duration,
    /// Accounts of which the source said that they are not there, by their stable ids.
    gone: HashSet<String>,
    /// Identities whose account at the authoritative source is disabled.
    leaving: HashSet<lockstep_core::id::IdentityId>,
}

/// How many pages wait while one is being written.
const AHEAD: usize = 2;
/// How often an aggregation says how far it is.
const SAY_EVERY: Duration = Duration::from_secs(1);
/// How often a page is tried that meets others who write at the same time.
const TRIES: u32 = 4;
/// How many identities are made known by a value in one transaction.
const FILLED: u32 = 1000;

impl<'a> Run<'a> {
    pub(super) fn new(app: &'a App, task: Task, node: NodeId, stop: &'a CancellationToken) -> Self {
        let (gone, leaving) = (HashSet::new(), HashSet::new());
        // Whoever had it before may have come to any place: this counts anew.
        let task = Task { counters: Default::default(), reports: Vec::new(), ..task };
        Self { app, node, stop, task, said: app.clock.monotonic(), gone, leaving }
    }

    /// All of it.
    pub(super) async fn through(&mut self) -> Result<(), Stopped> {
        let source = self.app.sources.current(self.task.source).await.map_err(failed)?;
        let can = source.connector.capabilities();
        if !can.read_accounts {
            let text = "the accounts of this source cannot be read: its configuration does not say which there are";
            return Err(Stopped::Failed(text.to_owned()));
        }
        let settings = &source.row.aggregation;
        self.make_known(settings).await?;
        let began = self.app.clock.utc();
        let id = self.task.source;
        let read: lockstep_store::Result<_> = self
            .app
            .store
            .scan(move |tx: &mut Tx<'_>| {
                Box::pin(
                    async move { Ok((aggregation::state(tx, id).await?, aggregation::count_living(tx, id).await?)) },
                )
            })
            .await;
        let (state, known) = read.map_err(failed)?;
        self.task.counters.known = known;
        let since = state.as_ref().filter(|state| {
            let fresh = began - state.full_at < chrono::TimeDelta::from_std(settings.full_every).unwrap_or_default();
            can.read_changes && !self.task.full && fresh && state.version == source.version
        });
        let mark = since.and_then(|state| state.mark.clone());
        let mut seen = mark.is_none().then(Seen::default);

        let reading = self.read(&source, mark, seen.as_mut()).await?;
        let (count, examples) = (reading.skipped.count, reading.skipped.examples);
        self.task.counters.skipped += count;
        for example in examples {
            self.report(format!("an entry could not be taken: {example}"));
        }
        self.say().await?;
        let full_at = match (&seen, &state) {
            (None, Some(state)) => state.full_at,
            _ => began,
        };
        self.leave(&source, seen, began, count).await?;
        self.end(State { mark: reading.mark, version: source.version, full_at }).await
    }

    /// Makes every identity known by the values that the rules look for.
    async fn make_known(&mut self, settings: &Aggregation) -> Result<(), Stopped> {
        for name in settings.looked_for() {
            let name = name.to_owned();
            // Asked first: to begin keeps everybody waiting who stores an identity.
            let asked = name.clone();
            let known = self
                .app
                .store
                .read(move |tx: &mut Tx<'_>| Box::pin(async move { identity_value::is_filled(tx, &asked).await }));
            if known.await.map_err(failed)? {
                continue;
            }
            let begun = name.clone();
            let begin = self
                .app
                .store
                .write(move |tx: &mut Tx<'_>| Box::pin(async move { identity_value::begin(tx, &begun).await }));
            if begin.await.map_err(failed)? {
                continue;
            }
            let mut after = None;
            loop {
                let filled = name.clone();
                let fill = self.app.store.write(move |tx: &mut Tx<'_>| {
                    Box::pin(async move { identity_value::fill(tx, &filled, after, FILLED).await })
                });
                after = fill.await.map_err(failed)?;
                if after.is_none() {
                    break;
                }
                self.say().await?;
            }
        }
        Ok(())
    }

    /// Reads the source, and writes page after page while the next ones come.
    async fn read(
        &mut self,
        source: &Arc<InUse>,
        since: Option<String>,
        mut seen: Option<&mut Seen>,
    ) -> Result<Reading, Stopped> {
        let (pages, mut arrived) = mpsc::channel(AHEAD);
        let reading = {
            let source = Arc::clone(source);
            tokio::spawn(async move { source.connector.accounts(since.as_deref(), pages).await })
        };
        let reading = AbortOnDropHandle::new(reading);
        loop {
            let page = tokio::select! {
                () = self.stop.cancelled() => return Err(Stopped::Stopping),
                page = arrived.recv() => page,
                // A source that takes its time must not look dead.
                () = tokio::time::sleep(SAY_EVERY) => {
                    self.say().await?;
                    continue;
                }
            };
            let Some(entries) = page else { break };
            self.task.counters.read += entries.len() as u64;
            if let Some(seen) = seen.as_deref_mut() {
                entries.iter().for_each(|entry| seen.insert(&entry.stable_id));
            }
            self.page(source, entries, seen.as_deref_mut()).await?;
            failpoint!(self.app, AggregationPageWritten, |_| Err(Stopped::Failed("a failpoint".to_owned())));
            self.say().await?;
        }
        let read = reading.await.map_err(failed)?;
        read.map_err(|failure| Stopped::Failed(format!("the source could not be read: {}", failure.detail)))
    }

    /// Writes what a page changes.
    async fn page(
        &mut self,
        source: &Arc<InUse>,
        entries: Vec<AccountEntry>,
        mut seen: Option<&mut Seen>,
    ) -> Result<(), Stopped> {
        let kind = &source.row.connector;
        let (mut page, twice) = Page::new(
            source.row.clone(),
            self.app.clock.utc(),
            self.task.full,
            entries.into_iter().map(|e| entry(kind, e)),
        );
        for report in twice {
            self.task.counters.skipped += 1;
            self.report(report);
        }
        let mut tries = 0;
        loop {
            let (actor, held) = (Actor::Node(self.node), Some((self.task.id, self.node)));
            let planned = write::page(self.app, Arc::new(page.clone()), actor, held).await;
            match planned {
                Ok(Planned::Page(plan)) => {
                    self.task.counters += plan.counters;
                    self.leaving.extend(plan.leaving);
                    for report in plan.reports {
                        self.report(report);
                    }
                    return Ok(());
                }
                Ok(Planned::Displaced(others)) => {
                    for stable_id in others {
                        self.look_for(source, &mut page, stable_id, seen.as_deref_mut()).await?;
                    }
                }
                // Somebody else writes the same rows: an apply file, another source.
                Err(error) if (error.is_transient() || error.constraint().is_some()) && tries < TRIES => tries += 1,
                Err(error) => return Err(lost_or_failed(error)),
            }
        }
    }

    /// Another entry has the native id of this account: where is it now?
    async fn look_for(
        &mut self,
        source: &InUse,
        page: &mut Page,
        stable_id: String,
        seen: Option<&mut Seen>,
    ) -> Result<(), Stopped> {
        let found = match source.connector.account(&stable_id).await {
            Ok(found) => found,
            // A source that cannot say it: the account has another name or is gone, which a reading of everything shows.
            Err(failure) if failure.kind == FailureKind::Refused(RefusalKind::Unsupported) => {
                page.gone.insert(stable_id);
                return Ok(());
            }
            Err(failure) => {
                let text = format!("the source could not be asked about an account: {}", failure.detail);
                return Err(Stopped::Failed(text));
            }
        };
        match found {
            Some(found) => {
                if let Some(seen) = seen {
                    seen.insert(&found.stable_id);
                }
                if let Some(report) = page.add(entry(&source.row.connector, found)) {
                    self.task.counters.skipped += 1;
                    self.report(report);
                }
            }
            None => {
                if let Some(seen) = seen {
                    seen.remove(&stable_id);
                }
                page.gone.insert(stable_id.clone());
                self.gone.insert(stable_id);
                let guard = self.guard(&source.row.aggregation);
                if guard.judge(self.task.counters.known, self.gone.len() as u64) == Verdict::Asks {
                    self.task.counters.gone = self.gone.len() as u64;
                    return Err(leavers::asks(&source.row, &self.task.counters, 0));
                }
            }
        }
        Ok(())
    }

    /// Takes for gone what is gone, and retires whom the source does not have any more.
    async fn leave(
        &mut self,
        source: &InUse,
        seen: Option<Seen>,
        began: DateTime<Utc>,
        skipped: u64,
    ) -> Result<(), Stopped> {
        let guard = self.guard(&source.row.aggregation);
        let counters = &mut self.task.counters;
        if seen.is_some() && guard.judge_reading(counters.known, counters.read) == Verdict::Asks {
            counters.gone = counters.known;
            return Err(leavers::asks(&source.row, counters, 0));
        }
        if seen.is_some() && skipped > 0 {
            self.report("some entries could not be taken, so no account was taken for gone".to_owned());
        }
        let gone = match seen {
            Some(_) if skipped > 0 => Vec::new(),
            Some(seen) => leavers::missing(self.app, source, &seen, began).await.map_err(failed)?,
            None => leavers::named(self.app, source, self.gone.iter().cloned().collect()).await.map_err(failed)?,
        };
        let leaving = std::mem::take(&mut self.leaving);
        let going = leavers::going(self.app, source, gone, leaving).await.map_err(failed)?;
        let (accounts, retiring) = (going.accounts.len() as u64, going.retiring.len() as u64);
        let counters = &mut self.task.counters;
        if guard.judge(counters.known, accounts) == Verdict::Asks
            || guard.judge(going.governed, retiring) == Verdict::Asks
        {
            (counters.gone, counters.identities_retired) = (accounts, retiring);
            return Err(leavers::asks(&source.row, counters, going.governed));
        }
        for part in going.parts() {
            if self.stop.is_cancelled() {
                return Err(Stopped::Stopping);
            }
            let (accounts, retiring) = (part.accounts.len() as u64, part.retiring.len() as u64);
            let taken = leavers::take(self.app, source, part, self.task.id, self.node).await.map_err(lost_or_failed)?;
            if !taken {
                let text = "the source was changed meanwhile, so nothing more was taken for gone; read it again";
                return Err(Stopped::Failed(text.to_owned()));
            }
            self.task.counters.gone += accounts;
            self.task.counters.identities_retired += retiring;
            failpoint!(self.app, AggregationPartGone, |_| Err(Stopped::Failed("a failpoint".to_owned())));
            self.say().await?;
        }
        Ok(())
    }

    /// How far the source was read, and that the task is done, in one transaction.
    async fn end(&mut self, state: State) -> Result<(), Stopped> {
        failpoint!(self.app, AggregationBeforeEnd, |_| Err(Stopped::Failed("a failpoint".to_owned())));
        let now = self.app.clock.utc();
        let (source, node) = (self.task.source, self.node);
        self.task.state = lockstep_core::task::TaskState::Done;
        (self.task.modified_at, self.task.finished_at, self.task.node) = (now, Some(now), None);
        let task = self.task.clone();
        let end = self.app.store.write(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                task::hold(tx, task.id, node).await?;
                aggregation::put_state(tx, source, &state).await?;
                task::say(tx, &task).await
            })
        });
        end.await.map_err(lost_or_failed)
    }

    /// Says how far it is, if that was not said just now.
    async fn say(&mut self) -> Result<(), Stopped> {
        let now = self.app.clock.monotonic();
        if now.saturating_sub(self.said) < SAY_EVERY {
            return Ok(());
        }
        self.said = now;
        self.task.modified_at = self.app.clock.utc();
        self.task.node = Some(self.node);
        let (task, node) = (self.task.clone(), self.node);
        let say = self.app.store.write(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                task::hold(tx, task.id, node).await?;
                task::say(tx, &task).await
            })
        });
        say.await.map_err(lost_or_failed)
    }

    fn report(&mut self, text: String) {
        if self.task.reports.len() < REPORTS {
            self.task.reports.push(Report::warning(text));
        }
    }

    fn guard(&self, settings: &Aggregation) -> Guard {
        Guard { percent: settings.guard, allowance: self.task.allowance }
    }
}

/// Which accounts were read: a keyed hash of each stable id, so that it takes the same few bytes whatever they are.
#[derive(Default)]
pub(super) struct Seen {
    key: RandomState,
    hashes: HashSet<u64>,
}

impl Seen {
    fn insert(&mut self, stable_id: &str) {
        self.hashes.insert(self.key.hash_one(stable_id));
    }

    fn remove(&mut self, stable_id: &str) {
        self.hashes.remove(&self.key.hash_one(stable_id));
    }

    pub(super) fn has(&self, stable_id: &str) -> bool {
        self.hashes.contains(&self.key.hash_one(stable_id))
    }
}

/// An entry with the form in which its native id is compared.
pub(in crate::app) fn entry(kind: &str, entry: AccountEntry) -> Entry {
    Entry {
        native_key: lockstep_connectors::native_key(kind, &entry.native_id),
        stable_id: entry.stable_id,
        native_id: entry.native_id,
        name: entry.name,
        enabled: entry.enabled,
        password_changed_at: entry.password_changed_at,
        attributes: entry.attributes,
    }
}

fn failed(error: impl std::error::Error) -> Stopped {
    Stopped::Failed(crate::app::aggregate::chain(&error))
}

fn lost_or_failed(error: lockstep_store::Error) -> Stopped {
    match error {
        lockstep_store::Error::Stale(_) => Stopped::Lost,
        error => failed(error),
    }
}
