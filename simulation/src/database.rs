//! The rows, as the store would keep them, in memory. What the store's statements guarantee by themselves is so here, too:
//! what is final stays as it is, and no account has two targets that are applying.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use lockstep_core::change::{Change, ChangeState, Intent, IntentKind, LaneRows, Target, TargetKey, TargetState};
use lockstep_core::id::{AccountId, Bucket, ChangeId, IdentityId, NodeId, SourceId, TransportKeyId};
use lockstep_core::node::{BucketRow, NodeRow, Round};
use lockstep_engine::{Step, Unfinished};
use rand::RngExt;
use rand::rngs::StdRng;
use uuid::Uuid;

use crate::host::SimHost;
use crate::systems::{Secret, Systems};

/// How many buckets there are: enough for several nodes to share, few enough to be quick.
const BUCKETS: u8 = 4;

/// Every row.
#[derive(Debug)]
pub(crate) struct Database {
    /// Whether it proves that one node serves from it.
    pub(crate) alone: bool,
    nodes: BTreeMap<NodeId, NodeRow>,
    buckets: Vec<BucketRow>,
    pub(crate) changes: BTreeMap<ChangeId, Stored>,
    pub(crate) targets: BTreeMap<TargetKey, Target>,
    doubts: BTreeSet<(IdentityId, AccountId, ChangeId)>,
    seqs: BTreeMap<IdentityId, i64>,
    submissions: BTreeMap<u64, (IdentityId, AccountId, ChangeId)>,
    history: BTreeMap<IdentityId, Vec<Secret>>,
    intents: Vec<(IdentityId, Intent)>,
    /// How often each account went to another identity: before or after that a target was made.
    hands: BTreeMap<AccountId, u32>,
    pub(crate) made_in: BTreeMap<TargetKey, u32>,
}

/// A change with its password.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) change: Change,
    /// What the person sent; for the checker, which must know it after it is erased.
    pub(crate) secret: Secret,
    /// The same, as long as the row has it.
    pub(crate) payload: Option<Secret>,
}

/// A request as a client sends it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) ciphertext: u64,
    pub(crate) identity: IdentityId,
    pub(crate) account: AccountId,
    pub(crate) source: SourceId,
    pub(crate) secret: Secret,
    pub(crate) lifetime: TimeDelta,
}

impl Database {
    pub(crate) fn draw(rng: &mut StdRng) -> Self {
        let row = |bucket| BucketRow { bucket: Bucket(bucket), node: None, epoch: 0 };
        Self {
            alone: rng.random_range(0..2) == 0,
            nodes: BTreeMap::new(),
            buckets: (0..BUCKETS).map(row).collect(),
            changes: BTreeMap::new(),
            targets: BTreeMap::new(),
            doubts: BTreeSet::new(),
            seqs: BTreeMap::new(),
            submissions: BTreeMap::new(),
            history: BTreeMap::new(),
            intents: Vec::new(),
            hands: BTreeMap::new(),
            made_in: BTreeMap::new(),
        }
    }

    /// Records an intent, unless something is to become of the account already.
    pub(crate) fn intend(&mut self, identity: IdentityId, intent: Intent) -> bool {
        let taken = self.intents.iter().any(|(_, other)| other.kind.account() == intent.kind.account());
        if !taken {
            self.intents.push((identity, intent));
        }
        !taken
    }

    /// What is to become of an identity and its accounts.
    pub(crate) fn intents_of(&self, identity: IdentityId) -> Vec<Intent> {
        self.intents.iter().filter(|(whose, _)| *whose == identity).map(|(_, intent)| *intent).collect()
    }

