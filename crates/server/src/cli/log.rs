//! Where log lines go and what they look like. What may never be in one is written in `docs/logging.md`.

use std::io::{self, IsTerminal};

use anyhow::{Context, Result};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};

use crate::config::{LogConfig, LogFormat};

/// What is logged where the configuration does not say: what matters, without the libraries' chatter.
const DEFAULT_FILTER: &str = "info,sqlx=warn,hyper=warn,ldap3=warn";

/// Our own modules, as the targets of their lines begin: `lockstep::worker`, `lockstep_engine::driver`.
const OURS: &str = "lockstep";

/// What PostgreSQL says while it carries out a statement. An application's own function may say the password that it was
/// given, so this is never written, at no level.
const NOTICES: &str = "sqlx::postgres::notice";

/// Sends the log lines of this process to standard error. To be called once, by a command that serves.
pub(super) fn start(config: &LogConfig) -> Result<()> {
    let subscriber = subscriber(config, io::stderr().is_terminal(), io::stderr)?;
    tracing::dispatcher::set_global_default(subscriber).context("the log cannot be started")
}

fn subscriber<W>(config: &LogConfig, colours: bool, writer: W) -> Result<Dispatch>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let wanted = config.filter.as_deref().unwrap_or(DEFAULT_FILTER);
    let wanted = EnvFilter::try_new(wanted).with_context(|| format!("log.filter cannot be read: {wanted:?}"))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match config.format {
        LogFormat::Text => lines.with_ansi(colours).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    Ok(capped(lines, wanted).into())
}

/// What passes the filter, and of libraries nothing below INFO, whatever the filter says: what they transport they show
/// there or nowhere, and what the next version of one shows there nobody can promise.
fn capped<L>(lines: L, wanted: EnvFilter) -> impl Subscriber + Send + Sync + for<'a> LookupSpan<'a>
where
    L: Layer<Registry> + Send + Sync,
{
    let cap = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target(OURS, LevelFilter::TRACE)
        .with_target(NOTICES, LevelFilter::OFF);
    Registry::default().with(lines.with_filter(wanted.and(cap)))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, format: LogFormat) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let config = LogConfig { format, filter: Some(filter.to_owned()) };
        let subscriber = subscriber(&config, false, move || writer.clone()).unwrap();
        tracing::dispatcher::with_default(&subscriber, || {
            tracing::trace!(target: "h2::codec::framed_read", "from a library at trace");
            tracing::debug!(target: "hyper::proto::h1::io", "from a library at debug");
            tracing::info!(target: "sqlx::query", "from a library at info");
            tracing::error!(target: "sqlx::postgres::notice", "what a database said");
            tracing::trace!(target: "lockstep::worker", "from the worker");
            tracing::debug!(target: "lockstep_engine::driver", "from the engine");
            let span = tracing::trace_span!(target: "rustls::conn", "connection", secret = "in a span");
            span.in_scope(|| tracing::warn!(target: "lockstep::api", "from the API"));
        });
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn no_filter_lets_a_library_speak_below_info() {
        for format in [LogFormat::Text, LogFormat::Json] {
            for filter in [
                "trace",
                "info,h2=trace,hyper=trace,sqlx=trace,rustls=trace,lockstep=trace",
                "[connection]=trace",
                "sqlx::postgres::notice=trace",
                "h2::codec::framed_read=trace,hyper[{secret}]=trace,trace",
            ] {
                let said = logged(filter, format);
                for forbidden in ["at trace", "at debug", "in a span", "a database said"] {
                    assert!(!said.contains(forbidden), "{filter}: {said}");
                }
            }
        }
    }

    #[test]
    fn our_own_lines_and_what_libraries_say_from_info_on_pass_as_the_filter_says() {
        let said = logged("trace", LogFormat::Text);
        for expected in ["from the worker", "from the engine", "from a library at info", "from the API"] {
            assert!(said.contains(expected), "{expected}: {said}");
        }
        let said = logged("warn", LogFormat::Text);
        assert!(said.contains("from the API") && !said.contains("at info") && !said.contains("worker"), "{said}");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        let config = LogConfig { format: LogFormat::Text, filter: Some("lockstep=loud".to_owned()) };
        assert!(subscriber(&config, false, io::sink).is_err());
    }
}
