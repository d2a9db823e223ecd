//! Signs people in on the pages, without the work of their passwords. Each is one who has changed them before.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use lockstep::app::{App, Role, sign_in_link};
use lockstep::config::Config;
use lockstep_core::session::Origin;
use lockstep_store::{Tx, account, identity, password_set};
use serde_json::{Value, json};

/// Sign people in, and save what their browsers have
#[derive(Debug, Args)]
pub(crate) struct Sessions {
    /// The installation
    #[arg(long)]
    config: PathBuf,
    /// How the aliases begin; a number follows
    #[arg(long)]
    prefix: String,
    /// How many digits the number has
    #[arg(long, default_value_t = 5)]
    digits: usize,
    /// How many people
    #[arg(long)]
    people: usize,
    /// The file, a line each
    #[arg(long)]
    save: PathBuf,
}

pub(crate) async fn run(arguments: Sessions) -> Result<Value> {
    let app = App::open(Config::read(&arguments.config)?, Role::Tool).await.context("cannot open the installation")?;
    let mut lines = String::new();
    for number in 0..arguments.people {
        let alias = format!("{}{number:0width$}", arguments.prefix, width = arguments.digits);
        let found =
            app.store.read(move |tx: &mut Tx<'_>| Box::pin(async move { identity::find_by_alias(tx, &alias).await }));
        let person = found.await?.context("there is no such person")?.id;
        let now = app.clock.utc();
        let set = app.store.write(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                for own in account::list_of(tx, person).await? {
                    password_set::put(tx, person, own.id, now).await?;
                }
                Ok::<_, lockstep_store::Error>(())
            })
        });
        set.await.context("cannot say when passwords were set")?;
        let link = sign_in_link::make(&app, person).await?;
        let code = link.expose().split_once('#').context("a link without a code")?.1.to_owned();
        let token =
            sign_in_link::follow(&app, &code, Origin::default()).await?.context("the link is good for nothing")?;
        lines.push_str(token.expose());
        lines.push('\n');
    }
    std::fs::write(&arguments.save, lines).context("cannot save the sessions")?;
    app.close().await;
    Ok(json!({ "people": arguments.people }))
}
