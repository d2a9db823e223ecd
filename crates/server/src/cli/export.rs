//! `lockstep export`: people, accounts and settings as files, one state of the database, nothing secret.

mod output;
mod table;

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use lockstep_store::Tx;

use super::{Exit, read_config};
use crate::app::export::{self, Error, Holding, Person};
use crate::app::{App, Role};
use output::Output;
use table::{Row, Table};

/// Write people, accounts or settings to a file, without anything secret
///
/// What comes out goes into `lockstep import` and `lockstep apply` again. There are no passwords, hashes, keys, tokens or
/// secrets of systems in it. Personal access tokens and the first passwords of people are not exported.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Export {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// People
    Identities {
        #[command(flatten)]
        to: To,
    },
    /// What people have on systems
    Accounts {
        /// Of this source only
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
        #[command(flatten)]
        to: To,
    },
    /// Everything but people and accounts, as an apply file: dictionary, policies, sources, groups, applications, clients
    Settings {
        /// The file to make; otherwise standard output. The dictionary is written beside it
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// All three, as files in a new folder
    All {
        /// The folder to make
        #[arg(long, value_name = "FOLDER")]
        output: PathBuf,
        /// How people and accounts are written
        #[arg(long, default_value = "csv")]
        format: Format,
    },
}

#[derive(Debug, Args)]
struct To {
    /// How it is written
    #[arg(long, default_value = "csv")]
    format: Format,
    /// The file to make; otherwise standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How people and accounts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The first line names the columns; each attribute has one
    Csv,
    /// One JSON object a line
    Jsonl,
}

const EXAMPLES: &str = "Examples:
  lockstep export identities --output people.csv
  lockstep export accounts --source Billing --format jsonl
  lockstep export settings --output state.toml
  lockstep export all --output /var/backups/lockstep-export

A cell may begin with = + - or @: it is what somebody is called, and is not altered. Do not let a spreadsheet take such cells
for formulas: import the columns as text.";

/// Runs the command.
pub(super) async fn run(arguments: Export, config: Option<&Path>) -> Result<Exit> {
    let app = App::open(read_config(config)?, Role::Tool).await?;
    let done = give_out(&app, arguments.what).await;
    app.close().await;
    done.map(|()| Exit::Done)
}

async fn give_out(app: &App, what: What) -> Result<()> {
    match what {
        What::Identities { to } => {
            let output = Output::create(to.output.as_deref())?;
            let done = app.store.scan(move |tx: &mut Tx<'_>| Box::pin(people(tx, to.format, output)));
            Ok(done.await?.finish()?)
        }
        What::Accounts { source, to } => {
            let output = Output::create(to.output.as_deref())?;
            let done = app.store.scan(move |tx: &mut Tx<'_>| Box::pin(accounts(tx, source, to.format, output)));
            Ok(done.await?.finish()?)
        }
        What::Settings { output } => {
            let words = output.as_ref().map(|path| path.with_extension("words.txt"));
            let name = match &words {
                Some(path) => Some(name_of(path)?),
                None => None,
            };
            let read = app
                .store
                .scan(move |tx: &mut Tx<'_>| Box::pin(async move { export::settings(tx, name.as_deref()).await }));
            let settings = read.await?;
            if let (Some(path), Some(words)) = (&words, &settings.words) {
                write_all(Some(path), words)?;
            }
            write_all(output.as_deref(), &settings.text)
        }
        What::All { output, format } => all(app, &output, format).await,
    }
}

/// A folder that has its name only once everything is in it.
async fn all(app: &App, folder: &Path, format: Format) -> Result<()> {
    if folder.try_exists()? {
        bail!("{} exists already; nothing was overwritten", folder.display());
    }
    let part = output::part(folder);
    let failed = || format!("cannot write {}", part.display());
    if part.try_exists()? {
        // Of an export that was interrupted.
        std::fs::remove_dir_all(&part).with_context(failed)?;
    }
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&part).with_context(failed)?;
    let ending = match format {
        Format::Csv => "csv",
        Format::Jsonl => "jsonl",
    };
    let file = |name: &str| Output::create(Some(&part.join(name)));
    let (to_people, to_accounts) = (file(&format!("identities.{ending}"))?, file(&format!("accounts.{ending}"))?);
    let done = app.store.scan(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let people = people(tx, format, to_people).await?;
            let accounts = accounts(tx, None, format, to_accounts).await?;
            Ok::<_, Error>((people, accounts, export::settings(tx, Some("words.txt")).await?))
        })
    });
    let (people, accounts, settings) = done.await?;
    people.finish()?;
    accounts.finish()?;
    write_all(Some(&part.join("state.toml")), &settings.text)?;
    if let Some(words) = &settings.words {
        write_all(Some(&part.join("words.txt")), words)?;
    }
    std::fs::rename(&part, folder).with_context(failed)
}

async fn people(tx: &mut Tx<'_>, format: Format, output: Output) -> Result<Output, Error> {
    let mut table = match format {
        Format::Jsonl => Table::jsonl(output),
        Format::Csv => {
            let mut names = BTreeSet::new();
            export::people(tx, &mut |person: Person| {
                names.extend(person.identity.attributes.into_keys());
                Ok(())
            })
            .await?;
            Table::csv(output, super::import::record::Noun::Identities, names)?
        }
    };
    export::people(tx, &mut |person| table.put(Row::person(person))).await?;
    Ok(table.finish()?)
}

async fn accounts(tx: &mut Tx<'_>, of: Option<String>, format: Format, output: Output) -> Result<Output, Error> {
    let mut table = match format {
        Format::Jsonl => Table::jsonl(output),
        Format::Csv => {
            let mut names = BTreeSet::new();
            export::accounts(tx, of.as_deref(), &mut |holding: Holding| {
                names.extend(holding.account.attributes.into_keys());
                Ok(())
            })
            .await?;
            Table::csv(output, super::import::record::Noun::Accounts, names)?
        }
    };
    export::accounts(tx, of.as_deref(), &mut |holding| table.put(Row::account(holding))).await?;
    Ok(table.finish()?)
}

fn write_all(path: Option<&Path>, text: &str) -> Result<()> {
    let mut output = Output::create(path)?;
    output.write_all(text.as_bytes())?;
    Ok(output.finish()?)
}

fn name_of(path: &Path) -> Result<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    Ok(name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidFilename, "the path is no text"))?.to_owned())
}
