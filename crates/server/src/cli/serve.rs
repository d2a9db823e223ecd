//! `lockstep serve`: the server, from the first line to the last.
//!
//! In order: the address, so that a port that is taken is told before anything else is opened; the database; the
//! worker; the API. Stopped in the opposite order: no new connection, requests under way answered, the worker's calls
//! ended and written down, connectors and database closed.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{Exit, log, print, read_config};
use crate::app::{App, OpenError, Role};
use crate::config::Config;
use crate::{api, worker};

/// How long requests under way get to be answered after the order to stop. The longest that a request may wait for its
/// change is 30 s.
const LAST_REQUESTS: Duration = Duration::from_secs(35);

/// Run the server
///
/// Brings the database up to date, carries out what is waiting, and serves the API until it gets SIGTERM or SIGINT.
/// Then it answers the requests under way, lets deliveries under way end, and stops; a second signal stops it at once.
/// Whatever it was doing, nothing that was accepted is lost.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lockstep serve
  lockstep --config /etc/lockstep/lockstep.toml serve --listen 0.0.0.0:8443")]
pub(super) struct Serve {
    /// The address to listen on, instead of the configuration's; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

/// Runs the command.
pub(super) async fn run(arguments: Serve, config: Option<&Path>) -> Result<Exit> {
    let named = config;
    let mut config = read_config(config)?;
    config.listen = arguments.listen.unwrap_or(config.listen);
    log::start(&config.log)?;
    let (app, listener) = open(config).await.map_err(|error| with_remedy(error, named))?;
    serve(&app, listener, |app| Ok(print::line(format_args!("Lockstep serves {}", app.config.public_url()))?)).await
}

/// A database that was restored is not served from; says with which command it can be again.
pub(super) fn with_remedy(error: anyhow::Error, config: Option<&Path>) -> anyhow::Error {
    match error.downcast_ref::<OpenError>() {
        Some(OpenError::RestoreMark(found)) if found.asks_for_restored() => {
            let config = config.map(|path| format!("--config {} ", path.display())).unwrap_or_default();
            anyhow::anyhow!(
                "{found}.\n\nWhen that is clear, this ends everything unfinished as \"may or may not have the new password\" and \
                 lets the server start:\n\n  lockstep {config}restored\n"
            )
        }
        _ => error,
    }
}

/// Takes the address, then opens everything. The configuration of the result names the address that was really taken.
pub(super) async fn open(mut config: Config) -> Result<(App, TcpListener)> {
    let listener = listen(config.listen).await?;
    config.listen = listener.local_addr().context("cannot learn the address that was taken")?;
    let app = App::open(config, Role::Serve).await?;
    Ok((app, listener))
}

pub(super) async fn listen(address: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("cannot listen on {address}; another program may have the port"))
}

/// Serves until a signal comes. `announce` is called once clients may come.
pub(super) async fn serve(app: &App, listener: TcpListener, announce: impl FnOnce(&App) -> Result<()>) -> Result<Exit> {
    work(app, |stop| api::serve(app.clone(), listener, stop), announce).await
}

/// Carries changes out until a signal comes, and answers meanwhile what `answering` answers. `announce` is called once
/// clients may come.
pub(super) async fn work<R>(
    app: &App,
    answering: impl FnOnce(WaitForCancellationFutureOwned) -> R,
    announce: impl FnOnce(&App) -> Result<()>,
) -> Result<Exit>
where
    R: Future<Output = io::Result<()>>,
{
    let stop = stop_on_signal()?;
    let mut worker = worker::start(app.clone()).await.context("the worker cannot start")?;
    // A server does not end because nobody reads its greeting any more.
    if let Err(error) = announce(app) {
        tracing::warn!(error = format!("{error:#}"), "the greeting could not be printed");
    }

    let requests = answering(stop.clone().cancelled_owned());
    let deadline = async {
        stop.cancelled().await;
        tokio::time::sleep(LAST_REQUESTS).await;
    };
    let served = tokio::select! {
        served = requests => served.context("the API ended"),
        // Accepting what nobody carries out would be worse than to stop: whoever runs us starts us again.
        fault = worker.fault() => bail!("the worker ended with a fault: {fault}"),
        () = deadline => {
            tracing::warn!("some requests were not answered in time and are cut off");
            Ok(())
        }
    };
    worker.stop().await;
    app.close().await;
    tracing::info!("stopped");
    served.map(|()| Exit::Done)
}

/// A token that the first SIGTERM or SIGINT cancels. The second ends the process as it stands, which loses nothing
/// that was accepted.
fn stop_on_signal() -> Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: requests under way are answered, deliveries under way end");
        token.cancel();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::warn!("stopped at once by a second signal");
        std::process::exit(Exit::Failed as i32);
    });
    Ok(stop)
}
