//! A PostgreSQL of one test's own, so that its data folder can be looked at.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::geteuid;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::installation::free_port;
use super::until;

/// The server; dropping it kills it and removes its data.
pub(super) struct OwnPostgres {
    /// Its superuser's address.
    pub(super) url: String,
    folder: TempDir,
    _server: Child,
}

impl OwnPostgres {
    /// Makes it and starts it. Nobody but this machine reaches it, so there is no password.
    pub(super) async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("lockstep-postgres-").tempdir().expect("a folder");
        if geteuid().is_root() {
            let given = Command::new("chown").arg("postgres:").arg(folder.path()).status().await.expect("chown runs");
            assert!(given.success());
        }
        let data = folder.path().join("data");
        let made = as_postgres("initdb")
            .arg("-D")
            .arg(&data)
            .args(["-U", "admin", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--auth=trust"])
            .current_dir("/")
            .output();
        let made = made.await.expect("initdb runs");
        assert!(made.status.success(), "{made:?}");
        let port = free_port();
        let log = fs::File::create(folder.path().join("server.log")).expect("a log");
        let server = as_postgres("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            // Its log is searched too, and tells as much as it can.
            .args(["-c", "log_statement=all", "-c", "log_min_messages=debug1"])
            .current_dir("/")
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("postgres starts");
        let url = format!("postgres://admin@127.0.0.1:{port}/postgres?sslmode=disable");
        until("PostgreSQL answers", Duration::from_secs(60), async || PgConnection::connect(&url).await.ok()).await;
        Self { url, folder, _server: server }
    }

    /// The folder with its data and its log.
    pub(super) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

/// A program of PostgreSQL's, which refuses to be root's.
fn as_postgres(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    if geteuid().is_root() {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]);
    }
    command.args(["--pdeathsig", "INT", "--"]).arg(binaries().join(program));
    command
}

/// Debian keeps the programs of each version in a folder of their own; the newest is taken.
fn binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let version = |entry: fs::DirEntry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path()));
    let newest = versions.filter_map(|entry| version(entry.ok()?)).max().expect("a version");
    newest.1.join("bin")
}
