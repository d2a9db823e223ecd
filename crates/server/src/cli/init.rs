//! `lockstep init`: a configuration, a master key and a database for a new installation.
//!
//! What it makes is what a person would write; nothing that exists is touched, and where a step fails the earlier ones
//! are taken back.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context, Result, bail};
use clap::Args;
use lockstep_vault::master_key::MasterKey;

use super::{Exit, config_path, enrol, print};
use crate::app::{App, Role};
use crate::config::Config;

/// Make a configuration, a master key and a database
///
/// Writes into the data folder: lockstep.toml (unless --config names another place), master.key, which only its owner
/// may read, and the database lockstep.db. Without --data the configuration is there already, as a package brings it: what
/// it names is made. Nothing that exists is overwritten. There is no first password: --admin gives a link with which the
/// first administrator sets one; `lockstep enrol` gives another.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lockstep init --data ./data --admin admin
  lockstep --config /etc/lockstep/lockstep.toml init --admin admin
  lockstep --config /etc/lockstep/lockstep.toml init --data /var/lib/lockstep --listen 0.0.0.0:8443

Keep a copy of master.key apart from the database's backups: each is useless without the other.")]
pub(super) struct Init {
    /// The data folder; made where it is missing
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", requires = "data")]
    listen: SocketAddr,
    /// The login name of the first administrator: a link is shown with which that person sets a password
    #[arg(long, value_name = "ALIAS")]
    admin: Option<String>,
}

/// What `init` made, or would refuse to overwrite.
pub(super) struct Files {
    /// The configuration.
    pub(super) config: PathBuf,
    /// The master key.
    pub(super) master_key: PathBuf,
    /// The database.
    pub(super) database: PathBuf,
}

/// Runs the command.
pub(super) async fn run(arguments: Init, config: Option<&Path>) -> Result<Exit> {
    let Some(data) = &arguments.data else { return complete(config, arguments.admin.as_deref()).await };
    let files = create(data, arguments.listen, config).await?;
    print::line(format_args!("Made {}", files.config.display()))?;
    print::line(format_args!("Made {}", files.master_key.display()))?;
    print::line(format_args!("Made {}", files.database.display()))?;
    if let Some(alias) = &arguments.admin {
        first_administrator(&files.config, alias).await?;
    }
    let program = format!("lockstep --config {}", files.config.display());
    print::line(format_args!(
        "
Next:
  1. Copy {} to a safe place, apart from the database's backups.
  2. Write what there is (sources, people, clients) into a file; `lockstep apply --help` shows how.
  3. {program} apply state.toml
  4. {program} serve",
        files.master_key.display()
    ))?;
    Ok(Exit::Done)
}

/// Shows the link with which the first administrator sets a password.
async fn first_administrator(config: &Path, alias: &str) -> Result<()> {
    let app = App::open(Config::read(config)?, Role::Tool).await?;
    let link = enrol::made(&app, alias, true).await;
    app.close().await;
    let config = config.display();
    let again =
        format!("all of it is made; try `lockstep --config {config} enrol ALIAS --admin` for the administrator");
    enrol::print_link(alias, &link.context(again)?)
}

/// Makes what a configuration names that exists: the master key's file, and the database.
async fn complete(named: Option<&Path>, admin: Option<&str>) -> Result<Exit> {
    let Ok(path) = config_path(named) else {
        eprintln!(
            "error: there is no configuration to go by: name a folder with --data DIR, or a file with --config FILE"
        );
        return Ok(Exit::Usage);
    };
    let config = Config::read(path)?;
    let database = config.store.url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
    let database = database.map(PathBuf::from);
    for path in config.master_key.file.iter().chain(&database).chain(&config.restore_mark()) {
        if path.exists() {
            bail!("{} exists already; nothing was made or overwritten", path.display());
        }
    }
    if let Some(key) = &config.master_key.file {
        MasterKey::create_file(key)?;
    }
    let made = config.master_key.file.clone();
    match App::open(config, Role::Tool).await {
        Ok(app) => app.close().await,
        Err(error) => {
            // On PostgreSQL the key may wrap what is in the database already: it stays, and `serve` goes on with it.
            if let Some(database) = &database {
                let beside = ["-wal", "-shm"].map(|end| PathBuf::from(format!("{}{end}", database.display())));
                for path in made.iter().chain([database]).chain(&beside) {
                    let _ = fs::remove_file(path);
                }
            }
            return Err(error.into());
        }
    }
    for path in made.iter().chain(&database) {
        print::line(format_args!("Made {}", path.display()))?;
    }
    if let Some(alias) = admin {
        first_administrator(path, alias).await?;
    }
    if let Some(key) = &made {
        let key = key.display();
        print::line(format_args!("\nCopy {key} to a safe place, apart from the database's backups."))?;
    }
    Ok(Exit::Done)
}

/// Makes the files, all or none.
pub(super) async fn create(data: &Path, listen: SocketAddr, config: Option<&Path>) -> Result<Files> {
    let data = absolute(data).with_context(|| format!("{} is no path", data.display()))?;
    let files = Files {
        config: config.map_or_else(|| data.join("lockstep.toml"), Path::to_owned),
        master_key: data.join("master.key"),
        database: data.join("lockstep.db"),
    };
    // A mark that is left belongs to the database before: the new one could not be served from beside it.
    for path in [&files.config, &files.master_key, &files.database, &data.join("restore.mark")] {
        if path.exists() {
            bail!("{} exists already; nothing was overwritten. Choose another --data, or move it away", path.display());
        }
    }
    // TOML and the database's address are text.
    if data.to_str().is_none_or(|text| text.contains(['?', '#', '%', '\n'])) {
        bail!("the path {} has characters that an address of a database cannot have", data.display());
    }
    private_folder(&data)?;
    let made = fill(&files, listen).await;
    if made.is_err() {
        // Half an installation would stop the next attempt; what cannot be removed is told by that one.
        let beside = ["-wal", "-shm"].map(|end| PathBuf::from(format!("{}{end}", files.database.display())));
        for path in [&files.config, &files.master_key, &files.database].into_iter().chain(&beside) {
            let _ = fs::remove_file(path);
        }
    }
    made.map(|()| files)
}

