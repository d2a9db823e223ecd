//! The command line: one file a command.
//!
//! A command reads its arguments, calls what the server calls too (`App`, a use case), and prints. What it was asked
//! for goes to standard output, everything else to standard error. Rules and SQL are not here.

mod aggregate;
mod apply;
mod backup;
mod change_password;
mod completions;
mod demo;
mod doctor;
mod enrol;
mod export;
mod import;
mod init;
mod keys;
mod log;
mod migrate;
mod openapi;
mod print;
mod restored;
mod serve;
mod status;
mod token;
mod worker;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::seclusion;

/// Where the configuration is looked for when nothing names it.
const DEFAULT_CONFIGS: [&str; 2] = ["lockstep.toml", "/etc/lockstep/lockstep.toml"];

/// Lockstep, the self-hosted password-management server
///
/// One password change, every system, in lockstep: people and programs ask this server to change a password, and it
/// carries the change to every system that shares it and says what became of each.
#[derive(Debug, Parser)]
#[command(
    name = "lockstep",
    version,
    after_help = "Try it in a minute:
  lockstep demo

Set it up for real:
  lockstep init --data /var/lib/lockstep --admin admin
  lockstep --config /var/lib/lockstep/lockstep.toml apply state.toml
  lockstep --config /var/lib/lockstep/lockstep.toml serve

Exit codes:
  0  done
  1  failed: standard error says why and what to do
  2  wrong arguments
  3  not all of it: a password change failed (change-password), rows were rejected and the others written (import),
     somebody must agree first (aggregate)
  4  a password change is still in progress (change-password)"
)]
struct Cli {
    /// The configuration file; otherwise ./lockstep.toml or /etc/lockstep/lockstep.toml
    #[arg(long, global = true, env = "LOCKSTEP_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Worker(worker::Worker),
    Init(init::Init),
    Demo(demo::Demo),
    Migrate(migrate::Migrate),
    Apply(apply::Apply),
    Import(import::Import),
    Export(export::Export),
    Enrol(enrol::Enrol),
    Token(token::Token),
    Aggregate(aggregate::Aggregate),
    ChangePassword(change_password::ChangePassword),
    Status(status::Status),
    Doctor(doctor::Doctor),
    Keys(keys::Keys),
    Backup(backup::Backup),
    Restored(restored::Restored),
    Openapi(openapi::Openapi),
    Completions(completions::Completions),
}

/// How a command ended, as the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// It did what it was asked.
    Done = 0,
    /// It could not.
    Failed = 1,
    /// It was asked wrongly.
    Usage = 2,
    /// It came to another end than the one that was asked for: a system has not got the new password, rows were rejected and
    /// the others written, or somebody must agree to what an aggregation would take for gone.
    Unmet = 3,
    /// A password change had not come to its end when the time was over.
    InProgress = 4,
}

/// Runs the command line of this process and gives its exit code.
pub fn main() -> ExitCode {
    if let Err(error) = seclusion::begin() {
        eprintln!("error: the memory of this process cannot be kept from others: {error}");
        return ExitCode::from(Exit::Failed as u8);
    }
    // Arguments that cannot be read end the process here, with code 2; `--help` and `--version` with 0.
    let cli = Cli::parse();
    let exit = run(cli).unwrap_or_else(|error| {
        if !print::is_closed_output(&error) {
            eprintln!("error: {}", chain(&error));
        }
        Exit::Failed
    });
    ExitCode::from(exit as u8)
}

/// Every command in a runtime of its own, which ends with it.
#[tokio::main]
async fn run(cli: Cli) -> Result<Exit> {
    let config = cli.config.as_deref();
    match cli.command {
        Command::Serve(arguments) => serve::run(arguments, config).await,
        Command::Worker(arguments) => worker::run(arguments, config).await,
        Command::Init(arguments) => init::run(arguments, config).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Migrate(_) => migrate::run(config).await,
        Command::Apply(arguments) => apply::run(arguments, config).await,
        Command::Import(arguments) => import::run(arguments, config).await,
        Command::Export(arguments) => export::run(arguments, config).await,
        Command::Enrol(arguments) => enrol::run(arguments, config).await,
        Command::Token(arguments) => token::run(arguments, config).await,
        Command::Aggregate(arguments) => aggregate::run(arguments, config).await,
        Command::ChangePassword(arguments) => change_password::run(arguments).await,
        Command::Status(arguments) => status::run(arguments, config).await,
        Command::Doctor(arguments) => doctor::run(arguments, config).await,
        Command::Keys(arguments) => keys::run(arguments, config).await,
        Command::Backup(arguments) => backup::run(arguments, config).await,
        Command::Restored(arguments) => restored::run(arguments, config).await,
        Command::Openapi(_) => openapi::run(),
        Command::Completions(arguments) => completions::run(arguments),
    }
}

/// Reads the configuration that was named, or the first of the usual places that exists.
fn read_config(named: Option<&Path>) -> Result<Config> {
    Ok(Config::read(config_path(named)?)?)
}

fn config_path(named: Option<&Path>) -> Result<&Path> {
    let usual = || DEFAULT_CONFIGS.iter().map(Path::new).find(|path| path.exists());
    named.or_else(usual).with_context(|| {
        format!(
            "there is no configuration: neither ./{} nor {} exists; make one with `lockstep init --data DIR`, \
             or name it with --config FILE",
            DEFAULT_CONFIGS[0], DEFAULT_CONFIGS[1]
        )
    })
}

/// An error and its causes on one line. A cause that the text before it tells already is left out.
fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// A time span as people write it: `30s`, `5m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    humantime_serde::re::humantime::parse_duration(text).map_err(|error| format!("{error}; write 30s, 5m or 1h"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn causes_are_told_once() {
        let error = anyhow::anyhow!("no such file").context("cannot read x: no such file").context("cannot start");
        assert_eq!(chain(&error), "cannot start: cannot read x: no such file");
    }

    #[test]
    fn a_configuration_that_is_named_is_not_replaced_by_another() {
        let error = read_config(Some(Path::new("/nowhere/lockstep.toml"))).unwrap_err();
        assert!(chain(&error).contains("/nowhere/lockstep.toml"), "{error:#}");
    }
}
