//! The master key: where it comes from, how a new one is made, and the name it goes by.
//!
//! It wraps the data keys and nothing else, so that changing it means wrapping a handful of keys again. Where the
//! wrapped keys are kept, and when a master key is changed, is not decided here; how a new one takes the place of the one
//! in a file is told in `succession`. A hardware token (PKCS#11) is not
//! supported.

mod succession;

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::UnboundKey;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::{aead, secret};

/// The key that wraps the data keys: 32 random bytes. Wiped when dropped; its `Debug` shows its id only.
#[derive(Clone)]
pub struct MasterKey {
    bytes: Zeroizing<[u8; 32]>,
    id: String,
}

/// Why there is no master key. No variant holds any of its bytes.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file is missing or cannot be read.
    #[error("cannot read the master key file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file's mode lets its group or everybody in.
    #[error("the master key file {0} is open to others (mode {mode:04o}): run `chmod 600 {0}`", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The new file could not be written; nothing is left of it. An existing file is never overwritten.
    #[error("cannot create the master key file {}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// What was found is not a key.
    #[error("{origin} holds no master key: expected 64 hexadecimal digits or the base64 of 32 bytes")]
    Malformed {
        /// The file, environment variable or credential, by name.
        origin: String,
    },
    /// The environment variable is not set.
    #[error("the environment variable {name} is not set, so there is no master key")]
    NoVariable {
        /// The variable.
        name: String,
    },
    /// The process was not started by systemd with credentials, or the credential's name is a path.
    #[error("there is no systemd credential {name}: the unit needs `LoadCredential={name}:/path/to/key`")]
    NoCredential {
        /// The credential.
        name: String,
    },
}

impl MasterKey {
    /// Reads the key file, which holds 64 hexadecimal digits, the base64 of 32 bytes (as [`MasterKey::create_file`]
    /// writes and `openssl rand -base64 32` prints), or the 32 bytes themselves.
    ///
    /// On Unix the file is refused where its group or everybody may read or write it.
    pub fn read_file(path: &Path) -> Result<Self, MasterKeyError> {
        let read = |source| MasterKeyError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        refuse_open_to_others(&file, path)?;
        Self::read(file, path)
    }

    /// Reads the key from the environment variable `name`: 64 hexadecimal digits or base64.
    ///
    /// A file or a systemd credential is better: what a process has in its environment, its children and whoever can
    /// read `/proc` as the same user have too.
    pub fn from_environment(name: &str) -> Result<Self, MasterKeyError> {
        let value = std::env::var_os(name).ok_or_else(|| MasterKeyError::NoVariable { name: name.to_owned() })?;
        let text = Zeroizing::new(value.into_encoded_bytes());
        Self::parse(&text)
            .ok_or_else(|| MasterKeyError::Malformed { origin: format!("the environment variable {name}") })
    }

    /// Reads the systemd credential `name`, a file in the directory that systemd names in `$CREDENTIALS_DIRECTORY`
    /// (systemd.exec(5), `LoadCredential=`).
    ///
    /// Its mode is not looked at: systemd may grant access by an access control list, which shows as group bits.
    pub fn from_systemd_credential(name: &str) -> Result<Self, MasterKeyError> {
        let directory = std::env::var_os("CREDENTIALS_DIRECTORY");
        Self::from_credential_directory(directory.as_deref().map(Path::new), name)
    }

    /// Makes a new key and writes it to a new file that only its owner can read (mode 0600). The key is on the disk,
    /// and so is the directory entry, when this returns.
    pub fn create_file(path: &Path) -> Result<Self, MasterKeyError> {
        let create = |source| MasterKeyError::Create { path: path.to_owned(), source };
        let key = Self::generate();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(create)?;
        let mut line = Zeroizing::new(STANDARD.encode(*key.bytes));
        line.push('\n');
        let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| sync_parent(path));
        if let Err(source) = written {
            // Half a key file would stop the next attempt; that removing it failed as well adds nothing.
            let _ = fs::remove_file(path);
            return Err(create(source));
        }
        Ok(key)
    }

    /// A new key that is written nowhere.
    pub fn generate() -> Self {
        Self::from_bytes(Zeroizing::new(secret::random()))
    }

    /// The name of this key beside everything it wraps: 16 hexadecimal digits of a keyed hash of the key, which say
    /// nothing about it.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn cipher(&self) -> UnboundKey {
        aead::key(&self.bytes)
    }

    fn from_credential_directory(directory: Option<&Path>, name: &str) -> Result<Self, MasterKeyError> {
        let is_plain = Path::new(name).file_name().is_some_and(|file| file == name);
        let path = directory
            .filter(|_| is_plain)
            .map(|directory| directory.join(name))
            .ok_or_else(|| MasterKeyError::NoCredential { name: name.to_owned() })?;
        let file = File::open(&path).map_err(|source| MasterKeyError::Read { path: path.clone(), source })?;
        Self::read(file, &path)
    }

    fn read(file: File, path: &Path) -> Result<Self, MasterKeyError> {
        // A key file is a line; more is something else, and none of our memory's business.
        const LONGEST: u64 = 1024;
        let mut text = Zeroizing::new(Vec::with_capacity(LONGEST as usize));
        file.take(LONGEST)
            .read_to_end(&mut text)
            .map_err(|source| MasterKeyError::Read { path: path.to_owned(), source })?;
        Self::parse(&text).ok_or_else(|| MasterKeyError::Malformed { origin: path.display().to_string() })
    }

    fn parse(text: &[u8]) -> Option<Self> {
        if let Ok(raw) = <[u8; 32]>::try_from(text) {
            return Some(Self::from_bytes(Zeroizing::new(raw)));
        }
        let text = text.trim_ascii();
        let mut bytes = Zeroizing::new([0; 32]);
        if text.len() == 64 {
            hex::decode_to_slice(text, bytes.as_mut()).ok()?;
        } else {
            // The decoder asks for room for what 44 characters could hold at most, which is 33 bytes.
            let mut room = Zeroizing::new([0; 33]);
            if text.len() != 44 || STANDARD.decode_slice(text, room.as_mut()).ok()? != 32 {
                return None;
            }
            bytes.copy_from_slice(&room[..32]);
        }
        Some(Self::from_bytes(bytes))
    }

    fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        let name = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes.as_ref()), b"lockstep master key id");
        Self { id: hex::encode(&name.as_ref()[..8]), bytes }
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// Looks at the opened file, not at its path, so that nobody can swap it between the look and the read.
#[cfg(unix)]
fn refuse_open_to_others(file: &File, path: &Path) -> Result<(), MasterKeyError> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = file.metadata().map_err(|source| MasterKeyError::Read { path: path.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(MasterKeyError::OpenToOthers { path: path.to_owned(), mode });
    }
    Ok(())
}

