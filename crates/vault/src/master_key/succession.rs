//! How a new key takes the place of the one in a key file. At every moment some file holds each key that wraps anything,
//! and a process that starts finds it: the key file itself is never missing, and what is to follow it lies beside it.
//!
//! ```text
//! master.key = old                                nothing is under way
//! master.key = old, master.key.next = new         data keys are wrapped by either
//! master.key = new, master.key.ID   = old         done; ID is the old key's
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{MasterKey, MasterKeyError, sync_parent};

impl MasterKey {
    /// The key that is to follow the one in the file `path`, if a change of it is under way.
    ///
    /// It is to be read before `path` itself: a change that ends in between is seen there.
    pub fn read_next(path: &Path) -> Result<Option<Self>, MasterKeyError> {
        let next = beside(path, "next");
        match next.try_exists() {
            Ok(false) => Ok(None),
            // It became the key file since.
            _ => match Self::read_file(&next) {
                Err(MasterKeyError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
                read => read.map(Some),
            },
        }
    }

    /// Makes the key that is to follow, or goes on with the one of a change that was interrupted. A file of that name is
    /// always whole.
    pub fn prepare_next(path: &Path) -> Result<Self, MasterKeyError> {
        if let Some(next) = Self::read_next(path)? {
            return Ok(next);
        }
        let (part, next) = (beside(path, "part"), beside(path, "next"));
        // What was interrupted while it was written has wrapped nothing yet.
        let _absent = fs::remove_file(&part);
        let key = Self::create_file(&part)?;
        let renamed = fs::rename(&part, &next).and_then(|()| sync_parent(&next));
        renamed.map_err(|source| MasterKeyError::Create { path: next, source })?;
        Ok(key)
    }

    /// Lets the next key take the place of `old` in the file `path`, and gives the file in which `old` is kept: backups
    /// from before still need it.
    pub fn promote_next(path: &Path, old: &Self) -> Result<PathBuf, MasterKeyError> {
        let kept = beside(path, old.id());
        let failed = |source| MasterKeyError::Create { path: kept.clone(), source };
        match fs::hard_link(path, &kept) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => return Err(failed(source)),
            _ => {}
        }
        if Self::read_file(&kept)?.id() != old.id() {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        }
        sync_parent(path).map_err(failed)?;
        let renamed = fs::rename(beside(path, "next"), path).and_then(|()| sync_parent(path));
        renamed.map_err(|source| MasterKeyError::Create { path: path.to_owned(), source })?;
        Ok(kept)
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_takes_the_place_of_the_old_which_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let old = MasterKey::create_file(&path).unwrap();
        assert!(MasterKey::read_next(&path).unwrap().is_none());
        let new = MasterKey::prepare_next(&path).unwrap();
        assert_ne!(new.id(), old.id());
        assert_eq!(MasterKey::read_file(&path).unwrap().id(), old.id());
        assert_eq!(MasterKey::read_next(&path).unwrap().unwrap().id(), new.id());

        let kept = MasterKey::promote_next(&path, &old).unwrap();
        assert_eq!(MasterKey::read_file(&path).unwrap().id(), new.id());
        assert_eq!(MasterKey::read_file(&kept).unwrap().id(), old.id());
        assert!(MasterKey::read_next(&path).unwrap().is_none());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn a_change_that_was_interrupted_goes_on_with_the_same_key_from_every_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let old = MasterKey::create_file(&path).unwrap();
        // While the next one was written.
        fs::write(beside(&path, "part"), "half a k").unwrap();
        let new = MasterKey::prepare_next(&path).unwrap();
        // Before, and after, anything was wrapped by it.
        assert_eq!(MasterKey::prepare_next(&path).unwrap().id(), new.id());
        // Between the link and the rename.
        fs::hard_link(&path, beside(&path, old.id())).unwrap();
        assert_eq!(MasterKey::prepare_next(&path).unwrap().id(), new.id());
        MasterKey::promote_next(&path, &old).unwrap();
        assert_eq!(MasterKey::read_file(&path).unwrap().id(), new.id());
    }

    #[test]
    fn another_key_under_the_name_of_the_old_one_is_not_taken_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let old = MasterKey::create_file(&path).unwrap();
        MasterKey::create_file(&beside(&path, old.id())).unwrap();
        MasterKey::prepare_next(&path).unwrap();
        assert!(MasterKey::promote_next(&path, &old).is_err());
        assert_eq!(MasterKey::read_file(&path).unwrap().id(), old.id(), "the old key has no other place");
    }
}
