//! What the engine needs from the process it runs in.

use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use lockstep_core::change::{Change, ChangeState, Delta, Intent, LaneRows, NewTarget, Now, SignIn, Target, TargetKey};
use lockstep_core::id::{AccountId, Bucket, ChangeId, IdentityId, NodeId, SourceId};
use lockstep_core::node::Round;

use crate::gate::Gate;

/// The right to write in a bucket: whose it is, and in which epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// The owner.
    pub node: NodeId,
    /// What it owns.
    pub bucket: Bucket,
    /// How often the bucket had changed hands when the owner got it.
    pub epoch: i64,
}

/// Everything that one step of a lane writes, as one transaction.
pub struct Step<H: Host> {
    /// The transaction begins by making sure of it.
    pub hold: Hold,
    /// Whose lane.
    pub identity: IdentityId,
    /// What the lane changed.
    pub delta: Delta,
    /// The targets that somebody asked for by name; the others share the password.
    pub named: HashSet<TargetKey>,
    /// The payloads of the changes that have their first applied target in this step: the moment for the history.
    pub first_applied: Vec<Arc<H::Payload>>,
    /// What each account has from now on.
    pub applied: Vec<(TargetKey, Arc<H::Payload>)>,
    /// The new sign-in passwords of the built-in source, and the change that each is of.
    pub sign_in_passwords: Vec<(ChangeId, H::Hash)>,
}

/// An identity with something unfinished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unfinished {
    /// Whose.
    pub identity: IdentityId,
    /// The place of its newest change that is not judged; 0 if every one is. Whoever is at work on the identity may know
    /// it already.
    pub unjudged: i64,
    /// Whether there is an intent.
    pub intent: bool,
}

/// What came after a lane was loaded.
#[derive(Debug, Clone, Default)]
pub struct Newer {
    /// The changes that were accepted since, in order.
    pub changes: Vec<Change>,
    /// Every intent that is not carried out.
    pub intents: Vec<Intent>,
}

/// What judging came to.
#[derive(Debug)]
pub enum Judged<P> {
    /// Nothing is written, for these reasons.
    Refused(Vec<String>),
    /// It passed.
    Passed {
        /// The accounts that are to get the password.
        targets: Vec<NewTarget>,
        /// The password, for the first deliveries.
        payload: Arc<P>,
    },
}

/// A target that is to be called, as it was committed.
#[derive(Debug, Clone)]
pub struct Call {
    /// The change it belongs to.
    pub change: Change,
    /// The target.
    pub target: Target,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// The system confirmed it.
    Applied,
    /// The system said no; nothing was changed.
    Refused {
        /// A sentence for an administrator.
        reason: String,
        /// Whether it was the system's own history of passwords that said so.
        by_history: bool,
    },
    /// Nothing was sent, or the system said "later".
    Unavailable(String),
    /// It was sent and not answered: it may land.
    Unknown(String),
}

/// Why a source cannot be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// It is tried again.
    ForNow(String),
    /// Somebody has to mend its settings first.
    AsConfigured(String),
}

/// What a call tells of the system's health, for its circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It answered; a refusal is an answer.
    Answered,
    /// It did not.
    Silent,
    /// Nothing can be said.
    Unproven,
}

/// The process that the engine runs in. Every method may be called again after it failed.
///
/// A future that is dropped may have had its effect or not, like a process that is killed in its midst.
pub trait Host: Clone + Send + Sync + 'static {
    /// An opened password with what belongs to it. Dropped as soon as nobody is at work with it.
    type Payload: Send + Sync + 'static;
    /// Stands for a password when two changes are compared.
    type Fingerprint: Clone + PartialEq + Send + Sync + 'static;
    /// A hash of a sign-in password.
    type Hash: Send + 'static;
    /// A system to be called.
    type Source: Send + Sync + 'static;

    /// The present.
    fn now(&self) -> Now;

    /// A random number, for the jitter of the next try.
    fn draw(&self) -> u32;

    /// A new name for this node.
    fn draw_node(&self) -> NodeId;

    /// Makes a node known.
    fn register(&self, node: NodeId) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Raises the counter of `node` and reads every node and bucket, in one transaction. Nothing when there is no such
    /// node any more: the others took it for dead.
    fn beat(&self, node: NodeId) -> impl Future<Output = anyhow::Result<Option<Round>>> + Send;

    /// Makes `to` the owner of a bucket, or nobody, if it is still in that epoch. Says whether it was.
    fn pass_bucket(
        &self,
        bucket: Bucket,
        epoch: i64,
        to: Option<NodeId>,
    ) -> impl Future<Output = anyhow::Result<bool>> + Send;

    /// Records that `node` is about to stop: it takes nothing any more, and what it still owns is given up by itself.
    fn retire(&self, node: NodeId) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Forgets a node that is gone and owns nothing.
    fn forget(&self, node: NodeId) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// The identities with something unfinished in the buckets of `node`.
    fn unfinished(&self, node: NodeId) -> impl Future<Output = anyhow::Result<Vec<Unfinished>>> + Send;

    /// Everything unfinished about an identity.
    fn load(&self, identity: IdentityId) -> impl Future<Output = anyhow::Result<LaneRows>> + Send;

    /// The changes of an identity that were accepted after place `after`, and its intents.
    fn newer(&self, identity: IdentityId, after: i64) -> impl Future<Output = anyhow::Result<Newer>> + Send;

    /// Commits a step, durably and all of it. False, and nothing is written, when the bucket is not held any more.
    fn commit(&self, step: Step<Self>) -> impl Future<Output = anyhow::Result<bool>> + Send;

    /// Whether the account may hold the password of a request that is made again: the latest earlier change that wrote it
    /// did not reach every other target, or may or may not have reached this one.
    fn got_part_way(
        &self,
        identity: IdentityId,
        account: AccountId,
        before: i64,
    ) -> impl Future<Output = anyhow::Result<bool>> + Send;

    /// Opens the payload of a change and asks the rules.
    fn judge(&self, change: &Change) -> impl Future<Output = anyhow::Result<Judged<Self::Payload>>> + Send;

    /// Opens the payload of a change that passed.
    fn open(&self, change: &Change) -> impl Future<Output = anyhow::Result<Self::Payload>> + Send;

    /// What stands for the password of a payload.
    fn fingerprint(&self, payload: &Self::Payload) -> Self::Fingerprint;

    /// Hashes a password for the built-in source.
    fn hash(&self, change: &Change, payload: &Self::Payload)
    -> impl Future<Output = anyhow::Result<Self::Hash>> + Send;

    /// The entrance to a source; always the same one.
    fn gate(&self, source: SourceId) -> Arc<Gate>;

    /// A source as it is configured now.
    fn source(&self, source: SourceId) -> impl Future<Output = Result<Arc<Self::Source>, Unusable>> + Send;

    /// Writes the password to one target, once. What is not answered within `patience` is unknown.
    fn write(
        &self,
        source: &Self::Source,
        call: &Call,
        payload: &Self::Payload,
        patience: Duration,
    ) -> impl Future<Output = (Written, Health)> + Send;

    /// Signs in with the new password, once. What is not answered within `patience` proves nothing.
    fn sign_in(
        &self,
        source: &Self::Source,
        call: &Call,
        payload: &Self::Payload,
        patience: Duration,
    ) -> impl Future<Output = (SignIn, Health)> + Send;

    /// A beat succeeded, and these buckets are this node's, each in its epoch.
    fn stands(&self, owned: &BTreeMap<Bucket, i64>);

    /// A change became final; it is committed.
    fn settled(&self, change: ChangeId, state: ChangeState);
}
