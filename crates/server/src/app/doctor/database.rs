//! The database: whether it can be reached, what it promises, and whether it is the one that this host knows.

use std::path::Path;
use std::sync::Arc;

use lockstep_store::{Error, Options, Schema, Store};

use super::{Findings, files, told};
use crate::app::RestoreMark;
use crate::app::open::with_password;
use crate::app::restore_mark::{Finding, RestoreMarkError};
use crate::config::Config;

const AREA: &str = "Database";
const MARK: &str = "Restore mark";

/// The database, where it can be read as this program reads it.
pub(super) async fn open(config: &Config, found: &mut Findings) -> Option<Arc<Store>> {
    let url = match with_password(config) {
        Ok(url) => url,
        Err(error) => {
            found.problem(AREA, told(&error), Some("make the file readable for the server's user"));
            return None;
        }
    };
    if let Some(path) = config.store.url.strip_prefix("sqlite:") {
        let path = Path::new(path.strip_prefix("//").unwrap_or(path));
        // Opening would make it.
        if !path.exists() {
            let text = format!("there is no database at {}", path.display());
            found.problem(AREA, text, Some("make one with `lockstep init`, put a backup back, or correct store.url"));
            return None;
        }
        files::private(AREA, path, 0o077, "600", found);
    }
    let options = Options { lock_timeout: config.engine.node_timeout / 2, ..Options::default() };
    let store = match Store::open(&url, options).await {
        Ok(store) => store,
        Err(error) => {
            let remedy = match error {
                Error::NotDurable { .. } => {
                    "what is acknowledged would not survive a crash; switch it on in postgresql.conf"
                }
                _ => "correct store.url, or see to it that the database runs and lets this user in",
            };
            found.problem(AREA, told(&error), Some(remedy));
            return None;
        }
    };
    let schema = store.schema().await;
    match schema {
        Ok(Schema::Current) => {
            let promise = match config.store.url.starts_with("sqlite:") {
                true => "SQLite writes each commit through to the disk",
                false => "fsync, full_page_writes and synchronous_commit are on",
            };
            found.good(AREA, "it can be read, and its schema is this program's");
            found.good(AREA, format!("commits survive a crash: {promise}"));
            return Some(Arc::new(store));
        }
        Ok(Schema::Behind { missing }) => found.warning(
            AREA,
            format!("{missing} migrations of its schema are missing, so what is in it was not looked at"),
            "`lockstep migrate` applies them, and so does the next start of a server",
        ),
        Ok(Schema::Foreign { name }) => found.problem(
            AREA,
            format!("its schema has the migration {name}, which this program does not know"),
            Some("a newer Lockstep made it: run that one, or put back a backup from before the upgrade"),
        ),
        Err(error) => found.problem(AREA, told(&error), Some("it may be damaged, or no database of Lockstep's")),
    }
    store.close().await;
    None
}

/// Whether the database is as new as what this host has seen of it.
pub(super) async fn restore_mark(config: &Config, store: &Store, found: &mut Findings) {
    let Some(path) = config.restore_mark() else { return };
    let shown = path.display().to_string();
    let alone = config.store.url.starts_with("sqlite:");
    let restored = "if it was put back from a backup, stop every server and run `lockstep restored`";
    match RestoreMark::new(path).finding(store).await {
        Ok(Finding::Agrees) => found.good(MARK, "the database holds everything that this host has seen of it"),
        Ok(Finding::First) => found.good(MARK, "no server has run on this database yet"),
        Ok(Finding::Absent) if !alone => found.warning(
            MARK,
            format!("{shown} is missing on this host: a server starts here only while one runs on another host"),
            restored,
        ),
        Ok(Finding::Absent) => found.problem(
            MARK,
            format!(
                "{shown} is missing although servers have run, so nobody can say whether the database was restored"
            ),
            Some(restored),
        ),
        Ok(Finding::Foreign) => found.problem(
            MARK,
            format!("{shown} belongs to another database"),
            Some("look whether store.url or store.restore-mark names the wrong one"),
        ),
        Ok(Finding::Behind) => found.problem(
            MARK,
            "the database is older than what this host has seen of it: it was restored, or lost commits",
            Some("stop every server and run `lockstep restored`"),
        ),
        Err(error @ RestoreMarkError::Store(_)) => found.problem(MARK, told(&error), None),
        Err(error) => found.problem(MARK, told(&error), Some("make the file readable for the server's user")),
    }
}
