//! `lockstep restored`: ends what a restored database calls unfinished.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::{Exit, print, read_config};
use crate::app::restored::restored;
use crate::app::{App, Role};

/// End what a restored database calls unfinished
///
/// Run it when the database was put back from a copy, or when PostgreSQL failed over and lost commits; `lockstep serve`
/// refuses to start until then. What was under way in the copy may have been done since, and a newer password set. So every
/// unfinished change ends as failed, and says that its accounts may or may not have the new password; every transport key is
/// destroyed, so that nothing which was captured can be sent again; people's tokens and digit codes end. Then it waits for
/// engine.grace, in which what the servers sent before may still arrive. Interrupted, it is run again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lockstep restored
  lockstep restored --yes")]
pub(super) struct Restored {
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
pub(super) async fn run(arguments: Restored, config: Option<&Path>) -> Result<Exit> {
    let config = read_config(config)?;
    if !arguments.yes && !agreed()? {
        eprintln!("Nothing was done.");
        return Ok(Exit::Failed);
    }
    let app = App::open(config, Role::Restore).await?;
    let ended = restored(&app, |grace| {
        let grace = humantime_serde::re::humantime::format_duration(grace);
        eprintln!("Everything is ended. Waiting {grace}, in which what was sent before may still arrive ...");
    })
    .await;
    app.close().await;
    let ended = ended?;
    print::line(format_args!(
        "Ended {} changes with {} accounts that may or may not have the new password; destroyed {} transport keys.",
        ended.changes, ended.targets, ended.transport_keys
    ))?;
    print::line("Start the server. Whoever changed a password since the copy was made should change it again.")?;
    Ok(Exit::Done)
}

/// Asks on the terminal. Where there is none, only `--yes` will do.
fn agreed() -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("this ends every unfinished change: say --yes");
    }
    eprint!("This ends every unfinished change of this database. Type \"restored\" to go on: ");
    std::io::stderr().flush().context("cannot ask")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("cannot read the answer")?;
    Ok(answer.trim() == "restored")
}