/// Makes a folder that only its owner may enter; one that exists stays as it is.
pub(super) fn private_folder(path: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).with_context(|| format!("cannot make the folder {}", path.display()))
}

async fn fill(files: &Files, listen: SocketAddr) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&files.config)
        .with_context(|| format!("cannot write {}", files.config.display()))?;
    file.write_all(configuration(files, listen).as_bytes())
        .with_context(|| format!("cannot write {}", files.config.display()))?;
    MasterKey::create_file(&files.master_key)?;
    let app = App::open(Config::read(&files.config)?, Role::Tool).await?;
    app.close().await;
    Ok(())
}

/// The configuration file. Commented lines show the defaults.
fn configuration(files: &Files, listen: SocketAddr) -> String {
    let quoted = |text: String| toml::Value::String(text).to_string();
    format!(
        r#"# The configuration of Lockstep: what the server must know before it can open its database.
# Everything else (sources, people, policies, clients) is in the database: see `lockstep apply --help`.
# Lines that are commented out show the defaults.

# Where the server listens.
listen = {listen}

# The address that people and programs reach it by, where that is another one (behind a proxy, for example).
# base-url = "https://lockstep.example.org"

# The server's own certificate. Without it, only this machine may come, or a proxy that ends TLS ([proxy] below).
# [tls]
# certificate = "/etc/lockstep/tls/fullchain.pem"
# key = "/etc/lockstep/tls/privkey.pem"

[store]
# Where everything is kept: a SQLite file, or "postgres://lockstep@host/lockstep" for more than one node.
url = {url}
# A file with the PostgreSQL password.
# password-file = "/etc/lockstep/postgres.password"

[master-key]
# The key above all keys. Exactly one of file, environment (the name of a variable) and credential (systemd's).
file = {key}

# [proxy]
# trusted-proxies = []            # networks, such as "10.0.0.0/8", that may say for whom they ask ...
# header = "x-forwarded-for"      # ... in this header, or in "forwarded"
# allow-plain-http = false        # whether other machines may come without TLS

# [organisation]
# name = "lockstep"
# display-name = "Example"        # what people read on the pages; colour and colour-dark are for them too
# logo = "/etc/lockstep/logo.svg"

# [engine]
# lifetime = "1h"         # how long a change is tried; at most 24h
# grace = "3m"            # how long a write whose answer was lost may still land
# first-retry = "500ms"
# longest-retry = "30s"

# [transport-keys]
# bits = 2048             # or 3072, 4096
# rotate-every = "1d"
# overlap = "1d"          # how long the key before is still accepted

# [limits]
# requests = 100          # of one client to one version of the API ...
# per = "10s"             # ... in this time

# [log]
# format = "text"         # or "json"
# filter = "info"         # or "info,lockstep=debug"
"#,
        listen = quoted(listen.to_string()),
        url = quoted(format!("sqlite:{}", files.database.display())),
        key = quoted(files.master_key.display().to_string()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        Files { config: "/d/c".into(), master_key: "/d/\"k\"".into(), database: "/d/db".into() }
    }

    #[test]
    fn the_commented_lines_are_the_defaults() {
        let listen: SocketAddr = "127.0.0.1:8080".parse().unwrap();
        let text = configuration(&files(), listen);
        let plain: Config = toml::from_str(&text).unwrap();
        let defaults = ["listen", "base-url", "password-file"];
        let uncommented: String = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(field) if defaults.iter().any(|name| field.starts_with(name)) => "",
                Some(field) if field.starts_with('[') || field.contains(" = ") => field,
                _ => line,
            })
            .map(|line| format!("{line}\n"))
            .collect();
        let full: Config = toml::from_str(&uncommented).unwrap();
        assert!(uncommented.contains("\n[engine]\n") && uncommented.contains("\nrequests = 100"), "{uncommented}");
        assert_eq!(plain.engine.lifetime, full.engine.lifetime);
        assert_eq!(plain.engine.grace, full.engine.grace);
        assert_eq!(plain.engine.first_retry, full.engine.first_retry);
        assert_eq!(plain.engine.longest_retry, full.engine.longest_retry);
        assert_eq!(plain.transport_keys.bits, full.transport_keys.bits);
        assert_eq!(plain.transport_keys.rotate_every, full.transport_keys.rotate_every);
        assert_eq!(plain.transport_keys.overlap, full.transport_keys.overlap);
        assert_eq!(plain.limits.requests, full.limits.requests);
        assert_eq!(plain.limits.per, full.limits.per);
        assert_eq!(plain.organisation.name, full.organisation.name);
        assert_eq!(plain.log.format, full.log.format);
    }

    #[test]
    fn a_path_with_quotes_stays_a_string() {
        let text = configuration(&files(), "[::1]:1".parse().unwrap());
        let config: Config = toml::from_str(&text).unwrap();
        assert_eq!(config.master_key.file, Some("/d/\"k\"".into()));
    }
}
