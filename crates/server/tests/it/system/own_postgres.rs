//! A PostgreSQL of one test's own: its data folder may be looked at, it may be cut off as if the power failed, and it may
//! be brought back to a point in time.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::installation::free_port;
use super::until;

/// Whom it runs as where the test is root: PostgreSQL refuses root.
const USER: &str = "postgres";
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with one superuser, `admin`, who needs no password. Its log tells as much as it can.
pub(super) struct OwnPostgres {
    folder: TempDir,
    port: u16,
    archives: bool,
    process: Option<Child>,
}

impl OwnPostgres {
    /// Makes one and starts it.
    pub(super) async fn new() -> Self {
        Self::make(false).await
    }

    /// One that archives its write-ahead log.
    pub(super) async fn archiving() -> Self {
        Self::make(true).await
    }

    async fn make(archives: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("lockstep-postgres-").tempdir().expect("a folder");
        open_to_its_user(folder.path());
        let mut postgres = Self { folder, port: free_port(), archives, process: None };
        fs::create_dir(postgres.at("wal")).expect("a folder");
        open_to_its_user(&postgres.at("wal"));
        let arguments = ["-U", "admin", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--auth=trust", "-D"];
        done(postgres.program("initdb").args(arguments).arg(postgres.at("data"))).await;
        postgres.start().await;
        postgres
    }

    /// The address of a database.
    pub(super) fn url(&self, database: &str) -> String {
        format!("postgres://admin@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// The folder with its data and its log.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it, and waits until it answers.
    pub(super) async fn start(&mut self) {
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.at("data")).args(["-p", &self.port.to_string()]);
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            "log_statement=all".to_owned(),
            "log_min_messages=debug1".to_owned(),
        ];
        if self.archives {
            settings.push("archive_mode=on".to_owned());
            settings.push(format!("archive_command=cp %p {}/%f", self.at("wal").display()));
        }
        for setting in &settings {
            command.args(["-c", setting]);
        }
        let log = File::options().create(true).append(true).open(self.at("server.log")).expect("a log");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        self.process = Some(command.spawn().expect("it starts"));
        until("PostgreSQL answers", PATIENCE, async || {
            let answer = self.psql("SELECT 1").output().await.expect("psql runs");
            answer.status.success().then_some(())
        })
        .await;
    }

    /// Cuts it off: an "immediate shutdown" writes nothing more and leaves the rest to recovery.
    pub(super) async fn cut_off(&mut self) {
        self.end(Signal::QUIT).await;
    }

    /// A copy of all its files while it runs.
    pub(super) async fn base_backup(&self) {
        let copy = self.at("base");
        done(self.program("pg_basebackup").args(["-d", &self.url("postgres"), "-c", "fast", "-D"]).arg(copy)).await;
    }

    /// Names this moment, as one to come back to, and sees that the log up to here is archived.
    pub(super) async fn restore_point(&self, name: &str) {
        let archived = async || fs::read_dir(self.at("wal")).expect("a folder").count();
        let before = archived().await;
        self.sql(&format!("SELECT pg_create_restore_point('{name}')")).await;
        self.sql("SELECT pg_switch_wal()").await;
        until("the log is archived", Duration::from_secs(30), async || (archived().await > before).then_some(())).await;
    }

    /// Stops it, and starts it again from the copy, brought to the point of that name.
    pub(super) async fn recover_to(&mut self, name: &str) {
        self.end(Signal::INT).await;
        fs::rename(self.at("data"), self.at("lost")).expect("moved away");
        fs::rename(self.at("base"), self.at("data")).expect("put back");
        let data = self.at("data");
        let settings = format!(
            "restore_command = 'cp {}/%f %p'\nrecovery_target_name = '{name}'\nrecovery_target_action = 'promote'\n",
            self.at("wal").display()
        );
        let kept = fs::read_to_string(data.join("postgresql.auto.conf")).expect("settings");
        fs::write(data.join("postgresql.auto.conf"), kept + &settings).expect("written");
        fs::write(data.join("recovery.signal"), "").expect("written");
        fs::set_permissions(data.join("recovery.signal"), Permissions::from_mode(0o666)).expect("open to its user");
        self.start().await;
        until("it is promoted", PATIENCE, async || {
            let answer = self.psql("SELECT pg_is_in_recovery()").output().await.expect("psql runs");
            (answer.status.success() && answer.stdout.starts_with(b"f")).then_some(())
        })
        .await;
    }

    /// Runs a statement in the database `postgres`.
    pub(super) async fn sql(&self, statement: &str) {
        done(&mut self.psql(statement)).await;
    }

    async fn end(&mut self, signal: Signal) {
        let mut process = self.process.take().expect("it runs");
        send(&process, signal);
        tokio::time::timeout(PATIENCE, process.wait()).await.expect("ends").expect("its state");
    }

    fn psql(&self, statement: &str) -> Command {
        let mut command = self.program("psql");
        command.args(["-X", "-q", "-t", "-A", "-d", &self.url("postgres"), "-c", statement]);
        command
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program of PostgreSQL, run as the server's user. It ends with the test, however that ends.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        if geteuid().is_root() {
            command.args(["--reuid", USER, "--regid", USER, "--init-groups"]);
        }
        command.args(["--pdeathsig", "QUIT", "--"]).arg(program(name)).current_dir(self.folder.path());
        command
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        // Killed outright, it would leave its children behind.
        let Some(process) = &mut self.process else { return };
        send(process, Signal::QUIT);
        for _ in 0..200 {
            match process.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                _ => break,
            }
        }
    }
}

/// Everybody on this machine may pass: it is a test's, and temporary.
fn open_to_its_user(folder: &Path) {
    fs::set_permissions(folder, Permissions::from_mode(0o777)).expect("open to its user");
}

fn send(process: &Child, signal: Signal) {
    if let Some(pid) = process.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        let _already_gone = kill_process(pid, signal);
    }
}

/// A program of the newest PostgreSQL that is installed; Debian keeps one folder for each version, off the search path.
pub(super) fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let found = versions.filter_map(|entry| {
        let path = entry.ok()?.path();
        let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
        Some((version, path.join("bin").join(name)))
    });
    let (_, path) = found.filter(|(_, path)| Path::exists(path)).max().expect("PostgreSQL is installed");
    path
}

/// Runs a command that must succeed.
pub(super) async fn done(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().await.expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
