//! How far tasks are, from committed rows: any node can answer.

use lockstep_core::id::TaskId;
use lockstep_core::task::Task;
use lockstep_store::{Tx, Window, source, task};

use super::{App, Error};
use crate::auth::Permit;

/// A task, and what its source is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The task.
    pub task: Task,
    /// What people call its source.
    pub source: String,
}

/// How far a task is.
///
/// # Errors
/// When there is no such task.
pub async fn get(app: &App, permit: &Permit, id: TaskId) -> Result<Named, Error> {
    permit.reaches(None)?;
    let read = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let task = task::get(tx, id).await.map_err(|error| match error {
                lockstep_store::Error::NotFound(_) => Error::NotFound("task"),
                error => error.into(),
            })?;
            named(tx, task).await
        })
    });
    read.await
}

/// How far tasks are, the latest first; and how many there are.
pub async fn list(app: &App, permit: &Permit, window: Window) -> Result<(Vec<Named>, i64), Error> {
    permit.reaches(None)?;
    let read = app.store.scan(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let mut tasks = Vec::new();
            for task in task::list(tx, window).await? {
                tasks.push(named(tx, task).await?);
            }
            Ok((tasks, task::count(tx).await?))
        })
    });
    read.await
}

async fn named(tx: &mut Tx<'_>, task: Task) -> Result<Named, Error> {
    let source = source::find(tx, task.source).await?;
    Ok(Named { source: source.map(|source| source.name).unwrap_or_default(), task })
}
