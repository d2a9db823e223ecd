//! Revisions: how something was when a client read it, so that two who change it at once do not undo each other.
//!
//! A revision is a digest of what is told of the thing. A client may send the one it has seen with a change (`If-Match`, RFC
//! 9110 section 13.1.1); it is compared in the transaction that writes.

use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Error;

/// How something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision(String);

/// What a client has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Seen {
    /// It does not say.
    #[default]
    Anything,
    /// One of these.
    One(Vec<Revision>),
}

/// Something and how it is.
#[derive(Debug, Clone)]
pub struct Revised<T> {
    /// The thing.
    pub value: T,
    /// Its revision.
    pub revision: Revision,
}

impl Revision {
    /// The revision of something that is told like this. What is told is our own structs, which have nothing that JSON lacks.
    pub fn of(told: &impl Serialize) -> Self {
        let json = serde_json::to_vec(told).unwrap_or_default();
        Self(hex::encode(&Sha256::digest(json)[..16]))
    }

    /// A revision as a client sends it.
    pub fn sent(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Seen {
    /// Refuses a change of what is not any more as the client has seen it.
    ///
    /// # Errors
    /// [`Error::Outdated`].
    pub fn is(&self, told: &impl Serialize) -> Result<(), Error> {
        match self {
            Self::Anything => Ok(()),
            Self::One(revisions) if revisions.contains(&Revision::of(told)) => Ok(()),
            Self::One(_) => Err(Error::Outdated),
        }
    }
}

impl<T: Serialize> From<T> for Revised<T> {
    fn from(value: T) -> Self {
        let revision = Revision::of(&value);
        Self { value, revision }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_meanwhile_is_not_changed_by_who_has_not_seen_it() {
        let (before, now) = ([1, 2], [1, 3]);
        let seen = Seen::One(vec![Revision::of(&"another"), Revision::of(&before)]);
        assert!(seen.is(&before).is_ok());
        assert!(matches!(seen.is(&now), Err(Error::Outdated)));
        assert!(Seen::Anything.is(&now).is_ok());
        assert_eq!(Revision::sent(&Revision::of(&now).to_string()), Revision::of(&now));
    }
}
