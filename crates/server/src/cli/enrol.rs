//! `lockstep enrol`: a link with which a person sets their first password.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use lockstep_core::scope::UserLevel;
use lockstep_store::{Tx, identity};
use lockstep_vault::secret::Secret;

use super::{Exit, print, read_config};
use crate::app::apply::{self, Problem};
use crate::app::enrol::{invite, link};
use crate::app::{App, Role};

/// Make a link with which a person sets their first password
///
/// It works once, within 24 hours, and takes the place of the one before. Whoever has it is that person: hand it over
/// accordingly. A server must run when the link is used.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lockstep enrol Abby.Smith
  lockstep enrol admin --admin")]
pub(super) struct Enrol {
    /// The person's login name
    alias: String,
    /// Make the person, where there is nobody of that name, and an administrator (ORG_ADMIN)
    #[arg(long)]
    admin: bool,
}

/// Runs the command.
pub(super) async fn run(arguments: Enrol, config: Option<&Path>) -> Result<Exit> {
    let app = App::open(read_config(config)?, Role::Tool).await?;
    let made = made(&app, &arguments.alias, arguments.admin).await;
    app.close().await;
    print_link(&arguments.alias, &made?)?;
    Ok(Exit::Done)
}

/// The link, for an administrator if that is said.
pub(super) async fn made(app: &App, alias: &str, admin: bool) -> Result<Secret> {
    if admin {
        make_administrator(app, alias).await?;
    }
    let code = invite(app, alias).await.with_context(|| format!("no link for {alias}"))?;
    Ok(link(app, &code))
}

/// Shows it, this once.
pub(super) fn print_link(alias: &str, link: &Secret) -> Result<()> {
    print::line(format_args!(
        "With this link {alias} sets a password. It works once, within 24 hours, and is shown only now:"
    ))?;
    Ok(print::line(format_args!("  {}", link.expose()))?)
}

/// Makes the person, if there is nobody of that name, and gives them the level beside those that they have.
async fn make_administrator(app: &App, alias: &str) -> Result<()> {
    let text = format!("[[identity]]\nalias = {}\n", toml::Value::String(alias.to_owned()));
    let wanted = toml::from_str(&text).context("this cannot be a login name")?;
    let nothing: apply::Follow = Arc::new(|_| Err("there is nothing to follow".to_owned()));
    match apply::apply(app, Arc::new(wanted), nothing).await {
        Ok(_) => {}
        Err(apply::Error::Problems(problems)) => {
            let texts: Vec<String> = problems.into_iter().map(|Problem { text, .. }| text).collect();
            bail!("{}", texts.join("; "));
        }
        Err(error) => return Err(error.into()),
    }
    let (sought, now) = (alias.to_owned(), app.clock.utc());
    let written = app.store.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let person = identity::find_by_alias(tx, &sought).await?;
            let id = person.ok_or(lockstep_store::Error::NotFound("identity"))?.id;
            let mut levels = identity::levels(tx, id).await?;
            levels.insert(UserLevel::OrgAdmin);
            identity::set_levels(tx, id, &levels, now).await
        })
    });
    Ok(written.await?)
}
