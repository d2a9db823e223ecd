//! What the unit allows, and whether the server gets along with it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// How exposed the unit may be, of 100 (systemd-analyze(1)).
const EXPOSURE: &str = "15";

/// Has systemd read the unit and rate it; gives the rating.
pub(super) fn verify(unit: &Path) -> Result<String> {
    // The program is where the package puts it, and not on this machine.
    let text = fs::read_to_string(unit)?.replace("ExecStart=/usr/bin/lockstep", "ExecStart=/bin/true");
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("lockstep.service");
    fs::write(&copy, text)?;
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&copy).output()?;
    let complaints = String::from_utf8_lossy(&verified.stderr).into_owned();
    ensure!(
        verified.status.success() && !complaints.contains("lockstep.service"),
        "systemd-analyze verify: {complaints}"
    );
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--no-pager", "--offline=true", &format!("--threshold={EXPOSURE}")]).arg(&copy);
    let rated = security.output()?;
    let rating = String::from_utf8_lossy(&rated.stdout).into_owned();
    let line = rating.lines().find(|line| line.contains("Overall exposure level")).context("no rating")?;
    ensure!(rated.status.success(), "{rating}");
    Ok(format!("systemd-analyze verify is content; {}", line.trim_start_matches(|c: char| !c.is_ascii_alphabetic())))
}

/// The only value of a field.
pub(super) fn value(unit: &Path, field: &str) -> Result<String> {
    let text = fs::read_to_string(unit)?;
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix('='));
    Ok(value.with_context(|| format!("the unit has no {field}"))?.to_owned())
}

/// Compares every system call in a trace with the filter, and looks for memory that can be written and executed.
pub(super) fn compare(unit: &Path, trace: &Path) -> Result<String> {
    let text = fs::read_to_string(unit)?;
    let mut allowed = BTreeSet::new();
    for filter in text.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        match filter.strip_prefix('~') {
            Some(without) => allowed = &allowed - &calls(without)?,
            None => allowed.extend(calls(filter)?),
        }
    }
    let trace = fs::read_to_string(trace).context("reading the trace")?;
    // What chroot asks for stands before the server is executed.
    let from = trace.find("execve(\"/usr/bin/lockstep\"").context("the server was not executed")?;
    let asked: BTreeSet<String> = trace[from..].lines().filter_map(called).collect();
    ensure!(asked.len() > 20 && asked.contains("accept4"), "that is no trace of a server: {asked:?}");
    let forbidden: Vec<&String> = asked.difference(&allowed).collect();
    ensure!(forbidden.is_empty(), "the unit forbids what the server asks for: {forbidden:?}");
    let both = trace[from..].lines().find(|line| line.contains("PROT_WRITE|PROT_EXEC"));
    ensure!(both.is_none(), "MemoryDenyWriteExecute forbids {both:?}");
    Ok(format!("{} different calls", asked.len()))
}

/// `123 openat(AT_FDCWD, …`: the name. What was interrupted and goes on has been seen where it began.
fn called(line: &str) -> Option<String> {
    let (_, call) = line.split_once(' ')?;
    let (name, _) = call.trim_start().split_once('(')?;
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_').then(|| name.to_owned())
}

/// The calls of a group of systemd's, with those of the groups in it.
fn calls(group: &str) -> Result<BTreeSet<String>> {
    let output = Command::new("systemd-analyze").args(["syscall-filter", group, "--no-pager"]).output()?;
    ensure!(output.status.success(), "systemd knows no {group}");
    let mut calls = BTreeSet::new();
    for line in String::from_utf8(output.stdout)?.lines().map(str::trim).filter(|line| *line != group) {
        match line {
            "" => {}
            _ if line.starts_with('#') => {}
            _ if line.starts_with('@') => calls.extend(self::calls(line)?),
            _ => drop(calls.insert(line.to_owned())),
        }
    }
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::called;

    #[test]
    fn calls_are_found_in_a_trace() {
        for (line, name) in [
            ("12 openat(AT_FDCWD, \"/x\", O_RDONLY) = 3", Some("openat")),
            ("12  accept4(5, <unfinished ...>", Some("accept4")),
            ("12 <... accept4 resumed>{sa_family=AF_INET}) = 6", None),
            ("12 +++ exited with 0 +++", None),
        ] {
            assert_eq!(called(line).as_deref(), name, "{line}");
        }
    }
}
