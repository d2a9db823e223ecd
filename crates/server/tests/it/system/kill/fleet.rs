//! The server processes of one installation: one on SQLite, any number on PostgreSQL; started, armed, killed.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use lockstep::failpoint::VARIABLE;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;

use crate::system::api::Api;
use crate::system::installation::{Installation, free_port};
use crate::system::until;

/// How long a start or a stop may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The servers.
pub(super) struct Fleet {
    pub(super) installation: Installation,
    nodes: Vec<Node>,
    starts: usize,
}

struct Node {
    port: u16,
    log: PathBuf,
    process: Option<Child>,
}

impl Node {
    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Fleet {
    pub(super) fn new(installation: Installation, nodes: usize) -> Self {
        let node = |_| Node { port: free_port(), log: PathBuf::new(), process: None };
        Self { installation, nodes: (0..nodes).map(node).collect(), starts: 0 }
    }

    pub(super) fn size(&self) -> usize {
        self.nodes.len()
    }

    /// The API at each of the nodes; a token of one is a token of all.
    pub(super) async fn apis(&self) -> Vec<Api> {
        let api = Api::sign_in(&self.nodes[0].url()).await;
        self.nodes.iter().map(|node| api.at(&node.url())).collect()
    }

    /// Starts a server, which may be armed to die somewhere.
    pub(super) fn start(&mut self, node: usize, failpoint: Option<&str>) {
        let listen = self.address(node);
        let variables: Vec<(&str, &str)> = failpoint.map(|failpoint| (VARIABLE, failpoint)).into_iter().collect();
        self.spawn(node, &["serve", "--listen", &listen], &variables);
    }

    /// Where a node listens.
    pub(super) fn address(&self, node: usize) -> String {
        format!("127.0.0.1:{}", self.nodes[node].port)
    }

    /// Starts a node by a command of its own, in an environment of its own.
    pub(super) fn spawn(&mut self, node: usize, arguments: &[&str], variables: &[(&str, &str)]) {
        self.starts += 1;
        self.nodes[node].log = self.installation.logs().join(format!("{}-{node}.log", self.starts));
        let log = File::create(&self.nodes[node].log).expect("a log");
        let mut command = self.installation.command(arguments);
        command.envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log).kill_on_drop(true);
        let before = self.nodes[node].process.replace(command.spawn().expect("it starts"));
        assert!(before.is_none(), "it runs already");
    }

    /// Starts every server that does not run, and waits until all are ready.
    pub(super) async fn start_all(&mut self) {
        for node in 0..self.nodes.len() {
            if self.nodes[node].process.is_none() {
                self.start(node, None);
            }
        }
        for node in 0..self.nodes.len() {
            self.ready(node).await;
        }
    }

    /// Waits until a server is ready.
    ///
    /// # Panics
    /// When it ends instead.
    pub(super) async fn ready(&mut self, node: usize) {
        assert_eq!(
            self.ready_or_dead(node).await,
            None,
            "the server ended, see {}",
            self.installation.logs().display()
        );
    }

    /// Waits until a server is ready, or gives what it ended with.
    pub(super) async fn ready_or_dead(&mut self, node: usize) -> Option<ExitStatus> {
        let ready = format!("{}/readyz", self.nodes[node].url());
        let server = self.nodes[node].process.as_mut().expect("it runs");
        let ended = until("the server is ready", PATIENCE, async || {
            if let Some(status) = server.try_wait().expect("its state") {
                return Some(Some(status));
            }
            let answer = reqwest::get(&ready).await.ok()?;
            (answer.status() == 200).then_some(None)
        })
        .await;
        if ended.is_some() {
            self.nodes[node].process = None;
        }
        ended
    }

    /// Waits until a server has said this.
    pub(super) async fn said(&self, node: usize, text: &str) {
        until(text, PATIENCE, async || {
            let log = fs::read_to_string(&self.nodes[node].log).expect("its log");
            log.contains(text).then_some(())
        })
        .await;
    }

    /// What a server ends with, if it ends in time.
    pub(super) async fn ended(&mut self, node: usize, within: Duration) -> Option<ExitStatus> {
        let server = self.nodes[node].process.as_mut().expect("it runs");
        let status = tokio::time::timeout(within, server.wait()).await.ok()?.expect("its state");
        self.nodes[node].process = None;
        Some(status)
    }

    /// `kill -9`: the process gets no chance to write anything down.
    pub(super) async fn kill(&mut self, node: usize) {
        if let Some(mut server) = self.nodes[node].process.take() {
            server.kill().await.expect("killed");
        }
    }

    pub(super) async fn kill_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.kill(node).await;
        }
    }

    /// Asks a server to stop.
    pub(super) fn ask_to_stop(&self, node: usize) {
        self.signal(node, Signal::TERM);
    }

    /// Sends a server a signal.
    pub(super) fn signal(&self, node: usize, signal: Signal) {
        let server = self.nodes[node].process.as_ref().expect("it runs");
        let pid = server.id().and_then(|id| Pid::from_raw(id.cast_signed())).expect("it runs");
        kill_process(pid, signal).expect("it is there");
    }

    /// Stops every server, and sees that each ends well.
    pub(super) async fn stop_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.ask_to_stop(node);
        }
        for node in 0..self.nodes.len() {
            let status = self.ended(node, PATIENCE).await.expect("it stops");
            assert!(status.success(), "{status}");
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for node in &self.nodes {
                let log = fs::read_to_string(&node.log).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                eprintln!("---- the end of a log\n{}\n----", lines[lines.len().saturating_sub(30)..].join("\n"));
            }
        }
    }
}

/// Whether a process ended by `kill -9`, its own or somebody's.
pub(super) fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::KILL.as_raw())
}
