//! `lockstep migrate`: brings the database's schema up to date, and nothing else.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use super::{Exit, print, read_config};
use crate::app::{App, Role};

/// Bring the database's schema up to date
///
/// `lockstep serve` does this by itself. Run it alone where an upgrade is to be prepared. Several at once are safe: all
/// but the first find nothing left to do.
#[derive(Debug, Args)]
pub(super) struct Migrate {}

/// Runs the command.
pub(super) async fn run(config: Option<&Path>) -> Result<Exit> {
    let app = App::open(read_config(config)?, Role::Tool).await?;
    app.close().await;
    print::line("The database is up to date.")?;
    Ok(Exit::Done)
}
