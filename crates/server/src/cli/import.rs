//! `lockstep import`: takes people and accounts over from a file.
//!
//! Here are files, formats and words; what is done with a row is decided in [`crate::app::import`].

mod csv;
mod entries;
mod input;
mod jsonl;
mod ldif;
pub(super) mod mapping;
pub(super) mod record;
mod report;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::{Exit, print, read_config};
use crate::app::import::row::{Open, Rejection};
use crate::app::import::{self, Counts, Told};
use crate::app::{App, Role};
use input::Input;
use mapping::{Mapping, Others, Said};
use record::{Noun, Schema};
use report::{Progress, Report};

/// Take over people or accounts from CSV, JSON lines or LDIF
///
/// Every row is checked before anything is written. If one is rejected, nothing is written, unless --keep-going says so.
/// Nothing is deleted; imported again, a file changes nothing.
#[derive(Debug, Args)]
pub(super) struct Import {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// People
    ///
    /// Fields: alias, id, displayName, email, enabled, signInSource, levels, attributes. In CSV every other column is an
    /// attribute; in JSON lines `attributes` is an object.
    #[command(after_long_help = IDENTITIES)]
    Identities {
        #[command(flatten)]
        file: File,
        /// Take over what people may do in the organisation (the field levels); otherwise rows that say it are rejected
        #[arg(long)]
        levels: bool,
    },
    /// What people have on systems
    ///
    /// Fields: source, nativeId, stableId, name, passwordSync, identity (the alias), gone, attributes. In CSV every other
    /// column is an attribute; in JSON lines `attributes` is an object.
    #[command(after_long_help = ACCOUNTS)]
    Accounts {
        #[command(flatten)]
        file: File,
        /// The source of every account of the file; otherwise each says its own
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
    },
}

#[derive(Debug, Args)]
struct File {
    /// The file; - is standard input
    file: PathBuf,
    /// How it is written; otherwise its ending says so (.csv, .tsv, .jsonl, .ndjson, .ldif)
    #[arg(long)]
    format: Option<Format>,
    /// What is between two columns of CSV: one character, or tab
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<u8>,
    /// Where a field is: FIELD=THEIRS. A FIELD that is none of ours is an attribute
    #[arg(long, value_name = "FIELD=THEIRS", value_delimiter = ',')]
    map: Vec<Said>,
    /// Columns, keys or attributes that are not looked at
    #[arg(long, value_name = "THEIRS", value_delimiter = ',')]
    ignore: Vec<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Write the good rows although others are rejected
    #[arg(long)]
    keep_going: bool,
    /// Write every rejected row's line, field and reason to a file: JSON lines where it ends in .jsonl, otherwise CSV
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Say it as one line of JSON
    #[arg(long)]
    json: bool,
}

/// How a file of people or accounts is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The first line names the columns
    Csv,
    /// One JSON object a line
    Jsonl,
    /// As directories export entries
    Ldif,
}

const IDENTITIES: &str = "Examples:
  lockstep import identities people.csv --dry-run
  lockstep import identities people.csv --delimiter ';' --map alias=Login,email=Mail
  lockstep import identities people.jsonl --levels
  ldapsearch -LLL … '(objectClass=person)' uid cn mail departmentNumber |
    lockstep import identities - --format ldif --map department=departmentNumber

LDIF: alias, displayName and email are uid, cn and mail unless --map says otherwise; of the rest only what --map names is
looked at. Entries of classes other than person, account and posixAccount are skipped.

Exit codes:
  0  done, or nothing to change
  1  nothing was written: rejected rows are told with their lines
  2  wrong arguments
  3  rows were rejected, the others are written (--keep-going)";

const ACCOUNTS: &str = "Examples:
  lockstep import accounts billing.csv --source Billing
  lockstep import accounts all.jsonl --keep-going --report rejected.csv
  ldapsearch -LLL … '(objectClass=person)' uid entryUUID |
    lockstep import accounts - --format ldif --source Directory

LDIF: nativeId, stableId and identity are dn, entryUUID and uid unless --map says otherwise; of the rest only what --map
names is looked at. Entries of classes other than person, account and posixAccount are skipped.

Exit codes:
  0  done, or nothing to change
  1  nothing was written: rejected rows are told with their lines
  2  wrong arguments
  3  rows were rejected, the others are written (--keep-going)";

/// How many rejected rows are told on standard error.
const TOLD: u64 = 20;

/// Runs the command.
pub(super) async fn run(arguments: Import, config: Option<&Path>) -> Result<Exit> {
    let (file, noun, levels, source) = match arguments.what {
        What::Identities { file, levels } => (file, Noun::Identities, levels, None),
        What::Accounts { file, source } => (file, Noun::Accounts, false, source),
    };
    let Some(format) = file.format() else {
        eprintln!("error: say --format csv, jsonl or ldif: the name of the file does not tell");
        return Ok(Exit::Usage);
    };
    let others = match format {
        Format::Csv => Others::Attributes,
        Format::Jsonl => Others::Unknown,
        Format::Ldif => Others::Nothing,
    };
    let mapping = Mapping::new(noun, others, &file.map, &file.ignore);
    let schema = Arc::new(Schema { noun, mapping, levels, source });
    let app = App::open(read_config(config)?, Role::Tool).await?;
    let done = take_over(&app, &file, format, schema).await;
    app.close().await;
    done
}

