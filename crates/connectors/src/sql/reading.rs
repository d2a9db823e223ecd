//! Reading accounts out of a table, row by row.
//!
//! A reading has a connection of its own and a transaction that may not write. The driver holds few rows, and here is one
//! page: nothing grows with the table.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use tokio::time::{Instant, timeout_at};

use super::accounts::{Role, roles};
use super::config::Engine;
use super::connection::{Connection, Values};
use super::row::{Cell, Row, time};
use super::statement::Statement;
use super::{Trouble, fault};
use crate::account::{AccountEntry, Pages, Reading, is_id, is_text};
use crate::failure::{Failure, RefusalKind};

/// How many accounts a page has.
pub(super) const PAGE: usize = 500;

/// The rows of a statement that reads accounts.
pub(super) struct Rows<'a> {
    stream: BoxStream<'a, Result<Row, sqlx::Error>>,
    engine: Engine,
    limit: Duration,
    deadline: Instant,
    /// Whether there must be a `changed_at`.
    with_changes: bool,
    /// What the columns are, from the first row on.
    roles: Vec<Role>,
}

/// A row that was read.
pub(super) struct Found {
    /// The account, or why it cannot be taken.
    pub(super) entry: Result<AccountEntry, String>,
    pub(super) changed_at: Option<String>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(
        connection: &'a mut Connection,
        statement: &'a Statement,
        values: &'a Values<'a>,
        engine: Engine,
        limit: Duration,
    ) -> Self {
        let stream = connection.rows(statement, values);
        Self { stream, engine, limit, deadline: Instant::now() + limit, with_changes: false, roles: Vec::new() }
    }

    /// The same, where each row must tell when it was changed.
    pub(super) fn with_changes(self, with_changes: bool) -> Self {
        Self { with_changes, ..self }
    }

    /// The next account. Each page has the time of one request, without the time in which nobody took the page before.
    pub(super) async fn next(&mut self) -> Result<Option<Found>, Failure> {
        let row = match timeout_at(self.deadline, self.stream.try_next()).await {
            Ok(Ok(Some(row))) => row,
            Ok(Ok(None)) => return Ok(None),
            Ok(Err(error)) if fault::is_read_only(self.engine, &error) => {
                return Err(Failure::refused(
                    RefusalKind::Misconfigured,
                    "the statement for accounts writes; it may only read",
                ));
            }
            Ok(Err(error)) => return Err(fault::failure(self.engine, &error, &[])),
            Err(_elapsed) => return Err(Trouble::Late(self.limit).failure(self.engine, &[])),
        };
        if self.roles.is_empty() {
            self.roles = roles(&row.columns, self.with_changes)?;
        }
        self.found(row).map(Some)
    }

    /// Sends all rows on. The mark is the greatest `changed_at`, or the one before if that is greater.
    ///
    /// One statement sees the table as it was at one moment, so what it does not show comes later, with one exception:
    /// a transaction that had written its `changed_at` before and was not yet committed. How long those take only the
    /// administrator knows; the overlap for it is therefore part of the statement `changed` and of its description.
    pub(super) async fn send(mut self, since: Option<&str>, mut pages: Pages) -> Result<Reading, Failure> {
        let mut mark = since.map(str::to_owned);
        while let Some(Found { entry, changed_at }) = self.next().await? {
            if changed_at.is_some() && mark.as_deref().is_none_or(|mark| is_greater(changed_at.as_deref(), mark)) {
                mark = changed_at;
            }
            if pages.take(entry).await? {
                self.deadline = Instant::now() + self.limit;
            }
        }
        Ok(Reading { mark: mark.filter(|_| self.with_changes), skipped: pages.end().await? })
    }

    fn found(&self, row: Row) -> Result<Found, Failure> {
        let wrong = |detail: String| Failure::refused(RefusalKind::Misconfigured, detail);
        let (mut stable_id, mut native_id, mut name, mut enabled, mut changed_at) = (None, None, None, None, None);
        let mut password_changed_at = None;
        let mut attributes = BTreeMap::new();
        for ((role, cell), column) in self.roles.iter().zip(row.cells).zip(row.columns.iter()) {
            let text = match cell {
                Cell::Text(text) if is_text(&text) => text,
                Cell::Text(_) | Cell::Null | Cell::Binary => continue,
                Cell::Other(kind) => {
                    let detail = format!("the column `{column}` is of type {kind}, which is not read; cast it to text");
                    return Err(wrong(detail));
                }
            };
            match role {
                Role::StableId => stable_id = Some(text),
                Role::Account => native_id = Some(text),
                Role::Name => name = Some(text),
                Role::Enabled => {
                    let detail = "the column `enabled` is neither true nor false; compare it in the statement";
                    enabled = Some(truth(&text).ok_or_else(|| wrong(detail.to_owned()))?);
                }
                // One that cannot be read says nothing: no account is left out for it.
                Role::PasswordChangedAt => password_changed_at = time(&text),
                Role::ChangedAt => changed_at = Some(text),
                Role::Attribute(attribute) => {
                    attributes.insert(attribute.clone(), text);
                }
            }
        }
        let entry = match (stable_id.filter(|id| is_id(id)), native_id.filter(|id| is_id(id))) {
            (Some(stable_id), Some(native_id)) => {
                let name = name.filter(|name| is_id(name)).unwrap_or_else(|| native_id.clone());
                Ok(AccountEntry { stable_id, native_id, name, enabled, password_changed_at, attributes })
            }
            (Some(stable_id), None) => {
                Err(format!("the row with the `stable_id` {stable_id} has no `account` that is text"))
            }
            (None, Some(account)) => {
                Err(format!("the row with the `account` {account} has no `stable_id` that is text"))
            }
            (None, None) => Err("a row has neither a `stable_id` nor an `account` that is text".to_owned()),
        };
        Ok(Found { entry, changed_at })
    }
}

/// What the databases, and applications without truth values, write for true and false.
fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "yes" | "y" => Some(true),
        "false" | "f" | "0" | "no" | "n" => Some(false),
        _ => None,
    }
}

/// Numbers by their value, everything else as text, as times are written in their order.
fn is_greater(one: Option<&str>, other: &str) -> bool {
    let Some(one) = one else { return false };
    match (one.parse::<i128>(), other.parse::<i128>()) {
        (Ok(one), Ok(other)) => one > other,
        _ => one > other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_compared_as_numbers_or_as_times() {
        assert!(is_greater(Some("10"), "9") && !is_greater(Some("9"), "10"));
        assert!(is_greater(Some("2024-10-04 10:00:00.000001"), "2024-10-04 10:00:00.000000"));
        assert!(!is_greater(None, "") && !is_greater(Some("5"), "5"));
    }

    #[test]
    fn truth_has_several_words() {
        assert_eq!(
            [truth("TRUE"), truth("1"), truth("f"), truth("locked")],
            [Some(true), Some(true), Some(false), None]
        );
    }
}
