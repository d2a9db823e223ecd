//! The lock that a serving process holds beside its SQLite file.
//!
//! It is a lock of the operating system, not the file's existence: it ends with the process, however that ends.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};

/// Proof that no other process serves from the same file. Dropping it lets the next one serve.
#[derive(Debug)]
pub(super) struct ServeLock {
    _file: File,
}

impl ServeLock {
    /// Takes the lock of the database at `database`, or says that another process has it.
    pub(super) fn take(database: &Path) -> Result<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let failed = |source| Error::Create { path: path.clone(), source: Arc::new(source) };
        let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Served { lock: path }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}
