//! What a reading of a source's accounts hands on: entries, in pages, and how it ended.
//!
//! It decides nothing about an entry but whether it can be taken. A reading holds one page and the one that waits to be
//! fetched, however many accounts there are.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::Sender;

use crate::failure::{Failure, diagnostic};

/// An account as a source has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountEntry {
    /// What the source never changes about it (entryUUID, a primary key).
    pub stable_id: String,
    /// How the source names it now (the distinguished name, the value of `:account`).
    pub native_id: String,
    /// What people read.
    pub name: String,
    /// Whether the source lets it sign in, where that is known.
    pub enabled: Option<bool>,
    /// When its password was last changed, as the source itself says, in whole seconds; none where it does not say.
    pub password_changed_at: Option<DateTime<Utc>>,
    /// The attributes that the source's settings allow. One value each (several: the first in alphabetical order, so that
    /// it does not flap).
    pub attributes: BTreeMap<String, String>,
}

/// How a reading of accounts ended, when it came to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// What to give as `since` next time to read only what changed after this reading began; none: the source cannot say.
    pub mark: Option<String>,
    /// What was found and could not be taken.
    pub skipped: Skipped,
}

/// Entries that could not be taken: no id, or an id that is no text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many there were.
    pub count: u64,
    /// The first few of them, each a sentence for an administrator.
    pub examples: Vec<String>,
}

/// How many skipped entries are described.
const EXAMPLES: usize = 5;

impl Skipped {
    fn add(&mut self, problem: &str) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.extend(diagnostic(problem, &[]));
        }
    }
}

/// Entries on their way to whoever asked, page by page.
pub(crate) struct Pages {
    sender: Sender<Vec<AccountEntry>>,
    size: usize,
    page: Vec<AccountEntry>,
    skipped: Skipped,
}

impl Pages {
    pub(crate) fn new(sender: Sender<Vec<AccountEntry>>, size: usize) -> Self {
        Self { sender, size, page: Vec::with_capacity(size), skipped: Skipped::default() }
    }

    /// Takes an entry, or what is wrong with it. Waits while nobody takes a full page, and says whether one was sent.
    pub(crate) async fn take(&mut self, entry: Result<AccountEntry, String>) -> Result<bool, Failure> {
        match entry {
            Ok(entry) => self.page.push(entry),
            Err(problem) => self.skipped.add(&problem),
        }
        if self.page.len() < self.size {
            return Ok(false);
        }
        let full = std::mem::replace(&mut self.page, Vec::with_capacity(self.size));
        self.send(full).await?;
        Ok(true)
    }

    /// Sends what is left, after the source's last entry.
    pub(crate) async fn end(mut self) -> Result<Skipped, Failure> {
        let rest = std::mem::take(&mut self.page);
        if !rest.is_empty() {
            self.send(rest).await?;
        }
        Ok(self.skipped)
    }

    /// A page that nobody takes any more ends the reading with a failure: what was read so far must not look complete.
    async fn send(&self, page: Vec<AccountEntry>) -> Result<(), Failure> {
        let gone = |_| Failure::broken("the reading was given up: nobody takes its accounts any more");
        self.sender.send(page).await.map_err(gone)
    }
}

/// The time that a source means by so many seconds since 1970; none of what can only stand for "never": its beginning, and what
/// is behind the year 9999.
pub(crate) fn time(seconds: i64) -> Option<DateTime<Utc>> {
    /// The last second of the year 9999.
    const LAST: i64 = 253_402_300_799;
    (1..=LAST).contains(&seconds).then(|| DateTime::from_timestamp(seconds, 0)).flatten()
}

/// Whether a value can be kept and shown as text: not empty, and no control characters besides line breaks and tabs.
pub(crate) fn is_text(value: &str) -> bool {
    !value.is_empty() && !value.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
}

/// Whether a value can be an id: text of one line.
pub(crate) fn is_id(value: &str) -> bool {
    !value.is_empty() && !value.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: usize) -> Result<AccountEntry, String> {
        Ok(AccountEntry {
            stable_id: number.to_string(),
            native_id: format!("user{number}"),
            name: String::new(),
            enabled: None,
            password_changed_at: None,
            attributes: BTreeMap::new(),
        })
    }

    #[tokio::test]
    async fn pages_are_full_but_for_the_last() {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(3);
        let mut pages = Pages::new(sender, 2);
        for number in 0..5 {
            assert_eq!(pages.take(entry(number)).await, Ok(number % 2 == 1));
        }
        assert_eq!(pages.end().await, Ok(Skipped::default()));
        let mut lengths = Vec::new();
        while let Some(page) = receiver.recv().await {
            lengths.push(page.len());
        }
        assert_eq!(lengths, [2, 2, 1]);
    }

    #[tokio::test]
    async fn skipped_entries_are_counted_and_only_some_described() {
        let (sender, _receiver) = tokio::sync::mpsc::channel(1);
        let mut pages = Pages::new(sender, 2);
        for number in 0..100 {
            pages.take(Err(format!("entry {number}\nhas no id"))).await.expect("nothing to send");
        }
        let skipped = pages.end().await.expect("nothing to send");
        assert_eq!((skipped.count, skipped.examples.len()), (100, EXAMPLES));
        assert_eq!(skipped.examples[0], "entry 0 has no id");
    }

    #[tokio::test]
    async fn a_reading_that_nobody_wants_fails() {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let mut pages = Pages::new(sender, 1);
        drop(receiver);
        pages.take(entry(0)).await.expect_err("nobody takes it");
    }
}
