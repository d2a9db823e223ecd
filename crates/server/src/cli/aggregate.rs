//! `lockstep aggregate`: has the accounts of a source read, and follows that to its end.
//!
//! The work is a worker's: this asks for a task and looks how far it is. Where nobody serves, this process becomes a worker
//! itself until the task is done; on SQLite the lock proves that nobody else is one.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use lockstep_core::aggregation::Counters;
use lockstep_core::id::{NodeId, SourceId, TaskId};
use lockstep_core::task::{Level, Task, TaskState};
use lockstep_store::{Tx, node, source, task};
use serde_json::json;

use super::{Exit, print, read_config};
use crate::app::aggregate::{self, Wanted};
use crate::app::{App, OpenError, Role};
use crate::config::Config;
use crate::worker::{self, WorkerHandle};

/// For how many beats it is watched whether any node lives.
const WATCHED_BEATS: u32 = 4;
/// How often it is looked how far the task is.
const EVERY: Duration = Duration::from_millis(200);

/// Read the accounts of a source
///
/// Has the accounts of a source read, and the identities where the source says who there is, and follows that to its end. A
/// running server does the work; where none runs, this command does it. Interrupted, the work goes on in the server, or begins
/// anew when one starts.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lockstep aggregate \"Corporate Directory\"
  lockstep aggregate HR --full --json
  lockstep aggregate HR --accept-deletes 120

Exit codes:
  0  done
  1  failed: standard error says why
  2  wrong arguments
  3  nothing was taken for gone: somebody must agree first, with --accept-deletes")]
pub(super) struct Aggregate {
    /// The source's name or id
    source: String,
    /// Read everything and look at all of it again, whatever has changed
    #[arg(long)]
    full: bool,
    /// Take up to so many accounts for gone, and disable up to so many identities, without asking
    #[arg(long, value_name = "N", default_value_t = 0)]
    accept_deletes: u64,
    /// Say how it ended as one line of JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) async fn run(arguments: Aggregate, config: Option<&Path>) -> Result<Exit> {
    let config = read_config(config)?;
    let mut asking = Asking { app: App::open(config.clone(), Role::Tool).await?, worker: None };
    let followed = follow(&mut asking, &config, &arguments).await;
    asking.close().await;
    let task = followed?;
    match arguments.json {
        true => print::json(&described(&task))?,
        false => show(&task)?,
    }
    Ok(match task.state {
        TaskState::Done => Exit::Done,
        TaskState::Unconfirmed => Exit::Unmet,
        _ => Exit::Failed,
    })
}

/// The database, and the worker of this process where it has become one.
struct Asking {
    app: App,
    worker: Option<WorkerHandle>,
}

impl Asking {
    /// Becomes a worker. Says whether it could: it cannot beside another one on SQLite.
    async fn work(&mut self, config: &Config) -> Result<bool> {
        self.app.close().await;
        let opened = App::open(config.clone(), Role::Work).await;
        let served = matches!(&opened, Err(OpenError::Store(lockstep_store::Error::Served { .. })));
        if served {
            self.app = App::open(config.clone(), Role::Tool).await?;
            return Ok(false);
        }
        self.app = opened?;
        self.worker = Some(worker::start(self.app.clone()).await?);
        Ok(true)
    }

    async fn close(self) {
        if let Some(worker) = self.worker {
            worker.stop().await;
        }
        self.app.close().await;
    }
}

