//! Following the references of an apply file: files beside it, and environment variables.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::app::apply::{Follow, Reference};

/// No secret and no dictionary is larger.
const LARGEST: u64 = 1024 * 1024;

/// References are to files beside `file` unless they are absolute.
pub(super) fn beside(file: &Path) -> Follow {
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    Arc::new(move |reference| match reference {
        Reference::File(path) => read(&folder.join(path)),
        Reference::Env(name) => variable(name),
    })
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let complaint = |error| format!("cannot read {}: {error}", path.display());
    let file = File::open(path).map_err(complaint)?;
    let length = file.metadata().map_err(complaint)?.len();
    if length > LARGEST {
        return Err(format!("{} is larger than 1 MiB, so it is not what is meant", path.display()));
    }
    // Room for all of it at once, so that growing leaves no copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1));
    file.take(LARGEST).read_to_end(&mut bytes).map_err(complaint)?;
    Ok(bytes)
}

fn variable(name: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let value = if name.is_empty() || name.contains(['=', '\0']) { None } else { std::env::var_os(OsStr::new(name)) };
    let value = value.ok_or_else(|| format!("the environment variable {name:?} is not set"))?;
    Ok(Zeroizing::new(value.into_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_looked_for_beside_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "s3cret\n").unwrap();
        let follow = beside(&folder.path().join("state.toml"));
        assert_eq!(follow(&Reference::File("secret".into())).unwrap().as_slice(), b"s3cret\n");
        assert_eq!(follow(&Reference::File(folder.path().join("secret"))).unwrap().as_slice(), b"s3cret\n");
        assert!(follow(&Reference::File("none".into())).unwrap_err().contains("none"));
        assert!(follow(&Reference::File("/dev/zero".into())).unwrap().len() as u64 <= LARGEST);
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let follow = beside(Path::new("state.toml"));
        assert!(follow(&Reference::Env("LOCKSTEP_NO_SUCH".to_owned())).unwrap_err().contains("LOCKSTEP_NO_SUCH"));
        assert!(follow(&Reference::Env("PATH".to_owned())).is_ok());
        assert!(follow(&Reference::Env("A=B".to_owned())).is_err());
    }
}
