//! Reading the accounts of a source, and making accounts and identities what the source says.
//!
//! Whoever wants it asks for a task; the worker of one node takes it (`run`). Entries come page by page, and a page is one
//! transaction, in which only what differs is written: so an aggregation that was cut off is begun anew and comes to the same
//! end. What is gone is known only when everything was read, and taken for gone only when that is not too much.

mod leavers;
mod page;
mod reload;
mod run;
mod whose;
mod write;

use chrono::{DateTime, Utc};
use lockstep_core::aggregation::Counters;
use lockstep_core::id::{NodeId, SourceId, TaskId};
use lockstep_core::source::Source;
use lockstep_core::task::{Report, Task, TaskKind, TaskState};
use lockstep_store::{Tx, source, task};
use lockstep_vault::secret::draw_id_at;
use tokio_util::sync::CancellationToken;

use super::{App, Error};
use crate::failpoint::failpoint;
pub(super) use reload::reload;
use run::{Run, Stopped};

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Whether everything is read and looked at again, whatever has changed.
    pub full: bool,
    /// How many accounts, and how many identities, may be lost without asking again.
    pub allowance: u64,
    /// Who asks, as people read it.
    pub launcher: String,
}

/// How many reports are kept of a task. The counters count all of them.
const REPORTS: usize = 50;

/// Asks for an aggregation. Where one waits already, it is that one.
///
/// # Errors
/// When there is no such source, or it cannot be aggregated.
pub async fn ask(app: &App, id: SourceId, wanted: Wanted) -> Result<Task, Error> {
    let now = app.clock.utc();
    let asked = new_task(id, TaskKind::Aggregation, wanted, now);
    let ask = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let found = source::find(tx, id).await?.ok_or(Error::NotFound("source"))?;
            if found.is_built_in() {
                return Err(Error::Impossible(format!("{} has no accounts to be read", Source::IDENTITY_NOW)));
            }
            Ok(task::ask(tx, &asked).await?)
        })
    });
    ask.await
}

/// A task that nobody has begun.
pub(super) fn new_task(source: SourceId, kind: TaskKind, wanted: Wanted, now: DateTime<Utc>) -> Task {
    Task {
        id: TaskId(draw_id_at(now)),
        kind,
        source,
        state: TaskState::Waiting,
        full: wanted.full,
        allowance: wanted.allowance,
        launcher: wanted.launcher,
        counters: Counters::default(),
        reports: Vec::new(),
        node: None,
        created_at: now,
        started_at: None,
        modified_at: now,
        finished_at: None,
    }
}

/// Does a task that `node` has taken, and writes down what became of it. When `stop` says so, the task is given up and begun
/// anew by whoever takes it next.
pub(crate) async fn run(app: &App, task: Task, node: NodeId, stop: &CancellationToken) {
    let id = task.id;
    tracing::info!(task.id = %id, source.id = %task.source, task.full = task.full, "an aggregation begins");
    let mut run = Run::new(app, task, node, stop);
    let ended = run.through().await;
    let mut task = run.task;
    let report = match ended {
        Ok(()) => {
            tracing::info!(task.id = %id, counters = ?task.counters, "an aggregation is done");
            return;
        }
        Err(Stopped::Lost) => {
            tracing::warn!(task.id = %id, "another node has taken an aggregation over");
            return;
        }
        Err(Stopped::Stopping) => {
            let give_up =
                app.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { task::give_up(tx, id, node).await }));
            if let Err(error) = give_up.await {
                tracing::warn!(task.id = %id, %error, "an aggregation could not be given up; it is taken over in time");
            }
            return;
        }
        Err(Stopped::Asks(text)) => {
            task.state = TaskState::Unconfirmed;
            text
        }
        Err(Stopped::Failed(text)) => {
            task.state = TaskState::Failed;
            text
        }
    };
    tracing::warn!(task.id = %id, task.state = ?task.state, reason = report, "an aggregation has not come to its end");
    // In front: what is behind it was found on the way.
    task.reports.insert(0, Report::error(report));
    if let Err(error) = end(app, task, node).await {
        tracing::error!(task.id = %id, %error, "the end of an aggregation could not be written down");
    }
}

/// Writes down that a task has come to its end, if it is still this node's.
pub(crate) async fn end(app: &App, mut task: Task, node: NodeId) -> lockstep_store::Result<()> {
    let now = app.clock.utc();
    (task.modified_at, task.finished_at, task.node) = (now, Some(now), None);
    let end = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            task::hold(tx, task.id, node).await?;
            task::say(tx, &task).await
        })
    });
    end.await?;
    failpoint!(app, AggregationEnded, |_| Ok(()));
    Ok(())
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}
