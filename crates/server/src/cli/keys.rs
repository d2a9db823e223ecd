//! `lockstep keys`: which keys there are, and a new transport key on demand.
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
use crate::app::{App, Role};
use crate::worker;

/// Show the keys, or publish a new transport key
///
/// Transport keys are what clients encrypt passwords with; a new one takes over by itself every day. Data keys seal what
/// is secret in the database and are themselves wrapped by the master key.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lockstep keys
  lockstep keys --json
  lockstep keys rotate-transport")]
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
}

/// Runs the command.
pub(super) async fn run(arguments: Keys, config: Option<&Path>) -> Result<Exit> {
    let app = App::open(read_config(config)?, Role::Tool).await?;
    let done = match arguments.command {
        None => list(&app, arguments.json).await,
        Some(Command::RotateTransport) => rotate(&app).await,
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
