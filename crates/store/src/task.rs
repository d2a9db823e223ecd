//! Tasks: work that takes its time. One is at work with a source at a time, and one waits for it.
//!
//! Whoever takes a task is a node that lives. When it dies, its row goes with it ([`crate::node`]), and then the task is
//! anybody's again; so every transaction of the work begins with [`hold`].

use chrono::{DateTime, Utc};
use lockstep_core::aggregation::Counters;
use lockstep_core::id::{NodeId, SourceId, TaskId};
use lockstep_core::task::{Report, Task, TaskKind, TaskState};
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::names::{name_of, state_of};
use crate::tx::{Tx, execute, fetch, row};
use crate::window::Window;

/// Inserts a task. Where one waits already for that source, that one is given, which then does what both want.
pub async fn ask(tx: &mut Tx<'_>, task: &Task) -> Result<Task> {
    let row = fetch!(
        tx,
        fetch_one as TaskRow,
        "ask for a task",
        "INSERT INTO task (id, kind, source, state, whole, allowance, launcher, counters, reports, node, created_at,
             started_at, modified_at, finished_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         ON CONFLICT (source) WHERE state = 'waiting' DO UPDATE SET whole = task.whole OR excluded.whole,
             allowance = CASE WHEN task.allowance > excluded.allowance THEN task.allowance ELSE excluded.allowance END
         RETURNING id, kind, source, state, whole, allowance, launcher, counters, reports, node, created_at, started_at,
             modified_at, finished_at",
        task.id.0,
        name_of(&TaskKind::NAMES, "a task's kind", &task.kind)?,
        task.source.0,
        state_name(task.state)?,
        task.full,
        i64::try_from(task.allowance).unwrap_or(i64::MAX),
        task.launcher.as_str(),
        Json(task.counters),
        Json(&task.reports),
        task.node.map(|node| node.0),
        task.created_at,
        task.started_at,
        task.modified_at,
        task.finished_at,
    )?;
    row.try_into()
}

/// Takes a task: one whose node is gone, or the next one that waits for a source with which nobody is at work. Of several
/// who want it one gets it.
pub async fn take(tx: &mut Tx<'_>, node: NodeId, now: DateTime<Utc>) -> Result<Option<Task>> {
    let orphan = fetch!(
        tx,
        fetch_optional as TaskRow,
        "take over a task",
        "UPDATE task SET node = $1, modified_at = $2 WHERE id = (
             SELECT t.id FROM task t WHERE t.state = 'running'
             AND NOT EXISTS (SELECT 1 FROM node n WHERE n.id = t.node AND NOT n.stopped)
             ORDER BY t.created_at LIMIT 1)
         AND NOT EXISTS (SELECT 1 FROM node n WHERE n.id = task.node AND NOT n.stopped)
         RETURNING id, kind, source, state, whole, allowance, launcher, counters, reports, node, created_at, started_at,
             modified_at, finished_at",
        node.0,
        now
    )?;
    if let Some(row) = orphan {
        return row.try_into().map(Some);
    }
    let waiting = fetch!(
        tx,
        fetch_optional as TaskRow,
        "take a task",
        "UPDATE task SET node = $1, state = 'running', started_at = $2, modified_at = $2 WHERE state = 'waiting' AND id = (
             SELECT t.id FROM task t WHERE t.state = 'waiting'
             AND NOT EXISTS (SELECT 1 FROM task r WHERE r.source = t.source AND r.state = 'running')
             ORDER BY t.created_at LIMIT 1)
         RETURNING id, kind, source, state, whole, allowance, launcher, counters, reports, node, created_at, started_at,
             modified_at, finished_at",
        node.0,
        now
    )?;
    waiting.map(Task::try_from).transpose()
}

/// The tasks that a node is at work with.
pub async fn list_of(tx: &mut Tx<'_>, node: NodeId) -> Result<Vec<TaskId>> {
    let rows = fetch!(
        tx,
        fetch_all as (Uuid,),
        "list the tasks of a node",
        "SELECT id FROM task WHERE state = 'running' AND node = $1",
        node.0
    )?;
    Ok(rows.into_iter().map(|(id,)| TaskId(id)).collect())
}

/// Whether there is a task that is not at its end.
pub async fn is_any_open(tx: &mut Tx<'_>) -> Result<bool> {
    let row = fetch!(
        tx,
        fetch_optional as (i64,),
        "find whether there is a task to do",
        "SELECT CAST(1 AS BIGINT) FROM task WHERE state = 'waiting'
         UNION ALL SELECT CAST(1 AS BIGINT) FROM task WHERE state = 'running' LIMIT 1"
    )?;
    Ok(row.is_some())
}

