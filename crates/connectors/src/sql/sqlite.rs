//! SQLite: how to open an application's file, and what its errors mean.

use std::path::Path;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use super::fault::{LOST, Meaning, meaning};
use crate::failure::FailureKind;
use crate::failure::RefusalKind::{Misconfigured, NoRights, PolicyOther};

/// Options that change nothing about the file: it is never made, and its journal mode stays the application's choice.
pub(super) fn options(path: &Path, limit: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).create_if_missing(false).busy_timeout(limit).disable_statement_logging()
}

/// The meaning of a result code (sqlite.org/rescode.html), extended codes included.
pub(super) fn classify(code: i32) -> Meaning {
    let refused = |kind, words| meaning(FailureKind::Refused(kind), words);
    /// SQLITE_CONSTRAINT_TRIGGER: RAISE in a trigger of the application.
    const CONSTRAINT_TRIGGER: i32 = 1811;
    /// SQLITE_READONLY_DBMOVED: the next connection opens the file that is there now.
    const READONLY_DBMOVED: i32 = 1032;
    match (code, code & 0xff) {
        (READONLY_DBMOVED, _) => meaning(FailureKind::Busy, "another file is in the place of the one that was open"),
        (CONSTRAINT_TRIGGER, _) => refused(PolicyOther, "the application's own rule refuses the password").quoted(),
        (_, 19) => refused(PolicyOther, "a constraint of the table refuses the new value"),
        (_, 3 | 8 | 23) => refused(NoRights, "this process may not write to the file").quoted(),
        (_, 5 | 6) => meaning(FailureKind::Busy, "another process held the file"),
        (_, 13) => meaning(FailureKind::Busy, "the disk is full"),
        (_, 4 | 7 | 9 | 10 | 15 | 17) => meaning(FailureKind::Busy, "the file cannot be used at the moment").quoted(),
        (_, 14) => LOST,
        (_, 11 | 26) => refused(Misconfigured, "the file is not a sound database"),
        (_, 18 | 20 | 25) => refused(Misconfigured, "a value does not fit the statement"),
        (_, 1) => refused(Misconfigured, "the statement does not fit the database").quoted(),
        _ => refused(Misconfigured, "the database refuses the statement"),
    }
}

/// Whether an error of COMMIT proves that nothing was committed.
pub(super) fn not_committed(code: i32) -> bool {
    matches!(code & 0xff, 5 | 6 | 19)
}
