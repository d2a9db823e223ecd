//! The worker: the engine with this server as its host, and what time makes due beside it.
//!
//! Which password goes where and when is decided by `lockstep_core::change::Lane` and carried out by `lockstep_engine`;
//! here are the rows, the keys and the systems it needs for that.

mod aggregation;
mod call;
mod event;
mod hints;
mod host;
mod judge;
mod signing_keys;
mod sources;
mod transport_keys;
mod upkeep;
mod waker;

use anyhow::Context as _;
use lockstep_engine::Engine;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::app::App;

pub(crate) use sources::InUse;
pub use sources::{Sources, SourcesError, Unusable};
pub use transport_keys::rotate_transport_keys;
use waker::Inboxes;
pub use waker::Waker;

/// A running worker.
pub struct WorkerHandle {
    app: App,
    engine: Engine,
    stop: CancellationToken,
    upkeep: JoinHandle<()>,
    aggregation: JoinHandle<()>,
    _beside: [AbortOnDropHandle<()>; 3],
}

/// Joins the nodes of the database and starts to work.
///
/// # Errors
/// When that cannot be written, or a worker already runs in this process.
pub async fn start(app: App) -> anyhow::Result<WorkerHandle> {
    let Inboxes { own, others } = app.waker.inboxes().context("a worker already runs in this process")?;
    let settings = app.config.engine_settings(app.store.serves_alone());
    let engine = Engine::start(app.clone(), settings, own).await?;
    transport_keys::publish_first(&app).await.context("cannot prepare a transport key")?;
    let stop = CancellationToken::new();
    let beside = [
        tokio::spawn(hints::send(app.clone(), others)),
        tokio::spawn(hints::receive(app.clone())),
        tokio::spawn(signing_keys::follow(app.clone(), stop.clone())),
    ];
    let upkeep = tokio::spawn(upkeep::keep(app.clone(), stop.clone()));
    let aggregation = tokio::spawn(aggregation::keep(app.clone(), stop.clone()));
    Ok(WorkerHandle { app, engine, stop, upkeep, aggregation, _beside: beside.map(AbortOnDropHandle::new) })
}

impl WorkerHandle {
    /// Waits until the worker ends of itself, which it does only by a fault, or must not go on because the database lost
    /// commits. Not to be asked again after that.
    pub async fn fault(&mut self) -> String {
        tokio::select! {
            fault = self.engine.fault() => fault,
            () = self.app.restore_mark.lost() => "the database lost commits that this server has seen, by a fail-over or a \
                 restore; run `lockstep restored` before a server starts again".to_owned(),
            ended = &mut self.upkeep => match ended {
                Ok(()) => "upkeep ended".to_owned(),
                Err(error) => error.to_string(),
            },
            ended = &mut self.aggregation => match ended {
                Ok(()) => "aggregation ended".to_owned(),
                Err(error) => error.to_string(),
            },
        }
    }

    /// Begins nothing new, lets what is under way end and be written down, hands the buckets over, and returns.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.aggregation.await {
            tracing::error!(%error, "aggregation ended with a fault");
        }
        self.engine.stop().await;
        if let Err(error) = self.upkeep.await {
            tracing::error!(%error, "upkeep ended with a fault");
        }
    }
}
