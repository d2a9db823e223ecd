//! Asking for the accounts of a source to be read.

use lockstep_core::id::SourceId;
use lockstep_core::task::Task;

use super::aggregate::{Wanted, ask};
use super::{App, Error};
use crate::auth::Permit;

/// Asks for it. Where somebody asked already and nobody has begun, it is that task.
///
/// # Errors
/// When there is no such source, or it has no accounts to be read.
pub async fn load_accounts(
    app: &App,
    permit: &Permit,
    source: SourceId,
    full: bool,
    allowance: u64,
) -> Result<Task, Error> {
    permit.reaches(None)?;
    ask(app, source, Wanted { full, allowance, launcher: permit.caller().name() }).await
}
