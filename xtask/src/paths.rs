//! Where things are: the workspace and the folder for everything this tool installs or writes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folders this tool works in. All paths are absolute.
#[derive(Debug)]
pub(crate) struct Paths {
    /// The workspace.
    pub(crate) root: PathBuf,
    /// `target/xtask`: installed tools, built test programs and logs. Deleting it is always safe.
    pub(crate) tools: PathBuf,
}

impl Paths {
    /// Finds the workspace from the place this tool was built in, and creates the folders.
    pub(crate) fn find() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().context("xtask is a folder of the workspace")?.to_path_buf();
        let paths = Self { tools: root.join("target/xtask"), root };
        fs::create_dir_all(paths.tools.join("logs")).context("creating target/xtask/logs")?;
        fs::create_dir_all(paths.tools.join("bin")).context("creating target/xtask/bin")?;
        Ok(paths)
    }

    /// The log of a step or a server.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.tools.join("logs").join(format!("{name}.log"))
    }

    /// A program that this tool installed or built itself.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.tools.join("bin").join(name)
    }

    /// A path as a reader would type it, from the workspace.
    pub(crate) fn shown<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

/// The program of that name on the search path, or in the folders of system daemons that a user's path often lacks.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}
