//! Fills an installation with people through the store, in batches. `lockstep apply` reads a whole file at once, which is
//! right for a few ten thousand people and not for a million.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use lockstep::app::{App, Role};
use lockstep::config::Config;
use lockstep_core::account::Account;
use lockstep_core::id::{AccountId, IdentityId, SourceId};
use lockstep_core::identity::Identity;
use lockstep_store::{Tx, account, identity, source};
use lockstep_vault::secret::draw_id;
use serde_json::{Value, json};

/// How many people share a transaction.
const BATCH: usize = 5_000;

/// Add people, each with an account on IdentityNow and one on a source
#[derive(Debug, Args)]
pub(crate) struct Fill {
    /// The installation
    #[arg(long)]
    config: PathBuf,
    /// The source's name
    #[arg(long)]
    source: String,
    /// How the aliases begin; a number follows
    #[arg(long)]
    prefix: String,
    /// How many digits the number has
    #[arg(long, default_value_t = 5)]
    digits: usize,
    /// How many people
    #[arg(long)]
    people: usize,
}

pub(crate) async fn run(arguments: Fill) -> Result<Value> {
    let app = App::open(Config::read(&arguments.config)?, Role::Tool).await.context("cannot open the installation")?;
    let name = arguments.source.clone();
    let found = app.store.read(move |tx: &mut Tx<'_>| Box::pin(async move { source::find_by_name(tx, &name).await }));
    let place = found.await?.context("there is no such source")?.id;
    let began = Instant::now();
    let mut from = 0;
    while from < arguments.people {
        let to = (from + BATCH).min(arguments.people);
        let people: Vec<(Identity, [Account; 2])> = (from..to)
            .map(|number| person(format!("{}{number:0width$}", arguments.prefix, width = arguments.digits), place))
            .collect();
        let now = app.clock.utc();
        let written = app.store.write(move |tx: &mut Tx<'_>| {
            Box::pin(async move {
                for (person, accounts) in &people {
                    identity::put(tx, person, now).await?;
                    for one in accounts {
                        account::put(tx, one, &one.native_id, now).await?;
                    }
                }
                Ok::<_, lockstep_store::Error>(())
            })
        });
        written.await.context("cannot store people")?;
        from = to;
    }
    app.close().await;
    Ok(json!({ "people": arguments.people, "seconds": began.elapsed().as_secs_f64() }))
}

fn person(alias: String, place: SourceId) -> (Identity, [Account; 2]) {
    let id = draw_id();
    let on = |account, source, native_id: String| Account {
        id: AccountId(account),
        identity: Some(IdentityId(id)),
        source,
        stable_id: native_id.clone(),
        native_id,
        name: alias.clone(),
        password_sync: true,
        attributes: BTreeMap::new(),
        vanished: false,
    };
    let accounts = [on(id, SourceId::IDENTITY_NOW, id.simple().to_string()), on(draw_id(), place, alias.clone())];
    let identity = Identity {
        id: IdentityId(id),
        display_name: alias.clone(),
        email: Some(format!("{alias}@example.test")),
        attributes: BTreeMap::from([("department".to_owned(), "Finance".to_owned())]),
        sign_in_source: SourceId::IDENTITY_NOW,
        enabled: true,
        alias,
    };
    (identity, accounts)
}
