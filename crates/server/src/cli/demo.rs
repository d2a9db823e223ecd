//! `lockstep demo`: a whole installation to try, made in a minute from nothing but this program.
//!
//! It goes the way of every installation: `init` makes the files, `apply` brings people and sources in, `serve` serves.
//! Its own are only the applications whose passwords are changed (three SQLite files with a user table), and the lines
//! to copy.

mod applications;
mod lines;
mod state;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context, Result, bail};
use clap::Args;
use lockstep_core::id::SourceId;
use lockstep_core::identity::Identity;
use lockstep_core::password::Password;
use lockstep_core::source::Source;
use lockstep_store::client::Client;
use lockstep_store::personal_access_token::PersonalAccessToken;
use lockstep_store::{Tx, client, identity, personal_access_token, source};
use lockstep_vault::secret::{Secret, draw_client_secret};
use serde::Serialize;

use super::{Exit, apply, init, log, print, serve};
use crate::app::{App, enrol, sign_in_link};
use crate::config::Config;
use applications::Application;

/// The person of the examples.
const PERSON: &str = "Abby.Smith";
/// The name of the demo's client, policy and token.
const NAME: &str = "Demo";

/// Try Lockstep: a server with people and applications of its own
///
/// Makes a data folder with a database, three applications (SQLite files with a user table; two of them share one
/// password), a handful of people, an API client and a personal access token; then serves, and prints lines to copy
/// that change a password. Started again, it goes on with what it kept. Not for real passwords.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lockstep demo
  lockstep demo --listen 127.0.0.1:0 --json

With --json one line is printed once the server answers, with
  baseUrl, signInLink (signs in on the pages, once), enrolmentLink (once, to a password for the pages), clientId, clientSecret, patId, patSecret, userName, identityId,
  currentPassword (what every account had in the beginning),
  currentPasswordNote (null, or where it has been changed since),
  sources: a list of id, name, accountId, group (null where alone) and database (a file).")]
pub(super) struct Demo {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where everything is kept; delete it to start anew
    #[arg(long, value_name = "DIR", default_value = "lockstep-demo")]
    data: PathBuf,
    /// Print one line of JSON instead of the lines to copy
    #[arg(long)]
    json: bool,
}

/// What whoever tries it needs to know.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Facts {
    base_url: String,
    /// Where the person is signed in on the pages. It works once.
    sign_in_link: String,
    /// Where the person sets a password for the pages. It works once.
    enrolment_link: String,
    client_id: String,
    client_secret: String,
    pat_id: String,
    pat_secret: String,
    user_name: &'static str,
    identity_id: String,
    /// The password that every account had in the beginning.
    current_password: String,
    /// Said where it is not Abby.Smith's any more.
    current_password_note: Option<String>,
    sources: Vec<FactsOfSource>,
    data: PathBuf,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FactsOfSource {
    id: SourceId,
    name: &'static str,
    account_id: String,
    group: Option<&'static str>,
    database: PathBuf,
}

/// The demo's secrets, kept so that a second start prints the same. They are worth nothing elsewhere.
struct Secrets {
    client: Secret,
    token: Secret,
    /// Every account's first password.
    password: Secret,
}

/// Runs the command.
pub(super) async fn run(arguments: Demo) -> Result<Exit> {
    let data = absolute(&arguments.data).with_context(|| format!("{} is no path", arguments.data.display()))?;
    let config_file = data.join("lockstep.toml");
    if !config_file.exists() {
        init::create(&data, arguments.listen, None).await?;
    }
    let mut config = Config::read(&config_file)?;
    config.listen = arguments.listen;
    // What happens is printed; the log is for what goes wrong.
    config.log.filter.get_or_insert_with(|| "warn".to_owned());
    log::start(&config.log)?;

    let secrets = Secrets::keep(&data)?;
    let (app, entrance) = serve::open(config).await.context("with --listen 127.0.0.1:0 a free port is taken")?;
    let first = Password::try_from(secrets.password.expose()).context("the kept first password cannot be used")?;
    let applications = applications::keep(&data, &first).await?;
    let state = data.join("state.toml");
    fs::write(&state, state::file(&applications)).with_context(|| format!("cannot write {}", state.display()))?;
    let Some(file) = apply::File::read(&state, false)? else { bail!("the demo's own file is wrong") };
    if file.apply(&app).await?.is_none() {
        bail!("the demo cannot go on with what {} holds; delete it to start anew", data.display());
    }
    let facts = facts(&app, &data, &secrets, &first, &applications).await?;
    serve::serve(&app, entrance, move |_| {
        match arguments.json {
            true => print::json(&facts)?,
            false => print::line(lines::lines(&facts))?,
        }
        Ok(())
    })
    .await
}

