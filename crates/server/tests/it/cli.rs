//! The binary as a binary: what it prints, how it ends, and what it leaves on the disk.

mod aggregate;
mod apply;
mod demo;
mod doctor;
mod export;
mod help;
mod import;
mod init;
mod running;
mod seclusion;
mod serve;
mod tls;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the binary in a folder, without anything of ours in its environment.
pub(crate) fn lockstep(folder: &Path, arguments: &[&str]) -> Ran {
    ran(command(folder).args(arguments).output().expect("the binary runs"))
}

/// The binary, for whoever needs more than arguments.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.current_dir(folder);
    for name in ["COLUMNS", "LOCKSTEP_CONFIG", "SAIL_BASE_URL", "SAIL_CLIENT_ID", "SAIL_CLIENT_SECRET"] {
        command.env_remove(name);
    }
    command
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().expect("it ended by itself"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A new installation in a folder of its own.
pub(crate) struct Installation {
    folder: TempDir,
}

impl Installation {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let made = lockstep(folder.path(), &["init", "--data", "."]);
        assert_eq!(made.code, 0, "{made:?}");
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        lockstep(self.path(), arguments)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }
}
