//! `lockstep completions`: completion scripts, made from the arguments themselves.

use std::io::{self, Write};

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Exit};

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lockstep completions bash > /etc/bash_completion.d/lockstep
  lockstep completions zsh > \"${fpath[1]}/_lockstep\"
  lockstep completions fish > ~/.config/fish/completions/lockstep.fish")]
pub(super) struct Completions {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the command.
pub(super) fn run(arguments: Completions) -> Result<Exit> {
    // Made in memory first: the generator panics where its output is closed early.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "lockstep", &mut script);
    io::stdout().write_all(&script)?;
    Ok(Exit::Done)
}
