//! Where log lines go and what they look like. What may never be in one is written in `docs/logging.md`.

use std::io::{self, IsTerminal};

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// What is logged where the configuration does not say: what matters, without the libraries' chatter.
const DEFAULT_FILTER: &str = "info,sqlx=warn,hyper=warn,ldap3=warn";

/// Sends the log lines of this process to standard error. To be called once, by a command that serves.
pub(super) fn start(config: &LogConfig) -> Result<()> {
    let filter = config.filter.as_deref().unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(filter).with_context(|| format!("log.filter cannot be read: {filter:?}"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match config.format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(|error| anyhow::anyhow!("the log cannot be started: {error}"))
}
