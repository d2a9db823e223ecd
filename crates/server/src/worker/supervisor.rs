//! Takes the buckets over, keeps one task for each identity with something unfinished, and stops gracefully.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use lockstep_core::id::{Bucket, IdentityId, NodeId};
use lockstep_store::{Tx, bucket, lane, node};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use lockstep_vault::secret::draw_id;

use super::driver::{self, Ended};
use super::waker::Hint;
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
    /// Waits until the worker ends of itself, which it does only by a fault. Not to be asked again after that.
    pub async fn fault(&mut self) -> String {
        match (&mut self.task).await {
            Ok(()) => "it ended".to_owned(),
            Err(error) => error.to_string(),
        }
    }

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
    let node = supervisor.ownership.node;
    let task = tokio::spawn(supervisor.run(inbox));
    tokio::spawn(poll(app.clone(), node, stop.clone()));
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
    tasks: JoinSet<(IdentityId, Ended)>,
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
    async fn run(mut self, mut inbox: UnboundedReceiver<Hint>) {
        let stop = self.stop.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(hint) = inbox.recv() => match hint {
                    Hint::Unjudged(identity) => self.wake(identity),
                    Hint::Unfinished(identity) if !self.lanes.contains_key(&identity) => self.wake(identity),
                    Hint::Unfinished(_) => {}
                },
                Some(ended) = self.tasks.join_next() => self.ended(ended),
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
            let driven = driver::drive(app, ownership, identity, &wakes, stop);
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
            (identity, ended)
        });
    }

    fn ended(&mut self, ended: Result<(IdentityId, Ended), tokio::task::JoinError>) {
        // A task catches its own panics and nobody aborts it before the stop.
        let Ok((identity, ended)) = ended else { return };
        let wakes = self.lanes.remove(&identity).map_or(0, |wakes| wakes.count());
        match ended {
            Ended::Lost => {
                tracing::warn!(bucket = identity.bucket().0, "another node owns this bucket now");
                let mut epochs = HashMap::clone(&self.ownership.epochs);
                epochs.remove(&identity.bucket());
                self.ownership.epochs = Arc::new(epochs);
            }
            Ended::Failed => self.wake(identity),
            Ended::Idle(counted) if counted != wakes => self.wake(identity),
            Ended::Idle(_) => {}
        }
    }
}

/// Finds in the rows what no hint told: a client that hung up before the hint was sent, a COMMIT whose reply was lost, a
/// change that another node accepted.
async fn poll(app: App, node: NodeId, stop: CancellationToken) {
    let mut tick = tokio::time::interval(POLL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let read = app.store.read(move |tx: &mut Tx<'_>| Box::pin(async move { lane::unfinished(tx, node).await }));
        let unfinished: lockstep_store::Result<Vec<lane::Unfinished>> = read.await;
        match unfinished {
            Ok(found) => found.into_iter().for_each(|found| {
                app.waker.hint(match found.unjudged {
                    true => Hint::Unjudged(found.identity),
                    false => Hint::Unfinished(found.identity),
                });
            }),
            Err(error) => tracing::error!(%error, "the queue could not be read; this is tried again"),
        }
    }
}
