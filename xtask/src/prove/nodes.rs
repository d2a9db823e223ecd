//! `cargo xtask prove nodes`: the tests of several nodes with the times of an installation.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::install::{Installer, Tool};
use crate::paths::Paths;
use crate::process::Stop;
use crate::servers::Servers;
use crate::steps::cargo;

/// Run several nodes on one PostgreSQL while people change passwords on real systems; stop, kill and cut them off.
///
/// One is stopped (SIGSTOP) for a minute inside an accept, a settle and a connector call at once, and goes on; one joins
/// and dies every 20 seconds for ten minutes. What was said is compared with what is. About 18 minutes.
#[derive(Debug, Args)]
pub(crate) struct Nodes {}

/// Runs it. The exit code is 0 only if nothing is off.
pub(crate) fn run(Nodes {}: &Nodes, paths: &Paths, stop: &Stop) -> Result<ExitCode> {
    Installer { allowed: true, paths, stop }.ensure(Tool::Servers)?;
    let servers = Servers::start(paths, stop)?;
    let mut tests = cargo();
    tests.args(["test", "--locked", "--package", "lockstep", "--test", "it", "--"]);
    tests.args(["system::kill::nodes", "--test-threads=1", "--nocapture"]);
    tests.current_dir(&paths.root).envs(servers.environment()).env("LOCKSTEP_PROVE_NODES", "1");
    let status = tests.status().context("cannot run the tests")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
