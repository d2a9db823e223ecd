//! `lockstep token`: a personal access token for scripts, without anybody's having signed in.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use clap::Args;

use super::{Exit, print, read_config};
use crate::app::apply::{self, Plan, Problem};
use crate::app::{App, Role};

/// Draw a personal access token
///
/// Its id and secret are what SAIL_CLIENT_ID and SAIL_CLIENT_SECRET take; a program that has them acts as that person. The
/// secret is shown this once.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lockstep token --identity admin --name backup-script
  lockstep token --identity Abby.Smith --name laptop --scope idn:password-info:read")]
pub(super) struct Token {
    /// The person's login name
    #[arg(long, value_name = "ALIAS")]
    identity: String,
    /// What the token is called, one name once a person
    #[arg(long)]
    name: String,
    /// What it may be used for; can be said several times. Everything that the person may, unless said
    #[arg(long)]
    scope: Vec<String>,
}

/// Runs the command.
pub(super) async fn run(arguments: Token, config: Option<&Path>) -> Result<Exit> {
    let quoted = |text: &String| toml::Value::String(text.clone()).to_string();
    let (name, identity) = (quoted(&arguments.name), quoted(&arguments.identity));
    let mut text = format!("[[personal-access-token]]\nname = {name}\nidentity = {identity}\n");
    if !arguments.scope.is_empty() {
        let scopes: Vec<String> = arguments.scope.iter().map(quoted).collect();
        text.push_str(&format!("scopes = [{}]\n", scopes.join(", ")));
    }
    let wanted = match toml::from_str(&text) {
        Ok(wanted) => Arc::new(wanted),
        Err(error) => bail!("{}", error.message()),
    };
    let app = App::open(read_config(config)?, Role::Tool).await?;
    let nothing: apply::Follow = Arc::new(|_| Err("there is nothing to follow".to_owned()));
    // Applied, it would change a token of that name, and nobody would be shown its secret.
    let done = match apply::plan(&app, Arc::clone(&wanted), Arc::clone(&nothing)).await {
        Ok(plan) if plan.drawn.is_empty() => Err(None),
        Ok(_) => apply::apply(&app, wanted, nothing).await.map_err(Some),
        Err(error) => Err(Some(error)),
    };
    app.close().await;
    match done {
        Ok(Plan { drawn, .. }) => {
            for token in &drawn {
                print::line(format_args!("id      {}", token.id))?;
                print::line(format_args!("secret  {}", token.secret.expose()))?;
            }
            Ok(Exit::Done)
        }
        Err(None) => {
            bail!("{} has a token of this name already; delete it, or choose another name", arguments.identity)
        }
        Err(Some(apply::Error::Problems(problems))) => {
            let texts: Vec<String> = problems.into_iter().map(|Problem { text, .. }| text).collect();
            bail!("{}", texts.join("; "))
        }
        Err(Some(error)) => Err(error.into()),
    }
}
