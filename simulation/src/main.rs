//! The engine of Lockstep in a world where everything that can go wrong does.
//!
//! A seed decides everything that happens: when people ask, which answers are lost, when processes are killed, stopped or
//! cut off, which write lands late. After each run the guarantees are held against the accounts as they really are. A seed
//! that breaks one is replayed with its story.

mod checker;
mod database;
mod host;
mod run;
mod systems;
mod world;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::Result;
use clap::Parser;

/// Run the engine in a simulated world, once for each seed
///
/// Exit code 0: every guarantee held. 1: one was broken; the seed and its story are printed. 2: wrong arguments.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    first: u64,
    /// How many run at once; every processor unless said
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Run this seed alone and tell its story
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "first", "jobs"])]
    story: Option<u64>,
    /// Print no progress
    #[arg(long)]
    quiet: bool,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.story {
        Some(seed) => tell(seed),
        None => search(&arguments),
    }
}

/// Replays a seed.
#[expect(clippy::print_stdout, reason = "what the command is for")]
fn tell(seed: u64) -> Result<ExitCode> {
    let verdict = run::run(seed, true)?;
    verdict.story.iter().for_each(|line| println!("{line}"));
    for violation in &verdict.violations {
        println!("BROKEN: {violation}");
    }
    Ok(match verdict.violations.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Runs seeds until one breaks something.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "what the command is for")]
fn search(arguments: &Arguments) -> Result<ExitCode> {
    let began = Instant::now();
    let jobs = arguments.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
    let (next, changes) = (AtomicU64::new(0), AtomicU64::new(0));
    let broken: Mutex<Option<u64>> = Mutex::new(None);
    let failed: Mutex<Option<anyhow::Error>> = Mutex::new(None);
    let lock = |seed: &Mutex<Option<u64>>| *seed.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    if place >= arguments.seeds || lock(&broken).is_some() {
                        return;
                    }
                    let seed = arguments.first + place;
                    match run::run(seed, false) {
                        Ok(verdict) if verdict.violations.is_empty() => {
                            changes.fetch_add(verdict.changes as u64, Ordering::Relaxed);
                        }
                        Ok(_) => {
                            broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(seed);
                        }
                        Err(error) => {
                            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                            next.store(arguments.seeds, Ordering::Relaxed);
                        }
                    }
                    if !arguments.quiet && (place + 1).is_multiple_of(10_000) {
                        eprintln!("{} seeds after {:.0} s", place + 1, began.elapsed().as_secs_f64());
                    }
                }
            });
        }
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let seeds = next.load(Ordering::Relaxed).min(arguments.seeds);
    let seconds = began.elapsed().as_secs_f64();
    match lock(&broken) {
        None => {
            let changes = changes.load(Ordering::Relaxed);
            println!("{seeds} seeds, {changes} changes, 0 violations, {seconds:.0} s");
            Ok(ExitCode::SUCCESS)
        }
        Some(seed) => {
            println!("a guarantee was broken after {seeds} seeds and {seconds:.1} s, by seed {seed}:");
            tell(seed)
        }
    }
}
