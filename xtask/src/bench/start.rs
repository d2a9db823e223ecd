//! Row (e): memory of an idle server, and how long a start takes.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::kit::Kit;
use super::product::Installation;
use super::query;
use super::row::{Goal, Row};
use super::series::Series;

/// How long a server is left alone before its memory is looked at.
const IDLE: Duration = Duration::from_secs(10);

/// Measures both.
pub(crate) fn measure(kit: &Kit<'_>) -> Result<Vec<Row>> {
    let (mut first, mut again, mut memory) = (Series::default(), Series::default(), Series::default());
    for run in 0..kit.runs {
        let installation = Installation::make(kit, &query::setup())?;
        let milliseconds = |took: Duration| took.as_secs_f64() * 1000.0;
        let product = installation.serve(kit)?;
        first.0.push(milliseconds(product.ready_after));
        // The keys that the first start makes in the background are made.
        sleep(Duration::from_secs(3));
        drop(product);
        let product = installation.serve(kit)?;
        again.0.push(milliseconds(product.ready_after));
        sleep(IDLE);
        memory.0.push(product.megabytes()?);
        kit.progress(&format!("run {} of {}: ready after {:?}", run + 1, kit.runs, product.ready_after));
    }
    let command = "cargo xtask bench --only start";
    let row = |letter, title: &str, unit, figure, goal, parts, note: &str| Row {
        letter,
        title: title.to_owned(),
        unit,
        figure,
        goal: Some(Goal::AtMost(goal)),
        baseline: None,
        parts,
        command,
        notes: vec![note.to_owned()],
    };
    let note = format!("VmRSS of the process, {} s after its start, on SQLite with no people.", IDLE.as_secs());
    let parts = vec![("the very first start, which makes the first RSA key, ms".to_owned(), first)];
    Ok(vec![
        row("e", "memory of an idle server", "MB", memory, 40.0, Vec::new(), &note),
        row(
            "e, start",
            "from exec until /readyz answers 200",
            "ms",
            again,
            200.0,
            parts,
            "Looked at every millisecond, from before the process is made. The database exists.",
        ),
    ])
}
