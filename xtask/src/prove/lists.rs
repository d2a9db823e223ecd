//! `cargo xtask prove lists`: a page of a long list takes no longer far inside than at the front.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

use crate::install::{Installer, Tool};
use crate::paths::Paths;
use crate::process::Stop;
use crate::servers::Servers;
use crate::steps::cargo;

/// The longest that a page may take that was jumped to, in milliseconds.
const JUMP: f64 = 200.0;

/// The longest that a page far inside may take for whoever walked there, in first pages.
const WALKED: f64 = 1.5;

/// Fill SQLite and PostgreSQL with people, three accounts each, and measure pages, jumps, counts and filters.
///
/// The measurement is bench/src/lists.rs; most of the time goes into filling the databases. It wants a quiet machine. A jump
/// must take 200 ms at most in whatever order, and the 4,000th page of a walk no more than 1.5 times as long as the first.
#[derive(Debug, Args)]
pub(crate) struct Lists {
    /// How many people
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    people: usize,
}

/// Measures. The exit code is 0 only if no page takes too long.
pub(crate) fn run(Lists { people }: &Lists, paths: &Paths, stop: &Stop) -> Result<ExitCode> {
    Installer { allowed: true, paths, stop }.ensure(Tool::Servers)?;
    let servers = Servers::start(paths, stop)?;
    let folder = tempfile::tempdir().context("creating a folder")?;
    let sqlite = format!("sqlite:{}", folder.path().join("lists.db").display());
    let mut holds = true;
    for (engine, store) in [("SQLite", sqlite.as_str()), ("PostgreSQL", servers.postgres_url())] {
        let mut measure = cargo();
        measure.args(["run", "--release", "--locked", "--package", "lockstep-bench", "--", "lists"]);
        measure.args(["--people", &people.to_string(), "--store", store]).current_dir(&paths.root);
        let done = measure.stderr(std::process::Stdio::inherit()).output().context("cannot run cargo")?;
        ensure!(done.status.success(), "the measurement failed on {engine}");
        let told: Value = serde_json::from_slice(&done.stdout).context("the measurement said no JSON")?;
        println!("{engine}, {people} people, filled in {} s", told["fill_seconds"]);
        for list in ["identities", "accounts"] {
            let figures = told[list].as_object().context("a list was not measured")?;
            for (what, milliseconds) in figures {
                let milliseconds = milliseconds.as_f64().context("a figure is no number")?;
                let most = match what.split_once(": ") {
                    Some((_, rest)) if rest.starts_with("jump") => JUMP,
                    Some((order, rest)) if rest.contains("walked to") => {
                        let first = figures[&format!("{order}: page 1")].as_f64().context("no first page")?;
                        WALKED * first
                    }
                    _ => f64::INFINITY,
                };
                let is_slow = milliseconds > most;
                println!("  {milliseconds:>9.2} ms  {list}, {what}{}", if is_slow { "  TOO SLOW" } else { "" });
                holds &= !is_slow;
            }
        }
    }
    println!("{}", if holds { "Every goal is met." } else { "A goal is not met." });
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
