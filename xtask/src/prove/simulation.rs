//! `cargo xtask prove simulation`: bugs that must be found in the simulated world, and the engine in a million of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Deserialize;

use crate::paths::Paths;
use crate::steps::cargo;

/// How many seeds a planted bug may take to be found.
const ENOUGH: u64 = 1_000_000;

/// Plant bugs and see that the simulation finds each; then run the engine in its world, once for each seed.
///
/// The bugs are those of simulation/bugs.toml, planted one at a time in a copy of the tree below target/.
#[derive(Debug, Args)]
pub(crate) struct Simulation {
    /// How many seeds
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    seeds: u64,
    /// Plant this bug alone, and run nothing else
    #[arg(long, value_name = "NAME")]
    bug: Option<String>,
}

/// The bugs to be planted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bugs {
    bug: Vec<Bug>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bug {
    name: String,
    about: String,
    edits: Vec<Edit>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    file: PathBuf,
    find: String,
    replace: String,
}

/// Hunts the bugs, then runs the seeds. The exit code is 0 only if all of it holds.
pub(crate) fn run(Simulation { seeds, bug }: &Simulation, paths: &Paths) -> Result<ExitCode> {
    let bugs = Bugs::read(&paths.root)?;
    if let Some(name) = bug {
        let bug = bugs.bug.iter().find(|bug| bug.name == *name).with_context(|| format!("there is no bug {name}"))?;
        return Ok(exit(plant(bug, paths)?));
    }
    // First, because a bug that cannot be planted any more is told after seconds, and the seeds take half an hour.
    let mut found = true;
    for bug in &bugs.bug {
        found &= plant(bug, paths)?;
    }
    let status = command(&paths.root, *seeds).status().context("cannot run the simulation")?;
    Ok(exit(found && status.success()))
}

/// Plants a bug in a copy of the tree and says whether the simulation finds it.
fn plant(bug: &Bug, paths: &Paths) -> Result<bool> {
    let tree = paths.root.join("target/planted/tree");
    copy_tree(&paths.root, &tree)?;
    bug.edits.iter().try_for_each(|edit| edit.make(&tree))?;
    let target = paths.root.join("target/planted/build");
    let build = simulation_build(&tree).env("CARGO_TARGET_DIR", &target).output().context("cannot run cargo")?;
    if !build.status.success() {
        bail!("{} does not compile:\n{}", bug.name, String::from_utf8_lossy(&build.stderr));
    }
    let began = Instant::now();
    let mut hunt = command(&tree, ENOUGH);
    let hunt = hunt.arg("--quiet").env("CARGO_TARGET_DIR", &target).stderr(Stdio::null());
    let output = hunt.output().context("cannot run the simulation")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let found = output.status.code() == Some(1) && said.starts_with("a guarantee was broken");
    let first = said.lines().next().unwrap_or_default();
    let how = said.lines().rev().find_map(|line| line.strip_prefix("BROKEN: ")).unwrap_or_default();
    match found {
        true => println!("{}: {}\n  found: {first}\n  {how}", bug.name, bug.about),
        false => println!("{}: {}\n  NOT FOUND in {ENOUGH} seeds, {:.0?}", bug.name, bug.about, began.elapsed()),
    }
    Ok(found)
}

impl Bugs {
    fn read(root: &Path) -> Result<Self> {
        let path = root.join("simulation/bugs.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not as it should be", path.display()))
    }
}

impl Edit {
    fn make(&self, tree: &Path) -> Result<()> {
        let path = tree.join(&self.file);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let times = text.matches(&self.find).count();
        ensure!(times == 1, "{} has {times} times, not once: {}", self.file.display(), self.find);
        fs::write(&path, text.replace(&self.find, &self.replace)).context("cannot plant a bug")
    }
}

/// Copies what git knows, so that the original is never touched. A file that is the same keeps its time, and is not built
/// again.
fn copy_tree(root: &Path, tree: &Path) -> Result<()> {
    let mut list = Command::new("git");
    list.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let listed = list.output().context("cannot run git")?;
    ensure!(listed.status.success(), "git lists no files: is this a checkout?");
    for file in String::from_utf8_lossy(&listed.stdout).lines() {
        let (from, to) = (root.join(file), tree.join(file));
        let Ok(wanted) = fs::read(&from) else { continue };
        if fs::read(&to).ok().as_ref() != Some(&wanted) {
            fs::create_dir_all(to.parent().unwrap_or(tree)).context("cannot make a folder")?;
            fs::write(&to, wanted).with_context(|| format!("cannot copy {file}"))?;
        }
    }
    Ok(())
}

fn simulation_build(tree: &Path) -> Command {
    let mut command = cargo();
    command.args(["build", "--release", "--locked", "--package", "lockstep-simulation"]).current_dir(tree);
    command
}

/// The simulation of the workspace in `tree`, built if need be.
pub(crate) fn command(tree: &Path, seeds: u64) -> Command {
    let mut command = cargo();
    command.args(["run", "--release", "--locked", "--quiet", "--package", "lockstep-simulation", "--"]);
    command.args(["--seeds", &seeds.to_string()]).current_dir(tree);
    command
}

fn exit(holds: bool) -> ExitCode {
    match holds {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_can_still_be_planted() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let bugs = Bugs::read(&root).expect("bugs");
        assert_eq!(bugs.bug.len(), 12, "twelve ways to break the engine are known");
        for bug in bugs.bug {
            for Edit { file, find, replace } in bug.edits {
                let text = fs::read_to_string(root.join(&file)).expect("a source file");
                assert_eq!(text.matches(&find).count(), 1, "{}: {}", bug.name, file.display());
                assert_ne!(find, replace);
            }
        }
    }
}
