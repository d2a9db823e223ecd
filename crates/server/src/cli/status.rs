//! `lockstep status`: what the database says of the nodes, the queue, the keys and the sources.
//!
//! It reads; it connects to no source and asks no running process, so it answers also when nothing runs.

use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::Args;
use lockstep_core::id::{Bucket, NodeId};
use lockstep_store::{Tx, bucket, identity, lane, node, source, sync_group, transport_key};
use serde::Serialize;

use super::{Exit, print, read_config};
use crate::app::{App, Role};

/// Show nodes, queue, keys and sources
///
/// Reads the database only, so it works whether or not a server runs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lockstep status
  lockstep status --json")]
pub(super) struct Status {
    /// Say it as one line of JSON
    #[arg(long)]
    json: bool,
}

/// What is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    nodes: Vec<Node>,
    /// Buckets that no node works in: never taken over, or their node stopped.
    orphaned_buckets: usize,
    queue: Queue,
    transport_keys: Vec<Key>,
    identities: i64,
    sources: Vec<Source>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    id: NodeId,
    name: String,
    started_at: DateTime<Utc>,
    /// It handed its buckets over. A node that was killed is not known to have stopped.
    stopped: bool,
    buckets: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Queue {
    /// Changes that are not final.
    unfinished: i64,
    /// When the oldest of them was accepted.
    oldest: Option<DateTime<Utc>>,
    /// Accounts of which it is not known yet whether they have the new password.
    doubts: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    id: String,
    padding: String,
    state: String,
    since: DateTime<Utc>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    name: String,
    connector: String,
    features: Vec<String>,
    sync_group: Option<String>,
}

/// Runs the command.
pub(super) async fn run(arguments: Status, config: Option<&Path>) -> Result<Exit> {
    let app = App::open(read_config(config)?, Role::Tool).await?;
    let report = app.store.read(|tx: &mut Tx<'_>| Box::pin(load(tx))).await;
    let now = app.clock.utc();
    app.close().await;
    match arguments.json {
        true => print::json(&report?)?,
        false => show(&report?, now)?,
    }
    Ok(Exit::Done)
}

async fn load(tx: &mut Tx<'_>) -> lockstep_store::Result<Report> {
    let buckets = bucket::list(tx).await?;
    let owned = |id| buckets.iter().filter(|bucket| bucket.node == Some(id)).count();
    let nodes = node::list(tx).await?.into_iter().map(|node| Node {
        buckets: owned(node.id),
        id: node.id,
        name: node.name,
        started_at: node.started_at,
        stopped: node.stopped,
    });
    let nodes: Vec<Node> = nodes.collect();
    let served: usize = nodes.iter().filter(|node| !node.stopped).map(|node| node.buckets).sum();
    let counts = lane::counts(tx).await?;
    let queue = Queue {
        unfinished: counts.changes.iter().map(|(_, count)| count).sum(),
        oldest: counts.oldest,
        doubts: counts.doubts,
    };
    let keys = transport_key::list(tx).await?.into_iter();
    let transport_keys = keys
        .map(|key| Key { id: key.id.to_string(), padding: key.padding, state: key.state, since: key.since })
        .collect();
    let groups = sync_group::list(tx).await?;
    let sources = source::list(tx).await?.into_iter().map(|source| Source {
        sync_group: groups.iter().find(|group| group.sources.contains(&source.id)).map(|group| group.name.clone()),
        features: source.features.iter().map(ToString::to_string).collect(),
        name: source.name,
        connector: source.connector,
    });
    Ok(Report {
        nodes,
        orphaned_buckets: Bucket::all().count() - served,
        queue,
        transport_keys,
        identities: identity::count(tx).await?,
        sources: sources.collect(),
    })
}

fn show(report: &Report, now: DateTime<Utc>) -> Result<()> {
    print::line("Nodes")?;
    for node in &report.nodes {
        let stopped = if node.stopped { ", stopped" } else { "" };
        let started = time(node.started_at);
        print::line(format_args!("  {}: {} buckets, started {started}{stopped}", node.name, node.buckets))?;
    }
    if report.orphaned_buckets > 0 {
        print::line(format_args!(
            "  {} of 256 buckets belong to no node: start `lockstep serve`",
            report.orphaned_buckets
        ))?;
    }
    let queue = &report.queue;
    let oldest = queue.oldest.map(|oldest| format!(", the oldest for {} s", (now - oldest).num_seconds()));
    print::line("Queue")?;
    print::line(format_args!("  {} changes under way{}", queue.unfinished, oldest.unwrap_or_default()))?;
    if queue.doubts > 0 {
        print::line(format_args!("  {} accounts may or may not have their new password yet", queue.doubts))?;
    }
    print::line("Transport keys")?;
    for key in &report.transport_keys {
        print::line(format_args!("  {}  {:<12} {:<10} since {}", key.id, key.padding, key.state, time(key.since)))?;
    }
    print::line(format_args!("Sources, for {} identities", report.identities))?;
    for source in &report.sources {
        let group = source.sync_group.as_ref().map(|group| format!(", in {group}")).unwrap_or_default();
        print::line(format_args!("  {} ({}{group}): {}", source.name, source.connector, source.features.join(", ")))?;
    }
    Ok(())
}

/// To the second, in UTC.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}
