//! `cargo xtask prove aggregation`: how fast the accounts of a directory come in, and with how much memory.
//!
//! The directory is a slapd of its own for each size; `lockstep aggregate` does the work, without a server beside it. Its peak
//! of memory is what the kernel says of the process.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::install::{Installer, Tool};
use crate::paths::Paths;
use crate::process::{self, Stop};
use crate::servers::Slapd;
use crate::steps::cargo;

/// Read the accounts of a directory, all of them and then what changed, and print accounts a second and memory.
///
/// Goals: 2,000 accounts a second; at the larger size no more than 1.2 times the memory of the smaller; a reading after 1 % has
/// changed takes no more than a fifth of the first. About 5 minutes.
#[derive(Debug, Args)]
pub(crate) struct Aggregation {
    /// How many people the directories have, the smaller first
    #[arg(long, value_name = "N", num_args = 1.., default_values_t = [10_000, 100_000])]
    people: Vec<u32>,
    /// The program that is measured; otherwise a release build of this tree
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// How long after a directory was filled its entries are old.
const SETTLED: Duration = Duration::from_secs(75);

/// What one reading took.
struct Reading {
    seconds: f64,
    accounts: f64,
    /// The peak of the process's memory, in KiB.
    peak: u64,
}

/// Runs it. The exit code is 0 only if every goal is met.
pub(crate) fn run(arguments: &Aggregation, paths: &Paths, stop: &Stop) -> Result<ExitCode> {
    let met = measure(arguments, paths, stop)?;
    println!("{}", if met { "Every goal is met." } else { "A goal is not met." });
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(arguments: &Aggregation, paths: &Paths, stop: &Stop) -> Result<bool> {
    Installer { allowed: true, paths, stop }.ensure(Tool::Servers)?;
    let log = paths.log("aggregation");
    let program = match &arguments.program {
        Some(program) => program.clone(),
        None => {
            let build = ["build", "--release", "--package", "lockstep", "--locked"];
            process::run(cargo().args(build).current_dir(&paths.root), &log, stop)?;
            paths.root.join("target/release/lockstep")
        }
    };
    let (mut met, mut least) = (true, None);
    for people in &arguments.people {
        let folder = tempfile::Builder::new().prefix("lockstep-aggregation-").tempdir().context("creating a folder")?;
        let slapd = Slapd::with(*people, &folder.path().join("slapd"), &log, stop).context("slapd")?;
        let filled = Instant::now();
        install(&program, folder.path(), &slapd, &log, stop)?;
        let first = read(&program, folder.path(), stop)?;
        // What is not older than the newest by a minute is read again, and all of them are of one moment: somebody newer is
        // needed first.
        while filled.elapsed() < SETTLED {
            stop.check()?;
            std::thread::sleep(Duration::from_millis(200));
        }
        change(&slapd, [0])?;
        read(&program, folder.path(), stop)?;
        change(&slapd, (0..*people).step_by(100))?;
        let again = read(&program, folder.path(), stop)?;
        let least = *least.get_or_insert(first.peak);
        let (pace, memory, share) =
            (first.accounts / first.seconds, first.peak as f64 / least as f64, again.seconds / first.seconds);
        println!(
            "{people:>7} people: {:.1} s, {pace:.0} accounts/s, {} MiB ({memory:.2} times the least); after 1 % has changed: \
             {} read in {:.1} s ({share:.2} of the first)",
            first.seconds,
            first.peak / 1024,
            again.accounts,
            again.seconds,
        );
        met &= pace >= 2000.0 && memory <= 1.2 && share <= 0.2;
    }
    Ok(met)
}

fn install(program: &Path, folder: &Path, slapd: &Slapd, log: &Path, stop: &Stop) -> Result<()> {
    let lockstep =
        |arguments: &[&str]| process::run(Command::new(program).args(arguments).current_dir(folder), log, stop);
    lockstep(&["init", "--data", "."]).context("lockstep init")?;
    let secret = folder.join("directory.password");
    fs::write(&secret, "svcsecret").context("writing a secret")?;
    fs::set_permissions(&secret, Permissions::from_mode(0o600))?;
    let state = format!(
        r#"[[source]]
name = "Directory"
connector = "ldap"
secrets = {{ password = {{ file = "directory.password" }} }}
[source.config]
url = "{url}"
ca_file = "{authority}"
bind_dn = "cn=svc,dc=example,dc=test"
[source.config.accounts]
base = "ou=people,dc=example,dc=test"
filter = "(objectClass=inetOrgPerson)"
[source.aggregation]
authoritative = true
correlation = [{{ account = "mail", identity = "email" }}]
mapping = {{ alias = "uid", display-name = "cn", email = "mail" }}
"#,
        url = slapd.ldaps_url,
        authority = slapd.authority().display(),
    );
    fs::write(folder.join("state.toml"), state).context("writing state.toml")?;
    lockstep(&["--config", "lockstep.toml", "apply", "state.toml"]).context("lockstep apply")
}

/// One reading, by a process of its own.
fn read(program: &Path, folder: &Path, stop: &Stop) -> Result<Reading> {
    let mut command = Command::new(program);
    command.args(["--config", "lockstep.toml", "aggregate", "Directory", "--json"]).current_dir(folder);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("starting lockstep")?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    while child.try_wait()?.is_none() {
        peak = peak.max(high_water_mark(&fs::read_to_string(&status).unwrap_or_default()));
        if stop.is_set() {
            child.kill()?;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("lockstep aggregate ended with {}: {}", output.status, String::from_utf8_lossy(&output.stdout));
    }
    let said: Value = serde_json::from_slice(&output.stdout).context("reading what lockstep said")?;
    let number = |value: &Value| value.as_f64().context("a number is missing");
    Ok(Reading { seconds: number(&said["seconds"])?, accounts: number(&said["counters"]["read"])?, peak })
}

fn high_water_mark(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// These people have another mail address.
fn change(slapd: &Slapd, people: impl IntoIterator<Item = u32>) -> Result<()> {
    let tag = if slapd.folder.join("change.ldif").exists() { "newer" } else { "new" };
    let entry = |number: u32| {
        let dn = Slapd::person(&format!("user{number:05}"));
        format!("dn: {dn}\nchangetype: modify\nreplace: mail\nmail: {tag}{number}@example.test\n\n")
    };
    let ldif: String = people.into_iter().map(entry).collect();
    let file = slapd.folder.join("change.ldif");
    fs::write(&file, ldif).context("writing changes")?;
    let mut command = Command::new("ldapmodify");
    command.args(["-x", "-D", "cn=admin,dc=example,dc=test", "-w", "adminpw", "-H", &slapd.ldap_url, "-f"]).arg(&file);
    let status = command.stdout(Stdio::null()).status().context("running ldapmodify")?;
    if !status.success() {
        bail!("ldapmodify ended with {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::high_water_mark;

    #[test]
    fn the_peak_of_memory_is_found() {
        assert_eq!(high_water_mark("Name:\tlockstep\nVmPeak:\t  9 kB\nVmHWM:\t   4321 kB\n"), 4321);
        assert_eq!(high_water_mark(""), 0);
    }
}