async fn facts(
    app: &App,
    data: &Path,
    secrets: &Secrets,
    first: &Password,
    applications: &[Application],
) -> Result<Facts> {
    let (person, clients, tokens, sources) = app.store.read(|tx: &mut Tx<'_>| Box::pin(load(tx))).await?;
    let account_id = state::login(PERSON);
    let of_application = |application: &Application| {
        let id = sources.iter().find(|source| source.name == application.name)?.id;
        let database = application.database.clone();
        let (name, group) = (application.name, application.group);
        Some(FactsOfSource { id, name, account_id: account_id.clone(), group, database })
    };
    let changed = applications::changed_since(applications, &account_id, first).await?;
    let note =
        (!changed.is_empty()).then(|| format!("{PERSON}'s password has been changed since in {}", changed.join(", ")));
    let person = person.context("the person is gone")?;
    let code = enrol::invite(app, PERSON).await.context("the person gets no link")?;
    let sign_in_link = sign_in_link::make(app, person.id).await.context("the person gets no link")?;
    Ok(Facts {
        sign_in_link: sign_in_link.expose().to_owned(),
        enrolment_link: enrol::link(app, &code).expose().to_owned(),
        base_url: app.config.public_url(),
        client_id: clients.iter().find(|client| client.name == NAME).context("the client is gone")?.id.to_string(),
        client_secret: secrets.client.expose().to_owned(),
        pat_id: tokens.iter().find(|token| token.name == NAME).context("the token is gone")?.id.to_string(),
        pat_secret: secrets.token.expose().to_owned(),
        user_name: PERSON,
        identity_id: person.id.to_string(),
        current_password: secrets.password.expose().to_owned(),
        current_password_note: note,
        sources: applications.iter().filter_map(of_application).collect(),
        data: data.to_owned(),
    })
}

async fn load(
    tx: &mut Tx<'_>,
) -> lockstep_store::Result<(Option<Identity>, Vec<Client>, Vec<PersonalAccessToken>, Vec<Source>)> {
    let person = identity::find_by_alias(tx, PERSON).await?;
    let clients = client::list(tx).await?;
    let tokens = match &person {
        Some(person) => personal_access_token::list_of(tx, person.id).await?,
        None => Vec::new(),
    };
    Ok((person, clients, tokens, source::list(tx).await?))
}

impl Secrets {
    /// Reads them, or draws those that are missing.
    fn keep(data: &Path) -> Result<Self> {
        let first_password = || Secret::new(format!("Start-{}", &draw_client_secret().expose()[..16]));
        Ok(Self {
            client: keep(&data.join("client.secret"), draw_client_secret)?,
            token: keep(&data.join("token.secret"), draw_client_secret)?,
            password: keep(&data.join("first.password"), first_password)?,
        })
    }
}

/// What stands in the file; drawn and written, for its owner only, where there is none.
fn keep(path: &Path, draw: impl FnOnce() -> Secret) -> Result<Secret> {
    if path.exists() {
        let kept = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let kept = Secret::new(kept);
        return Ok(Secret::new(kept.expose().trim_end().to_owned()));
    }
    let drawn = draw();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| writeln!(file, "{}", drawn.expose()));
    written.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(drawn)
}
