//! `lockstep doctor`: whether everything is as a server needs it, and what to do where it is not.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::{Exit, chain, config_path, print};
use crate::app::doctor::{Findings, Mark, examine};
use crate::config::Config;

/// Look whether everything is as it should be
///
/// Configuration, certificate, master key, database, restore mark, keys, and each source: whether it answers, lets Lockstep
/// in and grants what a change needs. Nothing is changed, and nobody's password is touched. It may run beside a server.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lockstep doctor
  lockstep doctor Directory
  lockstep doctor --json

Run it as the user that the server runs as. It ends with 1 where something stands in the way, and
with 0 where all is well or there are only warnings.")]
pub(super) struct Doctor {
    /// Of the sources, look at this one only
    #[arg(value_name = "SOURCE")]
    source: Option<String>,
    /// Say it as one line of JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) async fn run(arguments: Doctor, config: Option<&Path>) -> Result<Exit> {
    let found = match config_path(config).and_then(|path| Ok((path, Config::read(path)?))) {
        Ok((path, config)) => examine(path, &config, arguments.source.as_deref()).await,
        Err(error) => {
            let mut found = Findings::default();
            found.problem(
                "Configuration",
                chain(&error),
                Some("nothing else was looked at; see docs/configuration.md"),
            );
            found
        }
    };
    match arguments.json {
        true => print::json(&json!({ "ok": !found.has_problems(), "findings": found.0 }))?,
        false => show(&found)?,
    }
    Ok(if found.has_problems() { Exit::Failed } else { Exit::Done })
}

fn show(found: &Findings) -> Result<()> {
    let mut area = "";
    for finding in &found.0 {
        if finding.area != area {
            area = &finding.area;
            print::line(area)?;
        }
        let mark = match finding.mark {
            Mark::Good => "ok",
            Mark::Warning => "warning",
            Mark::Problem => "PROBLEM",
            Mark::Skipped => "skipped",
        };
        print::line(format_args!("  {mark:<8} {}", finding.text))?;
        if let Some(remedy) = &finding.remedy {
            print::line(format_args!("           -> {remedy}"))?;
        }
    }
    let count = |mark| found.0.iter().filter(|finding| finding.mark == mark).count();
    let (problems, warnings) = (count(Mark::Problem), count(Mark::Warning));
    print::line(match (problems, warnings) {
        (0, 0) => "All is well.".to_owned(),
        (0, warnings) => format!("Nothing stands in the way; warnings: {warnings}."),
        (problems, warnings) => format!("Problems: {problems}; warnings: {warnings}."),
    })?;
    Ok(())
}
