//! A `lockstep serve` of its own for one step: built, initialised, filled with one source and a few people, started.
//!
//! Only the command line and the two files are used, as an administrator would use them. The source is the slapd of
//! [`crate::servers`]; each step that changes passwords has a person of its own, so that steps do not meet.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::http;
use crate::process::{Service, as_user, free_port, run, run_for_output, succeeds};
use crate::servers::Slapd;
use crate::steps::{Bench, cargo};

/// The source's name, as a caller of query-password-info spells it.
pub(crate) const SOURCE: &str = "Corporate Directory";
/// The people of the directory who are also identities of this server; alias and uid are the same word.
pub(crate) const PEOPLE: [&str; 4] = ["user08142", "user08200", "user08300", "user08400"];

const CLIENT_ID: &str = "5f3c1b0e-7d42-4a0a-9a43-0c9a6f2c8e11";
/// A client that may administer, too.
const ADMINISTRATOR_ID: &str = "0b7a52c4-6a1e-4f3b-8d2e-51c9e0f4a733";
/// A test's own secret, of both, for a server that lives for seconds on loopback.
const CLIENT_SECRET: &str = "9d1f0c7ab35e4862a4c1e07f3b96d85217e4a90c6bd3f8512c7e06a4b9d8f3e1";

/// A running server; dropping it stops it and removes its folder.
#[derive(Debug)]
pub(crate) struct Lockstep {
    _service: Service,
    pub(crate) base_url: String,
    pub(crate) client_id: &'static str,
    pub(crate) client_secret: &'static str,
    pub(crate) port: u16,
    binary: PathBuf,
    folder: TempDir,
}

impl Lockstep {
    /// Builds the binary if needed and brings up a server with a source and a few people; everything it says goes to `log`.
    pub(crate) fn start(bench: &Bench<'_>, log: &Path) -> Result<Self> {
        Self::with(bench, log, &[], |folder| {
            write_files(folder, &bench.servers()?.slapd)?;
            Ok(vec!["apply", "state.toml"])
        })
    }

    /// A server with nothing but its first administrator, `admin`.
    pub(crate) fn empty(bench: &Bench<'_>, log: &Path) -> Result<Self> {
        Self::with(bench, log, &["--admin", "admin"], |_| Ok(Vec::new()))
    }

    /// Makes the folder, by `init` with these options and by the command that `fill` gives, and starts the server.
    pub(crate) fn with(
        bench: &Bench<'_>,
        log: &Path,
        init: &[&str],
        fill: impl FnOnce(&Path) -> Result<Vec<&'static str>>,
    ) -> Result<Self> {
        let stop = bench.stop;
        run(cargo().args(["build", "--package", "lockstep", "--locked"]).current_dir(&bench.paths.root), log, stop)?;
        let binary = bench.paths.root.join("target/debug/lockstep");
        if succeeds(Command::new("grep").args(["--quiet", "--text", "LOCKSTEP_FAILPOINT"]).arg(&binary)) {
            bail!("failpoints are for tests, and the product's own build has them");
        }

        let folder = tempfile::Builder::new().prefix("lockstep-serve-").tempdir().context("creating a folder")?;
        let port = free_port()?;
        let lockstep = |arguments: &[&str]| {
            let mut command = Command::new(&binary);
            run(command.args(["--config", "lockstep.toml"]).args(arguments).current_dir(folder.path()), log, stop)
        };
        let address = format!("127.0.0.1:{port}");
        lockstep(&[&["init", "--data", ".", "--listen", &address], init].concat()).context("lockstep init")?;
        let command = fill(folder.path())?;
        if !command.is_empty() {
            lockstep(&command).with_context(|| format!("lockstep {}", command.join(" ")))?;
        }

        let mut command = as_user("root", &binary);
        command.args(["--config", "lockstep.toml", "serve"]).current_dir(folder.path());
        let mut service = Service::start("lockstep", &mut command, Signal::TERM, log)?;
        service.wait_until(stop, || http::get(port, "/readyz").is_ok_and(|reply| reply.status == 200))?;
        Ok(Self {
            _service: service,
            base_url: format!("http://127.0.0.1:{port}"),
            client_id: CLIENT_ID,
            client_secret: CLIENT_SECRET,
            port,
            binary,
            folder,
        })
    }

