//! A server that runs: started, spoken to, and stopped by its process id.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A demo that answers.
pub(crate) struct Demo {
    child: Child,
    /// The line that `--json` printed.
    pub(crate) facts: Value,
}

impl Demo {
    /// Starts a demo on a free port with its data in `data`.
    pub(crate) fn start(data: &Path) -> Self {
        let mut child = super::command(Path::new("/"))
            .args(["demo", "--json", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        output.read_line(&mut line).expect("a line");
        let facts = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Self { child, facts }
    }

    pub(crate) fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.facts))
    }

    /// SIGTERM, and the exit code.
    pub(crate) fn stop(mut self) -> i32 {
        signal("TERM", self.child.id());
        wait(&mut self.child, Duration::from_secs(60))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // After `stop` there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to one process.
pub(crate) fn signal(name: &str, process: u32) {
    let sent = Command::new("kill").args(["-s", name, &process.to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

/// Waits for a process to end by itself, and gives its exit code.
pub(crate) fn wait(child: &mut Child, patience: Duration) -> i32 {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.code().expect("it ended by itself");
        }
        if started.elapsed() > patience {
            let _ = child.kill();
            panic!("it did not stop within {patience:?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Reads what a process prints until a line for which `until` holds; gives everything up to and with it.
pub(crate) fn read_until(output: impl Read, until: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    let mut output = BufReader::new(output);
    loop {
        let mut line = String::new();
        assert!(output.read_line(&mut line).expect("text") > 0, "it ended after {text}");
        text.push_str(&line);
        if until(&line) {
            return text;
        }
    }
}
