//! The demo's applications: SQLite files with the user table that many a small application has.
//!
//! They are what Lockstep changes passwords in. Their passwords are set and checked by the same connector that does it
//! later, so what the demo shows is what it does.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use lockstep_connectors::{AccountRef, Connector, SignIn, Written};
use lockstep_core::password::Password;
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::state::{PEOPLE, login};

/// What stands in the table before the first password is set: no hash, so nobody can sign in with it.
const NONE_YET: &str = "!";

/// An application with a user table of its own.
pub(super) struct Application {
    /// What people call it; the source's name too.
    pub(super) name: &'static str,
    /// The sync group it shares its password with.
    pub(super) group: Option<&'static str>,
    /// Its picture.
    pub(super) icon: &'static str,
    /// Its file.
    pub(super) database: PathBuf,
}

impl Application {
    /// The connector's configuration, as an apply file has it.
    pub(super) fn config(&self) -> Value {
        json!({
            "url": format!("sqlite:{}", self.database.display()),
            "hash": "argon2id",
            "statement": "UPDATE users SET password = :hash WHERE login = :account",
            "verify": "SELECT password FROM users WHERE login = :account",
        })
    }

    fn connector(&self) -> Result<Box<dyn Connector>> {
        // The `sql` connector writes no times.
        let clock: lockstep_connectors::Clock = Arc::new(Default::default);
        Ok(lockstep_connectors::build("sql", &self.config(), &Default::default(), clock)?)
    }
}

/// The applications, made where they are missing. Whoever has no password yet gets the first one.
pub(super) async fn keep(data: &Path, first: &Password) -> Result<Vec<Application>> {
    let application = |name: &'static str, group, icon| {
        let database = data.join(format!("{}.db", name.to_lowercase()));
        Application { name, group, icon, database }
    };
    let applications = vec![
        application("Billing", Some("Office"), include_str!("icons/billing.svg")),
        application("Helpdesk", Some("Office"), include_str!("icons/helpdesk.svg")),
        application("Wiki", None, include_str!("icons/wiki.svg")),
    ];
    for application in &applications {
        let picture = data.join(icon_of(application));
        fs::write(&picture, application.icon).with_context(|| format!("cannot write {}", picture.display()))?;
        fill(application, first).await.with_context(|| format!("cannot set up {}", application.database.display()))?;
    }
    Ok(applications)
}

/// The file of an application's picture, beside the demo's apply file.
pub(super) fn icon_of(application: &Application) -> String {
    format!("{}.svg", application.name.to_lowercase())
}

/// The applications where this is not the account's password any more.
pub(super) async fn changed_since(
    applications: &[Application],
    account: &str,
    first: &Password,
) -> Result<Vec<&'static str>> {
    let mut changed = Vec::new();
    for application in applications {
        let connector = application.connector()?;
        if connector.sign_in(&account_ref(account), first).await != SignIn::Right {
            changed.push(application.name);
        }
        connector.close().await;
    }
    Ok(changed)
}

async fn fill(application: &Application, first: &Password) -> Result<()> {
    let options = SqliteConnectOptions::new().filename(&application.database).create_if_missing(true);
    let mut database: SqliteConnection = options.connect().await?;
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS users (login TEXT PRIMARY KEY, name TEXT NOT NULL, password TEXT NOT NULL)",
    )
    .execute(&mut database)
    .await?;
    for (alias, name, _) in PEOPLE {
        sqlx::query("INSERT INTO users (login, name, password) VALUES ($1, $2, $3) ON CONFLICT (login) DO NOTHING")
            .bind(login(alias))
            .bind(name)
            .bind(NONE_YET)
            .execute(&mut database)
            .await?;
    }
    let without: Vec<(String,)> =
        sqlx::query_as("SELECT login FROM users WHERE password = $1").bind(NONE_YET).fetch_all(&mut database).await?;
    sqlx::Connection::close(database).await?;

    let connector = application.connector()?;
    for (account,) in without {
        match connector.set_password(&account_ref(&account), first, None).await {
            Written::Applied => {}
            other => bail!("{account} got no first password: {other:?}"),
        }
    }
    connector.close().await;
    Ok(())
}

fn account_ref(login: &str) -> AccountRef {
    AccountRef { native_id: login.to_owned(), name: login.to_owned() }
}
