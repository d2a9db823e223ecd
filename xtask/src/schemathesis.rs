//! Bad input by the thousand: Schemathesis reads our own OpenAPI document and looks for answers that it does not name.
//!
//! What it checks, and how much, is in `xtask/schemathesis.toml`. Address and token reach it as environment variables,
//! so that the token is on no command line.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::lockstep::Lockstep;
use crate::process;
use crate::steps::Bench;

/// Fuzzes a server of its own.
pub(crate) fn run(bench: &Bench<'_>, log: &Path) -> Result<()> {
    let lockstep = Lockstep::start(bench, log)?;
    let token = lockstep.administrators_token()?;
    let mut command = Command::new(bench.paths.tools.join("venv-tools/bin/schemathesis"));
    command
        .arg("--config-file")
        .arg(bench.paths.root.join("xtask/schemathesis.toml"))
        .args(["--no-color", "run"])
        .arg(bench.paths.root.join("openapi/lockstep.json"))
        .args(["--include-path-regex", OPERATIONS])
        .env("LOCKSTEP_TEST_BASE_URL", &lockstep.base_url)
        .env("LOCKSTEP_TEST_TOKEN", &token)
        .env("LOCKSTEP_TEST_SPARE_CLIENT", lockstep.client_id)
        .current_dir(&bench.paths.tools);
    process::run(&mut command, log, bench.stop)?;
    // Otherwise most of it may have been a test of 401.
    let status = lockstep.get("/v2024/sources", &token)?;
    ensure!(status == 200, "the fuzzer's token was of no use any more in the end: {status}");
    Ok(())
}

/// The token and every operation under one address of each. The same handlers answer under the others, but for the digit
/// token, which asks for its header under some only.
const OPERATIONS: &str = "^/oauth/token$|^/v2024/|^/generate-password-reset-token/v1/";
