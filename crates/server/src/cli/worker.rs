//! `lockstep worker`: a node without an API. It does what the worker of [`super::serve`] does, and stops like it.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{Exit, log, print, read_config, serve};
use crate::api;
use crate::app::{App, Role};

/// Carry out changes without serving the API
///
/// One more node on a PostgreSQL that `lockstep serve` uses too: it takes its share of the work and accepts nothing.
/// Until it gets SIGTERM or SIGINT; then deliveries under way end, and its share goes to the other nodes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lockstep worker
  lockstep worker --metrics 127.0.0.1:9180")]
pub(super) struct Worker {
    /// Answer /healthz, /readyz and /metrics there; without it, nothing listens
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,
}

/// Runs the command.
pub(super) async fn run(arguments: Worker, config: Option<&Path>) -> Result<Exit> {
    let named = config;
    let config = read_config(named)?;
    log::start(&config.log)?;
    let listener = match arguments.metrics {
        Some(address) => Some(serve::listen(address).await?),
        None => None,
    };
    let app = App::open(config, Role::Work).await.map_err(|error| serve::with_remedy(error.into(), named))?;
    if app.store.serves_alone() {
        bail!("on SQLite one process does everything, and nobody would accept changes: run `lockstep serve`");
    }
    let answering = |stop: WaitForCancellationFutureOwned| {
        let app = app.clone();
        async move {
            match listener {
                Some(listener) => api::serve_health(app, listener, stop).await,
                None => {
                    stop.await;
                    Ok(())
                }
            }
        }
    };
    serve::work(&app, answering, |_| Ok(print::line("Lockstep carries out changes")?)).await
}