    /// Accepts a request: the same one again is the same change, and somebody else's ciphertext is refused.
    pub(crate) fn accept(&mut self, request: Request, fresh: Uuid, now: DateTime<Utc>) -> Option<ChangeId> {
        let Request { ciphertext, identity, account, source, secret, lifetime } = request;
        if let Some((whose, sent, change)) = self.submissions.get(&ciphertext) {
            return (*whose == identity && *sent == account).then_some(*change);
        }
        let seq = self.seqs.entry(identity).or_default();
        *seq += 1;
        let change = Change {
            id: ChangeId::of(identity, fresh),
            identity,
            seq: *seq,
            source,
            account,
            transport_key: TransportKeyId(Uuid::nil()),
            state: ChangeState::Accepted,
            joined: None,
            refusals: Vec::new(),
            created_at: now,
            expires_at: now + lifetime,
            settled_at: None,
        };
        let id = change.id;
        self.submissions.insert(ciphertext, (identity, account, id));
        self.changes.insert(id, Stored { change, secret, payload: Some(secret) });
        Some(id)
    }

    pub(crate) fn register(&mut self, id: NodeId) {
        self.nodes.insert(id, NodeRow { id, beat: 0, stopped: false });
    }

    pub(crate) fn beat(&mut self, id: NodeId) -> Option<Round> {
        self.nodes.get_mut(&id)?.beat += 1;
        Some(Round { nodes: self.nodes.values().copied().collect(), buckets: self.buckets.clone() })
    }

    pub(crate) fn pass_bucket(&mut self, bucket: Bucket, epoch: i64, to: Option<NodeId>) -> bool {
        let row = self.buckets.iter_mut().find(|row| row.bucket == bucket && row.epoch == epoch);
        row.map(|row| (row.node, row.epoch) = (to, epoch + 1)).is_some()
    }

    pub(crate) fn retire(&mut self, id: NodeId) {
        self.nodes.entry(id).and_modify(|node| node.stopped = true);
    }

    pub(crate) fn forget(&mut self, id: NodeId) {
        self.nodes.remove(&id);
    }

    pub(crate) fn unfinished(&self, node: NodeId) -> Vec<Unfinished> {
        let owned = |bucket| self.buckets.iter().any(|row| row.bucket == bucket && row.node == Some(node));
        let mut found: BTreeMap<IdentityId, (i64, bool)> = BTreeMap::new();
        for (identity, _, _) in &self.doubts {
            found.entry(*identity).or_default();
        }
        for (identity, _) in &self.intents {
            found.entry(*identity).or_default().1 = true;
        }
        for Stored { change, .. } in self.changes.values().filter(|stored| !stored.change.state.is_final()) {
            let place = if change.state == ChangeState::Accepted { change.seq } else { 0 };
            let unjudged = &mut found.entry(change.identity).or_default().0;
            *unjudged = place.max(*unjudged);
        }
        let found = found.into_iter().filter(|(identity, _)| owned(identity.bucket()));
        found.map(|(identity, (unjudged, intent))| Unfinished { identity, unjudged, intent }).collect()
    }

    pub(crate) fn load(&self, identity: IdentityId) -> LaneRows {
        let changes: Vec<Change> = self.unfinished_of(identity).cloned().collect();
        let unfinished = |target: &&Target| changes.iter().any(|change| change.id == target.key.change);
        let targets = self.targets.values().filter(unfinished).cloned().collect();
        let doubts = self.doubts.iter().filter(|doubt| doubt.0 == identity).map(|doubt| (doubt.1, doubt.2)).collect();
        LaneRows { targets, doubts, changes, intents: self.intents_of(identity) }
    }

    pub(crate) fn newer(&self, identity: IdentityId, after: i64) -> Vec<Change> {
        let newer = self.unfinished_of(identity).filter(|c| c.seq > after && c.state == ChangeState::Accepted);
        let mut newer: Vec<Change> = newer.cloned().collect();
        newer.sort_by_key(|change| change.seq);
        newer
    }

    /// See `got_part_way` of the store's lane.
    pub(crate) fn got_part_way(&self, account: AccountId, before: i64) -> bool {
        let written = |target: &&Target| {
            target.key.account == account && target.seq < before && target.settled_at.is_some() && target.attempts > 0
        };
        let latest = self.targets.values().filter(written).max_by_key(|target| target.seq);
        latest.is_some_and(|target| {
            let finished = self.changes.get(&target.key.change).map(|stored| stored.change.state);
            target.unsure || (target.state == TargetState::Applied && finished != Some(ChangeState::Finished))
        })
    }

