//! This node among the others: says that it lives, takes buckets over, hands them on.
//!
//! Everything about who owns which bucket happens here, one thing after the other, so that what a beat has read is not
//! outdated by what the same node did meanwhile. What to do is decided by [`lockstep_core::node::Observer`].

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use lockstep_core::id::{Bucket, NodeId};
use lockstep_core::node::{NodeSettings, Observer, Plan};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio_util::sync::CancellationToken;

use crate::host::Host;

/// How many buckets change hands at once; each in a transaction of its own, so that nobody is locked out of more.
const AT_ONCE: usize = 64;

/// What the rows say of this node after a beat.
#[derive(Debug)]
pub(crate) struct Standing {
    /// The name it goes by now.
    pub(crate) node: NodeId,
    /// Its buckets, and the epoch of each.
    pub(crate) owned: BTreeMap<Bucket, i64>,
    /// Those that are to be drained for another node.
    pub(crate) give: BTreeMap<Bucket, NodeId>,
}

/// A bucket in which nothing is under way any more.
#[derive(Debug)]
pub(crate) struct Drained {
    pub(crate) bucket: Bucket,
    pub(crate) epoch: i64,
    pub(crate) to: Option<NodeId>,
}

/// Beats until `stop`, then gives away what is drained until nobody drains any more, and retires.
pub(crate) struct Node<H: Host> {
    host: H,
    settings: NodeSettings,
    id: NodeId,
    observer: Observer,
    standings: UnboundedSender<Standing>,
    drained: UnboundedReceiver<Drained>,
}

impl<H: Host> Node<H> {
    /// Makes this node known.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(crate) async fn register(
        host: H,
        settings: NodeSettings,
        standings: UnboundedSender<Standing>,
        drained: UnboundedReceiver<Drained>,
    ) -> anyhow::Result<Self> {
        let id = host.draw_node();
        host.register(id).await?;
        tracing::info!(node.id = %id, "this node is known to the others");
        Ok(Self { observer: Observer::new(id, settings), host, settings, id, standings, drained })
    }

    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut tick = tokio::time::interval(self.settings.beat_every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut retiring = false;
        let mut drained = Vec::with_capacity(AT_ONCE);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled(), if !retiring => {
                    retiring = true;
                    // From here on the others give it nothing; what it owns it gives up as it is drained.
                    self.tried("cannot say that this node stops", self.host.retire(self.id)).await;
                }
                count = self.drained.recv_many(&mut drained, AT_ONCE) => match count {
                    0 => return,
                    _ => self.give(drained.drain(..)).await,
                },
                _ = tick.tick(), if !retiring => {
                    if let Err(error) = self.beat().await {
                        let error = format!("{error:#}");
                        tracing::error!(error, "this node could not say that it lives; this is tried again");
                    }
                }
            }
        }
    }

    /// One beat, and what follows from it.
    ///
    /// # Errors
    /// When the rows cannot be read or written. The others find out by themselves.
    pub(crate) async fn beat(&mut self) -> anyhow::Result<()> {
        // Asked before the rows are read: a node that is held up in between sees the others older than they are, never
        // itself quicker.
        let now = self.host.now().mono;
        let Some(round) = self.host.beat(self.id).await? else { return self.begin_anew().await };
        let plan = self.observer.observe(&round, now);
        let taken = self.take(&plan).await;
        for gone in plan.forget {
            tracing::info!(node.id = %gone, "a node that is gone is forgotten");
            self.tried("cannot forget a node", self.host.forget(gone)).await;
        }
        let mut owned = plan.owned;
        owned.extend(taken);
        self.stand(Standing { node: self.id, owned, give: plan.give });
        Ok(())
    }

    fn stand(&self, standing: Standing) {
        self.host.stands(&standing.owned);
        // An error says that nobody drives lanes any more.
        let _ = self.standings.send(standing);
    }

    /// The others took it for dead, and what it owned is theirs.
    async fn begin_anew(&mut self) -> anyhow::Result<()> {
        let id = self.host.draw_node();
        tracing::warn!(old.id = %self.id, node.id = %id, "the others took this node for dead; it begins anew");
        self.host.register(id).await?;
        self.id = id;
        self.observer = Observer::new(id, self.settings);
        self.stand(Standing { node: id, owned: BTreeMap::new(), give: BTreeMap::new() });
        Ok(())
    }

    async fn take(&self, plan: &Plan) -> BTreeMap<Bucket, i64> {
        let take = |(bucket, epoch): (Bucket, i64)| async move {
            let taken = self.host.pass_bucket(bucket, epoch, Some(self.id)).await.unwrap_or_else(|error| {
                tracing::warn!(bucket = bucket.0, error = format!("{error:#}"), "a bucket could not be taken over");
                false
            });
            taken.then_some((bucket, epoch + 1))
        };
        let taken: BTreeMap<Bucket, i64> = stream::iter(plan.take.iter().copied())
            .map(take)
            .buffer_unordered(AT_ONCE)
            .filter_map(std::future::ready)
            .collect()
            .await;
        if !taken.is_empty() {
            tracing::info!(node.id = %self.id, buckets = taken.len(), "took buckets over");
        }
        taken
    }

    async fn give(&self, drained: impl Iterator<Item = Drained>) {
        let give = |Drained { bucket, epoch, to }: Drained| async move {
            let given = self.host.pass_bucket(bucket, epoch, to);
            self.tried("cannot hand a bucket on; it is found without its owner in time", given).await;
        };
        stream::iter(drained).for_each_concurrent(AT_ONCE, give).await;
    }

    async fn tried<T>(&self, failed: &str, work: impl Future<Output = anyhow::Result<T>>) {
        if let Err(error) = work.await {
            tracing::warn!(node.id = %self.id, error = format!("{error:#}"), "{failed}");
        }
    }
}
