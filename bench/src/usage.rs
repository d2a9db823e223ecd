//! What processes used of the processors, as the kernel counts it for each of their threads, and of the disk.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;

/// What the kernel counts in: hundredths of a second, on every Linux that we know.
const TICKS: f64 = 100.0;

/// Seconds of processor time, user and system; bytes for the disk.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Usage {
    /// Of the whole process, ended threads too.
    pub(crate) seconds: f64,
    /// Of its living threads, by their names without the number at the end.
    pub(crate) threads: BTreeMap<String, f64>,
    /// Bytes that were to be written to a disk; no number where the kernel does not say it to this user.
    pub(crate) written: f64,
}

impl Usage {
    /// What the process `pid` used since it was started.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let (_, seconds) = stat(&format!("/proc/{pid}/stat"))?;
        let mut threads = BTreeMap::new();
        for thread in fs::read_dir(format!("/proc/{pid}/task")).context("cannot list the threads of a process")? {
            // A thread may end at any time.
            let Ok((name, seconds)) = stat(&format!("{}/stat", thread?.path().display())) else { continue };
            let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned();
            *threads.entry(name).or_default() += seconds;
        }
        let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
        let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok());
        Ok(Self { seconds, threads, written: written.unwrap_or(f64::NAN) })
    }

    /// What this process used.
    pub(crate) fn own() -> Result<Self> {
        Self::of(std::process::id())
    }

    /// What was used since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let thread = |(name, seconds): (&String, &f64)| {
            (name.clone(), seconds - before.threads.get(name).copied().unwrap_or_default())
        };
        Self {
            seconds: self.seconds - before.seconds,
            threads: self.threads.iter().map(thread).collect(),
            written: self.written - before.written,
        }
    }
}

/// What the machine's processors did since it was started, in [`TICKS`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    all: f64,
    stolen: f64,
}

impl Machine {
    /// Until now.
    pub(crate) fn now() -> Result<Self> {
        let text = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
        Self::parse(&text).context("/proc/stat does not look as expected")
    }

    /// Which part of their time somebody else on the same host had since `before`.
    pub(crate) fn stolen_since(&self, before: &Self) -> f64 {
        (self.stolen - before.stolen) / (self.all - before.all).max(1.0)
    }

    /// user nice system idle iowait irq softirq steal; what comes after that is counted there already.
    fn parse(text: &str) -> Option<Self> {
        let fields = text.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
        let fields: Vec<f64> = fields.map(|field| field.parse().ok()).collect::<Option<_>>()?;
        Some(Self { all: fields.iter().sum(), stolen: *fields.get(7)? })
    }
}

/// The name, and the seconds of user and system time.
fn stat(path: &str) -> Result<(String, f64)> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    parse(&text).with_context(|| format!("{path} does not look as expected"))
}

fn parse(text: &str) -> Option<(String, f64)> {
    // The name stands in parentheses and may hold some itself.
    let (head, tail) = text.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let mut fields = tail.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((name.to_owned(), (user + system) / TICKS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_parentheses() {
        let line = "71 (a (b) c) S 1 71 71 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 100";
        assert_eq!(parse(line), Some(("a (b) c".to_owned(), 3.0)));
    }

    #[test]
    fn what_was_stolen_is_the_eighth_field() {
        let machine = Machine::parse("cpu  10 0 10 50 10 0 0 20 7 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n").unwrap();
        assert_eq!((machine.all, machine.stolen), (100.0, 20.0));
        let before = Machine { all: 60.0, stolen: 10.0 };
        assert_eq!(machine.stolen_since(&before), 0.25);
        assert!(Machine::now().unwrap().all > 0.0);
    }

    #[test]
    fn this_process_used_something() {
        let began = std::time::Instant::now();
        while began.elapsed() < std::time::Duration::from_millis(50) {}
        assert!(Usage::own().unwrap().seconds > 0.0);
    }
}
