//! Sync groups: sources that share one password and one policy. A source is in one group only.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use lockstep_core::id::{PasswordPolicyId, SourceId, SyncGroupId};
use lockstep_core::sync_group::SyncGroup;
use uuid::Uuid;

use crate::configuration;
use crate::dated::Dated;
use crate::error::{Error, Result};
use crate::tx::{Tx, execute, fetch, row};

/// Inserts a group, or replaces its name, policy and members.
///
/// # Errors
/// Constraint `sync_group_name_key` when another group has the name, `sync_group_member_source_key` when another group
/// has one of the sources; a reference violation when the policy or a source is not there.
pub async fn put(tx: &mut Tx<'_>, group: &SyncGroup, now: DateTime<Utc>) -> Result<()> {
    configuration::changed(tx).await?;
    execute!(
        tx,
        "store a sync group",
        "INSERT INTO sync_group (id, name, policy, created_at, modified_at) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, policy = excluded.policy,
             modified_at = excluded.modified_at",
        group.id.0,
        group.name.as_str(),
        group.policy.0,
        now,
    )?;
    execute!(
        tx,
        "replace the members of a sync group",
        "DELETE FROM sync_group_member WHERE sync_group = $1",
        group.id.0
    )?;
    for (position, source) in (0_i64..).zip(&group.sources) {
        execute!(
            tx,
            "store a member of a sync group",
            "INSERT INTO sync_group_member (source, sync_group, position) VALUES ($1, $2, $3)",
            source.0,
            group.id.0,
            position,
        )?;
    }
    Ok(())
}

/// A group by its id.
pub async fn find(tx: &mut Tx<'_>, id: SyncGroupId) -> Result<Option<SyncGroup>> {
    let rows = fetch!(
        tx,
        fetch_all as MemberRow,
        "find a sync group",
        "SELECT g.id, g.name, g.policy, m.source FROM sync_group g
         LEFT JOIN sync_group_member m ON m.sync_group = g.id WHERE g.id = $1 ORDER BY m.position",
        id.0
    )?;
    Ok(gather(rows).pop())
}

/// A group by its id.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn get(tx: &mut Tx<'_>, id: SyncGroupId) -> Result<SyncGroup> {
    find(tx, id).await?.ok_or(Error::NotFound("sync group"))
}

/// The group that a source is in.
pub async fn find_of(tx: &mut Tx<'_>, source: SourceId) -> Result<Option<SyncGroup>> {
    let rows = fetch!(
        tx,
        fetch_all as MemberRow,
        "find the sync group of a source",
        "SELECT g.id, g.name, g.policy, m.source FROM sync_group_member own
         JOIN sync_group g ON g.id = own.sync_group JOIN sync_group_member m ON m.sync_group = g.id
         WHERE own.source = $1 ORDER BY m.position",
        source.0
    )?;
    Ok(gather(rows).pop())
}

/// Every group, in the order of their names.
pub async fn list(tx: &mut Tx<'_>) -> Result<Vec<SyncGroup>> {
    let rows = fetch!(
        tx,
        fetch_all as MemberRow,
        "list the sync groups",
        "SELECT g.id, g.name, g.policy, m.source FROM sync_group g
         LEFT JOIN sync_group_member m ON m.sync_group = g.id ORDER BY g.name, m.position"
    )?;
    Ok(gather(rows))
}

/// Every group with its dates, in the order of their names.
pub async fn list_dated(tx: &mut Tx<'_>) -> Result<Vec<Dated<SyncGroup>>> {
    let rows = fetch!(
        tx,
        fetch_all as (Uuid, DateTime<Utc>, DateTime<Utc>),
        "list the dates of the sync groups",
        "SELECT id, created_at, modified_at FROM sync_group"
    )?;
    let mut dates: BTreeMap<Uuid, _> =
        rows.into_iter().map(|(id, created, modified)| (id, (created, modified))).collect();
    let groups = list(tx).await?.into_iter();
    let dated = groups.filter_map(|group| {
        let (created, modified) = dates.remove(&group.id.0)?;
        Some(Dated::of(group, created, modified))
    });
    Ok(dated.collect())
}

/// Removes a group. Gives whether it was there. What binds on its members afterwards is the caller's to set.
pub async fn remove(tx: &mut Tx<'_>, id: SyncGroupId) -> Result<bool> {
    configuration::changed(tx).await?;
    Ok(execute!(tx, "remove a sync group", "DELETE FROM sync_group WHERE id = $1", id.0)? == 1)
}

row! {
    struct MemberRow {
        id: Uuid,
        name: String,
        policy: Uuid,
        source: Option<Uuid>,
    }
}

/// One group for each id, in the order in which they first come.
fn gather(rows: Vec<MemberRow>) -> Vec<SyncGroup> {
    let mut groups: Vec<SyncGroup> = Vec::new();
    let mut places: BTreeMap<Uuid, usize> = BTreeMap::new();
    for MemberRow { id, name, policy, source } in rows {
        let place = *places.entry(id).or_insert_with(|| {
            groups.push(SyncGroup { id: SyncGroupId(id), name, policy: PasswordPolicyId(policy), sources: Vec::new() });
            groups.len() - 1
        });
        groups[place].sources.extend(source.map(SourceId));
    }
    groups
}
