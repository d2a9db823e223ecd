//! `lockstep status`: what the database says of the nodes, the queue, the keys and the sources.
//!
//! It reads; it connects to no source and asks no running process, so it answers also when nothing runs. Whether a node
//! lives is seen by its counter, which is read until it moves: no clock is compared with another.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::Args;
use lockstep_core::id::{Bucket, NodeId};
use lockstep_store::{Tx, bucket, identity, lane, node, source, sync_group, transport_key};
use serde::Serialize;

use super::{Exit, print, read_config};
use crate::app::{App, Role};

/// For how many beats a silent node is watched before it is called silent.
const WATCHED_BEATS: u32 = 4;

/// Show nodes, queue, keys and sources
///
/// Reads the database only, so it works whether or not a server runs. A node that does not stir is watched for a few
/// seconds before it is called silent.
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
    state: State,
    buckets: usize,
    #[serde(skip)]
    beat: i64,
}

/// Whether a node lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum State {
    /// It said so while we looked.
    Alive,
    /// It did not: it is held up, or gone. The others take its buckets over when it stays so.
    Silent,
    /// It handed its buckets over.
    Stopped,
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
    let report = report(&app).await;
    let now = app.clock.utc();
    app.close().await;
    match arguments.json {
        true => print::json(&report?)?,
        false => show(&report?, now)?,
    }
    Ok(Exit::Done)
}

/// Reads until every node that has not stopped was seen to live, or was watched for long enough.
async fn report(app: &App) -> lockstep_store::Result<Report> {
    let read = || app.store.read(|tx: &mut Tx<'_>| Box::pin(load(tx)));
    let beat = app.config.engine_settings(false).node.beat_every;
    let began = app.clock.monotonic();
    let first: BTreeMap<NodeId, i64> = read().await?.nodes.iter().map(|node| (node.id, node.beat)).collect();
    loop {
        let mut report = read().await?;
        for node in report.nodes.iter_mut().filter(|node| node.state != State::Stopped) {
            // One that was not there before has just come.
            let moved = first.get(&node.id).is_none_or(|before| *before != node.beat);
            node.state = if moved { State::Alive } else { State::Silent };
        }
        let all_seen = report.nodes.iter().all(|node| node.state != State::Silent);
        if all_seen || app.clock.monotonic().saturating_sub(began) >= beat * WATCHED_BEATS {
            return Ok(report);
        }
        tokio::time::sleep(beat / 5).await;
    }
}

async fn load(tx: &mut Tx<'_>) -> lockstep_store::Result<Report> {
    let buckets = bucket::list(tx).await?;
    let owned = |id| buckets.iter().filter(|bucket| bucket.node == Some(id)).count();
    let nodes = node::list(tx).await?.into_iter().map(|node| Node {
        buckets: owned(node.id),
        id: node.id,
        name: node.name,
        started_at: node.started_at,
        state: if node.stopped { State::Stopped } else { State::Silent },
        beat: node.beat,
    });
    let nodes: Vec<Node> = nodes.collect();
    let served: usize = nodes.iter().filter(|node| node.state != State::Stopped).map(|node| node.buckets).sum();
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
        let state = match node.state {
            State::Alive => "alive",
            State::Silent => "silent",
            State::Stopped => "stopped",
        };
        let started = time(node.started_at);
        print::line(format_args!("  {}: {state}, {} buckets, started {started}", node.name, node.buckets))?;
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
