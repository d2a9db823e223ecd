//! What `cargo xtask bench` measures with: the load, the baselines, the bare components.
//!
//! Each command does one thing, measures it, and says what it took as one JSON object on standard output. Which
//! commands make a row of the table, in which order, and what is divided by what, is decided in `xtask`. This is no part
//! of the product, and nobody depends on it.

mod ask;
mod bare;
mod click;
mod deliver;
mod directory;
mod fill;
mod http;
mod jobs;
mod least;
mod lists;
mod opener;
mod press;
mod rows;
mod serve;
mod sessions;
mod straight;
mod usage;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tikv_jemallocator::Jemalloc;

/// As in the product: what is compared here is not whose memory is quicker.
#[global_allocator]
static MEMORY: Jemalloc = Jemalloc;

/// Measures one thing and says it in JSON
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Fill(fill::Fill),
    Lists(lists::Lists),
    Prepare(jobs::Prepare),
    Deliver(deliver::Deliver),
    Straight(straight::Straight),
    Ask(ask::Ask),
    Serve(serve::Serve),
    Bare(bare::Bare),
    Sessions(sessions::Sessions),
    Click(click::Click),
    Press(press::Press),
}

fn main() -> ExitCode {
    match execute(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<()> {
    // The load shares the processors with what it loads, so it keeps to one thread.
    let load = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    // What is compared with the product has the runtime of the product.
    let work = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let said = match command {
        Command::Fill(arguments) => work()?.block_on(fill::run(arguments))?,
        Command::Lists(arguments) => work()?.block_on(lists::run(arguments))?,
        Command::Prepare(arguments) => load()?.block_on(jobs::run(arguments))?,
        Command::Deliver(arguments) => load()?.block_on(deliver::run(arguments))?,
        Command::Straight(arguments) => work()?.block_on(straight::run(arguments))?,
        Command::Ask(arguments) => load()?.block_on(ask::run(arguments))?,
        Command::Serve(arguments) => work()?.block_on(serve::run(arguments))?,
        Command::Sessions(arguments) => work()?.block_on(sessions::run(arguments))?,
        Command::Click(arguments) => load()?.block_on(click::run(arguments))?,
        Command::Press(arguments) => press::run(&arguments)?,
        Command::Bare(arguments) => work()?.block_on(bare::run(arguments))?,
    };
    say(&said);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what the command is for")]
fn say(said: &serde_json::Value) {
    println!("{said}");
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
