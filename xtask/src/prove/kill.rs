//! `cargo xtask prove kill`: the tests that kill servers, with more people, for longer, and at every failpoint.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::install::{Installer, Tool};
use crate::paths::Paths;
use crate::process::Stop;
use crate::servers::Servers;
use crate::steps::cargo;

/// Kill servers while 200 people change passwords on real systems, and compare what was said with what is.
///
/// On SQLite with one server, then on PostgreSQL with two. Each is killed at least 30 times while accounts are being
/// written, and once at every failpoint.
#[derive(Debug, Args)]
pub(crate) struct Kill {
    /// For how many seconds at least, on each of the two
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    seconds: u32,
}

/// Runs it. The exit code is 0 only if nothing is off.
pub(crate) fn run(Kill { seconds }: &Kill, paths: &Paths, stop: &Stop) -> Result<ExitCode> {
    Installer { allowed: true, paths, stop }.ensure(Tool::Servers)?;
    let servers = Servers::start(paths, stop)?;
    let mut tests = cargo();
    tests.args(["test", "--locked", "--package", "lockstep", "--test", "it", "--"]);
    tests.args(["system::kill::kills_lose_nothing", "--test-threads=1", "--nocapture"]);
    tests.current_dir(&paths.root).envs(servers.environment()).env("LOCKSTEP_PROVE_KILL_SECONDS", seconds.to_string());
    let status = tests.status().context("cannot run the tests")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
