//! Keeps one task for each identity with something unfinished in the buckets of this node, and stops gracefully.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use lockstep_core::change::LaneSettings;
use lockstep_core::id::{Bucket, IdentityId, NodeId};
use lockstep_core::node::NodeSettings;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::driver::{self, Ended};
use crate::host::{Hold, Host, Unfinished};
use crate::node::{Drained, Node, Standing};

/// How often the rows are asked for what no hint told.
const POLL: Duration = Duration::from_secs(2);
/// How long a task that failed is left alone.
const PAUSE: Duration = Duration::from_millis(500);
/// How long calls under way get to end when the engine is stopped.
const PATIENCE: Duration = Duration::from_secs(20);

/// What an administrator sets about the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineSettings {
    /// About deliveries.
    pub lane: LaneSettings,
    /// About several nodes.
    pub node: NodeSettings,
}

/// A running engine. Dropped, it ends wherever it stands, as if the process were killed.
#[derive(Debug)]
pub struct Engine {
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl Engine {
    /// Makes this node known, takes what is nobody's, and starts to work. Each hint names an identity that has something
    /// new.
    ///
    /// # Errors
    /// When this node cannot be made known.
    pub async fn start<H: Host>(
        host: H,
        settings: EngineSettings,
        hints: UnboundedReceiver<IdentityId>,
    ) -> anyhow::Result<Self> {
        let (standing, standings) = unbounded_channel();
        let (drained, draining) = unbounded_channel();
        let mut node = Node::register(host.clone(), settings.node, standing, draining).await?;
        // So that whoever is alone owns everything before the first change is accepted.
        node.beat().await?;
        let stop = CancellationToken::new();
        let (find, found) = unbounded_channel();
        let supervisor = Supervisor {
            host,
            settings: settings.lane,
            stop: stop.clone(),
            tenures: BTreeMap::new(),
            tasks: JoinSet::new(),
            drained,
            find,
            poll: None,
            drain_for: settings.node.timeout,
        };
        let beats = AbortOnDropHandle::new(tokio::spawn(node.run(stop.clone())));
        let task = tokio::spawn(async move {
            supervisor.run(hints, standings, found).await;
            if let Err(error) = beats.await {
                tracing::error!(%error, "saying that this node lives ended with a fault");
            }
        });
        Ok(Self { stop, task: AbortOnDropHandle::new(task) })
    }

    /// Waits until the engine ends of itself, which it does only by a fault. Not to be asked again after that.
    pub async fn fault(&mut self) -> String {
        match (&mut self.task).await {
            Ok(()) => "it ended".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// Begins nothing new, lets what is under way end and be written down, hands the buckets over, and returns. What
    /// does not end in time is cut off and in doubt for whoever takes over.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the engine ended with a fault");
        }
    }
}

struct Supervisor<H: Host> {
    host: H,
    settings: LaneSettings,
    stop: CancellationToken,
    tenures: BTreeMap<Bucket, Tenure>,
    tasks: JoinSet<(IdentityId, Hold, Ended)>,
    drained: UnboundedSender<Drained>,
    find: UnboundedSender<Unfinished>,
    poll: Option<(NodeId, AbortOnDropHandle<()>)>,
    /// How long a bucket may take to drain.
    drain_for: Duration,
}

/// The time during which a bucket is this node's.
struct Tenure {
    hold: Hold,
    /// Cancelled when nothing more is to be begun.
    stop: CancellationToken,
    lanes: BTreeMap<IdentityId, Arc<Wakes>>,
    /// Whom it is drained for, and until when that may last.
    drain: Option<(NodeId, Duration)>,
}

/// What wakes one task, and how often it did: a task that ends tells how far it had counted, so that a hint which came
/// while it ended is not lost.
#[derive(Default)]
pub(crate) struct Wakes {
    count: AtomicU64,
    /// The newest place that the task has seen.
    seen: AtomicI64,
    notify: Notify,
}

impl Wakes {
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    pub(crate) fn have_seen(&self, place: i64) {
        self.seen.store(place, Ordering::Release);
    }

    pub(crate) async fn woken(&self) {
        self.notify.notified().await;
    }

