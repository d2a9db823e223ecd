//! `lockstep keys`: which keys there are, and a new transport key or master key on demand.
//!
//! Nothing secret is shown: data keys are wrapped by the master key, which is not in the database at all.

use std::path::Path;

use anyhow::Result;
use clap::{Args, Subcommand};
use lockstep_core::id::TransportKeyId;
use lockstep_store::data_key::DataKey;
use lockstep_store::transport_key::TransportKey;
use lockstep_store::{Tx, data_key, transport_key};
use serde_json::json;

use super::status::time;
use super::{Exit, print, read_config};
use crate::app::rotate_master_key::rotate_master_key;
use crate::app::{App, Role};
use crate::worker;

/// Show the keys, publish a new transport key, or change the master key
///
/// Transport keys are what clients encrypt passwords with; a new one takes over by itself every day. Data keys seal what
/// is secret in the database and are themselves wrapped by the master key.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lockstep keys
  lockstep keys --json
  lockstep keys rotate-transport
  lockstep keys rotate-master")]
pub(super) struct Keys {
    /// Say it as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Publish a new transport key now; the one before is still accepted for a while
    RotateTransport,
    /// Wrap the data keys by a new master key. A key file gets a new key, and the old one is kept beside it; otherwise name
    /// both keys first, the old one under [master-key.previous]. Servers may run. Interrupted, it is run again
    RotateMaster,
}

/// Runs the command.
pub(super) async fn run(arguments: Keys, config: Option<&Path>) -> Result<Exit> {
    let app = App::open(read_config(config)?, Role::Tool).await?;
    let done = match arguments.command {
        None => list(&app, arguments.json).await,
        Some(Command::RotateTransport) => rotate(&app).await,
        Some(Command::RotateMaster) => rotate_master(&app).await,
    };
    app.close().await;
    done
}

async fn list(app: &App, as_json: bool) -> Result<Exit> {
    let (transport, data) = app.store.read(|tx: &mut Tx<'_>| Box::pin(load(tx))).await?;
    if as_json {
        let transport: Vec<_> = transport
            .iter()
            .map(|key| {
                json!({ "id": key.id, "padding": key.padding, "bits": key.size, "state": key.state, "since": key.since })
            })
            .collect();
        let data: Vec<_> = data
            .iter()
            .map(|key| json!({ "id": key.id, "purpose": key.purpose, "masterKeyId": key.master_key_id }))
            .collect();
        print::json(&json!({ "transportKeys": transport, "dataKeys": data }))?;
        return Ok(Exit::Done);
    }
    print::line("Transport keys")?;
    for key in transport {
        let since = time(key.since);
        print::line(format_args!(
            "  {}  {:<12} {} bits  {:<10} since {since}",
            key.id, key.padding, key.size, key.state
        ))?;
    }
    print::line("Data keys")?;
    for key in data {
        print::line(format_args!("  {}  {:<18} under master key {}", key.id, key.purpose, key.master_key_id))?;
    }
    Ok(Exit::Done)
}

async fn load(tx: &mut Tx<'_>) -> lockstep_store::Result<(Vec<TransportKey>, Vec<DataKey>)> {
    Ok((transport_key::list(tx).await?, data_key::list(tx).await?))
}

async fn rotate(app: &App) -> Result<Exit> {
    let (before, _) = app.store.read(|tx: &mut Tx<'_>| Box::pin(load(tx))).await?;
    worker::rotate_transport_keys(app).await?;
    let (after, _) = app.store.read(|tx: &mut Tx<'_>| Box::pin(load(tx))).await?;
    let published = |keys: &[TransportKey]| -> Vec<TransportKeyId> {
        keys.iter().filter(|key| key.state == "published").map(|key| key.id).collect()
    };
    let (before, mut new) = (published(&before), published(&after));
    new.retain(|id| !before.contains(id));
    if new.is_empty() {
        eprintln!("error: the published keys are less than an hour old; they stay");
        return Ok(Exit::Failed);
    }
    for id in new {
        print::line(format_args!("Published the transport key {id}."))?;
    }
    Ok(Exit::Done)
}

async fn rotate_master(app: &App) -> Result<Exit> {
    let rotated = rotate_master_key(app).await?;
    print::line(format_args!("Master key {} wraps all {} data keys.", rotated.id, rotated.data_keys))?;
    match (rotated.kept, &app.config.master_key.file) {
        (Some(kept), Some(file)) => print::line(format_args!(
            "The new key is in {}: copy it to a safe place, and to every other host that serves from this database.\n\
             The old key is in {}: backups from before need it. Keep it with them, and no longer than them.",
            file.display(),
            kept.display()
        ))?,
        _ => print::line(
            "Take [master-key.previous] out of the configuration of every host; backups from before need that key.",
        )?,
    }
    Ok(Exit::Done)
}
