//! Takes over people and accounts from a file, of any length: the rules are those of [`super::apply`], a thousand rows
//! at a time.
//!
//! The file is read three times: for what stands in it twice, to check every row, and to write. Nothing is written before
//! every row was checked. How a row is read from a file is the command line's part.
//!
//! On PostgreSQL all of it is one transaction. On SQLite a transaction keeps everybody else from writing, a server that runs
//! beside among them, and after ten seconds that gives up; so every `SQLITE_PART` rows are one there. Whoever is killed in
//! between is run again: what is written already is unchanged then, and the end is the same.

pub mod row;
mod twice;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use lockstep_store::{Tx, source};

use self::row::{Field, Flaw, Item, Open, Rejection, Row, Rows, Unreadable};
use self::twice::Twice;
use super::App;
use super::apply::wanted::Wanted;
use super::apply::{self, Done, Plan, Problem};
use crate::failpoint::failpoint;

/// How many rows are planned at a time.
const BATCH: usize = 1_000;

/// How many rows share a transaction on SQLite: a second or two.
const SQLITE_PART: usize = 10_000;

/// How long others are let in between two of them: they look every tenth of a second.
const PAUSE: Duration = Duration::from_millis(150);

/// What is taken over, and how.
#[derive(Clone)]
pub struct Import {
    /// Reads the file.
    pub open: Open,
    /// Whether good rows are written although others are rejected.
    pub keep_going: bool,
    /// Whom to tell how it goes.
    pub tell: Arc<dyn Fn(Told) + Send + Sync>,
}

/// How it goes.
#[derive(Debug)]
pub enum Told {
    /// This row is not taken.
    Rejected(Rejection),
    /// So many rows were read to find what stands there twice.
    Read(u64),
    /// So many were checked.
    Checked(u64),
    /// So many were written.
    Written(u64),
}

/// What would be, or was, done with the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub rows: u64,
    /// New people or accounts.
    pub created: u64,
    /// Those that differ.
    pub changed: u64,
    /// Those that do not.
    pub unchanged: u64,
    /// Those that are not taken.
    pub rejected: u64,
    /// Those that are about something else.
    pub skipped: u64,
}

/// What checking found.
#[derive(Debug)]
pub struct Checked {
    /// What would be done.
    pub counts: Counts,
    /// The lines that are not taken.
    rejected: HashSet<u64>,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be taken as a whole.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The database failed, or holds what cannot be opened.
    #[error(transparent)]
    Apply(#[from] apply::Error),
    /// What was checked is no longer so.
    #[error("{0}; somebody else changed the database meanwhile: run this again")]
    Overtaken(Rejection),
    /// On SQLite, when a part is durable already.
    #[error("{rows} rows are written, the others are not; run this again and it goes on there")]
    Partly {
        /// How many.
        rows: u64,
        /// Why.
        source: Box<Error>,
    },
}

impl From<lockstep_store::Error> for Error {
    fn from(error: lockstep_store::Error) -> Self {
        Self::Apply(error.into())
    }
}

/// Checks every row on one state of the database, and writes nothing.
///
/// # Errors
/// See [`Error`].
pub async fn check(app: &App, import: Import) -> Result<Checked, Error> {
    let sources = app.store.read(|tx: &mut Tx<'_>| Box::pin(source::list(tx))).await?;
    let surveyed = import.clone();
    // Away from the database, which does not wait for ever for a transaction that asks nothing.
    let survey = tokio::task::spawn_blocking(move || {
        Twice::survey(&surveyed.open, sources, |rows| {
            if rows.is_multiple_of(BATCH as u64) {
                (surveyed.tell)(Told::Read(rows));
            }
        })
    });
    let fault = |_| Unreadable("the file could not be read to its end".to_owned());
    let mut twice = survey.await.map_err(fault)??;
    let work = app.clone();
    let scanned = app.store.scan(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let mut checked = Checked { counts: Counts::default(), rejected: HashSet::new() };
            let mut rows = (import.open)()?;
            loop {
                let mut batch = take(&mut rows, BATCH)?;
                if batch.is_empty() {
                    return Ok(checked);
                }
                for row in &mut batch {
                    if let Some(flaw) = twice.second(row) {
                        row.item = Err(flaw);
                    }
                }
                let part = plan(&work, tx, &batch).await?;
                checked.counts.add(&part.counts);
                checked.rejected.extend(part.rejections.iter().map(|rejection| rejection.line));
                part.rejections.into_iter().for_each(|rejection| (import.tell)(Told::Rejected(rejection)));
                (import.tell)(Told::Checked(checked.counts.rows));
            }
        })
    });
    scanned.await
}

/// Writes what was checked, and says what was done.
///
/// # Errors
/// See [`Error`]. Nothing was written then, but for [`Error::Partly`].
pub async fn write(app: &App, import: Import, checked: Checked) -> Result<Counts, Error> {
    let rejected = Arc::new(checked.rejected);
    match app.config.store.url.starts_with("sqlite:") {
        true => write_in_parts(app, &import, &rejected).await,
        false => write_at_once(app, import, rejected).await,
    }
}

async fn write_at_once(app: &App, import: Import, rejected: Arc<HashSet<u64>>) -> Result<Counts, Error> {
    let (work, tell) = (app.clone(), Arc::clone(&import.tell));
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let mut counts = Counts { rejected: rejected.len() as u64, ..Counts::default() };
            counts.rows = counts.rejected;
            let mut late = Vec::new();
            let mut rows = (import.open)()?;
            loop {
                let mut batch = take(&mut rows, BATCH)?;
                if batch.is_empty() {
                    return Ok((counts, late));
                }
                batch.retain(|row| !rejected.contains(&row.line));
                let part = write_part(&work, tx, &batch, import.keep_going).await?;
                counts.add(&part.counts);
                late.extend(part.rejections);
                (import.tell)(Told::Written(counts.rows));
            }
        })
    });
    let (counts, late): (Counts, Vec<Rejection>) = written.await.map_err(|error: Error| error)?;
    late.into_iter().for_each(|rejection| tell(Told::Rejected(rejection)));
    Ok(counts)
}

