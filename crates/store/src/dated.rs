//! When something was made and last changed, beside the thing itself.

use chrono::{DateTime, Utc};

/// Something and its dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated<T> {
    /// The thing.
    pub value: T,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed; none where it never was.
    pub modified_at: Option<DateTime<Utc>>,
}

impl<T> Dated<T> {
    /// From a row, where both times are there from the beginning.
    pub(crate) fn of(value: T, created_at: DateTime<Utc>, modified_at: DateTime<Utc>) -> Self {
        Self { value, created_at, modified_at: (modified_at != created_at).then_some(modified_at) }
    }
}
