//! Where it is written: standard output, or a new file that has its name only once it is whole and on the disk.

use std::fs::{self, File};
use std::io::{self, BufWriter, Stdout, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Something that is being written.
#[derive(Debug)]
pub(super) enum Output {
    /// Whatever reads it sees it at once.
    Standard(BufWriter<Stdout>),
    /// Its last name is said when it is whole.
    File { file: BufWriter<File>, part: PathBuf, path: PathBuf },
}

impl Output {
    /// Nothing is overwritten.
    pub(super) fn create(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::Standard(BufWriter::new(io::stdout()))) };
        if path.try_exists()? {
            bail!("{} exists already; nothing was overwritten", path.display());
        }
        let part = part(path);
        let mut options = File::options();
        // One that is there is of an export that was interrupted.
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&part).with_context(|| format!("cannot write {}", part.display()))?;
        Ok(Self::File { file: BufWriter::new(file), part, path: path.to_owned() })
    }

    /// It is whole.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Standard(mut output) => output.flush(),
            Self::File { file, part, path } => {
                file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
                fs::rename(part, path)
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(output) => output.write(bytes),
            Self::File { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(output) => output.flush(),
            Self::File { file, .. } => file.flush(),
        }
    }
}

/// What it is called until it is whole.
pub(super) fn part(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}