    fn wake(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
        self.notify.notify_one();
    }
}

impl<H: Host> Supervisor<H> {
    async fn run(
        mut self,
        mut hints: UnboundedReceiver<IdentityId>,
        mut standings: UnboundedReceiver<Standing>,
        mut found: UnboundedReceiver<Unfinished>,
    ) {
        let stop = self.stop.clone();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = self.tasks.join_next() => self.ended(ended),
                Some(standing) = standings.recv() => self.stand(standing),
                Some(found) = found.recv() => {
                    if self.is_news(&found) {
                        self.wake(found.identity);
                    }
                }
                // Last: whoever may connect to the database can send any number.
                Some(identity) = hints.recv() => self.wake(identity),
            }
        }
        self.poll = None;
        for tenure in self.tenures.values() {
            tenure.end();
        }
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, drained).await.is_err() {
            tracing::warn!(lanes = self.tasks.len(), "stopped with calls under way; their accounts are in doubt");
        }
        self.tasks.shutdown().await;
        for (bucket, tenure) in &self.tenures {
            let _ = self.drained.send(Drained { bucket: *bucket, epoch: tenure.hold.epoch, to: None });
        }
        tracing::info!("the engine has stopped");
    }

    /// Takes in what the rows say of this node.
    fn stand(&mut self, standing: Standing) {
        let Standing { node, owned, give } = standing;
        self.tenures.retain(|bucket, tenure| {
            let still = tenure.hold.node == node && owned.get(bucket) == Some(&tenure.hold.epoch);
            if !still {
                tenure.end();
            }
            still
        });
        let mut new = false;
        for (bucket, epoch) in owned {
            let hold = Hold { node, bucket, epoch };
            new |= !self.tenures.contains_key(&bucket);
            self.tenures.entry(bucket).or_insert_with(|| Tenure::new(hold));
        }
        let now = self.host.now().mono;
        let mut resumed = false;
        for (bucket, tenure) in &mut self.tenures {
            match (give.get(bucket), tenure.drain) {
                (Some(to), None) => {
                    tenure.drain = Some((*to, now + self.drain_for));
                    tenure.end();
                }
                // It takes too long: whoever waits in this bucket goes on.
                (_, Some((_, until))) if until <= now => {
                    *tenure = Tenure { lanes: std::mem::take(&mut tenure.lanes), ..Tenure::new(tenure.hold) };
                    resumed = true;
                }
                _ => {}
            }
        }
        let drained: Vec<Bucket> = self.tenures.keys().copied().collect();
        drained.into_iter().for_each(|bucket| self.hand_on(bucket));
        if new || resumed || self.poll.as_ref().is_none_or(|(polled, _)| *polled != node) {
            self.poll_as(node);
        }
    }

    /// Passes a bucket on once nothing is under way there.
    fn hand_on(&mut self, bucket: Bucket) {
        let Some(tenure) = self.tenures.get(&bucket).filter(|tenure| tenure.lanes.is_empty()) else { return };
        if let Some((to, _)) = tenure.drain {
            tracing::info!(bucket = bucket.0, node.id = %to, "a bucket is handed to another node");
            let _ = self.drained.send(Drained { bucket, epoch: tenure.hold.epoch, to: Some(to) });
            self.tenures.remove(&bucket);
        }
    }

    /// Begins to poll anew, at once: there are rows that this node has not seen.
    fn poll_as(&mut self, node: NodeId) {
        let poll = tokio::spawn(poll(self.host.clone(), node, self.find.clone()));
        self.poll = Some((node, AbortOnDropHandle::new(poll)));
    }

    /// Whether somebody must look. A lane that has seen the newest change knows all that there is: of many thousands that
    /// wait for their turn, each would ask again at every poll.
    fn is_news(&self, found: &Unfinished) -> bool {
        let lane = self.tenures.get(&found.identity.bucket()).and_then(|tenure| tenure.lanes.get(&found.identity));
        lane.is_none_or(|wakes| found.intent || found.unjudged > wakes.seen.load(Ordering::Acquire))
    }

    fn wake(&mut self, identity: IdentityId) {
        let Some(tenure) = self.tenures.get_mut(&identity.bucket()) else { return };
        if let Some(wakes) = tenure.lanes.get(&identity) {
            return wakes.wake();
        }
        if tenure.stop.is_cancelled() {
            return;
        }
        let wakes = Arc::new(Wakes::default());
        tenure.lanes.insert(identity, Arc::clone(&wakes));
        let (host, settings, hold, stop) = (self.host.clone(), self.settings, tenure.hold, tenure.stop.clone());
        self.tasks.spawn(async move {
            let driven = driver::drive(host, settings, hold, identity, &wakes, stop);
            // Caught here, so that the table of lanes loses nobody.
            let driven = AssertUnwindSafe(driven).catch_unwind().await;
            let ended = match driven.unwrap_or_else(|_| Err(anyhow::anyhow!("a panic"))) {
                Ok(ended) => ended,
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::error!(identity.id = %identity, error, "a lane failed and is built again from its rows");
                    tokio::time::sleep(PAUSE).await;
                    Ended::Failed
                }
            };
            (identity, hold, ended)
        });
    }

    fn ended(&mut self, ended: Result<(IdentityId, Hold, Ended), tokio::task::JoinError>) {
        // A task catches its own panics and nobody aborts it before the stop.
        let Ok((identity, hold, ended)) = ended else { return };
        let Some(tenure) = self.tenures.get_mut(&hold.bucket).filter(|tenure| tenure.hold == hold) else { return };
        let wakes = tenure.lanes.remove(&identity).map_or(0, |wakes| wakes.count());
        match ended {
            Ended::Lost => {
                tracing::warn!(bucket = hold.bucket.0, "another node owns this bucket now");
                tenure.end();
                self.tenures.remove(&hold.bucket);
            }
            Ended::Failed => self.wake(identity),
            Ended::Idle(counted) if counted != wakes => self.wake(identity),
            Ended::Idle(_) => {}
        }
        self.hand_on(hold.bucket);
    }
}

impl Tenure {
    fn new(hold: Hold) -> Self {
        Self { hold, stop: CancellationToken::new(), lanes: BTreeMap::new(), drain: None }
    }

    /// Nothing more is begun; calls under way end.
    fn end(&self) {
        self.stop.cancel();
        self.lanes.values().for_each(|wakes| wakes.wake());
    }
}

/// Finds in the rows what no hint told: a client that hung up before the hint was sent, a COMMIT whose reply was lost, a
/// change that another node accepted.
async fn poll<H: Host>(host: H, node: NodeId, find: UnboundedSender<Unfinished>) {
    let mut tick = tokio::time::interval(POLL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match host.unfinished(node).await {
            Ok(found) => {
                for found in found {
                    // An error says that the engine has ended.
                    let _ = find.send(found);
                }
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(error, "the queue could not be read; this is tried again");
            }
        }
    }
}
