//! Looks at everything that a server needs, and says of each thing how it is and what to do.
//!
//! Nothing is changed: no schema is brought up to date, no key made, no file, and nobody's password is touched. Each look
//! stands alone; where one needs what another did not find, it says that it could not look. It may run beside a server.

mod database;
mod files;
mod keys;
mod sources;

use std::path::Path;

use serde::Serialize;

use crate::clock::Clock;
use crate::config::Config;

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Mark {
    /// As it should be.
    Good,
    /// Works, but an administrator should know.
    Warning,
    /// Stands in the way.
    Problem,
    /// Could not be looked at.
    Skipped,
}

/// What was found of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What it is about: `Configuration`, `Database`, `Source Directory`.
    pub area: String,
    /// How it is.
    pub mark: Mark,
    /// What was found.
    pub text: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// What was found so far, in the order of looking.
#[derive(Debug, Default)]
pub struct Findings(pub Vec<Finding>);

/// Looks at everything that the configuration at `path` names, and of the sources at the one that is named, or at all.
pub async fn examine(path: &Path, config: &Config, source: Option<&str>) -> Findings {
    let mut found = Findings::default();
    let clock = Clock::start();
    files::configuration(path, config, &mut found);
    files::certificate(config, clock.utc(), &mut found);
    files::countries(config, &mut found);
    let masters = keys::master_keys(config, &mut found);
    let store = database::open(config, &mut found).await;
    if let Some(store) = &store {
        database::restore_mark(config, store, &mut found).await;
    }
    let vault = keys::vault(config, masters.as_deref(), store.as_deref(), &mut found).await;
    sources::look(source, store.as_ref(), vault, &clock, &mut found).await;
    if let Some(store) = store {
        store.close().await;
    }
    found
}

impl Findings {
    /// Whether something stands in the way.
    pub fn has_problems(&self) -> bool {
        self.0.iter().any(|finding| finding.mark == Mark::Problem)
    }

    fn add(&mut self, area: &str, mark: Mark, text: impl Into<String>, remedy: Option<String>) {
        self.0.push(Finding { area: area.to_owned(), mark, text: text.into(), remedy });
    }

    fn good(&mut self, area: &str, text: impl Into<String>) {
        self.add(area, Mark::Good, text, None);
    }

    fn warning(&mut self, area: &str, text: impl Into<String>, remedy: impl Into<String>) {
        self.add(area, Mark::Warning, text, Some(remedy.into()));
    }

    /// What stands in the way. The remedy may be in the text already.
    pub fn problem(&mut self, area: &str, text: impl Into<String>, remedy: Option<&str>) {
        self.add(area, Mark::Problem, text, remedy.map(ToOwned::to_owned));
    }

    fn skipped(&mut self, area: &str, text: impl Into<String>) {
        self.add(area, Mark::Skipped, text, None);
    }
}

/// An error with its causes; a cause that the text before it tells already is left out.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
