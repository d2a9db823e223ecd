//! What is read of a file: rows, each with its line, and what is wrong with one.
//!
//! Planning names places as offsets, as an apply file has them. A row has none, so line and field are put into that number.

use std::fmt;
use std::sync::Arc;

use toml::Spanned;

use crate::app::apply::wanted::{LoneAccount, WantedIdentity};

/// A row of the file.
#[derive(Debug)]
pub struct Row {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// What it wants, or why it cannot be taken.
    pub item: Result<Item, Flaw>,
}

/// What a row wants.
#[derive(Debug)]
pub enum Item {
    /// A person.
    Identity(Box<WantedIdentity>),
    /// An account.
    Account(Box<LoneAccount>),
    /// Nothing: it is about something else.
    Skipped,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// In which of its fields.
    pub field: Field,
    /// What, and what to do. Never a secret.
    pub reason: String,
}

/// A row that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Its line.
    pub line: u64,
    /// Why.
    pub flaw: Flaw,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, flaw: Flaw { field, reason } } = self;
        match field {
            Field::Row => write!(f, "line {line}: {reason}"),
            field => write!(f, "line {line}: {field}: {reason}"),
        }
    }
}

/// The file as a whole cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// The rows, one after another.
pub type Rows = Box<dyn Iterator<Item = Result<Row, Unreadable>> + Send>;

/// Reads the file from its beginning, each time it is called.
pub type Open = Arc<dyn Fn() -> Result<Rows, Unreadable> + Send + Sync>;

macro_rules! fields {
    ($($(#[$about:meta])* $field:ident = $name:literal,)*) => {
        /// A field of a row.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field { $($(#[$about])* $field,)* }

        /// Every field with its name. Where it stands in this list is its number in a place.
        const FIELDS: &[(Field, &str)] = &[$((Field::$field, $name),)*];
    };
}

fields! {
    /// The row as a whole.
    Row = "",
    /// A person's login name.
    Alias = "alias",
    /// A person's id.
    Id = "id",
    /// What a person is called.
    DisplayName = "displayName",
    /// Where mail reaches a person.
    Email = "email",
    /// Whether a person may do anything.
    Enabled = "enabled",
    /// The source whose password signs a person in.
    SignInSource = "signInSource",
    /// What a person is in the organisation.
    Levels = "levels",
    /// What policies look at.
    Attributes = "attributes",
    /// Where an account is.
    Source = "source",
    /// How the system names an account.
    NativeId = "nativeId",
    /// What the system never changes about an account.
    StableId = "stableId",
    /// What people read of an account.
    Name = "name",
    /// Whether a change on another source of the group reaches an account.
    PasswordSync = "passwordSync",
    /// Whose an account is.
    Identity = "identity",
    /// Whether an account is gone from its source.
    Gone = "gone",
}

/// How many fields there is room for in a place.
const ROOM: u64 = 32;

impl Field {
    /// As files and reports spell it.
    pub fn as_str(self) -> &'static str {
        FIELDS.iter().find_map(|(field, name)| (*field == self).then_some(*name)).unwrap_or_default()
    }

    /// A value with its place.
    pub fn at<T>(self, line: u64, value: T) -> Spanned<T> {
        let at = usize::try_from(line * ROOM + self as u64).unwrap_or(usize::MAX);
        Spanned::new(at..at, value)
    }

    /// The line and the field that a place stands for.
    pub(super) fn of(place: usize) -> (u64, Self) {
        let place = place as u64;
        let field = FIELDS.iter().map(|(field, _)| *field).find(|field| *field as u64 == place % ROOM);
        (place / ROOM, field.unwrap_or(Self::Row))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_line_and_a_field() {
        assert!((FIELDS.len() as u64) < ROOM);
        for (field, _) in FIELDS {
            for line in [1, 2, 31, 32, 33, 10_000_000_000] {
                assert_eq!(Field::of(field.at(line, ()).span().start), (line, *field));
            }
        }
    }
}
