//! Reading one account again.

use lockstep_core::id::{AccountId, SourceId, TaskId};
use lockstep_core::task::{Report, TaskKind, TaskState};
use lockstep_store::{Tx, aggregation, task};

use super::aggregate::{self, Wanted};
use super::link_account::not_found;
use super::{App, Error};
use crate::auth::Permit;

/// Reads it, and gives the task that says how that ended. An account that is not there any more is taken for gone: somebody has
/// asked about this one.
///
/// # Errors
/// When there is no such account, or it is on no source that can be read.
pub async fn reload_account(app: &App, permit: &Permit, id: AccountId) -> Result<TaskId, Error> {
    permit.reaches(None)?;
    let read = app.store.read(move |tx: &mut Tx<'_>| Box::pin(async move { aggregation::get(tx, id).await }));
    let known = read.await.map_err(not_found)?;
    let source = known.account.source;
    if source == SourceId::IDENTITY_NOW {
        return Err(Error::Impossible("this account is its identity's own".to_owned()));
    }
    let now = app.clock.utc();
    let wanted = Wanted { launcher: permit.caller().name(), ..Wanted::default() };
    let mut done = aggregate::new_task(source, TaskKind::Reload, wanted, now);
    done.started_at = Some(now);
    match aggregate::reload(app, known, permit.caller().actor()).await {
        Ok((counters, reports)) => {
            (done.state, done.counters) = (TaskState::Done, counters);
            done.reports = reports.into_iter().map(Report::warning).collect();
        }
        Err(text) => (done.state, done.reports) = (TaskState::Failed, vec![Report::error(text)]),
    }
    let now = app.clock.utc();
    (done.modified_at, done.finished_at) = (now, Some(now));
    let id = done.id;
    app.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { task::ask(tx, &done).await })).await?;
    Ok(id)
}