/// Elsewhere access is by lists, which the operator sets; nothing is checked.
#[cfg(not(unix))]
fn refuse_open_to_others(_file: &File, _path: &Path) -> Result<(), MasterKeyError> {
    Ok(())
}

/// Makes a new directory entry durable: fsync(2) of a file does not reach its directory.
#[cfg(unix)]
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// Elsewhere a directory cannot be opened as a file.
#[cfg(not(unix))]
fn sync_parent(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn file(directory: &Path, content: &[u8], mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = directory.join(format!("key-{}", secret::draw_id()));
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn every_spelling_of_a_key_is_the_same_key() {
        let directory = tempfile::tempdir().unwrap();
        let raw: Vec<u8> = (0..32).collect();
        let ids: Vec<String> = [HEX.as_bytes(), BASE64.as_bytes(), format!("{BASE64}\n").as_bytes(), &raw]
            .iter()
            .map(|content| MasterKey::read_file(&file(directory.path(), content, 0o600)).unwrap().id)
            .collect();
        assert!(ids.iter().all(|id| *id == ids[0] && id.len() == 16), "{ids:?}");
    }

    #[test]
    fn a_created_file_is_private_is_read_back_and_is_never_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        let made = MasterKey::create_file(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(MasterKey::read_file(&path).unwrap().bytes, made.bytes);
        assert!(matches!(MasterKey::create_file(&path), Err(MasterKeyError::Create { .. })));
        assert_eq!(MasterKey::read_file(&path).unwrap().bytes, made.bytes);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        let directory = tempfile::tempdir().unwrap();
        for mode in [0o640, 0o604, 0o666, 0o620] {
            let path = file(directory.path(), HEX.as_bytes(), mode);
            let error = MasterKey::read_file(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("mode {mode:04o}")), "{error}");
            assert!(error.contains(&format!("chmod 600 {}", path.display())), "{error}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_repeated() {
        let directory = tempfile::tempdir().unwrap();
        let long = "A".repeat(5000);
        for content in ["", "\n", "00", &HEX[1..], &format!("g{}", &HEX[1..]), &BASE64[..43], "hunter2hunter2", &long] {
            let error = MasterKey::read_file(&file(directory.path(), content.as_bytes(), 0o600)).unwrap_err();
            assert!(matches!(error, MasterKeyError::Malformed { .. }), "{content:?}: {error}");
            assert!(!error.to_string().contains("hunter2"));
        }
        assert!(matches!(MasterKey::read_file(&directory.path().join("none")), Err(MasterKeyError::Read { .. })));
    }

    #[test]
    fn an_environment_variable_is_read_by_its_name() {
        assert!(matches!(
            MasterKey::from_environment("LOCKSTEP_TEST_NOT_SET"),
            Err(MasterKeyError::NoVariable { name }) if name == "LOCKSTEP_TEST_NOT_SET"
        ));
        // Set by cargo for every test, and no key.
        assert!(matches!(MasterKey::from_environment("CARGO_PKG_NAME"), Err(MasterKeyError::Malformed { .. })));
    }

    #[test]
    fn a_systemd_credential_is_read_by_a_plain_name_only() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("lockstep"), BASE64).unwrap();
        assert!(MasterKey::from_credential_directory(Some(directory.path()), "lockstep").is_ok());
        for name in ["", "..", "../lockstep", "/etc/passwd", "a/lockstep"] {
            let found = MasterKey::from_credential_directory(Some(directory.path()), name);
            assert!(matches!(found, Err(MasterKeyError::NoCredential { .. })), "{name}");
        }
        assert!(matches!(
            MasterKey::from_credential_directory(None, "lockstep"),
            Err(MasterKeyError::NoCredential { .. })
        ));
    }

    #[test]
    fn debug_shows_the_id_only() {
        let key = MasterKey::parse(HEX.as_bytes()).unwrap();
        assert_eq!(format!("{key:?}"), format!("MasterKey({})", key.id()));
    }
}
