//! Writing what a page changes, in one transaction.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use lockstep_core::account::Account;
use lockstep_core::audit::{Action, Actor};
use lockstep_core::change::Intent;
use lockstep_core::id::{IdentityId, IntentId, NodeId, TaskId};
use lockstep_core::identity::Identity;
use lockstep_store::{Result, Tx, account, aggregation, identity, identity_value, intent, task};
use lockstep_vault::secret::draw_id;

use super::page::{AccountWrite, IdentityWrite, Page, PagePlan, Planned};
use crate::app::App;
use crate::app::record::{About, record_by};
use crate::failpoint::failpoint;

/// Plans a page and, where anything differs, writes it, planned once more in the transaction that writes. `actor` is who
/// reads it, and `held` the task that it belongs to with the node that must still hold it.
pub(in crate::app) async fn page(
    app: &App,
    page: Arc<Page>,
    actor: Actor,
    held: Option<(TaskId, NodeId)>,
) -> Result<Planned> {
    let drafted = Arc::clone(&page);
    let draft = app.store.scan(move |tx: &mut Tx<'_>| Box::pin(async move { drafted.plan(tx, false).await })).await?;
    match &draft {
        Planned::Page(plan) if !plan.is_empty() => {}
        _ => return Ok(draft),
    }
    #[cfg(feature = "failpoints")]
    let within = app.clone();
    let now = app.clock.utc();
    let write = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            if let Some((task, node)) = held {
                task::hold(tx, task, node).await?;
            }
            let planned = page.plan(tx, true).await?;
            if let Planned::Page(plan) = &planned {
                all(tx, plan, actor, now).await?;
                failpoint!(within, AggregationWithinPage, |_| Err(lockstep_store::Error::Abandoned));
            }
            Ok::<_, lockstep_store::Error>(planned)
        })
    });
    let planned = write.await?;
    if let Planned::Page(plan) = &planned {
        // The engine carries intents out; losing this hint costs the time until it polls.
        plan.intents.iter().for_each(|(identity, _)| app.waker.wake(*identity));
    }
    Ok(planned)
}

async fn all(tx: &mut Tx<'_>, plan: &PagePlan, actor: Actor, now: DateTime<Utc>) -> Result<()> {
    // First everybody who moves gives up their native id: two may have changed places.
    aggregation::release(tx, &plan.release).await?;
    let names = identity_value::names(tx).await?;
    for write in &plan.identities {
        match write {
            IdentityWrite::New { identity, authority } => {
                aggregation::make(tx, identity, *authority, &names, now).await?;
            }
            IdentityWrite::Changed { identity: changed, renamed } => {
                identity::put(tx, changed, now).await?;
                if *renamed {
                    account::put(tx, &Account::built_in(changed), &Identity::alias_key(&changed.alias), now).await?;
                }
            }
            IdentityWrite::Recall(id) => {
                aggregation::recall(tx, *id, now).await?;
                intent::withdraw(tx, *id, None).await?;
                record_by(tx, actor, Action::AccountEnabled, said(*id), now).await?;
            }
        }
    }
    for write in &plan.accounts {
        match write {
            AccountWrite::New(known) => aggregation::insert(tx, known, now).await?,
            AccountWrite::Updated(known) => aggregation::update(tx, known, now).await?,
        }
    }
    for (identity, account) in &plan.govern {
        aggregation::govern(tx, *identity, *account).await?;
    }
    for (identity, account) in &plan.withdraw {
        intent::withdraw(tx, *identity, Some(*account)).await?;
    }
    for (identity, kind) in &plan.intents {
        intent::put(tx, *identity, Intent { id: IntentId(draw_id()), kind: *kind }, now).await?;
    }
    Ok(())
}

/// What the audit says of an identity whose source says whether it may sign in.
pub(super) fn said(id: IdentityId) -> About {
    About::built_in(id).word("by", "source")
}
