//! `cargo xtask prove enumeration`: neither answer nor time tells whether there is a person.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::install::{Installer, Tool};
use crate::lockstep::{Lockstep, PEOPLE};
use crate::paths::Paths;
use crate::process::{self, Stop};
use crate::servers::Servers;
use crate::steps::Bench;

/// A difference that would tell, in milliseconds.
const TELLING: f64 = 1.0;

/// Try wrong passwords and wrong codes for a person and for nobody, and compare the answers and their times.
///
/// A third series is held up by a millisecond on its way, and must be told apart. The measurement is
/// xtask/timing/enumeration.py. It wants a quiet machine: where the interval is too wide, it says so and fails.
#[derive(Debug, Args)]
pub(crate) struct Enumeration {
    /// How many tries of each kind, on each page
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    samples: u32,
}

/// Measures. The exit code is 0 only if nothing differs and the planted millisecond is found.
pub(crate) fn run(Enumeration { samples }: &Enumeration, paths: &Paths, stop: &Stop) -> Result<ExitCode> {
    Installer { allowed: true, paths, stop }.ensure(Tool::Servers)?;
    let (servers, log) = (Servers::start(paths, stop)?, paths.log("enumeration"));
    let bench = Bench { paths, stop, servers: Some(&servers) };
    let lockstep = Lockstep::start(&bench, &log)?;
    let person = PEOPLE[0];
    let words = lockstep.command(&bench, &log, &["enrol", person])?;
    let code = words.split_whitespace().find_map(|word| word.split_once("/enrol#")).context("no link was shown")?.1;
    let setting = json!({
        "host": "127.0.0.1",
        "port": lockstep.port,
        "person": person,
        // As long as the other name: the page shows what was written.
        "nobody": person.replace("user", "none"),
        "password": "Quiet-Lantern-Over-Harbour-42",
        "code": code,
        "token": lockstep.token()?,
        "samples": samples,
    });
    let mut program = Command::new("python3");
    program.args(["-B", "xtask/timing/enumeration.py"]).current_dir(&paths.root);
    program.env("LOCKSTEP_TEST_SETTING", setting.to_string());
    let (status, output) = process::run_for_output(&mut program, &log, stop)?;
    ensure!(status.success(), "the measurement ended with {status}; see {}", log.display());
    let pages: Vec<Value> = output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    ensure!(pages.len() == 2, "{} pages were measured, not 2", pages.len());
    let mut holds = true;
    for page in &pages {
        let number = |name: &str| page[name].as_f64().unwrap_or(f64::NAN);
        let (effect, half) = (number("effect_ms"), number("half_ms"));
        let (planted, planted_half) = (number("planted_ms"), number("planted_half_ms"));
        println!("{}: {} tries of each kind, {:.2} ms each", page["page"], page["samples"], number("mean_ms"));
        println!(
            "  answers that differ       {}, status {}",
            page["answers"].as_u64().unwrap_or(0) - 1,
            page["status"]
        );
        println!("  a person takes longer by  {effect:+.3} ms, ±{half:.3} (99.9 %)");
        println!("  planted: 1 ms, found      {planted:+.3} ms, ±{planted_half:.3}");
        let same = effect.abs() + half < TELLING;
        let found = planted - planted_half > 0.0 && (planted - TELLING).abs() < TELLING / 2.0;
        holds &= page["answers"] == 1 && same && found;
    }
    println!("{}", if holds { "holds" } else { "does not hold" });
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
