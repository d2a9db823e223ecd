//! Who and what is gone: counted first, and taken for gone only then.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use lockstep_core::aggregation::Counters;
use lockstep_core::audit::{Action, Actor};
use lockstep_core::change::{Intent, IntentKind};
use lockstep_core::id::{AccountId, IdentityId, IntentId, NodeId, SourceId, TaskId};
use lockstep_core::source::Source;
use lockstep_store::aggregation::Living;
use lockstep_store::{Result, Tx, account, aggregation, intent, source, task};
use lockstep_vault::secret::draw_id;

use super::run::{Seen, Stopped};
use super::write::said;
use crate::app::App;
use crate::app::record::record_by;
use crate::worker::InUse;

/// An account that is gone, and whose it is.
type Gone = (AccountId, Option<IdentityId>);

/// Everything that would go.
#[derive(Debug, Clone, Default)]
pub(super) struct Going {
    pub(super) accounts: Vec<Gone>,
    /// Whom the source says is here no more; each goes with one of the accounts, or with one that is disabled there.
    pub(super) retiring: HashSet<IdentityId>,
    /// Of how many identities the source says who they are; counted only where somebody retires.
    pub(super) governed: u64,
}

/// How many accounts are looked at, and how many go, in one transaction.
const PART: u32 = 500;

/// The accounts of the source that were not read, though they were known before the reading began.
pub(super) async fn missing(app: &App, source: &InUse, seen: &Seen, began: DateTime<Utc>) -> Result<Vec<Gone>> {
    let (id, mut after, mut missing) = (source.row.id, String::new(), Vec::new());
    loop {
        let from = after.clone();
        let walk = app
            .store
            .scan(move |tx: &mut Tx<'_>| Box::pin(async move { aggregation::living_after(tx, id, &from, PART).await }));
        let living: Vec<Living> = walk.await?;
        let Some(last) = living.last() else { return Ok(missing) };
        after.clone_from(&last.stable_id);
        let unseen = living.into_iter().filter(|living| !seen.has(&living.stable_id) && living.created_at < began);
        let unseen: Vec<Gone> = unseen.map(|living| (living.id, living.identity)).collect();
        if !unseen.is_empty() {
            missing.extend(not_going_already(app, unseen).await?);
        }
    }
}

/// The accounts with these stable ids, of which the source said that they are not there.
pub(super) async fn named(app: &App, source: &InUse, stable_ids: Vec<String>) -> Result<Vec<Gone>> {
    if stable_ids.is_empty() {
        return Ok(Vec::new());
    }
    let id = source.row.id;
    let read = app
        .store
        .scan(move |tx: &mut Tx<'_>| Box::pin(async move { aggregation::known(tx, id, &stable_ids).await }))
        .await?;
    let living = read.into_iter().filter(|known| !known.account.vanished);
    not_going_already(app, living.map(|known| (known.account.id, known.account.identity)).collect()).await
}

/// Those that wait for nothing: one that is given to somebody else goes there first, and is looked at again as theirs.
async fn not_going_already(app: &App, accounts: Vec<Gone>) -> Result<Vec<Gone>> {
    let owned: Vec<(IdentityId, AccountId)> =
        accounts.iter().filter_map(|(id, owner)| Some(((*owner)?, *id))).collect();
    let read = app.store.scan(move |tx: &mut Tx<'_>| Box::pin(async move { intent::list_about(tx, &owned).await }));
    let standing: HashSet<AccountId> =
        read.await?.into_iter().filter_map(|intent: Intent| intent.kind.account()).collect();
    Ok(accounts.into_iter().filter(|(id, _)| !standing.contains(id)).collect())
}

/// What goes when these accounts are gone and these identities are disabled at their source.
pub(super) async fn going(app: &App, source: &InUse, gone: Vec<Gone>, leaving: HashSet<IdentityId>) -> Result<Going> {
    let mut going = Going { accounts: gone, retiring: leaving, governed: 0 };
    if !source.row.aggregation.authoritative {
        return Ok(going);
    }
    let id = source.row.id;
    let read = app.store.scan(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let sources =
                source::list(tx).await?.into_iter().filter(|source: &Source| source.aggregation.authoritative);
            let sources: HashSet<SourceId> = sources.map(|source| source.id).collect();
            Ok::<_, lockstep_store::Error>((sources, aggregation::count_governed(tx, id).await?))
        })
    });
    let (authoritative, governed) = read.await?;
    going.governed = governed;
    let all: HashSet<AccountId> = going.accounts.iter().map(|(account, _)| *account).collect();
    for part in going.accounts.chunks(PART as usize) {
        let owned: HashMap<IdentityId, Vec<AccountId>> =
            part.iter().fold(HashMap::new(), |mut owned, (account, owner)| {
                owner.iter().for_each(|owner| owned.entry(*owner).or_insert_with(Vec::new).push(*account));
                owned
            });
        let (all, authoritative) = (all.clone(), authoritative.clone());
        let read = app.store.scan(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                let mut retiring = Vec::new();
                let ids: Vec<IdentityId> = owned.keys().copied().collect();
                for person in aggregation::people(tx, &ids).await? {
                    let id = person.identity.id;
                    let said = person.authority.is_some_and(|authority| owned[&id].contains(&authority));
                    if !said || !person.identity.enabled {
                        continue;
                    }
                    // Another authoritative account may say who this is from now on.
                    let others = account::list_of(tx, id).await?;
                    let stays = others.iter().any(|other| {
                        !other.vanished && !all.contains(&other.id) && authoritative.contains(&other.source)
                    });
                    retiring.extend((!stays).then_some(id));
                }
                Ok::<_, lockstep_store::Error>(retiring)
            })
        });
        going.retiring.extend(read.await?);
    }
    Ok(going)
}

