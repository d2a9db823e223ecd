//! An installation in a folder of its own, made, filled, started and stopped by the program's own commands.

use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use toml::Table;

use super::api::Api;
use super::rows::Rows;
use super::state::{CLIENT_SECRET, CLIENTS, State};
use super::until;

const PROGRAM: &str = env!("CARGO_BIN_EXE_lockstep");

/// How long a start or a stop may take; both take less than a second unless the machine is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// An installation. Dropping it kills its server and removes its folder.
pub(super) struct Installation {
    folder: TempDir,
    port: u16,
    server: Option<Child>,
    starts: u32,
    store: Rows,
    /// A program and its arguments that execute the server: nothing, or `strace`, or `env` with variables.
    pub(super) under: Vec<String>,
}

impl Installation {
    /// Runs `init`, puts `settings` into the configuration that it wrote, and has `state` applied. No server runs yet.
    pub(super) async fn new(settings: Table, state: &State) -> Self {
        let folder = tempfile::Builder::new().prefix("lockstep-system-").tempdir().expect("a folder");
        Self::in_folder(folder, settings, state).await
    }

    /// The same in a folder that was made for it.
    pub(super) async fn in_folder(folder: TempDir, settings: Table, state: &State) -> Self {
        let port = free_port();
        let data = folder.path().join("data");
        let store = Rows::Sqlite(data.join("lockstep.db"));
        let mut installation = Self { folder, port, server: None, starts: 0, store, under: Vec::new() };
        let listen = format!("127.0.0.1:{port}");
        installation.run(&["init", "--data", data.to_str().expect("text"), "--listen", &listen]).await;
        installation.configure(settings);
        fs::create_dir(installation.logs()).expect("a folder");
        installation.apply(state).await;
        installation
    }

    /// Starts the server and waits until it says that it is ready.
    pub(super) async fn start(&mut self) {
        assert!(self.server.is_none(), "it runs already");
        self.starts += 1;
        let mut server = self.serve(&format!("127.0.0.1:{}", self.port));
        let ready = format!("{}/readyz", self.url());
        until("the server is ready", PATIENCE, async || {
            if let Some(status) = server.try_wait().expect("its state") {
                panic!("the server ended with {status}:\n{}", self.log());
            }
            let answer = reqwest::get(&ready).await.ok()?;
            (answer.status() == 200).then_some(())
        })
        .await;
        self.server = Some(server);
    }

    /// `kill -9`: the process gets no chance to write anything down.
    pub(super) async fn kill(&mut self) {
        let mut server = self.server.take().expect("it runs");
        server.kill().await.expect("killed");
    }

    /// `kill -TERM`, and waits for the end.
    pub(super) async fn stop(&mut self) -> ExitStatus {
        self.end(Signal::TERM).await
    }

    /// Sends a signal that ends the server, and waits for the end.
    pub(super) async fn end(&mut self, signal: Signal) -> ExitStatus {
        let pid = Pid::from_raw(self.pid().cast_signed()).expect("it runs");
        let mut server = self.server.take().expect("it runs");
        kill_process(pid, signal).expect("asked to stop");
        tokio::time::timeout(PATIENCE, server.wait()).await.expect("stops").expect("its state")
    }

    /// The server's process.
    pub(super) fn pid(&self) -> u32 {
        self.server.as_ref().and_then(Child::id).expect("it runs")
    }

    /// Waits until the server ends by itself, and gives what it said in the end.
    pub(super) async fn ended(&mut self) -> (ExitStatus, String) {
        let mut server = self.server.take().expect("it runs");
        let status = tokio::time::timeout(PATIENCE, server.wait()).await.expect("it ends").expect("its state");
        (status, self.log())
    }

    /// Runs a second server on the same data, and gives what it said when it ended.
    pub(super) async fn second_server(&self) -> Output {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
        tokio::time::timeout(PATIENCE, output).await.expect("it ends").expect("it runs")
    }

    /// The API, with a token for each of the clients.
    pub(super) async fn api(&self) -> Api {
        Api::sign_in(&self.url()).await
    }

    /// The database, read without the server's help.
    pub(super) fn store(&self) -> &Rows {
        &self.store
    }

    /// The folder that holds everything the server writes: database, keys, logs.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where what the servers say is kept.
    pub(super) fn logs(&self) -> PathBuf {
        self.data().join("logs")
    }

    /// What the latest server said.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.logs().join(format!("{}.log", self.starts))).unwrap_or_default()
    }

    /// Puts tables into the configuration, field by field.
    pub(super) fn configure(&mut self, settings: Table) {
        let path = self.config();
        let mut config: Table = fs::read_to_string(&path).expect("written by init").parse().expect("TOML");
        for (name, fields) in settings {
            let toml::Value::Table(fields) = fields else {
                config.insert(name, fields);
                continue;
            };
            let table = config.entry(name).or_insert_with(|| Table::new().into()).as_table_mut().expect("a table");
            table.extend(fields);
        }
        if let Some(url) = config["store"]["url"].as_str().filter(|url| url.starts_with("postgres:")) {
            self.store = Rows::Postgres(url.to_owned());
        }
        fs::write(path, config.to_string()).expect("written");
    }

    async fn apply(&self, state: &State) {
        let folder = self.folder.path().join("state");
        fs::create_dir(&folder).expect("a folder");
        let sources = state.source.iter().filter_map(|source| Some((source.name, source.password.as_deref()?)));
        for (name, secret) in sources.chain(CLIENTS.iter().map(|client| (client.name, CLIENT_SECRET))) {
            let path = folder.join(format!("{name}.secret"));
            fs::write(&path, secret).expect("written");
            fs::set_permissions(path, Permissions::from_mode(0o600)).expect("private");
        }
        let file = folder.join("state.toml");
        fs::write(&file, state.text()).expect("written");
        self.run(&["apply", file.to_str().expect("text")]).await;
    }

    fn serve(&self, listen: &str) -> Child {
        let log = File::create(self.logs().join(format!("{}.log", self.starts))).expect("a log");
        let mut command = self.command_under(&self.under, &["serve", "--listen", listen]);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log).kill_on_drop(true);
        command.spawn().expect("it starts")
    }

    /// Runs a command that ends by itself, and gives what it printed.
    pub(super) async fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().await.expect("it runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// The program on this installation's configuration.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        self.command_under(&[], arguments)
    }

    fn command_under(&self, under: &[String], arguments: &[&str]) -> Command {
        let mut words = under.iter().map(String::as_str).chain([PROGRAM]);
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words);
        // `init` writes the configuration where nothing else is named: into the data folder.
        if arguments[0] != "init" {
            command.arg("--config").arg(self.config());
        }
        command.args(arguments).env_remove("LOCKSTEP_CONFIG").current_dir(self.folder.path());
        command
    }

    fn config(&self) -> PathBuf {
        self.data().join("lockstep.toml")
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("---- the end of the server's log\n{end}\n----");
        }
    }
}

/// Settings for a server that is driven hard and must not make a test wait: a write whose answer was lost can land for
/// milliseconds on loopback, not for minutes. Longer than that all the same, since nothing is sent any more when a
/// quarter of it has passed, and nobody waits for an answer when half of it has: on a busy machine that is soon so.
pub(super) fn quick() -> Table {
    toml::toml! {
        [engine]
        grace = "8s"
        first-retry = "100ms"
        longest-retry = "1s"
        [limits]
        requests = 1000000
    }
}

/// A port that nobody has at the moment. It stays the same when the server is started again, as a real one's would.
pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port()
}

/// Every file below a folder.
pub(super) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files
}
