//! `cargo xtask prove fsync`: what was answered was on the disk, as the system calls of the server show.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::paths::Paths;
use crate::steps::cargo;

/// Send changes to a server on SQLite under strace, and see that each was synced before its answer was sent.
///
/// It is the test `system::synced` with more changes, and traces that are wrong on purpose are refused there too. It
/// needs strace, and root (or CAP_SYS_PTRACE), because a server shows its memory to nobody else.
#[derive(Debug, Args)]
pub(crate) struct Fsync {
    /// How many changes
    #[arg(long, default_value_t = 1000, value_name = "N")]
    changes: u32,
}

/// Runs the test.
pub(crate) fn run(Fsync { changes }: &Fsync, paths: &Paths) -> Result<ExitCode> {
    let mut test = cargo();
    test.args(["test", "--locked", "--package", "lockstep", "--test", "it", "--", "system::synced", "--nocapture"]);
    test.env("LOCKSTEP_TEST_SYNCED_CHANGES", changes.to_string()).current_dir(&paths.root);
    let status = test.status().context("cannot run cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