async fn take_over(app: &App, file: &File, format: Format, schema: Arc<Schema>) -> Result<Exit> {
    let input = Input::open(&file.file)?;
    let delimiter = file.delimiter.unwrap_or(if file.ends_in("tsv") { b'\t' } else { b',' });
    let open: Open = Arc::new(move || match format {
        Format::Csv => csv::read(&input, &schema, delimiter),
        Format::Jsonl => jsonl::read(&input, &schema),
        Format::Ldif => entries::read(&input, &schema),
    });
    let teller = Arc::new(Mutex::new(Teller {
        report: file.report.as_deref().map(Report::create).transpose()?,
        progress: Progress::new(app.clock.clone()),
        told: 0,
    }));
    let telling = Arc::clone(&teller);
    let tell = Arc::new(move |told| telling.lock().unwrap_or_else(PoisonError::into_inner).tell(told));
    let import = import::Import { open, keep_going: file.keep_going, tell };

    let checked = import::check(app, import.clone()).await?;
    let found = checked.counts;
    let refused = found.rejected > 0 && !file.keep_going;
    let written = !file.dry_run && !refused;
    let counts = match written {
        true => import::write(app, import, checked).await?,
        false => found,
    };
    teller.lock().unwrap_or_else(PoisonError::into_inner).finish(counts.rejected)?;
    match file.json {
        true => print_json(&counts, file.dry_run, written)?,
        false => print_text(&counts, written)?,
    }
    if refused && !file.dry_run {
        eprintln!("Nothing was written. Put the file right, or say --keep-going to write the other rows.");
    }
    Ok(match (refused, counts.rejected) {
        (true, _) => Exit::Failed,
        (false, 0) => Exit::Done,
        (false, _) => Exit::Unmet,
    })
}

impl File {
    fn format(&self) -> Option<Format> {
        let known = [
            (Format::Csv, &["csv", "tsv"][..]),
            (Format::Jsonl, &["jsonl", "ndjson"]),
            (Format::Ldif, &["ldif", "ldf"]),
        ];
        let by_ending = || known.iter().find(|(_, endings)| endings.iter().any(|ending| self.ends_in(ending)));
        self.format.or_else(|| by_ending().map(|(format, _)| *format))
    }

    fn ends_in(&self, ending: &str) -> bool {
        self.file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(ending))
    }
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte) => Ok(*byte),
        _ => Err("write one character, such as ';', or tab".to_owned()),
    }
}

/// Says how it goes, on standard error and in the report.
struct Teller {
    report: Option<Report>,
    progress: Progress,
    told: u64,
}

impl Teller {
    fn tell(&mut self, told: Told) {
        match told {
            Told::Rejected(rejection) => self.reject(&rejection),
            Told::Read(rows) => self.progress.say("read", rows),
            Told::Checked(rows) => self.progress.say("checked", rows),
            Told::Written(rows) => self.progress.say("written", rows),
        }
    }

    fn reject(&mut self, rejection: &Rejection) {
        self.told += 1;
        if self.told <= TOLD {
            eprintln!("rejected: {rejection}");
        }
        if let Some(report) = &mut self.report {
            report.add(rejection);
        }
    }

    fn finish(&mut self, rejected: u64) -> Result<()> {
        if self.told > TOLD {
            let rest = self.told - TOLD;
            match &self.report {
                Some(_) => eprintln!("… and {rest} more reasons, which are in the report"),
                None => eprintln!("… and {rest} more reasons ({rejected} rows); --report FILE has them all"),
            }
        }
        self.report.take().map_or(Ok(()), Report::finish)
    }
}

fn print_text(counts: &Counts, written: bool) -> Result<()> {
    let would = if written { "" } else { "would be " };
    let Counts { rows, created, changed, unchanged, rejected, skipped } = counts;
    let skipped = match skipped {
        0 => String::new(),
        _ => format!(", {skipped} skipped (neither people nor accounts)"),
    };
    let text = format!(
        "{rows} rows: {created} {would}created, {changed} {would}changed, {unchanged} unchanged, {rejected} \
         rejected{skipped}."
    );
    Ok(print::line(text)?)
}

fn print_json(counts: &Counts, dry_run: bool, written: bool) -> Result<()> {
    let line = json!({
        "dryRun": dry_run,
        "written": written,
        "rows": counts.rows,
        "created": counts.created,
        "changed": counts.changed,
        "unchanged": counts.unchanged,
        "rejected": counts.rejected,
        "skipped": counts.skipped,
    });
    Ok(print::json(&line)?)
}
