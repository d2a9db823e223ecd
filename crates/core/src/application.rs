//! Applications: what a person sees, and thinks of as having a password.
//!
//! An application stands for accounts of one source; several applications may share a source, and then they share its
//! password. It has no accounts of its own and chooses none among the source's.

use serde::{Deserialize, Serialize};

use crate::id::{ApplicationId, SourceId};

/// An application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// Lockstep's own id.
    pub id: ApplicationId,
    /// What people call it; unique.
    pub name: String,
    /// A sentence for people.
    pub description: String,
    /// Where its accounts are.
    pub source: SourceId,
    /// Whether people see it where they change passwords.
    pub use_for_password_management: bool,
}

/// A text of the application has the wrong length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} must have {min} to {max} characters")]
pub struct InvalidApplication {
    /// The field.
    pub field: &'static str,
    /// The least length in characters.
    pub min: usize,
    /// The greatest length in characters.
    pub max: usize,
}

impl Application {
    /// Refuses an application that nobody could read. Whether the source exists and the name is free, the store knows.
    pub fn validate(&self) -> Result<(), InvalidApplication> {
        for (field, text, min, max) in [("name", &self.name, 1, 255), ("description", &self.description, 0, 2000)] {
            if !(min..=max).contains(&text.trim().chars().count()) {
                return Err(InvalidApplication { field, min, max });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_text_of_the_wrong_length_is_named() {
        for (name, description, error) in [
            ("Mail", String::new(), None),
            ("", String::new(), Some("name must have 1 to 255 characters")),
            (" \t", String::new(), Some("name must have 1 to 255 characters")),
            ("Mail", "\u{e9}".repeat(2000), None),
            ("Mail", "\u{e9}".repeat(2001), Some("description must have 0 to 2000 characters")),
        ] {
            let application = Application {
                id: ApplicationId(Uuid::nil()),
                name: name.to_owned(),
                description,
                source: SourceId::IDENTITY_NOW,
                use_for_password_management: true,
            };
            assert_eq!(application.validate().err().map(|error| error.to_string()).as_deref(), error);
        }
    }
}
