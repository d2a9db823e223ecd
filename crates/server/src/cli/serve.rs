//! `lockstep serve`: the server, from the first line to the last.
//!
//! In order: the certificate and the address, so that a port that is taken is told before anything else is opened; the
//! database; the worker; the API. Stopped in the opposite order: no new connection, requests under way answered, the worker's calls
//! ended and written down, connectors and database closed.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::AbortOnDropHandle;

use super::{Exit, log, print, read_config};
use crate::app::{App, OpenError, Role};
use crate::config::Config;
use crate::tls::Tls;
use crate::{api, geography, worker};

/// How long requests under way get to be answered after the order to stop. The longest that a request may wait for its
/// change is 30 s.
const LAST_REQUESTS: Duration = Duration::from_secs(35);

/// Run the server
///
/// Brings the database up to date, carries out what is waiting, and serves the API until it gets SIGTERM or SIGINT.
/// Then it answers the requests under way, lets deliveries under way end, and stops; a second signal stops it at once.
/// Whatever it was doing, nothing that was accepted is lost. SIGHUP has the certificate and the database of countries read anew.
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
    if config.speaks_in_the_clear() {
        bail!("{}", in_the_clear(config.listen));
    }
    log::start(&config.log)?;
    let (app, entrance) = open(config).await.map_err(|error| with_remedy(error, named))?;
    if entrance.tls.is_none() && !app.geography.is_known() {
        tokio::spawn(nothing_to_reload(signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?));
    }
    serve(&app, entrance, |app| Ok(print::line(format_args!("Lockstep serves {}", app.config.public_url()))?)).await
}

/// What to do where other machines could come without TLS. `doctor` says it too.
pub(super) fn in_the_clear(listen: SocketAddr) -> String {
    format!(
        "other machines can reach {listen}, and without TLS the secrets and tokens of clients would cross the network in the \
         clear. Name a certificate in lockstep.toml:\n\n  [tls]\n  certificate = \"/etc/lockstep/tls/fullchain.pem\"\n  \
         key = \"/etc/lockstep/tls/privkey.pem\"\n\nor, where a proxy ends TLS and nobody else can reach that address:\n\n  \
         [proxy]\n  allow-plain-http = true\n\nor listen on 127.0.0.1"
    )
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

/// Where clients come in.
pub(super) struct Entrance {
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
}

/// Reads the certificate and takes the address, then opens everything. The configuration of the result names the address
/// that was really taken.
pub(super) async fn open(mut config: Config) -> Result<(App, Entrance)> {
    let tls = config.tls.as_ref().map(Tls::load).transpose().context("the server has no certificate to show")?;
    let listener = listen(config.listen).await?;
    config.listen = listener.local_addr().context("cannot learn the address that was taken")?;
    let app = App::open(config, Role::Serve).await?;
    Ok((app, Entrance { listener, tls: tls.map(Arc::new) }))
}

pub(super) async fn listen(address: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("cannot listen on {address}; another program may have the port"))
}

/// Serves until a signal comes. `announce` is called once clients may come.
pub(super) async fn serve(app: &App, entrance: Entrance, announce: impl FnOnce(&App) -> Result<()>) -> Result<Exit> {
    let Entrance { listener, tls } = entrance;
    let mut _reloading = None;
    if tls.is_some() || app.geography.is_known() {
        let hangups = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
        _reloading = Some(AbortOnDropHandle::new(tokio::spawn(reload_on(hangups, tls.clone(), app.clone()))));
    }
    let _countries = AbortOnDropHandle::new(tokio::spawn(geography::keep(app.clone())));
    let Some(tls) = tls else { return work(app, |stop| api::serve(app.clone(), listener, stop), announce).await };
    let _keeping = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&tls).keep(app.metrics.clone(), app.clock.clone())));
    work(app, |stop| async move { api::serve_tls(app.clone(), listener, &tls, stop).await }, announce).await
}

async fn reload_on(mut hangups: Signal, tls: Option<Arc<Tls>>, app: App) {
    while hangups.recv().await.is_some() {
        if let Some(tls) = &tls {
            tls.reload();
        }
        app.geography.reload();
    }
}

/// Without this, what a service manager sends for "read your files anew" would end the process.
async fn nothing_to_reload(mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        tracing::info!(
            "there is no certificate to read anew, nor a database of countries; the configuration is read when the server starts"
        );
    }
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
        app.stopping.cancel();
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
