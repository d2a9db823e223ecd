//! `cargo xtask prove restore`: the tests of a restore with as many changes pending as a morning has.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::install::{Installer, Tool};
use crate::paths::Paths;
use crate::process::Stop;
use crate::servers::Servers;
use crate::steps::cargo;

/// Put copies of a database back in which changes were pending: SQLite files, `lockstep backup`, pg_dump, a point in time.
///
/// No server may start on them, and after `lockstep restored` nothing of them may be delivered. About 5 minutes.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// How many changes are pending; the test directory has people for 1000
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u16).range(10..=1000))]
    changes: u16,
}

/// Runs it. The exit code is 0 only if nothing was delivered and everything was said.
pub(crate) fn run(Restore { changes }: &Restore, paths: &Paths, stop: &Stop) -> Result<ExitCode> {
    Installer { allowed: true, paths, stop }.ensure(Tool::Servers)?;
    let servers = Servers::start(paths, stop)?;
    let mut tests = cargo();
    tests.args(["test", "--locked", "--package", "lockstep", "--test", "it", "--"]);
    tests.args(["system::restore", "--test-threads=1", "--nocapture"]);
    tests.current_dir(&paths.root).envs(servers.environment());
    let status =
        tests.env("LOCKSTEP_TEST_RESTORE_CHANGES", changes.to_string()).status().context("cannot run the tests")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
