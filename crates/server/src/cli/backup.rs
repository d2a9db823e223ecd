//! `lockstep backup`: a copy of the SQLite database while the server runs.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;

use super::{Exit, print, read_config};
use crate::app::backup::backup;
use crate::app::{App, Role};

/// Copy the SQLite database while the server runs
///
/// The copy is one consistent state, on the disk when the command ends, and only its owner may read it. Nothing is
/// overwritten. PostgreSQL is copied with its own tools; the command then says with which.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lockstep backup /var/backups/lockstep-2026-11-26.db

The copy is worth nothing without the master key, and both together are everything: keep them
apart. Before a server runs on a copy that was put back, run `lockstep restored`.")]
pub(super) struct Backup {
    /// The file to make
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs the command.
pub(super) async fn run(arguments: Backup, config: Option<&Path>) -> Result<Exit> {
    let config = read_config(config)?;
    if !config.store.url.starts_with("sqlite:") {
        bail!(
            "PostgreSQL is copied with its own tools, while servers run:\n\n  \
             pg_dump --format=custom --file={} DATABASE\n\n\
             or with pg_basebackup and an archive of the WAL, for any point in time. docs/operations.md has every command; \
             before a server runs on a copy, run `lockstep restored`",
            arguments.file.display()
        );
    }
    let app = App::open(config, Role::Tool).await?;
    let copied = backup(&app, &arguments.file).await;
    app.close().await;
    let copied = copied?;
    print::line(format_args!("Copied the database to {} ({} bytes).", arguments.file.display(), copied.bytes))?;
    if !copied.marked {
        eprintln!("The restore mark was not raised: no server has run on this database, or it is a restored one.");
    }
    print::line("The copy is worth nothing without the master key. Keep a copy of that too, and keep the two apart.")?;
    Ok(Exit::Done)
}