impl Going {
    /// The same in parts, each with the identities that go with its accounts.
    pub(super) fn parts(self) -> Vec<Self> {
        let Self { accounts, mut retiring, governed } = self;
        let mut parts = Vec::new();
        for accounts in accounts.chunks(PART as usize) {
            let owners = accounts.iter().filter_map(|(_, owner)| *owner);
            let retiring: HashSet<IdentityId> = owners.filter(|owner| retiring.remove(owner)).collect();
            parts.push(Self { accounts: accounts.to_vec(), retiring, governed });
        }
        let rest: Vec<IdentityId> = retiring.into_iter().collect();
        for retiring in rest.chunks(PART as usize) {
            parts.push(Self { accounts: Vec::new(), retiring: retiring.iter().copied().collect(), governed });
        }
        parts
    }
}

/// Takes a part for gone: what is nobody's at once, the rest by the engine, which first ends what is under way. Says whether the
/// source is still set as it was read: nothing is done where somebody has corrected that meanwhile.
pub(super) async fn take(app: &App, source: &InUse, part: Going, task: TaskId, node: NodeId) -> Result<bool> {
    let (id, version) = (source.row.id, source.version);
    let concerned: HashSet<IdentityId> =
        part.accounts.iter().filter_map(|(_, owner)| *owner).chain(part.retiring.iter().copied()).collect();
    let now = app.clock.utc();
    let write = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            task::hold(tx, task, node).await?;
            if source::version(tx, id).await? != version {
                return Ok(false);
            }
            write(tx, &part, Actor::Node(node), now).await?;
            Ok::<_, lockstep_store::Error>(true)
        })
    });
    let taken = write.await?;
    concerned.into_iter().for_each(|identity| app.waker.wake(identity));
    Ok(taken)
}

/// The same for whoever needs no task to be held.
pub(in crate::app) async fn write(tx: &mut Tx<'_>, part: &Going, actor: Actor, now: DateTime<Utc>) -> Result<()> {
    let intend = |kind| Intent { id: IntentId(draw_id()), kind };
    let nobodys = part.accounts.iter().filter(|(_, owner)| owner.is_none());
    let nobodys: Vec<AccountId> = nobodys.map(|(account, _)| *account).collect();
    if !nobodys.is_empty() {
        aggregation::bury_nobodys(tx, &nobodys).await?;
    }
    // Accounts before people, and both in the order of their ids, as everybody who holds several of them does.
    let owned: Vec<AccountId> =
        part.accounts.iter().filter(|(_, owner)| owner.is_some()).map(|(account, _)| *account).collect();
    aggregation::hold_accounts(tx, &owned).await?;
    let mut retiring: Vec<IdentityId> = part.retiring.iter().copied().collect();
    retiring.sort_unstable();
    aggregation::hold_people(tx, &retiring).await?;
    for (account, owner) in &part.accounts {
        if let Some(owner) = owner {
            if intent::find_about(tx, *owner, *account).await?.is_some() {
                continue;
            }
            intent::put(tx, *owner, intend(IntentKind::Bury { account: *account }), now).await?;
        }
    }
    for identity in retiring {
        if aggregation::retire(tx, identity, now).await? {
            intent::put(tx, identity, intend(IntentKind::Disable), now).await?;
            record_by(tx, actor, Action::AccountDisabled, said(identity), now).await?;
        }
    }
    Ok(())
}

/// What somebody is asked who must agree first.
pub(super) fn asks(source: &Source, counters: &Counters, governed: u64) -> Stopped {
    let Counters { known, gone, identities_retired, .. } = *counters;
    let people = match identities_retired {
        0 => String::new(),
        retired => format!(", and {retired} of {governed} identities would be disabled"),
    };
    let most = gone.max(identities_retired);
    Stopped::Asks(format!(
        "{gone} of {known} accounts would be taken for gone{people}: more than its guard of {} % lets pass. Nothing was taken \
         for gone. If that is right, run: lockstep aggregate {:?} --accept-deletes {most}",
        source.aggregation.guard, source.name
    ))
}
