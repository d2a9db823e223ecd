//! What administrators ask about accounts that come in from their sources, one file each: request, response, description,
//! handler.

pub mod load_accounts;
pub mod reload_account;
pub mod task_status;
pub mod update_account;

use chrono::{DateTime, SecondsFormat, Utc};

/// A time as the contract writes it.
fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
