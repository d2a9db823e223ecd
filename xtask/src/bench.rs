//! `cargo xtask bench`: what Lockstep takes, beside what the unavoidable work alone takes on the same machine in the same
//! run.
//!
//! A row is a ratio, since a figure of one machine says nothing about another. Its two sides take turns, and it is void
//! unless its baseline comes near to what the bare components allow: a slow baseline flatters. The load and the
//! baselines are the crate `bench/`; here is what is started, in which order, and what is divided by what.

mod apart;
mod applied;
mod cost;
mod document;
mod intake;
mod kit;
mod nodes;
mod pages;
mod product;
mod query;
mod row;
mod series;
mod start;

use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use self::kit::Kit;
use self::row::{Row, Verdict};
use crate::install::{Installer, Tool};
use crate::paths::Paths;
use crate::process::Stop;
use crate::servers::Servers;

/// A row of the table, or a few that are measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Subject {
    /// Changes applied in one directory, beside a straight line
    Applied,
    /// The same with password histories on both sides
    AppliedHistory,
    /// Changes accepted, beside bare durable rows
    Accepted,
    /// query-password-info, beside a constant reply
    Query,
    /// A million identities beside a thousand: query-password-info, memory
    Million,
    /// Two servers beside one
    Nodes,
    /// The Password Manager, beside a constant page; 200 people who click
    Pages,
    /// Memory and time to start
    Start,
    /// Processor time for each change, and what it goes to
    Cost,
}

/// The options of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Measure only this (may be given several times)
    #[arg(long, value_name = "ROW", value_enum)]
    only: Vec<Subject>,
    /// How often each side is measured
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// Small and short, for trying: its figures are no result
    #[arg(long)]
    quick: bool,
    /// Install nothing; say which command would
    #[arg(long)]
    no_install: bool,
}

/// How often a side must be measured for a result.
const FEWEST: usize = 5;

/// Measures, prints the table, and writes docs/benchmarks.md if everything was measured as a result must be.
pub(crate) fn run(arguments: &Arguments, paths: &Paths, stop: &Stop) -> Result<ExitCode> {
    ensure!(arguments.runs > 0, "--runs must be 1 at least");
    Installer { allowed: !arguments.no_install, paths, stop }.ensure(Tool::Servers)?;
    let begin = Instant::now();
    let kit = Kit::build(paths, stop, arguments.runs, arguments.quick)?;
    let machine = document::Machine::look()?;
    let servers = Servers::start(paths, stop)?;
    let mut rows = Vec::new();
    for subject in Subject::value_variants() {
        if arguments.only.is_empty() || arguments.only.contains(subject) {
            kit.progress(&format!("{}: {}", subject.name(), subject.about()));
            let measured = subject.measure(&kit, &servers).with_context(|| format!("measuring {}", subject.name()))?;
            measured.iter().for_each(|row| println!("{}", row.line()));
            rows.extend(measured);
        }
    }
    drop(servers);
    let is_result = !arguments.quick && arguments.runs >= FEWEST;
    let text = document::write(&rows, &machine, arguments.runs, is_result, begin.elapsed());
    let whole = arguments.only.is_empty() && is_result;
    let path = if whole { paths.root.join("docs/benchmarks.md") } else { paths.tools.join("benchmarks.md") };
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    println!("{} was written.", paths.shown(&path));
    if !is_result {
        println!("These figures are no result: that takes {FEWEST} runs at least, and not --quick.");
    }
    let sound = rows.iter().all(|row| matches!(row.verdict(), Verdict::Met | Verdict::Told));
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Subject {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn about(self) -> String {
        self.to_possible_value().and_then(|value| Some(value.get_help()?.to_string())).unwrap_or_default()
    }

    fn measure(self, kit: &Kit<'_>, servers: &Servers) -> Result<Vec<Row>> {
        match self {
            Self::Applied => applied::measure(kit, servers, false),
            Self::AppliedHistory => applied::measure(kit, servers, true),
            Self::Accepted => intake::measure(kit),
            Self::Query => query::beside_a_constant(kit),
            Self::Million => query::a_million(kit),
            Self::Nodes => nodes::measure(kit, servers),
            Self::Pages => pages::measure(kit),
            Self::Start => start::measure(kit),
            Self::Cost => cost::measure(kit, servers),
        }
    }
}
