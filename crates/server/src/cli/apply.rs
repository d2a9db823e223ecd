//! `lockstep apply`: reads a file of wanted state, has it brought about, and says what was done.
//!
//! The file's format is [`crate::app::apply::wanted`]; what is done is decided there too. Here are only files, the
//! environment and words.

mod follow;
mod place;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use super::{Exit, chain, print, read_config};
use crate::app::apply::wanted::Wanted;
use crate::app::apply::{self, Done, Entry, Error, Plan, Problem};
use crate::app::{App, Role};
use place::Place;

/// Bring about what a file says: people, systems, policies, groups, callers
///
/// The file is TOML and names things by name. Everything in it is checked before anything is written, and then all of
/// it happens or nothing. What is left out of the file stays as it is; nothing is deleted unless --prune says so. Applied
/// again, a file changes nothing.
#[derive(Debug, Args)]
#[command(after_long_help = FORMAT)]
pub(super) struct Apply {
    /// The file
    file: PathBuf,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Remove what is set up and not in the file
    ///
    /// That is applications, sync groups, sources, password policies and clients, and only of those kinds that the file has at
    /// least one of. People, accounts and tokens stay. With --dry-run: show how the server has drifted from the file.
    #[arg(long)]
    prune: bool,
    /// Say it as one line of JSON
    #[arg(long)]
    json: bool,
}

const FORMAT: &str = r##"The file, by example (names refer to names; most fields can be left out):

  dictionary = { file = "words.txt" }   # comes before the first table

  [org-config]                          # under the API's names
  digitTokenEnabled = true
  [lockout-config]                      # likewise, as [session-config] and [network-config]
  maximumAttempts = 5

  [[security-questions.questions]]      # off without any
  name = "teacher"
  text = { en = "Who was your first teacher?", de = "Wer war Ihre erste Lehrerin?" }

  [[password-policy]]                   # rules under the API's names; what is not said is off
  name = "Staff"
  minLength = 12

  [[source]]
  name = "Billing"
  connector = "sql"                     # or "ldap"
  config = { url = "postgres://lockstep@db/billing", hash = "argon2id", statement = """
      UPDATE users SET password = :hash WHERE login = :account""" }
  secrets = { password = { file = "billing.password" } }
  policies = [{ policy = "Guests", when = { kind = "external" } }, { policy = "Staff" }]
  [source.aggregation]                  # how its accounts come in: see `lockstep aggregate`
  correlation = [{ account = "mail", identity = "email" }]
  every = "15m"

  [[sync-group]]
  name = "Office"
  policy = "Staff"
  sources = ["Billing", "Directory"]

  [[application]]
  name = "Invoices"
  source = "Billing"

  [[identity]]
  alias = "Abby.Smith"
  display-name = "Abby Smith"
  attributes = { department = "Finance" }
  levels = ["HELPDESK"]
  password = { file = "abby.initial" }  # only when this creates the person
  [[identity.account]]
  source = "Billing"
  native-id = "abby"

  [[client]]
  name = "Portal"
  secret = { env = "PORTAL_SECRET" }    # drawn and shown once where it is left out

  [[personal-access-token]]
  name = "laptop"
  identity = "Abby.Smith"

A secret is never in the file. It is { file = "path" }, beside the file unless the path is absolute,
or { env = "NAME" }.

Examples:
  lockstep apply state.toml --dry-run
  lockstep apply state.toml
  lockstep apply state.toml --prune --dry-run

Exit codes:
  0  done, or nothing to change
  1  nothing was changed: every problem is named with its line
  2  wrong arguments"##;

/// Runs the command.
pub(super) async fn run(arguments: Apply, config: Option<&Path>) -> Result<Exit> {
    let Some(file) = File::read(&arguments.file, arguments.prune)? else { return Ok(Exit::Failed) };
    let app = App::open(read_config(config)?, Role::Tool).await?;
    let done = match arguments.dry_run {
        true => file.plan(&app).await,
        false => file.apply(&app).await,
    };
    app.close().await;
    let Some(plan) = done? else { return Ok(Exit::Failed) };
    match arguments.json {
        true => print_json(&plan, arguments.dry_run)?,
        false => print_text(&plan, arguments.dry_run)?,
    }
    Ok(Exit::Done)
}

/// A file that could be read: its name and text for the places of problems, and what it wants.
pub(super) struct File {
    path: PathBuf,
    text: String,
    wanted: Arc<Wanted>,
}