    /// Commits a step. False, and nothing is written, when the bucket is not held any more.
    pub(crate) fn commit(&mut self, step: &Step<SimHost>, systems: &mut Systems) -> Result<bool> {
        let hold = step.hold;
        let row = self.buckets.iter().find(|row| row.bucket == hold.bucket);
        if !row.is_some_and(|row| row.is_held_by(hold.node, hold.epoch)) {
            return Ok(false);
        }
        self.check(step)?;
        for change in &step.delta.changes {
            self.changes.entry(change.id).and_modify(|stored| {
                if !change.keeps_payload() {
                    stored.payload = None;
                }
                stored.change = change.clone();
            });
        }
        for target in &step.delta.targets {
            let hands = self.hands.get(&target.key.account).copied().unwrap_or_default();
            self.made_in.entry(target.key).or_insert(hands);
            self.targets.insert(target.key, target.clone());
        }
        for done in &step.delta.intents_done {
            self.carry_out(step.identity, *done, systems);
        }
        for (account, change) in &step.delta.doubts_ended {
            self.doubts.remove(&(step.identity, *account, *change));
        }
        for (account, change) in &step.delta.doubts_raised {
            self.doubts.insert((step.identity, *account, *change));
        }
        for payload in step.first_applied.iter().filter(|payload| payload.is_new) {
            self.history.entry(step.identity).or_default().push(payload.secret);
        }
        let built_in = step.delta.targets.iter().filter(|target| target.source == SourceId::IDENTITY_NOW);
        for target in built_in.filter(|target| target.state == TargetState::Applied) {
            for (_, secret) in step.sign_in_passwords.iter().filter(|(change, _)| *change == target.key.change) {
                systems.account(target.key.account).holds = *secret;
            }
        }
        Ok(true)
    }

    fn carry_out(&mut self, identity: IdentityId, intent: Intent, systems: &mut Systems) {
        let known = self.intents.len();
        self.intents.retain(|(_, other)| other.id != intent.id);
        if self.intents.len() == known {
            return;
        }
        match intent.kind {
            IntentKind::Disable | IntentKind::Retry => {}
            IntentKind::Give { account, to } => {
                *self.hands.entry(account).or_default() += 1;
                systems.give(identity, account, to);
            }
            IntentKind::Bury { account } => systems.give(identity, account, None),
        }
    }

    /// Whether our own history refuses a password, and whether it is new to it. The newest one again is a re-assertion.
    pub(crate) fn history(&self, identity: IdentityId, secret: Secret) -> (bool, bool) {
        let had = self.history.get(&identity).map(Vec::as_slice).unwrap_or_default();
        let newest = had.last() == Some(&secret);
        (had.contains(&secret) && !newest, !newest)
    }

    /// Whether nothing is left to be done.
    pub(crate) fn is_quiet(&self) -> bool {
        self.doubts.is_empty()
            && self.intents.is_empty()
            && self.changes.values().all(|stored| stored.change.state.is_final())
    }

    fn unfinished_of(&self, identity: IdentityId) -> impl Iterator<Item = &Change> {
        let of = self.changes.values().map(|stored| &stored.change).filter(move |change| change.identity == identity);
        of.filter(|change| !change.state.is_final())
    }

    /// What unique indexes and conditions of the real statements refuse.
    fn check(&self, step: &Step<SimHost>) -> Result<()> {
        for change in &step.delta.changes {
            if self.changes.get(&change.id).is_none_or(|stored| stored.change.state.is_final()) {
                bail!("change {} is final already", change.id);
            }
        }
        for target in &step.delta.targets {
            if self.targets.get(&target.key).is_some_and(|before| before.state.is_final()) {
                bail!("a target of {} is final already", target.key.change);
            }
        }
        let after = |key: &TargetKey| step.delta.targets.iter().find(|target| target.key == *key);
        for target in step.delta.targets.iter().filter(|target| target.state == TargetState::Applying) {
            let other = |other: &&Target| {
                other.key.account == target.key.account
                    && other.key != target.key
                    && after(&other.key).unwrap_or(other).state == TargetState::Applying
            };
            if self.targets.values().find(other).is_some() {
                bail!("account {} is being written already", target.key.account);
            }
        }
        Ok(())
    }
}
