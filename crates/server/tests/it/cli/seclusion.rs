//! The memory of a server: no other process of its user reads it, and no core file gets it.
//!
//! Root reads everything, so the server runs as somebody else when these tests are root's.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::running::{read_until, signal};

/// The user and group that Debian calls `nobody` and `nogroup`.
const NOBODY: u32 = 65534;

/// Allows core files of any size, then becomes another program.
const WITH_CORES: &str = "ulimit -c unlimited && exec \"$0\" \"$@\"";

#[test]
fn neither_another_process_nor_a_core_file_gets_at_a_servers_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("lockstep");
    fs::copy(env!("CARGO_BIN_EXE_lockstep"), &program).expect("copied");
    if is_root() {
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("given away");
    }
    let program = program.to_str().expect("text");
    let made = as_somebody(program, folder.path()).args(["init", "--data", "."]).output().expect("it runs");
    assert!(made.status.success(), "{made:?}");

    // What can be done to any other program shows that it is the server that refuses.
    let mut other = as_somebody("sh", folder.path()).args(["-c", WITH_CORES, "sleep", "600"]).spawn().expect("it runs");
    until(|| read(folder.path(), &other, "cmdline").0.starts_with("sleep"));
    for file in ["environ", "maps", "auxv"] {
        assert!(read(folder.path(), &other, file).1, "{file}: the test would prove nothing");
    }
    assert_eq!(owner(&other), if is_root() { NOBODY } else { rustix::process::geteuid().as_raw() });
    let (signalled, dumped) = abort(&mut other);
    assert!(signalled && dumped, "no core file is made here; see kernel.core_pattern: the test would prove nothing");
    let cores = cores(folder.path());

    let mut server = as_somebody("sh", folder.path())
        .args(["-c", WITH_CORES, program, "--config", "lockstep.toml", "serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    read_until(server.stdout.take().expect("piped"), |line| line.contains("http://"));
    for file in ["environ", "maps", "auxv", "mem", "syscall", "stack"] {
        let (said, could) = read(folder.path(), &server, file);
        assert!(!could && said.contains("Permission denied"), "{file}: {said}");
    }
    assert_eq!(owner(&server), 0, "what is not dumpable is root's");
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id())).expect("readable by everybody");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a line");
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
    assert_eq!(abort(&mut server), (true, false), "a core file of a server");
    assert_eq!(self::cores(folder.path()), cores);
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A program as a user who is not root.
fn as_somebody(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env_remove("LOCKSTEP_CONFIG").env("LC_ALL", "C");
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// What the same user reads, or is told instead, of a process's file below `/proc`; and whether it could.
fn read(folder: &Path, process: &Child, file: &str) -> (String, bool) {
    let path = format!("/proc/{}/{file}", process.id());
    let output = as_somebody("head", folder).args(["-c", "64", &path]).output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&said).into_owned(), output.status.success())
}

fn owner(process: &Child) -> u32 {
    fs::metadata(format!("/proc/{}/environ", process.id())).expect("there").uid()
}

/// Ends a process with the signal that asks for a core file: whether it was ended so, and whether a core was made.
fn abort(process: &mut Child) -> (bool, bool) {
    signal("ABRT", process.id());
    let status = process.wait().expect("its state");
    (status.signal() == Some(6), status.core_dumped())
}

/// How many files look like cores.
fn cores(folder: &Path) -> usize {
    let names = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    names.filter(|name| name.to_string_lossy().starts_with("core")).count()
}

fn until(holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "not in time");
        std::thread::sleep(Duration::from_millis(20));
    }
}
