//! The rejected rows in a file, and how far it is on a terminal.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use crate::app::import::row::Rejection;
use crate::clock::Clock;

/// Line, field and reason of each rejected row; nothing of what stands there.
pub(super) struct Report {
    path: PathBuf,
    file: BufWriter<File>,
    json: bool,
    /// The first failure to write; the import goes on.
    failed: Option<io::Error>,
}

impl Report {
    pub(super) fn create(path: &Path) -> Result<Self> {
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).with_context(|| format!("cannot write {}", path.display()))?;
        let json = path.extension().is_some_and(|ending| ending == "jsonl" || ending == "ndjson");
        let mut report = Self { path: path.to_owned(), file: BufWriter::new(file), json, failed: None };
        if !json {
            report.record(&["line", "field", "reason"]);
        }
        Ok(report)
    }

    pub(super) fn add(&mut self, rejection: &Rejection) {
        let Rejection { line, flaw } = rejection;
        match self.json {
            true => {
                let object = json!({ "line": line, "field": flaw.field.as_str(), "reason": flaw.reason });
                let written = writeln!(self.file, "{object}");
                self.note(written);
            }
            false => self.record(&[&line.to_string(), flaw.field.as_str(), &flaw.reason]),
        }
    }

    pub(super) fn finish(mut self) -> Result<()> {
        let flushed = self.file.flush();
        self.note(flushed);
        match self.failed.take() {
            None => Ok(()),
            Some(error) => {
                Err(error).with_context(|| format!("the report {} could not be written", self.path.display()))
            }
        }
    }

    fn record(&mut self, cells: &[&str]) {
        let written = csv::Writer::from_writer(&mut self.file).write_record(cells);
        self.note(written.map_err(io::Error::other));
    }

    fn note(&mut self, written: io::Result<()>) {
        self.failed = self.failed.take().or(written.err());
    }
}

/// Says on a terminal how far it is, once a second at most.
pub(super) struct Progress {
    clock: Clock,
    last: Option<Duration>,
}

const PACE: Duration = Duration::from_secs(1);

impl Progress {
    pub(super) fn new(clock: Clock) -> Self {
        // The first second says nothing: most files take no longer.
        let last = io::stderr().is_terminal().then(|| clock.monotonic());
        Self { clock, last }
    }

    pub(super) fn say(&mut self, what: &str, rows: u64) {
        let now = self.clock.monotonic();
        if self.last.is_some_and(|last| now.saturating_sub(last) >= PACE) {
            self.last = Some(now);
            eprintln!("{rows} rows {what}");
        }
    }
}
