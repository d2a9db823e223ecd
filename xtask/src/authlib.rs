//! A standard OAuth library, unmodified, against a running Lockstep: an administrator sets the first password by the link that
//! the command line prints, makes a client, signs in there, refreshes, and is thrown out where a refresh token comes twice.
//!
//! The program is `xtask/sdk/python/sign_in.py`; it checks what it gets.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::lockstep::Lockstep;
use crate::process;
use crate::steps::Bench;

/// Runs the program.
pub(crate) fn run(bench: &Bench<'_>, log: &Path) -> Result<()> {
    let lockstep = Lockstep::start(bench, log)?;
    let printed = lockstep.command(bench, log, &["enrol", "admin", "--admin"])?;
    let link = printed.split_whitespace().find(|word| word.contains("/enrol#")).context("enrol printed no link")?;
    let (id, secret) = lockstep.personal_access_token(bench, log, "admin")?;

    let mut program = Command::new(bench.paths.tools.join("venv-oauth/bin/python"));
    // "-B": no bytecode beside the sources.
    program
        .arg("-B")
        .arg(bench.paths.root.join("xtask/sdk/python/sign_in.py"))
        .env("LOCKSTEP_TEST_BASE_URL", &lockstep.base_url)
        .env("LOCKSTEP_TEST_LINK", link)
        .env("LOCKSTEP_TEST_TOKEN_ID", id)
        .env("LOCKSTEP_TEST_TOKEN_SECRET", secret)
        // The library refuses plain HTTP otherwise, even on this machine.
        .env("AUTHLIB_INSECURE_TRANSPORT", "1");
    let (status, output) = process::run_for_output(&mut program, log, bench.stop)?;
    ensure!(status.success(), "the program ended with {status}");
    ensure!(output.lines().last() == Some("signed in, refreshed, thrown out"), "the program printed {output:?}");
    Ok(())
}
