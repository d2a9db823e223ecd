//! Standard output: what a command was asked for. Everything else (logs, warnings, errors) goes to standard error.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

/// Writes one line.
pub(super) fn line(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Writes a value as one line of JSON.
pub(super) fn json(value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string(value)?;
    line(text)
}

/// Whether a command ended early only because nobody reads its output any more (`lockstep status | head -1`).
pub(super) fn is_closed_output(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}
