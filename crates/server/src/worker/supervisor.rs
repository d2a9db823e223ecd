//! Takes the buckets over, keeps one task for each identity with something unfinished, and stops gracefully.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};
use lockstep_core::id::{Bucket, IdentityId, NodeId};
use lockstep_store::{Tx, bucket, lane, node};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use lockstep_vault::secret::draw_id;

use super::driver::{self, Ended};
use super::{Ownership, transport_keys, upkeep};
use crate::app::App;

/// How often the rows are asked for what no hint told.
const POLL: Duration = Duration::from_secs(2);
/// How long a task that failed is left alone.
const PAUSE: Duration = Duration::from_millis(500);
/// How long calls under way get to end when the worker is stopped.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running worker.
pub struct WorkerHandle {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl WorkerHandle {
    /// Begins nothing new, lets what is under way end and be written down, and returns. What does not end in time is
    /// cut off and in doubt for whoever takes over.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the worker ended with a fault");
        }
    }
}

/// Takes the buckets over and starts to work in them.
///
/// # Errors
/// When the take-over cannot be written, or a worker already runs in this process.
pub async fn start(app: App) -> anyhow::Result<WorkerHandle> {
    let inbox = app.waker.inbox().context("a worker already runs in this process")?;
    let ownership = take_over(&app).await.context("cannot take the buckets over")?;
    transport_keys::publish_first(&app).await.context("cannot prepare a transport key")?;
    let stop = CancellationToken::new();
    let supervisor =
        Supervisor { app: app.clone(), ownership, stop: stop.clone(), lanes: HashMap::new(), tasks: JoinSet::new() };
    let task = tokio::spawn(supervisor.run(inbox));
    tokio::spawn(upkeep::keep(app, stop.clone()));
    Ok(WorkerHandle { stop, task })
}

async fn take_over(app: &App) -> anyhow::Result<Ownership> {
    let id = NodeId(draw_id());
    let now = app.clock.utc();
    let name = format!("{}/{}", app.config.listen, std::process::id());
    app.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { node::register(tx, id, &name, now).await })).await?;
    // One bucket a transaction, so that no owner is locked out of more than one; several at once, so that SQLite's
    // group commit makes few of them.
    let take = |bucket: Bucket| async move {
        let epoch = app
            .store
            .write(move |tx: &mut Tx<'_>| Box::pin(async move { bucket::take_over(tx, bucket, id).await }))
            .await?;
        anyhow::Ok((bucket, epoch))
    };
    let epochs: HashMap<Bucket, i64> = stream::iter(Bucket::all()).map(take).buffer_unordered(64).try_collect().await?;
    tracing::info!(node.id = %id, buckets = epochs.len(), "took the buckets over");
    Ok(Ownership { node: id, epochs: Arc::new(epochs) })
}

/// Gives every bucket up, so that whoever comes next need not wait for this node to be found dead.
async fn hand_over(app: &App, ownership: &Ownership) -> anyhow::Result<()> {
    let id = ownership.node;
    let give_up = |(bucket, epoch): (Bucket, i64)| async move {
        let given = app
            .store
            .write(move |tx: &mut Tx<'_>| Box::pin(async move { bucket::give_up(tx, bucket, id, epoch).await }))
            .await;
        anyhow::Ok(given?)
    };
    let owned: Vec<(Bucket, i64)> = ownership.epochs.iter().map(|(bucket, epoch)| (*bucket, *epoch)).collect();
    stream::iter(owned).map(give_up).buffer_unordered(64).try_collect::<()>().await?;
    app.store.write(move |tx: &mut Tx<'_>| Box::pin(async move { node::stop(tx, id).await })).await?;
    Ok(())
}

struct Supervisor {
    app: App,
    ownership: Ownership,
    stop: CancellationToken,
    lanes: HashMap<IdentityId, Arc<Wakes>>,
    tasks: JoinSet<(IdentityId, u64, Ended)>,
}

/// What wakes one task, and how often it did: a task that ends tells how far it had counted, so that a hint which came
/// while it ended is not lost.
#[derive(Default)]
pub(super) struct Wakes {
    count: AtomicU64,
    notify: Notify,
}

impl Wakes {
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    pub(super) async fn woken(&self) {
        self.notify.notified().await;
    }

    fn wake(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
        self.notify.notify_one();
    }
}

impl Supervisor {
    async fn run(mut self, mut inbox: UnboundedReceiver<IdentityId>) {
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let stop = self.stop.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(identity) = inbox.recv() => self.wake(identity),
                Some(ended) = self.tasks.join_next() => self.ended(ended),
                _ = poll.tick() => self.poll().await,
            }
        }
        self.lanes.values().for_each(|wakes| wakes.wake());
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, drained).await.is_err() {
            tracing::warn!(lanes = self.tasks.len(), "stopped with calls under way; their accounts are in doubt");
        }
        self.tasks.shutdown().await;
        if let Err(error) = hand_over(&self.app, &self.ownership).await {
            tracing::warn!(error = format!("{error:#}"), "the buckets could not be handed over");
        }
        tracing::info!("the worker has stopped");
    }

    fn wake(&mut self, identity: IdentityId) {
        if let Some(wakes) = self.lanes.get(&identity) {
            return wakes.wake();
        }
        if !self.ownership.epochs.contains_key(&identity.bucket()) {
            return;
        }
        let wakes = Arc::new(Wakes::default());
        self.lanes.insert(identity, Arc::clone(&wakes));
        let (app, ownership, stop) = (self.app.clone(), self.ownership.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            let counted = wakes.count();
            match driver::drive(app, ownership, identity, &wakes, stop).await {
                Ok(ended) => (identity, ended.counted(), ended),
                Err(error) => {
                    tracing::error!(identity.id = %identity, error = format!("{error:#}"), "a lane failed and is built again from its rows");
                    tokio::time::sleep(PAUSE).await;
                    (identity, counted, Ended::Failed)
                }
            }
        });
    }

    fn ended(&mut self, ended: Result<(IdentityId, u64, Ended), tokio::task::JoinError>) {
        let (identity, counted, ended) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // The poll finds what the task left: only the identity's name in the table of tasks is lost with it.
                tracing::error!(%error, "a lane ended with a fault");
                let orphaned = |wakes: &Arc<Wakes>| Arc::strong_count(wakes) == 1;
                self.lanes.retain(|_, wakes| !orphaned(wakes));
                return;
            }
        };
        let missed = self.lanes.remove(&identity).is_some_and(|wakes| wakes.count() != counted);
        match ended {
            Ended::Lost => {
                tracing::warn!(bucket = identity.bucket().0, "another node owns this bucket now");
                let mut epochs = HashMap::clone(&self.ownership.epochs);
                epochs.remove(&identity.bucket());
                self.ownership.epochs = Arc::new(epochs);
            }
            Ended::Failed => self.wake(identity),
            Ended::Idle(_) if missed => self.wake(identity),
            Ended::Idle(_) => {}
        }
    }

    async fn poll(&mut self) {
        let node = self.ownership.node;
        let read =
            self.app.store.read(move |tx: &mut Tx<'_>| Box::pin(async move { lane::unfinished(tx, node).await }));
        let unfinished: lockstep_store::Result<Vec<IdentityId>> = read.await;
        match unfinished {
            Ok(identities) => {
                for identity in identities {
                    if !self.lanes.contains_key(&identity) {
                        self.wake(identity);
                    }
                }
            }
            Err(error) => tracing::error!(%error, "the queue could not be read; this is tried again"),
        }
    }
}