impl File {
    /// Reads it. What makes no sense is told on standard error, and gives none. With `prune`, what it does not name goes.
    pub(super) fn read(path: &Path, prune: bool) -> Result<Option<Self>> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        match toml::from_str::<Wanted>(&text) {
            Ok(wanted) => {
                let wanted = Arc::new(Wanted { prune, ..wanted });
                Ok(Some(Self { path: path.to_owned(), text, wanted }))
            }
            Err(error) => {
                // The library's own text shows the line, which may hold what should not be shown.
                let at = error.span().map_or(0, |span| span.start);
                eprintln!("error: {}: {}", Place::of(path, &text, at), error.message());
                Ok(None)
            }
        }
    }

    /// What would be done; none where problems, which are told, stand in the way.
    pub(super) async fn plan(&self, app: &App) -> Result<Option<Plan>> {
        let follow = follow::beside(&self.path);
        self.told(apply::plan(app, Arc::clone(&self.wanted), follow).await)
    }

    /// Does it; none where problems, which are told, stand in the way.
    pub(super) async fn apply(&self, app: &App) -> Result<Option<Plan>> {
        let follow = follow::beside(&self.path);
        self.told(apply::apply(app, Arc::clone(&self.wanted), follow).await)
    }

    fn told(&self, done: Result<Plan, Error>) -> Result<Option<Plan>> {
        match done {
            Ok(plan) => Ok(Some(plan)),
            Err(Error::Problems(problems)) => {
                for Problem { at, text } in &problems {
                    eprintln!("error: {}: {text}", Place::of(&self.path, &self.text, *at));
                }
                eprintln!("Nothing was changed.");
                Ok(None)
            }
            Err(other) => {
                let error = anyhow::Error::from(other);
                Err(anyhow::anyhow!("nothing was changed: {}", chain(&error)))
            }
        }
    }
}

fn print_text(plan: &Plan, dry_run: bool) -> Result<()> {
    if plan.entries.is_empty() {
        return Ok(print::line("There is nothing to change.")?);
    }
    let (mut created, mut changed, mut removed) = (0, 0, 0);
    for Entry { kind, name, done } in &plan.entries {
        let (count, line) = match done {
            Done::Created => (&mut created, format!("+ {kind} {name}")),
            Done::Changed(fields) => (&mut changed, format!("~ {kind} {name}: {}", fields.join(", "))),
            Done::Removed => (&mut removed, format!("- {kind} {name}")),
        };
        *count += 1;
        print::line(line)?;
    }
    let would = if dry_run { "would be " } else { "" };
    let removed = if removed > 0 { format!(", {removed} {would}removed") } else { String::new() };
    print::line(format_args!("{created} {would}created, {changed} {would}changed{removed}."))?;
    if !dry_run {
        for drawn in &plan.drawn {
            print::line(format_args!("\nThe secret of the {} {}, shown only now:", drawn.kind, drawn.name))?;
            print::line(format_args!("  id      {}\n  secret  {}", drawn.id, drawn.secret.expose()))?;
        }
    }
    Ok(())
}

fn print_json(plan: &Plan, dry_run: bool) -> Result<()> {
    let (mut created, mut changed, mut removed) = (Vec::new(), Vec::new(), Vec::new());
    for Entry { kind, name, done } in &plan.entries {
        match done {
            Done::Created => created.push(json!({ "kind": kind, "name": name })),
            Done::Changed(fields) => changed.push(json!({ "kind": kind, "name": name, "fields": fields })),
            Done::Removed => removed.push(json!({ "kind": kind, "name": name })),
        }
    }
    let drawn = plan.drawn.iter().filter(|_| !dry_run);
    let secrets: Vec<_> = drawn
        .map(|drawn| json!({ "kind": drawn.kind, "name": drawn.name, "id": drawn.id, "secret": drawn.secret.expose() }))
        .collect();
    let line =
        json!({ "dryRun": dry_run, "created": created, "changed": changed, "removed": removed, "secrets": secrets });
    Ok(print::json(&line)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_in_the_help_is_a_file() {
        let example: String = FORMAT
            .lines()
            .skip(1)
            .take_while(|line| !line.starts_with("A secret"))
            .map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line)))
            .collect();
        let wanted: Wanted = toml::from_str(&example).unwrap();
        assert_eq!(wanted.identity[0].get_ref().account.len(), 1);
        assert_eq!(wanted.source[0].get_ref().secrets.len(), 1);
        assert_eq!(wanted.personal_access_token.len(), 1);
    }
}
