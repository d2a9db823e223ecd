//! Aggregations: takes the tasks that are asked for, and asks for those that time makes due.
//!
//! Any node may look; of several who want a task one gets it. Reading a source waits for the source, and writing is a short
//! transaction a page, so that deliveries are not held up.

use std::collections::HashMap;
use std::time::Duration;

use lockstep_core::id::SourceId;
use lockstep_core::source::Source;
use lockstep_core::task::{Report, Task, TaskState};
use lockstep_store::{Tx, source, task};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::app::aggregate::{self, Wanted};

/// How many aggregations this node does at once.
const AT_ONCE: usize = 2;
/// How often it is looked for something to do.
const EVERY: Duration = Duration::from_millis(500);
/// How often, counted in that, it is looked what time makes due; and how often old tasks are forgotten.
const DUE_EVERY: u32 = 20;
const FORGET_EVERY: u32 = 7200;
/// How long a task can be asked about after its end.
const KEPT: chrono::TimeDelta = chrono::TimeDelta::days(30);

/// Does it until the process stops.
pub(super) async fn keep(app: App, stop: CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut runs = Runs { app: app.clone(), stop: stop.clone(), set: JoinSet::new(), tasks: HashMap::new() };
    for ticks in 0_u32.. {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = tick.tick() => {}
        }
        if let Err(error) = look_after(&app, ticks, &mut runs).await {
            tracing::error!(%error, "looking for aggregations failed; it is tried again");
        }
    }
    runs.end().await;
}

async fn look_after(app: &App, ticks: u32, runs: &mut Runs) -> lockstep_store::Result<()> {
    runs.reap().await;
    if ticks.is_multiple_of(DUE_EVERY) {
        runs.give_back().await?;
        ask_for_due(app).await?;
    }
    if ticks.is_multiple_of(FORGET_EVERY) {
        let before = app.clock.utc() - KEPT;
        app.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { task::forget(tx, before).await })).await?;
    }
    while runs.set.len() < AT_ONCE && runs.take_one().await? {}
    Ok(())
}

/// Asks for the aggregations of which the time has come.
async fn ask_for_due(app: &App) -> lockstep_store::Result<()> {
    let now = app.clock.utc();
    let read = app.store.scan(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let mut due = Vec::new();
            for source in source::list(tx).await? {
                if !source.is_built_in() && is_due(&source, task::latest(tx, source.id).await?.as_ref(), now) {
                    due.push(source.id);
                }
            }
            Ok::<_, lockstep_store::Error>(due)
        })
    });
    let due: Vec<SourceId> = read.await?;
    for id in due {
        let wanted = Wanted { launcher: "schedule".to_owned(), ..Wanted::default() };
        if let Err(error) = aggregate::ask(app, id, wanted).await {
            tracing::warn!(source.id = %id, %error, "an aggregation that is due could not be asked for");
        }
    }
    Ok(())
}

fn is_due(source: &Source, latest: Option<&Task>, now: chrono::DateTime<chrono::Utc>) -> bool {
    let failed = latest.is_some_and(|task| task.state == TaskState::Failed);
    let Some(pause) = source.aggregation.pause(failed) else { return false };
    let Some(latest) = latest else { return true };
    let since = now - latest.started_at.unwrap_or(latest.created_at);
    latest.state.is_final() && since >= chrono::TimeDelta::from_std(pause).unwrap_or(chrono::TimeDelta::MAX)
}

/// The aggregations of this node.
struct Runs {
    app: App,
    stop: CancellationToken,
    set: JoinSet<()>,
    tasks: HashMap<Id, Task>,
}

impl Runs {
    /// Takes a task, if there is one for this node.
    async fn take_one(&mut self) -> lockstep_store::Result<bool> {
        let Some(node) = self.app.waker.node() else { return Ok(false) };
        if !self.app.store.read(|tx: &mut Tx<'_>| Box::pin(task::is_any_open(tx))).await? {
            return Ok(false);
        }
        let now = self.app.clock.utc();
        let take =
            self.app.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { task::take(tx, node, now).await }));
        let taken = match take.await {
            // Another node was quicker with the same source.
            Err(error) if error.constraint().is_some() => None,
            taken => taken?,
        };
        let Some(task) = taken else { return Ok(false) };
        let (app, stop, kept) = (self.app.clone(), self.stop.clone(), task.clone());
        let handle = self.set.spawn(async move { aggregate::run(&app, task, node, &stop).await });
        self.tasks.insert(handle.id(), Task { node: Some(node), ..kept });
        Ok(true)
    }

    /// Gives back what this node has taken and does not do: the answer to the taking was lost, or the end could not be written
    /// down. Otherwise the source would wait for it as long as this node lives.
    async fn give_back(&self) -> lockstep_store::Result<()> {
        let Some(node) = self.app.waker.node() else { return Ok(()) };
        let taken = self.app.store.read(|tx: &mut Tx<'_>| Box::pin(task::list_of(tx, node))).await?;
        for id in taken.into_iter().filter(|id| !self.tasks.values().any(|task| task.id == *id)) {
            tracing::warn!(task.id = %id, "an aggregation that nobody does is given back");
            self.app
                .store
                .write(move |tx: &mut Tx<'_>| Box::pin(async move { task::give_up(tx, id, node).await }))
                .await?;
        }
        Ok(())
    }

    /// Sees to those that have ended.
    async fn reap(&mut self) {
        while let Some(ended) = self.set.try_join_next_with_id() {
            self.ended(ended).await;
        }
    }

    /// Waits for those that are under way; they give their tasks up.
    async fn end(mut self) {
        while let Some(ended) = self.set.join_next_with_id().await {
            self.ended(ended).await;
        }
    }

    async fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        match ended {
            Ok((id, ())) => drop(self.tasks.remove(&id)),
            Err(error) => {
                let task = self.tasks.remove(&error.id());
                tracing::error!(%error, "an aggregation ended with a fault");
                let Some((mut task, node)) = task.and_then(|task| task.node.map(|node| (task, node))) else { return };
                task.state = TaskState::Failed;
                task.reports = vec![Report::error("it ended with a fault; the log of the server says which")];
                if let Err(error) = aggregate::end(&self.app, task, node).await {
                    tracing::error!(%error, "the end of an aggregation could not be written down");
                }
            }
        }
    }
}
