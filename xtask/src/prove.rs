//! `cargo xtask prove`: what takes too long for every change, or is no test but a proof that the tests can fail.

mod aggregation;
mod enumeration;
mod fsync;
mod kill;
mod lists;
mod nodes;
mod package;
mod padding;
mod restore;
pub(crate) mod simulation;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::paths::Paths;
use crate::process::Stop;

/// What can be proved, one file each.
#[derive(Debug, Subcommand)]
pub(crate) enum Proof {
    Aggregation(aggregation::Aggregation),
    Enumeration(enumeration::Enumeration),
    Fsync(fsync::Fsync),
    Padding(padding::Padding),
    Simulation(simulation::Simulation),
    Kill(kill::Kill),
    Lists(lists::Lists),
    Nodes(nodes::Nodes),
    Restore(restore::Restore),
    Package(package::Package),
}

/// Proves it. The exit code is 0 only if all of it holds.
pub(crate) fn run(proof: &Proof, paths: &Paths, stop: &Stop) -> Result<ExitCode> {
    match proof {
        Proof::Aggregation(arguments) => aggregation::run(arguments, paths, stop),
        Proof::Enumeration(arguments) => enumeration::run(arguments, paths, stop),
        Proof::Fsync(arguments) => fsync::run(arguments, paths),
        Proof::Padding(arguments) => padding::run(arguments, paths),
        Proof::Simulation(arguments) => simulation::run(arguments, paths),
        Proof::Kill(arguments) => kill::run(arguments, paths, stop),
        Proof::Lists(arguments) => lists::run(arguments, paths, stop),
        Proof::Nodes(arguments) => nodes::run(arguments, paths, stop),
        Proof::Restore(arguments) => restore::run(arguments, paths, stop),
        Proof::Package(_) => package::run(paths, stop),
    }
}
