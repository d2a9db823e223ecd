//! A bare Debian in a temporary folder, from the mirror that this machine's own apt uses.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::note;
use crate::install::debian::release_and_mirror;
use crate::process::{Stop, run, succeeds};

/// The system. Dropping it ends its mount and removes it.
pub(super) struct Bare {
    // Before the folder, so that it ends first.
    _proc: Mount,
    folder: TempDir,
    log: PathBuf,
    pub(super) release: String,
}

/// `/proc` in there.
struct Mount(PathBuf);

impl Bare {
    pub(super) fn unpack(log: &Path, stop: &Stop) -> Result<Self> {
        let (release, mirror) = release_and_mirror()?;
        let folder = tempfile::Builder::new().prefix("lockstep-debian-").tempdir().context("creating a folder")?;
        // The address of the mirror is this machine's own affair and in no log of ours.
        let quiet = Command::new("debootstrap")
            .args(["--variant=minbase", &release])
            .arg(folder.path())
            .arg(&mirror)
            .output()
            .context("running debootstrap")?;
        ensure!(
            quiet.status.success(),
            "debootstrap failed:\n{}",
            String::from_utf8_lossy(&quiet.stdout).replace(&mirror, "MIRROR")
        );
        stop.check()?;
        // The folder is made for its owner only, and a system's root is everybody's.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let place = folder.path().join("proc");
        run(Command::new("mount").args(["-t", "proc", "proc"]).arg(&place), log, stop)?;
        Ok(Self { _proc: Mount(place), folder, log: log.to_owned(), release })
    }

    pub(super) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn path(&self, inner: &str) -> PathBuf {
        self.root().join(inner)
    }

    pub(super) fn unit(&self) -> PathBuf {
        self.path(super::UNIT)
    }

    /// Installs a package of which everything it depends on must be there: a bare Debian has it all.
    pub(super) fn install(&self, deb: &Path) -> Result<()> {
        fs::copy(deb, self.path("tmp/lockstep.deb"))?;
        self.run("dpkg", &["--install", "/tmp/lockstep.deb"])?;
        self.run("apt-get", &["check"]).map(drop)
    }

    /// A command in there, as root.
    pub(super) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("chroot");
        command.arg(self.root()).arg(program).args(arguments);
        command.env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive").env_remove("LOCKSTEP_CONFIG");
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").current_dir("/");
        command
    }

    /// Runs it to its end; gives what it printed.
    pub(super) fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let output = self.command(program, arguments).output().with_context(|| format!("running {program}"))?;
        let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        note(&self.log, &format!("$ {program} {}\n{said}{errors}", arguments.join(" ")))?;
        ensure!(output.status.success(), "{program} {}: {}\n{said}{errors}", arguments.join(" "), output.status);
        Ok(said.into_owned())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if !succeeds(Command::new("umount").arg(&self.0)) {
            let _tried = succeeds(Command::new("umount").arg("--lazy").arg(&self.0));
        }
    }
}