async fn follow(asking: &mut Asking, config: &Config, arguments: &Aggregate) -> Result<Task> {
    let source = find(&asking.app, &arguments.source).await?;
    let wanted =
        Wanted { full: arguments.full, allowance: arguments.accept_deletes, launcher: "the command line".to_owned() };
    let id = aggregate::ask(&asking.app, source, wanted).await?.id;
    let beats = beats(&asking.app).await?;
    // On SQLite the lock says at once whether somebody serves.
    let locks = config.store.url.starts_with("sqlite:");
    let watched = config.engine_settings(false).node.beat_every * if locks { 0 } else { WATCHED_BEATS };
    let (began, mut looked) = (asking.app.clock.monotonic(), false);
    let mut bar = Bar::new();
    loop {
        let task = read(&asking.app, id).await?;
        bar.show(&task);
        if task.state.is_final() {
            bar.end();
            return Ok(task);
        }
        if !looked && asking.app.clock.monotonic().saturating_sub(began) >= watched {
            looked = true;
            let moved = self::beats(&asking.app).await?.iter().any(|(id, beat)| beats.get(id) != Some(beat));
            let lives = moved && !locks;
            if !lives && asking.work(config).await? {
                eprintln!("No server runs, so this command does the work.");
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn read(app: &App, id: TaskId) -> Result<Task> {
    Ok(app.store.read(move |tx: &mut Tx<'_>| Box::pin(async move { task::get(tx, id).await })).await?)
}

/// How far the counters of the nodes have come that have not stopped.
async fn beats(app: &App) -> Result<BTreeMap<NodeId, i64>> {
    let nodes = app.store.read(|tx: &mut Tx<'_>| Box::pin(node::list(tx))).await;
    let nodes: Vec<node::Node> = nodes?;
    Ok(nodes.into_iter().filter(|node| !node.stopped).map(|node| (node.id, node.beat)).collect())
}

async fn find(app: &App, name: &str) -> Result<SourceId> {
    let sources = app.store.read(|tx: &mut Tx<'_>| Box::pin(source::list(tx))).await;
    let sources: Vec<lockstep_core::source::Source> = sources?;
    let (key, id) = (source::name_key(name), name.parse::<SourceId>().ok());
    let found = sources.iter().find(|source| source::name_key(&source.name) == key || Some(source.id) == id);
    match found {
        Some(found) => Ok(found.id),
        None => {
            let names = sources.iter().filter(|source| !source.is_built_in());
            let names: Vec<String> = names.map(|source| format!("{:?}", source.name)).collect();
            bail!("there is no source {name:?}; there are {}", names.join(", "))
        }
    }
}

/// How far it is, on the terminal; nothing where there is none.
struct Bar {
    terminal: bool,
    drawn: bool,
}

impl Bar {
    const WIDTH: usize = 30;

    fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), drawn: false }
    }

    fn show(&mut self, task: &Task) {
        if !self.terminal {
            return;
        }
        let percent = if task.state.is_final() { 100 } else { usize::from(task.counters.percent()) };
        let full = Self::WIDTH * percent / 100;
        let what = if task.state == TaskState::Waiting { "waiting" } else { "accounts read" };
        let mut out = std::io::stderr().lock();
        // A terminal that goes away is no reason to stop.
        let _ = write!(
            out,
            "\r[{:=<full$}{:width$}] {percent:>3} %  {} {what}\x1b[K",
            "",
            "",
            task.counters.read,
            width = Self::WIDTH - full
        );
        let _ = out.flush();
        self.drawn = true;
    }

    fn end(&self) {
        if self.drawn {
            eprintln!();
        }
    }
}

fn show(task: &Task) -> Result<()> {
    for report in &task.reports {
        match report.level {
            Level::Error => eprintln!("error: {}", report.text),
            Level::Warning => eprintln!("warning: {}", report.text),
        }
    }
    for line in lines(&task.counters, task.state) {
        print::line(line)?;
    }
    Ok(())
}

/// What was done, a line for each that is not nothing.
fn lines(counters: &Counters, state: TaskState) -> Vec<String> {
    let would = if state == TaskState::Unconfirmed { "that would be " } else { "" };
    let mut lines = vec![format!("{} accounts read.", counters.read)];
    let mut line = |what: &str, parts: &[(u64, &str)]| {
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts.map(|(count, name)| format!("{count} {name}")).collect();
        if !parts.is_empty() {
            lines.push(format!("{what}: {}.", parts.join(", ")));
        }
    };
    line(
        "Accounts",
        &[
            (counters.created, "new"),
            (counters.changed, "changed"),
            (counters.renamed, "renamed"),
            (counters.returned, "there again"),
            (counters.gone, &format!("{would}gone")),
            (counters.unchanged, "as they were"),
        ],
    );
    line(
        "Whose they are",
        &[
            (counters.correlated, "found"),
            (counters.uncorrelated, "nobody's"),
            (counters.ambiguous, "that could be several people's"),
        ],
    );
    line(
        "Identities",
        &[
            (counters.identities_created, "new"),
            (counters.identities_changed, "changed"),
            (counters.identities_retired, &format!("{would}disabled")),
            (counters.identities_returned, "enabled again"),
            (counters.conflicts, "not made or renamed because of their login names"),
        ],
    );
    line("Left out", &[(counters.skipped, "entries that could not be taken")]);
    lines
}

fn described(task: &Task) -> serde_json::Value {
    let state = TaskState::NAMES.iter().find(|(state, _)| *state == task.state).map_or("", |(_, name)| name);
    let took = task.started_at.zip(task.finished_at).map(|(from, to)| (to - from).as_seconds_f64());
    json!({
        "task": task.id, "state": state, "seconds": took, "counters": task.counters, "reports": task.reports,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_said_and_what_was_not_is_left_out() {
        let counters =
            Counters { read: 12, created: 2, unchanged: 9, gone: 3, identities_retired: 1, ..Counters::default() };
        assert_eq!(
            lines(&counters, TaskState::Unconfirmed),
            [
                "12 accounts read.",
                "Accounts: 2 new, 3 that would be gone, 9 as they were.",
                "Identities: 1 that would be disabled."
            ]
        );
        assert_eq!(lines(&Counters::default(), TaskState::Done), ["0 accounts read."]);
    }
}
