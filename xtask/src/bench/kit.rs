//! What every row is measured with: the two binaries, how often, how much, and where output goes.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;

use super::series::Series;
use crate::http;
use crate::paths::Paths;
use crate::process::{Service, Stop, as_user, free_port, run, run_for_output, tail};
use crate::steps::cargo;

/// The kit.
pub(crate) struct Kit<'a> {
    pub(crate) stop: &'a Stop,
    /// How often each side is measured.
    pub(crate) runs: usize,
    quick: bool,
    /// The product.
    pub(crate) lockstep: PathBuf,
    tool: PathBuf,
    pub(crate) log: PathBuf,
}

/// What a measurement said.
#[derive(Debug)]
pub(crate) struct Measured(pub(crate) Value);

/// A server of the tool's.
pub(crate) struct Comparison {
    pub(crate) service: Service,
    pub(crate) address: String,
}

impl<'a> Kit<'a> {
    /// Builds both binaries as they are released.
    pub(crate) fn build(paths: &Paths, stop: &'a Stop, runs: usize, quick: bool) -> Result<Self> {
        let log = paths.log("bench");
        let _absent = std::fs::remove_file(&log);
        let kit = Self {
            stop,
            runs,
            quick,
            lockstep: paths.root.join("target/release/lockstep"),
            tool: paths.root.join("target/release/lockstep-bench"),
            log,
        };
        kit.progress("building the product and the tool, optimised");
        let mut build = cargo();
        build.args(["build", "--release", "--locked", "--package", "lockstep", "--package", "lockstep-bench"]);
        run(build.current_dir(&paths.root), &kit.log, stop)
            .with_context(|| format!("building; the end of the log:\n{}", tail(&kit.log, 30)))?;
        Ok(kit)
    }

    /// So many, or a tenth of it with `--quick`.
    pub(crate) fn many(&self, count: usize) -> usize {
        if self.quick { (count / 10).max(1) } else { count }
    }

    pub(crate) fn progress(&self, text: &str) {
        eprintln!("bench: {text}");
    }

    /// Runs a command of the tool to its end and reads what it says.
    pub(crate) fn measure<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Measured> {
        let mut command = Command::new(&self.tool);
        let (status, said) = run_for_output(command.args(arguments), &self.log, self.stop)?;
        ensure!(status.success(), "a measurement failed; the end of the log:\n{}", tail(&self.log, 10));
        Ok(Measured(serde_json::from_str(said.trim()).context("a measurement said no JSON")?))
    }

    /// Starts a server of the tool's; `what` says which.
    pub(crate) fn serve<S: AsRef<OsStr>>(&self, what: &[S]) -> Result<Comparison> {
        let port = free_port()?;
        let mut command = as_user("root", &self.tool);
        command.args(["serve", "--port", &port.to_string()]).args(what);
        let mut service = Service::start("lockstep-bench", &mut command, Signal::TERM, &self.log)?;
        service.wait_until(self.stop, || http::get(port, "/readyz").is_ok_and(|reply| reply.status == 200))?;
        Ok(Comparison { service, address: format!("127.0.0.1:{port}") })
    }

    /// Measures so many times as there are runs; of several sides, each run begins with another one.
    pub(crate) fn interleave(&self, sides: &mut [Side<'_>]) -> Result<()> {
        for run in 0..self.runs {
            for turn in 0..sides.len() {
                self.stop.check()?;
                let side = &mut sides[(run + turn) % sides.len()];
                let measured = (side.measure)(run)?;
                let told = measured.0["per_second"].as_f64().map(|rate| format!(": {rate:.0}/s")).unwrap_or_default();
                self.progress(&format!("run {} of {}, {}{told}", run + 1, self.runs, side.name));
                side.measured.push(measured);
            }
        }
        Ok(())
    }
}

/// One side of a comparison.
pub(crate) struct Side<'a> {
    name: &'static str,
    measure: Box<dyn FnMut(usize) -> Result<Measured> + 'a>,
    measured: Vec<Measured>,
}

impl<'a> Side<'a> {
    /// `measure` gets the number of the run, from 0.
    pub(crate) fn new(name: &'static str, measure: impl FnMut(usize) -> Result<Measured> + 'a) -> Self {
        Self { name, measure: Box::new(measure), measured: Vec::new() }
    }

    /// One figure of all runs, in their order.
    pub(crate) fn series(&self, figure: impl Fn(&Measured) -> f64) -> Series {
        Series(self.measured.iter().map(figure).collect())
    }

    /// Which part of the processors' time others on the host had meanwhile.
    pub(crate) fn stolen(&self) -> Series {
        self.series(|measured| measured.number("/stolen"))
    }

    /// Operations a second.
    pub(crate) fn rate(&self) -> Series {
        self.series(|measured| measured.number("/per_second"))
    }
}

impl Measured {
    /// A number by its JSON pointer; not a number if there is none.
    pub(crate) fn number(&self, pointer: &str) -> f64 {
        self.0.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN)
    }

    /// How often a payload was opened for each change: more than once is work that a change does not need.
    pub(crate) fn openings(&self) -> f64 {
        self.number("/counted/lockstep_payload_opening_seconds_count") / self.number("/operations")
    }

    /// What was written to the disk for each operation, in KB.
    pub(crate) fn kilobytes(&self) -> f64 {
        self.number("/used/0/written") / 1000.0 / self.number("/operations")
    }

    /// The seconds of processor time for each operation, of the named parts together.
    pub(crate) fn cost(&self, parts: &[&str]) -> f64 {
        parts.iter().map(|part| self.number(part)).sum::<f64>() / self.number("/operations")
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}

/// What the bare components allow when they share the processors: none goes faster than alone, and all of them together
/// have no more processor time than there is. `baseline` is what ran with all of them: what others on the host took of the
/// processors meanwhile was not there.
pub(crate) fn limit(baseline: &Side<'_>, alone: &[&Series], costs: &[&Series]) -> Series {
    let processors = std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64);
    let stolen = baseline.stolen();
    let runs = alone.first().map_or(0, |series| series.0.len());
    let of_run = |run: usize| {
        let slowest = alone.iter().map(|series| series.0[run]).fold(f64::INFINITY, f64::min);
        let together: f64 = costs.iter().map(|series| series.0[run]).sum();
        slowest.min(processors * (1.0 - stolen.0[run]) / together)
    };
    Series((0..runs).map(of_run).collect())
}
