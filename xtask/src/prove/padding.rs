//! `cargo xtask prove padding`: how long an opening takes does not say whether the padding was good.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::paths::Paths;
use crate::steps::cargo;

/// Open payloads with bad padding and with undecodable content, and compare how long that takes.
///
/// The measurement is crates/vault/examples/padding.rs. It wants a quiet machine: on a busy one it says so and fails.
#[derive(Debug, Args)]
pub(crate) struct Padding {
    /// How many openings
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    openings: u32,
}

/// Measures. The exit code is 0 only if there is no difference and a planted one is found.
pub(crate) fn run(Padding { openings }: &Padding, paths: &Paths) -> Result<ExitCode> {
    let mut measure = cargo();
    measure.args(["run", "--release", "--locked", "--package", "lockstep-vault", "--example", "padding", "--"]);
    let status = measure.arg(openings.to_string()).current_dir(&paths.root).status().context("cannot run cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
