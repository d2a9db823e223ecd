//! `cargo xtask test`: install, start, check, stop, report.

use std::collections::BTreeMap;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use crate::install::{Installer, Tool};
use crate::paths::Paths;
use crate::process::{Stop, tail};
use crate::report::{self, Line, Outcome};
use crate::servers::Servers;
use crate::steps::{Bench, Step};

/// How much of a failed step's log is printed.
const SHOWN_LINES: usize = 60;

/// The options of `cargo xtask test`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Run only this step (may be given several times)
    #[arg(long, value_name = "STEP", value_enum)]
    only: Vec<Step>,
    /// Leave this step out (may be given several times)
    #[arg(long, value_name = "STEP", value_enum)]
    skip: Vec<Step>,
    /// Print the steps and end
    #[arg(long)]
    list: bool,
    /// Install nothing; say which command would, and count what cannot run as failed
    #[arg(long)]
    no_install: bool,
}

impl Arguments {
    fn selected(&self) -> Vec<Step> {
        let wanted = |step: &Step| (self.only.is_empty() || self.only.contains(step)) && !self.skip.contains(step);
        Step::value_variants().iter().copied().filter(wanted).collect()
    }
}

/// Runs the selected steps and prints the table.
pub(crate) fn run(arguments: &Arguments, paths: &Paths, stop: &Stop) -> Result<ExitCode> {
    if arguments.list {
        for step in Step::value_variants() {
            println!("{:18} {}", step.name(), step.about());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let begin = Instant::now();
    let selected = arguments.selected();
    ensure!(!selected.is_empty(), "no step is left: see cargo xtask test --list");
    let mut lines = Vec::new();

    let missing = prepare(&selected, &Installer { allowed: !arguments.no_install, paths, stop });
    let obstacle = |step: Step| step.tools().iter().find_map(|tool| missing.get(tool).cloned());
    let servers = if selected.iter().any(|&step| step.tools().contains(&Tool::Servers) && obstacle(step).is_none()) {
        let before = Instant::now();
        let started = Servers::start(paths, stop);
        let outcome = if let Err(error) = &started {
            println!("the servers did not start: {error:#}");
            Outcome::Failed
        } else {
            Outcome::Passed
        };
        lines.push(Line { step: "servers".to_owned(), outcome, took: before.elapsed() });
        started.ok()
    } else {
        None
    };

    let bench = Bench { paths, stop, servers: servers.as_ref() };
    for (index, &step) in selected.iter().enumerate() {
        let begin = Instant::now();
        let outcome = match obstacle(step) {
            Some(reason) => Outcome::NotRun(reason),
            None if stop.is_set() => Outcome::NotRun("interrupted".to_owned()),
            None if step.tools().contains(&Tool::Servers) && bench.servers.is_none() => {
                Outcome::NotRun("the servers did not start".to_owned())
            }
            None => {
                println!("[{}/{}] {}: {}", index + 1, selected.len(), step.name(), step.about());
                check(step, &bench, begin)
            }
        };
        lines.push(Line { step: step.name(), outcome, took: begin.elapsed() });
    }

    drop(servers);
    println!("\n{}", report::table(&lines, begin.elapsed()));
    Ok(if report::all_passed(&lines) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Installs what the steps need; what is missing afterwards comes back with the reason.
fn prepare(selected: &[Step], installer: &Installer<'_>) -> BTreeMap<Tool, String> {
    let mut missing = BTreeMap::new();
    let mut tools: Vec<Tool> = selected.iter().flat_map(|step| step.tools()).copied().collect();
    tools.sort();
    tools.dedup();
    for tool in tools {
        if let Err(error) = installer.ensure(tool) {
            missing.insert(tool, format!("{error:#}"));
        }
    }
    missing
}

/// Runs one step with a log of its own, and shows the end of the log if it fails.
fn check(step: Step, bench: &Bench<'_>, begin: Instant) -> Outcome {
    let log = bench.paths.log(&step.name());
    let _absent = fs::remove_file(&log);
    let result = step.run(bench);
    let took: Duration = begin.elapsed();
    match result {
        Ok(()) => {
            println!("       passed in {:.1} s", took.as_secs_f32());
            Outcome::Passed
        }
        Err(error) => {
            println!("       FAILED after {:.1} s: {error:#}", took.as_secs_f32());
            println!("---- the end of {}\n{}\n----", bench.paths.shown(&log), tail(&log, SHOWN_LINES));
            Outcome::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;
    use crate::steps::Step;

    #[test]
    fn only_and_skip_choose_the_steps() {
        let arguments = |only: &[Step], skip: &[Step]| Arguments {
            only: only.to_vec(),
            skip: skip.to_vec(),
            list: false,
            no_install: false,
        };
        assert_eq!(arguments(&[Step::Doc, Step::Fmt], &[]).selected(), [Step::Fmt, Step::Doc]);
        assert!(!arguments(&[], &[Step::SdkGo]).selected().contains(&Step::SdkGo));
        assert!(arguments(&[Step::Fmt], &[Step::Fmt]).selected().is_empty());
    }
}
