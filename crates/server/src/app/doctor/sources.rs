//! The sources: each is reached as a delivery would reach it, all at once. No account is touched.

use std::sync::Arc;

use futures_util::future::join_all;
use lockstep_connectors::Level;
use lockstep_core::source::Source;
use lockstep_store::{Store, Tx, source};
use lockstep_vault::Vault;

use super::{Findings, told};
use crate::clock::Clock;
use crate::worker::{Sources, Unusable};

const AREA: &str = "Sources";

/// Looks at the source of that name, or at all.
pub(super) async fn look(
    named: Option<&str>,
    store: Option<&Arc<Store>>,
    vault: Option<Vault>,
    clock: &Clock,
    found: &mut Findings,
) {
    let (Some(store), Some(vault)) = (store, vault) else {
        found.skipped(AREA, "they were not looked at: their settings are in the database, and the keys open them");
        return;
    };
    let sources = match store.read(|tx: &mut Tx<'_>| Box::pin(source::list(tx))).await {
        Ok(sources) => sources,
        Err(error) => return found.problem(AREA, told(&error), None),
    };
    let has_name = |source: &Source| named.is_none_or(|name| source.name == name);
    let outside = |source: &&Source| source.connector != Source::BUILT_IN;
    let looked: Vec<&Source> = sources.iter().filter(outside).filter(|source| has_name(source)).collect();
    if looked.is_empty() {
        match named {
            Some(name) => {
                let known: Vec<&str> = sources.iter().filter(outside).map(|source| source.name.as_str()).collect();
                found.problem(AREA, format!("there is no source {name:?}; there are: {}", known.join(", ")), None);
            }
            None => found.warning(AREA, "there are none yet", "bring them in with `lockstep apply`"),
        }
        return;
    }
    let connectors = Sources::new(Arc::clone(store), vault, clock.clone());
    let tests = join_all(looked.iter().map(|source| connectors.test(source.id))).await;
    for (source, test) in looked.into_iter().zip(tests) {
        let area = format!("Source {}", source.name);
        match test {
            Ok(report) => {
                for check in report.checks {
                    match check.level {
                        Level::Good => found.good(&area, check.text),
                        Level::Warning => {
                            found.warning(&area, check.text, format!("see docs/connectors/{}.md", source.connector))
                        }
                    }
                }
            }
            Err(Unusable::Failed(failure)) => {
                let remedy =
                    format!("changes to it wait or fail until this is so; docs/connectors/{}.md", source.connector);
                found.problem(&area, failure.detail, Some(&remedy));
            }
            Err(Unusable::Source(error)) => {
                found.problem(&area, told(&error), Some("correct it in the apply file, and apply that again"));
            }
        }
    }
    connectors.close().await;
}
