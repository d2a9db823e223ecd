//! What the checks need besides Rust, and how it is installed.
//!
//! Server programs come from Debian's packages and only as root; everything else goes into `target/xtask` and is
//! installed again whenever its committed list of versions changes. A tool that cannot be installed is not silently
//! left out: the error says which command would install it.

pub(crate) mod debian;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::paths::{Paths, find_program};
use crate::process::{Stop, run, succeeds, tail};

/// The version of cargo-deny, which has no lock file of ours.
const CARGO_DENY: &str = "0.20.2";

/// Something that a check cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tool {
    /// slapd and its clients, PostgreSQL, MariaDB, openssl.
    Servers,
    /// What builds a Debian package.
    Packaging,
    /// What tries a Debian package on a bare system.
    Bare,
    /// `cargo deny`.
    CargoDeny,
    /// The Python SDK, the line with the version first in the address.
    Python142,
    /// The newest Python SDK.
    PythonLatest,
    /// The TypeScript SDK, with its compiler.
    Typescript,
    /// The Go SDK.
    Go,
    /// Authlib, which signs people in by OAuth.
    Authlib,
    /// Chromium, what drives it, and axe-core, which looks at its pages.
    Browser,
    /// The fuzzer that reads our OpenAPI document.
    Schemathesis,
}

/// Installs tools, or says how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Installer<'a> {
    /// False with `--no-install`.
    pub(crate) allowed: bool,
    pub(crate) paths: &'a Paths,
    pub(crate) stop: &'a Stop,
}

