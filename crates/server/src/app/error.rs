//! Why a use case did not do what it was asked.
//!
//! Lockstep has three kinds of errors. The libraries say in enums of their own what failed. A use case says [`Error`]:
//! either what the caller did wrong, or that something failed inside, with the library's error as its source. `anyhow`
//! is for `main`, the command line and the worker, where nobody distinguishes. What a client reads of an [`Error`] is
//! decided by the API, which also logs the inner ones, once.

use lockstep_vault::seal::OpenError;
use lockstep_vault::token::SigningError;

/// What the caller did wrong, or what failed inside. No text holds a value that the caller sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A required field is absent, null or empty.
    #[error("{0} is required")]
    Missing(&'static str),
    /// A field has a value that it cannot have.
    #[error("{field} {reason}")]
    Illegal {
        /// The request's field.
        field: &'static str,
        /// The rest of the sentence.
        reason: String,
    },
    /// A field is longer than allowed.
    #[error("{field} must have at most {most} characters or entries")]
    TooLong {
        /// The request's field.
        field: &'static str,
        /// The most characters.
        most: usize,
    },
    /// A field refers to what does not exist.
    #[error("{field} refers to {what} that does not exist")]
    Unknown {
        /// The request's field.
        field: &'static str,
        /// What it should be, with its article.
        what: &'static str,
    },
    /// Every field is right by itself, and what they ask for cannot be done.
    #[error("{0}")]
    Impossible(String),
    /// What is asked for would be the second of what there may be one of.
    #[error("{0}")]
    Conflict(String),
    /// It cannot go while others refer to it.
    #[error("the {what} is in use")]
    InUse {
        /// The noun.
        what: &'static str,
        /// Who refers to it, each with its noun and name.
        by: Vec<String>,
    },
    /// A field that clients may not change.
    #[error("{0} cannot be changed")]
    ReadOnly(String),
    /// It is not any more as the caller has seen it.
    #[error("it was changed meanwhile; read it again")]
    Outdated,
    /// The caller may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// What the address names does not exist.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A source cannot be reached now.
    #[error("{0}")]
    Unavailable(String),
    /// The organisation has not switched this on.
    #[error("{0} are not enabled")]
    NotEnabled(&'static str),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] lockstep_store::Error),
    /// What was sealed cannot be opened.
    #[error("a sealed value cannot be opened")]
    Sealed(#[from] OpenError),
    /// An access token cannot be signed.
    #[error("an access token cannot be signed")]
    Signing(#[from] SigningError),
    /// The restore mark cannot be read or written.
    #[error("the restore mark cannot be kept")]
    RestoreMark(#[from] super::restore_mark::RestoreMarkError),
    /// What must always exist does not.
    #[error("the database lacks {0}")]
    Lacking(&'static str),
}

#[cfg(feature = "failpoints")]
impl From<crate::failpoint::Failed> for Error {
    fn from(_: crate::failpoint::Failed) -> Self {
        Self::Lacking("what a failpoint took away")
    }
}

impl Error {
    /// The source is known and does not take passwords.
    pub(super) fn no_passwords() -> Self {
        Self::Impossible("passwords cannot be set on this source".to_owned())
    }

    /// Whether this is no fault of the caller's.
    pub fn is_internal(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Sealed(_) | Self::Signing(_) | Self::RestoreMark(_) | Self::Lacking(_))
    }
}
