//! Debian's packages: what is missing, and apt without questions and without starting services.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::paths::find_program;
use crate::process::{Stop, is_root, run, succeeds};
use crate::servers::postgres_binaries;

/// Asked by Debian's packages before they start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// The packages of the servers and their clients whose programs are not there.
pub(super) fn missing_servers() -> Vec<&'static str> {
    let mut missing = missing_programs(&[
        ("slapd", "slapd"),
        ("ldapwhoami", "ldap-utils"),
        ("mariadbd", "mariadb-server"),
        ("openssl", "openssl"),
        ("setpriv", "util-linux"),
        // System calls are traced, and calendars moved.
        ("strace", "strace"),
        ("faketime", "faketime"),
    ]);
    if postgres_binaries().is_none() {
        missing.push("postgresql");
    }
    missing
}

/// The browser; what computes codes by the clock as a telephone does, and what reads the picture that it is shown.
pub(super) fn missing_browser() -> Vec<&'static str> {
    missing_programs(&[
        ("chromium", "chromium"),
        ("oathtool", "oathtool"),
        ("zbarimg", "zbar-tools"),
        ("sqlite3", "sqlite3"),
    ])
}

/// The packages that building one takes.
pub(super) fn missing_packaging() -> Vec<&'static str> {
    missing_programs(&[("dpkg-deb", "dpkg"), ("strip", "binutils"), ("git", "git")])
}

/// The packages that trying one takes.
pub(super) fn missing_bare() -> Vec<&'static str> {
    missing_programs(&[
        ("debootstrap", "debootstrap"),
        ("systemd-analyze", "systemd"),
        ("sqlite3", "sqlite3"),
        ("openssl", "openssl"),
        ("strace", "strace"),
    ])
}

/// Where this machine's apt takes Debian from: the release, and the address of its mirror.
pub(crate) fn release_and_mirror() -> Result<(String, String)> {
    let release = fs::read_to_string("/etc/os-release").context("reading /etc/os-release")?;
    let codename = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let codename = codename.context("/etc/os-release names no release of Debian")?.trim_matches('"').to_owned();
    let format = "$(CODENAME) $(COMPONENT) $(REPO_URI)";
    let output = Command::new("apt-get").args(["indextargets", "--format", format]).output().context("asking apt")?;
    let lines = String::from_utf8(output.stdout).context("apt names no text")?;
    let wanted = format!("{codename} main ");
    let mirror = lines.lines().find_map(|line| line.strip_prefix(&wanted)).map(ToOwned::to_owned);
    Ok((codename, mirror.context("apt has no mirror of Debian's main archive; is `apt-get update` done?")?))
}

/// The packages that a virtual environment needs; Debian's Python comes without the module for them.
pub(super) fn missing_python() -> Vec<&'static str> {
    let usable = succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"]));
    if usable { Vec::new() } else { vec!["python3", "python3-venv"] }
}

/// True where [`install`] can work: root, with apt.
pub(super) fn may_install() -> bool {
    is_root() && find_program("apt-get").is_some()
}

/// The command as a person would type it.
pub(super) fn shown_command(packages: &[&str]) -> String {
    format!("apt-get install --no-install-recommends {}", packages.join(" "))
}

/// Installs packages without questions, recommendations or started services.
pub(super) fn install(packages: &[&str], log: &Path, stop: &Stop) -> Result<()> {
    let _policy = NoServices::begin()?;
    update(log, stop)?;
    let mut command = apt();
    command.args(["-o", "DPkg::Lock::Timeout=600", "install", "-y", "--no-install-recommends"]).args(packages);
    run(&mut command, log, stop)
}

/// Unlike `install`, `apt-get update` does not wait for another process that holds its lock, so it is asked again.
fn update(log: &Path, stop: &Stop) -> Result<()> {
    const ATTEMPTS: u32 = 60;
    for _ in 1..ATTEMPTS {
        if run(apt().arg("update"), log, stop).is_ok() {
            return Ok(());
        }
        stop.check()?;
        sleep(Duration::from_secs(2));
    }
    run(apt().arg("update"), log, stop)
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn missing_programs(programs: &[(&str, &'static str)]) -> Vec<&'static str> {
    programs.iter().filter(|(program, _)| find_program(program).is_none()).map(|&(_, package)| package).collect()
}

/// While this lives, packages start no service. A policy that the machine already has is left as it is.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn begin() -> Result<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        fs::write(POLICY, "#!/bin/sh\nexit 101\n").context("forbidding packages to start services")?;
        let policy = Self { ours: true };
        fs::set_permissions(POLICY, Permissions::from_mode(0o755))?;
        Ok(policy)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours {
            let _already_gone = fs::remove_file(POLICY);
        }
    }
}