impl Installer<'_> {
    /// Makes sure that the tool is there. The error of a tool that is not names the command that installs it.
    pub(crate) fn ensure(&self, tool: Tool) -> Result<()> {
        match tool {
            Tool::Servers => self.packages(&debian::missing_servers()),
            Tool::Packaging => self.packages(&debian::missing_packaging()),
            Tool::Bare => self.packages(&debian::missing_bare()),
            Tool::CargoDeny => self.cargo_deny(),
            Tool::Python142 => self.python("venv-142", "requirements-142.txt"),
            Tool::PythonLatest => self.python("venv-latest", "requirements-latest.txt"),
            Tool::Authlib => self.python("venv-oauth", "requirements-oauth.txt"),
            Tool::Schemathesis => self.python("venv-tools", "requirements-tools.txt"),
            Tool::Typescript => self.node("xtask/sdk/typescript", "node"),
            Tool::Browser => {
                self.packages(&debian::missing_browser())?;
                self.node("xtask/browser", "browser")
            }
            Tool::Go => self.go(),
        }
    }

    fn packages(&self, missing: &[&str]) -> Result<()> {
        if missing.is_empty() {
            return Ok(());
        }
        let command = debian::shown_command(missing);
        if !debian::may_install() {
            bail!("not installed; as root on Debian: {command}");
        }
        self.install(&command, || debian::install(missing, &self.log(), self.stop))
    }

    fn cargo_deny(&self) -> Result<()> {
        if self.paths.program("cargo-deny").is_file() {
            return Ok(());
        }
        let arguments = ["install", "cargo-deny", "--locked", "--version", CARGO_DENY, "--root", "target/xtask"];
        self.install(&format!("cargo {}", arguments.join(" ")), || {
            run(Command::new("cargo").args(arguments).current_dir(&self.paths.root), &self.log(), self.stop)
        })
    }

    /// A virtual environment of its own from one list of pinned versions.
    fn python(&self, environment: &str, requirements: &str) -> Result<()> {
        let folder = self.paths.tools.join(environment);
        let list = self.paths.root.join("xtask/sdk/python").join(requirements);
        if is_current(&folder, &list)? {
            return Ok(());
        }
        self.packages(&debian::missing_python())?;
        let command = format!(
            "python3 -m venv target/xtask/{environment} && \
             target/xtask/{environment}/bin/pip install -r xtask/sdk/python/{requirements}"
        );
        self.install(&command, || {
            let _absent = fs::remove_dir_all(&folder);
            run(Command::new("python3").args(["-m", "venv"]).arg(&folder), &self.log(), self.stop)?;
            let mut pip = Command::new(folder.join("bin/pip"));
            pip.args(["install", "--no-input", "--disable-pip-version-check", "--requirement"]).arg(&list);
            run(&mut pip, &self.log(), self.stop)?;
            mark_current(&folder, &list)
        })
    }

    /// A folder of its own from one list of pinned versions.
    fn node(&self, sources: &str, name: &str) -> Result<()> {
        let folder = self.paths.tools.join(name);
        let command = format!("cp {sources}/package*.json target/xtask/{name} && npm --prefix target/xtask/{name} ci");
        let sources = self.paths.root.join(sources);
        let lock = sources.join("package-lock.json");
        if is_current(&folder, &lock)? {
            return Ok(());
        }
        if find_program("npm").is_none() {
            bail!("Node.js with npm is not installed (18 or newer; on Debian: apt-get install nodejs npm)");
        }
        self.install(&command, || {
            fs::create_dir_all(&folder)?;
            for name in ["package.json", "package-lock.json"] {
                fs::copy(sources.join(name), folder.join(name))?;
            }
            let mut npm = Command::new("npm");
            npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
            run(&mut npm, &self.log(), self.stop)?;
            mark_current(&folder, &lock)
        })
    }

    /// The modules go to Go's own cache, where its builds stay too: the first build of the SDK takes five minutes.
    fn go(&self) -> Result<()> {
        if find_program("go").is_none() {
            bail!("Go is not installed (1.23 or newer; on Debian: apt-get install golang)");
        }
        let sources = self.paths.root.join("xtask/sdk/go");
        let folder = self.paths.tools.join("go");
        let sums = sources.join("go.sum");
        let cached = || {
            let mut list = Command::new("go");
            succeeds(
                list.args(["list", "-deps", "."])
                    .env("GOPROXY", "off")
                    .env("GOFLAGS", "-mod=readonly")
                    .current_dir(&sources),
            )
        };
        if is_current(&folder, &sums)? && cached() {
            return Ok(());
        }
        self.install("cd xtask/sdk/go && go mod download", || {
            run(Command::new("go").args(["mod", "download"]).current_dir(&sources), &self.log(), self.stop)?;
            fs::create_dir_all(&folder)?;
            mark_current(&folder, &sums)
        })
    }

    /// Runs an installation, or refuses with the command that it would have run.
    fn install(&self, command: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        if !self.allowed {
            bail!("not installed; this would install it: {command}");
        }
        println!("installing: {command}");
        let begin = Instant::now();
        work().with_context(|| format!("{command}\n{}", tail(&self.log(), 30)))?;
        println!("            done in {:.1} s", begin.elapsed().as_secs_f32());
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.paths.log("install")
    }
}

/// The copy of the list of versions that a folder was installed from.
const MARK: &str = "installed-from";

fn is_current(folder: &Path, list: &Path) -> Result<bool> {
    let wanted = fs::read(list).with_context(|| format!("reading {}", list.display()))?;
    Ok(fs::read(folder.join(MARK)).is_ok_and(|installed| installed == wanted))
}

fn mark_current(folder: &Path, list: &Path) -> Result<()> {
    fs::copy(list, folder.join(MARK)).context("noting what was installed")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{is_current, mark_current};

    #[test]
    fn a_changed_list_of_versions_makes_an_installation_stale() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list.txt");
        fs::write(&list, "one==1\n").unwrap();
        assert!(!is_current(folder.path(), &list).unwrap());
        mark_current(folder.path(), &list).unwrap();
        assert!(is_current(folder.path(), &list).unwrap());
        fs::write(&list, "one==2\n").unwrap();
        assert!(!is_current(folder.path(), &list).unwrap());
    }
}
