//! `lockstep openapi`: the API's description, generated from the code.

use anyhow::Result;
use clap::Args;

use super::{Exit, print};

/// Print the OpenAPI document of this version's API
///
/// The same document is served at /openapi.json. It needs no configuration and no database.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  lockstep openapi > openapi.json")]
pub(super) struct Openapi {}

/// Runs the command.
pub(super) fn run() -> Result<Exit> {
    print::line(serde_json::to_string_pretty(&crate::api::document())?)?;
    Ok(Exit::Done)
}
