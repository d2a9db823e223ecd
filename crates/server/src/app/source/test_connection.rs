//! Whether a source can be reached and does what it should, without changing anybody's password.

use std::time::Duration;

use lockstep_connectors::{Check, Level};
use lockstep_core::id::SourceId;
use lockstep_store::{Tx, source};

use crate::app::{App, Error};
use crate::auth::Permit;

/// What was found.
#[derive(Debug)]
pub struct Tested {
    /// The source.
    pub id: SourceId,
    /// Its name.
    pub name: String,
    /// How long it took.
    pub took: Duration,
    /// What was found, in the order in which it was looked for.
    pub checks: Vec<Check>,
    /// What stands in the way.
    pub failure: Option<String>,
}

/// Tests a source as it is stored.
pub async fn test_connection(app: &App, _: &Permit, id: SourceId) -> Result<Tested, Error> {
    let found = app.store.read(move |tx: &mut Tx<'_>| Box::pin(source::find(tx, id)));
    let found = found.await?.ok_or(Error::NotFound("source"))?;
    if found.is_built_in() {
        let check = Check { level: Level::Good, text: "It is built in and needs no connection.".to_owned() };
        return Ok(Tested { id, name: found.name, took: Duration::ZERO, checks: vec![check], failure: None });
    }
    let started = app.clock.monotonic();
    let (checks, failure) = match app.sources.test(id).await {
        Ok(report) => (report.checks, None),
        Err(failure) => (Vec::new(), Some(failure.to_string())),
    };
    let took = app.clock.monotonic().saturating_sub(started);
    Ok(Tested { id, name: found.name, took, checks, failure })
}
