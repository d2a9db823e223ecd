//! What a developer or CI runs: `cargo xtask test`, `prove`, `bench`, `package`, `screenshots` and `dev`.
//!
//! It installs the tools that the tests need, starts real servers on loopback in a folder of their own, runs every
//! check, and stops what it started. It is no part of the product and no product code depends on it.
#![expect(clippy::print_stdout, reason = "a command line tool speaks on standard output")]

mod authlib;
mod bench;
mod http;
mod install;
mod lockstep;
mod package;
mod pages;
mod paths;
mod process;
mod prove;
mod report;
mod schemathesis;
mod sdk;
mod servers;
mod steps;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::install::Installer;
use crate::paths::Paths;
use crate::process::Stop;
use crate::servers::Servers;

/// What a developer or CI runs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is missing, start the servers, run every check, stop the servers.
    ///
    /// The checks run one after another; each writes to target/xtask/logs/STEP.log, and the end of that file is printed
    /// when the check fails. The exit code is 0 only if every selected check ran and passed: a check that could not run
    /// because something is not installed counts as failed.
    Test(test::Arguments),
    /// Prove what takes too long to be run with every change, and that the tests can fail.
    Prove {
        #[command(subcommand)]
        proof: prove::Proof,
    },
    /// Measure what Lockstep takes, beside what the unavoidable work alone takes, into docs/benchmarks.md.
    ///
    /// Every row is a ratio of two sides that take turns in one run. All of it takes about 20 minutes, and nothing else
    /// should run on the machine meanwhile. The exit code is 0 only if every goal is met and no row is void.
    Bench(bench::Arguments),
    Package(package::Arguments),
    Screenshots(pages::Arguments),
    /// Start slapd, PostgreSQL and MariaDB for tests run by hand, and keep them until Ctrl-C.
    ///
    /// Standard output is the variables as shell exports, so that another terminal can take them:
    /// `cargo xtask dev > servers.env`, then `. ./servers.env; cargo test -p lockstep-connectors`.
    Dev {
        /// Install nothing; say which command would
        #[arg(long)]
        no_install: bool,
    },
}

fn main() -> ExitCode {
    match execute(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<ExitCode> {
    let paths = Paths::find()?;
    let stop = Stop::on_signals()?;
    match command {
        Command::Test(arguments) => test::run(&arguments, &paths, &stop),
        Command::Prove { proof } => prove::run(&proof, &paths, &stop),
        Command::Bench(arguments) => bench::run(&arguments, &paths, &stop),
        Command::Package(arguments) => package::run_command(&arguments, &paths, &stop),
        Command::Screenshots(arguments) => pages::screenshots(&arguments, &paths, &stop),
        Command::Dev { no_install } => dev(&Installer { allowed: !no_install, paths: &paths, stop: &stop }),
    }
}

fn dev(installer: &Installer<'_>) -> Result<ExitCode> {
    installer.ensure(install::Tool::Servers)?;
    let servers = Servers::start(installer.paths, installer.stop)?;
    for (name, value) in servers.environment() {
        println!("export {name}='{value}'");
    }
    eprintln!("The servers run until Ctrl-C.");
    installer.stop.wait();
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
