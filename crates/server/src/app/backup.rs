//! A copy of the SQLite database while servers run. PostgreSQL is copied with its own tools.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::App;
use super::restore_mark::RestoreMarkError;

/// A copy that is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether the restore mark was raised, so that the copy is behind it. Not where no server has run since the database
    /// was made, or where it is not known whether the database itself is a restored one.
    pub marked: bool,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is a file already.
    #[error("{path} exists already; nothing was overwritten", path = .0.display())]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database cannot be copied.
    #[error("cannot copy the database")]
    Store(#[from] lockstep_store::Error),
    /// The copy is there; the mark is not raised.
    #[error("the copy is made, but the restore mark could not be raised after it")]
    Mark(#[from] RestoreMarkError),
}

/// Copies the database to a new file at `path`. It has that name only once it is whole and on the disk.
pub async fn backup(app: &App, path: &Path) -> Result<Copied, BackupError> {
    let failed = |source| BackupError::Write { path: path.to_owned(), source };
    if path.try_exists().map_err(failed)? {
        return Err(BackupError::Exists(path.to_owned()));
    }
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    // Of a copy that was interrupted.
    let _absent = fs::remove_file(&part);
    let copied = app.store.copy_to(&part).await;
    if let Err(error) = copied {
        let _absent = fs::remove_file(&part);
        return Err(error.into());
    }
    let (from, to) = (part, path.to_owned());
    let kept = tokio::task::spawn_blocking(move || keep(&from, &to)).await;
    let bytes = kept.unwrap_or_else(|fault| Err(io::Error::other(fault))).map_err(failed)?;
    Ok(Copied { bytes, marked: app.restore_mark.raise_after_copy(&app.store).await? })
}

fn keep(part: &Path, path: &Path) -> io::Result<u64> {
    let file = File::open(part)?;
    file.sync_all()?;
    fs::rename(part, path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()?;
    Ok(file.metadata()?.len())
}