async fn write_in_parts(app: &App, import: &Import, rejected: &HashSet<u64>) -> Result<Counts, Error> {
    let mut counts = Counts { rows: rejected.len() as u64, rejected: rejected.len() as u64, ..Counts::default() };
    let mut rows = (import.open)()?;
    let mut durable = 0;
    loop {
        let part = next_part(app, import, &mut rows, rejected).await;
        match part {
            Ok(None) => return Ok(counts),
            Ok(Some(part)) => {
                counts.add(&part.counts);
                durable += part.counts.rows;
                part.rejections.into_iter().for_each(|rejection| (import.tell)(Told::Rejected(rejection)));
                (import.tell)(Told::Written(counts.rows));
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) if durable == 0 => return Err(error),
            Err(error) => return Err(Error::Partly { rows: durable, source: Box::new(error) }),
        }
    }
}

async fn next_part(
    app: &App,
    import: &Import,
    rows: &mut Rows,
    rejected: &HashSet<u64>,
) -> Result<Option<Part>, Error> {
    let mut part = take(rows, SQLITE_PART)?;
    if part.is_empty() {
        return Ok(None);
    }
    part.retain(|row| !rejected.contains(&row.line));
    let (work, part, keep_going) = (app.clone(), Arc::new(part), import.keep_going);
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let mut done = Part::default();
            for batch in part.chunks(BATCH) {
                let next = write_part(&work, tx, batch, keep_going).await?;
                done.counts.add(&next.counts);
                done.rejections.extend(next.rejections);
            }
            Ok::<_, Error>(done)
        })
    });
    let done = written.await?;
    failpoint!(app, ImportAfterCommit, |_| Err(Unreadable("a failpoint failed".to_owned()).into()));
    Ok(Some(done))
}

/// What came of a few rows.
#[derive(Default)]
struct Part {
    counts: Counts,
    rejections: Vec<Rejection>,
    plan: Plan,
}

async fn write_part(app: &App, tx: &mut Tx<'_>, rows: &[Row], keep_going: bool) -> Result<Part, Error> {
    let mut part = plan(app, tx, rows).await?;
    if apply::hold_part(tx, &part.plan).await? {
        part = plan(app, tx, rows).await?;
    }
    // They were good when they were checked.
    if let Some(rejection) = part.rejections.first().filter(|_| !keep_going) {
        return Err(Error::Overtaken(rejection.clone()));
    }
    apply::write_part(app, tx, &part.plan).await?;
    part.plan = Plan::default();
    failpoint!(app, ImportWithinCommit, |_| Err(Unreadable("a failpoint failed".to_owned()).into()));
    Ok(part)
}

/// What is to be done for the good ones of these rows, and what is wrong with the others.
async fn plan(app: &App, tx: &mut Tx<'_>, rows: &[Row]) -> Result<Part, Error> {
    let mut part = Part::default();
    part.counts.rows = rows.len() as u64;
    part.counts.skipped = rows.iter().filter(|row| matches!(row.item, Ok(Item::Skipped))).count() as u64;
    let flawed =
        rows.iter().filter_map(|row| Some(Rejection { line: row.line, flaw: row.item.as_ref().err()?.clone() }));
    part.rejections.extend(flawed);
    let mut bad: HashSet<u64> = part.rejections.iter().map(|rejection| rejection.line).collect();
    let plan = loop {
        match apply::plan_part(app, tx, &wanted(rows, &bad)).await {
            Ok(plan) => break plan,
            Err(apply::Error::Problems(problems)) => {
                let before = bad.len();
                for Problem { at, text } in problems.clone() {
                    let (line, field) = Field::of(at);
                    bad.insert(line);
                    part.rejections.push(Rejection { line, flaw: Flaw { field, reason: text } });
                }
                // A problem is always one of a row; were it not, this would go on for ever.
                if bad.len() == before {
                    return Err(apply::Error::Problems(problems).into());
                }
            }
            Err(other) => return Err(other.into()),
        }
    };
    part.rejections.sort_by_key(|rejection| (rejection.line, rejection.flaw.field));
    part.counts.rejected = bad.len() as u64;
    part.counts.created = plan.entries.iter().filter(|entry| entry.done == Done::Created).count() as u64;
    part.counts.changed = plan.entries.len() as u64 - part.counts.created;
    let Counts { rows, created, changed, rejected, skipped, .. } = part.counts;
    part.counts.unchanged = rows - created - changed - rejected - skipped;
    part.plan = plan;
    Ok(part)
}

fn wanted(rows: &[Row], bad: &HashSet<u64>) -> Wanted {
    let mut wanted = Wanted::default();
    for row in rows.iter().filter(|row| !bad.contains(&row.line)) {
        match &row.item {
            Ok(Item::Identity(identity)) => wanted.identity.push(Field::Row.at(row.line, (**identity).clone())),
            Ok(Item::Account(account)) => wanted.lone_account.push((**account).clone()),
            Ok(Item::Skipped) | Err(_) => {}
        }
    }
    wanted
}

fn take(rows: &mut Rows, count: usize) -> Result<Vec<Row>, Unreadable> {
    rows.take(count).collect()
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.created += other.created;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
        self.rejected += other.rejected;
        self.skipped += other.skipped;
    }
}
