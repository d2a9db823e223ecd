//! Nodes: who lives, and which of them works in which bucket.
//!
//! Every node raises a counter in its row and reads everyone's, once a beat. From what it reads it decides for itself
//! what to take and what to give away; the rows decide between two nodes that want the same, since a bucket is taken in
//! the epoch in which it was seen. No clock is compared with another's: a node is dead when its counter stands still for
//! a while of the observer's own time, and how long a node has lived is how far its counter has come.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::id::{Bucket, NodeId};

/// What an administrator sets about several nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeSettings {
    /// How often a node raises its counter.
    pub beat_every: Duration,
    /// How long a counter stands still before its node counts as dead.
    pub timeout: Duration,
    /// How long a node must have lived before it is given anything for the sake of balance: the grace of the deliveries.
    /// A node that dies in the meantime would put the accounts it got in doubt.
    pub settling: Duration,
    /// Whether the database proves that no other node lives.
    pub alone: bool,
}

/// A node as its row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeRow {
    /// Which.
    pub id: NodeId,
    /// How far its counter has come.
    pub beat: i64,
    /// Whether it stopped, or is about to.
    pub stopped: bool,
}

/// A bucket as its row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketRow {
    /// Which.
    pub bucket: Bucket,
    /// Whose it is.
    pub node: Option<NodeId>,
    /// How often it has changed hands.
    pub epoch: i64,
}

impl BucketRow {
    /// Whether `node` still owns the bucket as it got it in `epoch`: the fence that keeps a node which lost a bucket,
    /// however long it was paused, from writing there.
    pub fn is_held_by(&self, node: NodeId, epoch: i64) -> bool {
        self.node == Some(node) && self.epoch == epoch
    }
}

/// Everything that one beat reads, in one state of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    /// Every node that is not forgotten, the observer too.
    pub nodes: Vec<NodeRow>,
    /// Every bucket.
    pub buckets: Vec<BucketRow>,
}

/// What a node is to do after a beat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is this node's, and in which epoch.
    pub owned: BTreeMap<Bucket, i64>,
    /// Orphans to be taken, each with the epoch in which it was seen.
    pub take: Vec<(Bucket, i64)>,
    /// Buckets to be drained and handed to another node.
    pub give: BTreeMap<Bucket, NodeId>,
    /// Nodes that are gone and own nothing.
    pub forget: Vec<NodeId>,
}

/// What a node remembers of the others between two beats.
#[derive(Debug)]
pub struct Observer {
    own: NodeId,
    settings: NodeSettings,
    last: Option<Duration>,
    counters: BTreeMap<NodeId, Counter>,
}

/// A counter, and since when it has stood there.
#[derive(Debug, Clone, Copy)]
struct Counter {
    beat: i64,
    since: Duration,
}

impl Observer {
    /// A node that has seen nobody yet.
    pub fn new(own: NodeId, settings: NodeSettings) -> Self {
        Self { own, settings, last: None, counters: BTreeMap::new() }
    }

    /// Decides what follows from a beat that succeeded at the monotonic time `now`.
    pub fn observe(&mut self, round: &Round, now: Duration) -> Plan {
        self.watch(round, now);
        let living: Vec<NodeRow> = round.nodes.iter().filter(|node| self.lives(node, now)).copied().collect();
        let owned_by = |node: NodeId| round.buckets.iter().filter(move |row| row.node == Some(node));
        let orphans: Vec<&BucketRow> =
            round.buckets.iter().filter(|row| !living.iter().any(|node| Some(node.id) == row.node)).collect();

        let settled: BTreeSet<NodeId> =
            living.iter().filter(|node| self.is_settled(node)).map(|node| node.id).collect();
        let heirs = match settled.is_empty() {
            true => living.iter().map(|node| node.id).collect(),
            false => settled.clone(),
        };
        let give = match orphans.is_empty() {
            true => self.surplus(round, &settled),
            // First everything belongs to somebody, then it is balanced.
            false => BTreeMap::new(),
        };
        let gone = round.nodes.iter().filter(|node| !living.contains(node) && node.id != self.own);
        Plan {
            owned: owned_by(self.own).map(|row| (row.bucket, row.epoch)).collect(),
            take: self.share(&orphans, &heirs),
            give,
            forget: gone.map(|node| node.id).filter(|node| owned_by(*node).next().is_none()).collect(),
        }
    }

    /// Takes in how far every counter has come.
    fn watch(&mut self, round: &Round, now: Duration) {
        // Who does not look cannot say that nothing moved: after a gap every silence begins anew.
        let gap = self.last.is_some_and(|last| now.saturating_sub(last) > self.settings.timeout / 2);
        let before = std::mem::take(&mut self.counters);
        let watched = round.nodes.iter().map(|node| {
            let stands = before.get(&node.id).filter(|counter| counter.beat == node.beat && !gap);
            (node.id, Counter { beat: node.beat, since: stands.map_or(now, |counter| counter.since) })
        });
        self.counters = watched.collect();
        self.last = Some(now);
    }

    fn lives(&self, node: &NodeRow, now: Duration) -> bool {
        let silent = self.counters.get(&node.id).map_or(Duration::ZERO, |counter| now.saturating_sub(counter.since));
        node.id == self.own || (!self.settings.alone && !node.stopped && silent < self.settings.timeout)
    }

    fn is_settled(&self, node: &NodeRow) -> bool {
        let beats = u32::try_from(node.beat).unwrap_or(0);
        self.settings.beat_every.saturating_mul(beats) >= self.settings.settling
    }

    /// This node's share of the orphans. The others count alike and take theirs; what they leave is shared anew.
    fn share(&self, orphans: &[&BucketRow], heirs: &BTreeSet<NodeId>) -> Vec<(Bucket, i64)> {
        let Some(rank) = heirs.iter().position(|heir| *heir == self.own) else { return Vec::new() };
        let mine = orphans.iter().enumerate().filter(|(place, _)| place % heirs.len() == rank);
        mine.map(|(_, row)| (row.bucket, row.epoch)).collect()
    }

    /// What this node has beyond its share goes to those who have less, the poorest first.
    fn surplus(&self, round: &Round, settled: &BTreeSet<NodeId>) -> BTreeMap<Bucket, NodeId> {
        let count = |node: NodeId| round.buckets.iter().filter(|row| row.node == Some(node)).count();
        let mut others: Vec<(usize, NodeId)> =
            settled.iter().filter(|node| **node != self.own).map(|node| (count(*node), *node)).collect();
        let mut own = count(self.own);
        let share = round.buckets.len().div_ceil(others.len() + 1);
        let mut give = BTreeMap::new();
        for row in round.buckets.iter().rev().filter(|row| row.node == Some(self.own)) {
            let Some(poorest) = others.iter_mut().min() else { break };
            if own <= share || poorest.0 + 1 >= own {
                break;
            }
            give.insert(row.bucket, poorest.1);
            poorest.0 += 1;
            own -= 1;
        }
        give
    }
}

#[cfg(test)]
mod tests;
