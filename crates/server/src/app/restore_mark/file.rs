//! The file of the restore mark. It is replaced as a whole, is on the disk when [`write`] returns, and never goes back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use lockstep_core::restore_mark::Mark;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const ABOUT: &str =
    "# The restore mark of Lockstep: see docs/operations.md. It belongs into no backup of the database.\n";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    database: Uuid,
    mark: i64,
}

/// What stands in the file; nothing where there is none.
pub(super) fn read(path: &Path) -> io::Result<Option<Mark>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    let content: Content = toml::from_str(&text).map_err(|_| {
        let text = "it holds no restore mark; move it away, and then treat the database as restored";
        io::Error::new(io::ErrorKind::InvalidData, text)
    })?;
    Ok(Some(Mark { database: content.database, value: content.mark }))
}

/// Writes it, unless it is there already or further. Processes of one host that share the file take turns by a lock on its
/// folder, or a slower one would set it back.
pub(super) fn write(path: &Path, mark: Mark) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = File::open(parent)?;
    folder.lock()?;
    if read(path)?.is_some_and(|kept| kept.database == mark.database && kept.value >= mark.value) {
        return Ok(());
    }
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    // Half of one may be left by a process that was killed; nobody else is here now.
    let _absent = fs::remove_file(&part);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&part)?;
    let content = Content { database: mark.database, mark: mark.value };
    let text = toml::to_string(&content).map_err(io::Error::other)?;
    file.write_all(format!("{ABOUT}{text}").as_bytes())?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    folder.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mark(value: i64) -> Mark {
        Mark { database: Uuid::from_u128(1), value }
    }

    #[test]
    fn it_is_private_is_read_back_and_never_goes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("restore.mark");
        assert_eq!(read(&path).unwrap(), None);
        fs::write(folder.path().join("restore.mark.part"), "half").unwrap();
        for (written, kept) in [(0, 0), (7, 7), (6, 7), (8, 8)] {
            write(&path, mark(written)).unwrap();
            assert_eq!(read(&path).unwrap(), Some(mark(kept)));
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        // Of another database, whatever it says.
        let other = Mark { database: Uuid::from_u128(2), value: 1 };
        write(&path, other).unwrap();
        assert_eq!(read(&path).unwrap(), Some(other));
    }

    #[test]
    fn what_is_no_mark_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("restore.mark");
        for text in ["", "mark = 1", "database = \"x\"\nmark = 1", "\0\0\0"] {
            fs::write(&path, text).unwrap();
            let error = read(&path).unwrap_err();
            assert!(error.to_string().contains("no restore mark"), "{error}");
        }
    }
}
