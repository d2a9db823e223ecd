//! The product as it is measured: an installation of its own in a folder of its own, and a server that runs on it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::Signal;
use tempfile::TempDir;

use super::kit::{Kit, text};
use crate::http;
use crate::process::{Service, as_user, free_port, run};

/// The API client of every installation, and its secret: a benchmark's own, for servers that live for minutes on
/// loopback.
pub(crate) const CLIENT: &str = "5f3c1b0e-7d42-4a0a-9a43-0c9a6f2c8e11";
const CLIENT_SECRET: &str = "9d1f0c7ab35e4862a4c1e07f3b96d85217e4a90c6bd3f8512c7e06a4b9d8f3e1";
const MASTER_KEY: &str = "6b1e0f5c2d9a48737c10e4b5a2f69d8e3c7a5b14f0d26e98b7a3c5d1e2f40968";

/// An installation: configuration, keys, database.
pub(crate) struct Installation {
    folder: TempDir,
    port: u16,
}

/// A server on an installation.
pub(crate) struct Product {
    pub(crate) service: Service,
    pub(crate) address: String,
    /// From its start until it said that it was ready.
    pub(crate) ready_after: Duration,
}

/// What an installation is made of.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    /// What is applied, besides the API client.
    pub(crate) state: String,
    /// The PostgreSQL database; none: SQLite.
    pub(crate) store: Option<String>,
    /// More lines of the configuration.
    pub(crate) settings: &'static str,
    /// What the only source signs in with: the file `source.password`.
    pub(crate) secret: String,
}

impl Installation {
    /// Makes one.
    pub(crate) fn make(kit: &Kit<'_>, setup: &Setup) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("lockstep-bench-").tempdir().context("creating a folder")?;
        let installation = Self { port: free_port()?, folder };
        let sqlite = format!("sqlite:{}", text(&installation.file("lockstep.db")));
        let configuration = format!(
            "listen = \"127.0.0.1:{port}\"\nbase-url = \"http://127.0.0.1:{port}\"\n[store]\nurl = \"{url}\"\n\
             [master-key]\nfile = \"{key}\"\n[limits]\nrequests = 10000000\nper = \"1s\"\n{settings}",
            port = installation.port,
            url = setup.store.as_ref().unwrap_or(&sqlite),
            settings = setup.settings,
            key = text(&installation.file("master.key")),
        );
        installation.write("lockstep.toml", &configuration)?;
        installation.write("master.key", MASTER_KEY)?;
        installation.write("client.secret", CLIENT_SECRET)?;
        installation.write("source.password", &setup.secret)?;
        let client =
            format!("[[client]]\nid = \"{CLIENT}\"\nname = \"bench\"\nsecret = {{ file = \"client.secret\" }}\n\n");
        installation.write("state.toml", &(client + &setup.state))?;
        let mut apply = Command::new(&kit.lockstep);
        apply.args(["--config", "lockstep.toml", "apply", "state.toml"]).current_dir(installation.folder.path());
        run(&mut apply, &kit.log, kit.stop).context("lockstep apply")?;
        Ok(installation)
    }

    /// A file in its folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> Result<()> {
        let path = self.file(name);
        fs::write(&path, content).with_context(|| format!("writing {name}"))?;
        Ok(fs::set_permissions(&path, Permissions::from_mode(0o600))?)
    }

    /// Starts a server and waits until it is ready.
    pub(crate) fn serve(&self, kit: &Kit<'_>) -> Result<Product> {
        self.serve_on(kit, self.port)
    }

    /// Starts another server on the same database.
    pub(crate) fn serve_beside(&self, kit: &Kit<'_>) -> Result<Product> {
        self.serve_on(kit, free_port()?)
    }

    fn serve_on(&self, kit: &Kit<'_>, port: u16) -> Result<Product> {
        let address = format!("127.0.0.1:{port}");
        let mut command = as_user("root", &kit.lockstep);
        command.args(["--config", "lockstep.toml", "serve", "--listen", &address]).current_dir(self.folder.path());
        let began = Instant::now();
        let mut service = Service::start("lockstep", &mut command, Signal::TERM, &kit.log)?;
        let ready = || http::get(port, "/readyz").is_ok_and(|reply| reply.status == 200);
        // Looked at more often than other servers, because the time is a figure.
        while !ready() && began.elapsed() < Duration::from_secs(2) {
            sleep(Duration::from_millis(1));
        }
        service.wait_until(kit.stop, ready)?;
        Ok(Product { service, address, ready_after: began.elapsed() })
    }

    /// The arguments by which the tool signs in.
    pub(crate) fn client(&self) -> Vec<String> {
        ["--client", CLIENT, "--secret", &text(&self.file("client.secret"))].map(str::to_owned).to_vec()
    }

    /// Prepares so many files of changes for so many people.
    pub(crate) fn prepare(
        &self,
        kit: &Kit<'_>,
        product: &Product,
        people: &People<'_>,
        files: usize,
    ) -> Result<Vec<PathBuf>> {
        let names: Vec<PathBuf> = (0..files).map(|number| self.file(&format!("jobs-{number}.json"))).collect();
        let mut arguments = vec!["prepare".to_owned(), "--server".to_owned(), product.address.clone()];
        arguments.extend(self.client());
        arguments.extend(people.arguments());
        arguments.extend(names.iter().map(|name| text(name)));
        kit.measure(&arguments)?;
        Ok(names)
    }
}

/// The people that a measurement is about.
pub(crate) struct People<'a> {
    pub(crate) source: &'a str,
    pub(crate) prefix: &'a str,
    pub(crate) digits: usize,
    pub(crate) count: usize,
}

impl People<'_> {
    pub(crate) fn arguments(&self) -> Vec<String> {
        let (digits, count) = (self.digits.to_string(), self.count.to_string());
        ["--source", self.source, "--prefix", self.prefix, "--digits", &digits, "--people", &count]
            .map(str::to_owned)
            .to_vec()
    }
}

impl Product {
    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.service.id()
    }

    /// Megabytes of memory that it has.
    pub(crate) fn megabytes(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).context("reading a process's status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes: f64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).context("no VmRSS")?;
        Ok(kilobytes / 1024.0)
    }
}
