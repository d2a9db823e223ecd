//! Times, as the contract writes them.

use chrono::{DateTime, SecondsFormat, Utc};

/// A time in UTC, to the millisecond (RFC 3339).
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