    /// The file of its own database.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("lockstep.db")
    }

    /// What a command prints that runs beside the server.
    pub(crate) fn command(&self, bench: &Bench<'_>, log: &Path, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.binary);
        command.args(["--config", "lockstep.toml"]).args(arguments).current_dir(self.folder.path());
        let (status, output) = run_for_output(&mut command, log, bench.stop)?;
        match status.success() {
            true => Ok(output),
            false => bail!("lockstep {} ended with {status}", arguments.join(" ")),
        }
    }

    /// Id and secret of a personal access token of the person.
    pub(crate) fn personal_access_token(&self, bench: &Bench<'_>, log: &Path, alias: &str) -> Result<(String, String)> {
        let printed = self.command(bench, log, &["token", "--identity", alias, "--name", "xtask"])?;
        let mut words = printed.split_whitespace();
        let mut after = |name: &str| {
            let word = words.by_ref().skip_while(|word| *word != name).nth(1);
            word.map(str::to_owned).with_context(|| format!("lockstep token printed no {name}"))
        };
        Ok((after("id")?, after("secret")?))
    }

    /// An access token of the client that changes passwords.
    pub(crate) fn token(&self) -> Result<String> {
        self.token_of(self.client_id)
    }

    /// The status of what is read with a token.
    pub(crate) fn get(&self, path: &str, token: &str) -> Result<u16> {
        Ok(http::get_as(self.port, path, token)?.status)
    }

    /// An access token of the client that may administer.
    pub(crate) fn administrators_token(&self) -> Result<String> {
        self.token_of(ADMINISTRATOR_ID)
    }

    fn token_of(&self, client: &str) -> Result<String> {
        let form = format!("grant_type=client_credentials&client_id={client}&client_secret={}", self.client_secret);
        let reply = http::post_form(self.port, "/oauth/token", &form).context("asking for a token")?;
        let body: serde_json::Value = serde_json::from_str(&reply.body)
            .with_context(|| format!("the token endpoint answered {}: {}", reply.status, reply.body))?;
        let token = body["access_token"].as_str();
        Ok(token.with_context(|| format!("the token endpoint answered {}: {}", reply.status, reply.body))?.to_owned())
    }
}

/// The rate limit out of the way (the fuzzer is meant to reach the handlers, not the limiter), the wanted state, and the
/// secrets that it refers to.
fn write_files(folder: &Path, slapd: &Slapd) -> Result<()> {
    write_secret(folder, "client.secret", CLIENT_SECRET)?;
    write_secret(folder, "directory.password", "svcsecret")?;
    lift_limit(folder)?;
    fs::write(folder.join("state.toml"), state(slapd)).context("writing state.toml")
}

/// A file that only its owner reads.
pub(crate) fn write_secret(folder: &Path, name: &str, value: &str) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, value).with_context(|| format!("writing {name}"))?;
    Ok(fs::set_permissions(&path, Permissions::from_mode(0o600))?)
}

/// Takes the rate limit out of the way.
fn lift_limit(folder: &Path) -> Result<()> {
    let mut configuration = OpenOptions::new().append(true).open(folder.join("lockstep.toml"))?;
    configuration.write_all(b"\n[limits]\nrequests = 1000000\n").context("writing lockstep.toml")
}

fn state(slapd: &Slapd) -> String {
    let mut state = format!(
        r#"[org-config]
digitTokenEnabled = true

[[client]]
id = "{CLIENT_ID}"
name = "xtask"
secret = {{ file = "client.secret" }}

[[client]]
id = "{ADMINISTRATOR_ID}"
name = "xtask-administrator"
secret = {{ file = "client.secret" }}
levels = ["ORG_ADMIN"]

[[password-policy]]
name = "Directory"
minLength = 8

[[source]]
name = "{SOURCE}"
connector = "ldap"
config = {{ url = "{url}", ca_file = "{authority}", bind_dn = "cn=svc,dc=example,dc=test" }}
secrets = {{ password = {{ file = "directory.password" }} }}
policies = [{{ policy = "Directory" }}]

"#,
        url = slapd.ldaps_url,
        authority = slapd.authority().display(),
    );
    for uid in PEOPLE {
        state.push_str(&format!(
            r#"
[[identity]]
alias = "{uid}"
[[identity.account]]
source = "{SOURCE}"
native-id = "{native_id}"
"#,
            native_id = Slapd::person(uid),
        ));
    }
    state
}