/// Makes sure that a task is still this node's, until the transaction ends.
///
/// # Errors
/// [`Error::Stale`] when it is not: nothing may be written then.
pub async fn hold(tx: &mut Tx<'_>, id: TaskId, node: NodeId) -> Result<()> {
    // On SQLite the write transaction excludes every other one already.
    let sql = match tx {
        Tx::Sqlite(_) => "SELECT kind FROM task WHERE id = $1 AND node = $2 AND state = 'running'",
        Tx::Postgres(_) => "SELECT kind FROM task WHERE id = $1 AND node = $2 AND state = 'running' FOR UPDATE",
    };
    match fetch!(tx, fetch_optional as (String,), "hold a task", sql, id.0, node.0)? {
        Some(_) => Ok(()),
        None => Err(Error::Stale("task")),
    }
}

/// Says how far a task is, or that it has come to its end. Whoever calls it holds the task.
pub async fn say(tx: &mut Tx<'_>, task: &Task) -> Result<()> {
    execute!(
        tx,
        "say how far a task is",
        "UPDATE task SET state = $2, counters = $3, reports = $4, node = $5, modified_at = $6, finished_at = $7
         WHERE id = $1",
        task.id.0,
        state_name(task.state)?,
        Json(task.counters),
        Json(&task.reports),
        task.node.map(|node| node.0),
        task.modified_at,
        task.finished_at,
    )?;
    Ok(())
}

/// Gives a task up that was begun, for any node to begin it anew.
pub async fn give_up(tx: &mut Tx<'_>, id: TaskId, node: NodeId) -> Result<()> {
    execute!(
        tx,
        "give a task up",
        "UPDATE task SET node = NULL WHERE id = $1 AND node = $2 AND state = 'running'",
        id.0,
        node.0
    )?;
    Ok(())
}

/// A task by its id.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn get(tx: &mut Tx<'_>, id: TaskId) -> Result<Task> {
    let row = fetch!(
        tx,
        fetch_optional as TaskRow,
        "find a task",
        "SELECT id, kind, source, state, whole, allowance, launcher, counters, reports, node, created_at, started_at,
             modified_at, finished_at FROM task WHERE id = $1",
        id.0
    )?;
    row.ok_or(Error::NotFound("task"))?.try_into()
}

/// The latest aggregation of a source.
pub async fn latest(tx: &mut Tx<'_>, source: SourceId) -> Result<Option<Task>> {
    let row = fetch!(
        tx,
        fetch_optional as TaskRow,
        "find the latest task of a source",
        "SELECT id, kind, source, state, whole, allowance, launcher, counters, reports, node, created_at, started_at,
             modified_at, finished_at FROM task WHERE source = $1 AND kind = 'aggregation'
         ORDER BY created_at DESC LIMIT 1",
        source.0
    )?;
    row.map(Task::try_from).transpose()
}

/// Tasks, the latest first.
pub async fn list(tx: &mut Tx<'_>, window: Window) -> Result<Vec<Task>> {
    let rows = fetch!(
        tx,
        fetch_all as TaskRow,
        "list the tasks",
        "SELECT id, kind, source, state, whole, allowance, launcher, counters, reports, node, created_at, started_at,
             modified_at, finished_at FROM task ORDER BY created_at DESC, id LIMIT $1 OFFSET $2",
        i64::from(window.limit),
        i64::from(window.offset)
    )?;
    rows.into_iter().map(Task::try_from).collect()
}

/// How many tasks there are.
pub async fn count(tx: &mut Tx<'_>) -> Result<i64> {
    let (count,) = fetch!(tx, fetch_one as (i64,), "count the tasks", "SELECT count(*) FROM task")?;
    Ok(count)
}

/// Forgets the tasks that came to their end before `before`.
pub async fn forget(tx: &mut Tx<'_>, before: DateTime<Utc>) -> Result<u64> {
    execute!(tx, "forget old tasks", "DELETE FROM task WHERE finished_at < $1", before)
}

row! {
    struct TaskRow {
        id: Uuid,
        kind: String,
        source: Uuid,
        state: String,
        whole: bool,
        allowance: i64,
        launcher: String,
        counters: Json<Counters>,
        reports: Json<Vec<Report>>,
        node: Option<Uuid>,
        created_at: DateTime<Utc>,
        started_at: Option<DateTime<Utc>>,
        modified_at: DateTime<Utc>,
        finished_at: Option<DateTime<Utc>>,
    }
}

fn state_name(state: TaskState) -> Result<&'static str> {
    name_of(&TaskState::NAMES, "a task's state", &state)
}

impl TryFrom<TaskRow> for Task {
    type Error = Error;

    fn try_from(row: TaskRow) -> Result<Self> {
        Ok(Self {
            id: TaskId(row.id),
            kind: state_of(&TaskKind::NAMES, "a task's kind", &row.kind)?,
            source: SourceId(row.source),
            state: state_of(&TaskState::NAMES, "a task's state", &row.state)?,
            full: row.whole,
            allowance: row.allowance.unsigned_abs(),
            launcher: row.launcher,
            counters: row.counters.0,
            reports: row.reports.0,
            node: row.node.map(NodeId),
            created_at: row.created_at,
            started_at: row.started_at,
            modified_at: row.modified_at,
            finished_at: row.finished_at,
        })
    }
}
