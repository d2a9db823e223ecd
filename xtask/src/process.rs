//! Child processes: run one to its end, or keep one as a server until it is dropped; never leave one behind.
//!
//! Every child leads a process group of its own, so that Ctrl-C reaches only this tool, which then ends its children
//! itself, in order. Processes are ended by id, never by name.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How often a child is looked at.
const TICK: Duration = Duration::from_millis(20);
/// A command that takes longer than this hangs.
const COMMAND_LIMIT: Duration = Duration::from_secs(40 * 60);
/// How long a server may take to answer after its start.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// How long a child may take to end when asked, before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// Whether somebody asked this tool to stop (Ctrl-C, SIGTERM, the terminal closed).
#[derive(Debug, Clone)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Turns the three signals into this flag; everything that waits looks at it.
    pub(crate) fn on_signals() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&flag)).context("registering a signal handler")?;
        }
        Ok(Self(flag))
    }

    /// True from the first signal on.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Fails once a stop was asked for.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_set() { bail!("interrupted") } else { Ok(()) }
    }

    /// Blocks until a signal comes.
    pub(crate) fn wait(&self) {
        while !self.is_set() {
            sleep(TICK);
        }
    }
}

/// Runs a command to its end with both outputs appended to `log`; an exit code other than 0 is an error.
pub(crate) fn run(command: &mut Command, log: &Path, stop: &Stop) -> Result<()> {
    let output = header(command, log)?;
    let status = finish(command, output.try_clone()?.into(), output.into(), stop)?;
    if !status.success() {
        bail!("{} ended with {status}", program(command));
    }
    Ok(())
}

/// Like [`run`], but standard output comes back as text (and is copied to `log`), whatever the exit code is.
pub(crate) fn run_for_output(command: &mut Command, log: &Path, stop: &Stop) -> Result<(ExitStatus, String)> {
    let mut output = header(command, log)?;
    let captured = tempfile::NamedTempFile::new()?;
    let status = finish(command, captured.reopen()?.into(), output.try_clone()?.into(), stop)?;
    let text = fs::read_to_string(captured.path()).context("reading the output of a command")?;
    output.write_all(text.as_bytes())?;
    Ok((status, text))
}

/// True if the command can be started and ends with 0; its output is dropped. For questions such as "is it ready?".
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The last `count` lines of a file, for showing why something failed.
pub(crate) fn tail(log: &Path, count: usize) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// A port of 127.0.0.1 that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}

/// True if this process is root, whom PostgreSQL and MariaDB refuse to run as.
pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// A command that runs `program` as `user` when this process is root, and as itself otherwise.
///
/// `setpriv` also lets the kernel end the program if this tool is killed before it can clean up.
pub(crate) fn as_user(user: &str, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid", user, "--regid", user, "--init-groups"]);
    }
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}

/// A server under our care: ended when this value is dropped, by return, error or panic.
#[derive(Debug)]
pub(crate) struct Service {
    name: &'static str,
    child: Child,
    end: Signal,
    log: PathBuf,
}

impl Service {
    /// Starts the server with both outputs in `log`; `end` is the signal that it takes as "finish quickly".
    pub(crate) fn start(name: &'static str, command: &mut Command, end: Signal, log: &Path) -> Result<Self> {
        let output = header(command, log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        Ok(Self { name, child, end, log: log.to_path_buf() })
    }

    /// The id of its process: `setpriv` becomes the server.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready` says yes. Fails if the server ends first, takes too long, or a stop is asked for.
    pub(crate) fn wait_until(&mut self, stop: &Stop, ready: impl Fn() -> bool) -> Result<()> {
        let begin = Instant::now();
        while !ready() {
            stop.check()?;
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status} instead of starting:\n{}", self.name, tail(&self.log, 30));
            }
            if begin.elapsed() > READY_LIMIT {
                bail!("{} was not ready after {READY_LIMIT:?}:\n{}", self.name, tail(&self.log, 30));
            }
            sleep(TICK);
        }
        Ok(())
    }

    /// Waits until `ready` says yes, or the server has ended by itself and well.
    pub(crate) fn wait_for_end_or(&mut self, stop: &Stop, ready: impl Fn() -> bool) -> Result<()> {
        let begin = Instant::now();
        while !ready() {
            stop.check()?;
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("{} ended with {status}:\n{}", self.name, tail(&self.log, 30)),
                None => sleep(TICK),
            }
            if begin.elapsed() > READY_LIMIT {
                bail!("{} did not do it in {READY_LIMIT:?}:\n{}", self.name, tail(&self.log, 30));
            }
        }
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let pid = Pid::from_child(&self.child);
        let _already_gone = kill_process(pid, self.end);
        end(&mut self.child);
    }
}

/// A command under way; ended with its whole group if it is dropped before it finished.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _already_gone = kill_process_group(Pid::from_child(&self.0), Signal::TERM);
            end(&mut self.0);
        }
    }
}

fn finish(command: &mut Command, stdout: Stdio, stderr: Stdio, stop: &Stop) -> Result<ExitStatus> {
    stop.check()?;
    let child = command
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0)
        .spawn()
        .with_context(|| format!("starting {}", program(command)))?;
    let mut running = Running(child);
    let begin = Instant::now();
    loop {
        if let Some(status) = running.0.try_wait()? {
            return Ok(status);
        }
        stop.check()?;
        if begin.elapsed() > COMMAND_LIMIT {
            bail!("{} was still running after {COMMAND_LIMIT:?}", program(command));
        }
        sleep(TICK);
    }
}

/// Waits for a child that was asked to end, and kills its group when it does not.
fn end(child: &mut Child) {
    let begin = Instant::now();
    while begin.elapsed() < GRACE {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        sleep(TICK);
    }
    let _already_gone = kill_process_group(Pid::from_child(child), Signal::KILL);
    let _reaped = child.wait();
}

/// Opens the log and writes what is about to run: program and arguments, never the environment.
fn header(command: &Command, log: &Path) -> Result<File> {
    let mut output =
        OpenOptions::new().create(true).append(true).open(log).with_context(|| format!("opening {}", log.display()))?;
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
    writeln!(output, "$ {} {}", program(command), arguments.join(" "))?;
    Ok(output)
}

fn program(command: &Command) -> String {
    let path = Path::new(command.get_program());
    path.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned()
}
