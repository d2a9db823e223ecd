//! People's pages in a real browser.
//!
//! The programs are in `xtask/browser`, driven by playwright-core and looked at by axe-core; the browser is Debian's Chromium. What
//! they cannot know, whether the passwords that were changed really work, is asked of slapd and PostgreSQL here; and in the middle
//! of a change the directory is ended here, and started again when the page has told it.

mod state;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use rustix::process::Signal;

use crate::install::{Installer, Tool};
use crate::lockstep::Lockstep;
use crate::paths::{Paths, find_program};
use crate::process::{self, Service, Stop};
use crate::sdk;
use crate::servers::{Servers, Slapd};
use crate::steps::Bench;

/// The browser's programs.
const PROGRAMS: [&str; 9] = [
    "browser.mjs",
    "pages.mjs",
    "visits.mjs",
    "security.mjs",
    "passkey.mjs",
    "questions.mjs",
    "help.mjs",
    "newcomer.mjs",
    "outage.mjs",
];

/// How many pages are looked at, at least.
const PAGES: u64 = 125;

/// How many people the directory has.
const PEOPLE: u32 = 20;

/// Write a screenshot of every page into target/xtask/screenshots: wide and narrow, light and dark
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Install nothing; say which command would
    #[arg(long)]
    no_install: bool,
}

/// Goes through the pages, and keeps how they look.
pub(crate) fn screenshots(arguments: &Arguments, paths: &Paths, stop: &Stop) -> Result<ExitCode> {
    let installer = Installer { allowed: !arguments.no_install, paths, stop };
    for tool in [Tool::Servers, Tool::Browser] {
        installer.ensure(tool)?;
    }
    let servers = Servers::start(paths, stop)?;
    let folder = paths.tools.join("screenshots");
    let _absent = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let log = paths.log("screenshots");
    go_through(&Bench { paths, stop, servers: Some(&servers) }, &log, Some(&folder))
        .with_context(|| format!("see {}", log.display()))?;
    println!("{}", folder.display());
    Ok(ExitCode::SUCCESS)
}

/// Goes through the pages, and asks the systems what became of the changes.
pub(crate) fn run(bench: &Bench<'_>, log: &Path) -> Result<()> {
    go_through(bench, log, None)
}

fn go_through(bench: &Bench<'_>, log: &Path, screenshots: Option<&Path>) -> Result<()> {
    let folder = bench.paths.tools.join("browser");
    for file in PROGRAMS {
        fs::copy(bench.paths.root.join("xtask/browser").join(file), folder.join(file))?;
    }
    // A directory of its own: it is ended in the middle.
    let own = tempfile::Builder::new().prefix("lockstep-pages-").tempdir().context("creating a folder")?;
    fs::set_permissions(own.path(), fs::Permissions::from_mode(0o711))?;
    let mut slapd = Slapd::with(PEOPLE, &own.path().join("slapd"), log, bench.stop)?;
    let postgres = &bench.servers()?.postgres;
    state::make_table(postgres, bench, log)?;
    let lockstep = Lockstep::with(bench, log, &[], |folder| {
        state::write(folder, &slapd, postgres)?;
        state::name(folder)?;
        Ok(vec!["apply", "state.toml"])
    })?;
    let link = |person: &str| -> Result<String> {
        let words = lockstep.command(bench, log, &["enrol", person])?;
        let link = words.split_whitespace().find(|word| word.contains("/enrol#")).context("no link was shown")?;
        Ok(link.to_owned())
    };

    let demo = Demo::start(bench, &own.path().join("demo"))?;

    let signals = own.path().join("signals");
    fs::create_dir(&signals)?;
    let mut program = Command::new("node");
    program
        .arg(folder.join("pages.mjs"))
        .env("LOCKSTEP_TEST_CHROMIUM", find_program("chromium").context("Chromium is not installed")?)
        .env("LOCKSTEP_TEST_BASE_URL", state::address(lockstep.port))
        .env("LOCKSTEP_TEST_DATABASE", lockstep.database())
        .env("LOCKSTEP_TEST_USER", state::PERSON)
        .env("LOCKSTEP_TEST_LINK", link(state::PERSON)?)
        .env("LOCKSTEP_TEST_HELPER", state::HELPER)
        .env("LOCKSTEP_TEST_HELPER_LINK", link(state::HELPER)?)
        .env("LOCKSTEP_TEST_GROUP", state::GROUP)
        .env("LOCKSTEP_TEST_GUARDED", state::GUARDED)
        .env("LOCKSTEP_TEST_ELSEWHERE", state::TABLE)
        .env("LOCKSTEP_TEST_DEMO_LINK", &demo.link)
        .env("LOCKSTEP_TEST_SIGNALS", &signals);
    if let Some(screenshots) = screenshots {
        program.env("LOCKSTEP_TEST_SCREENSHOTS", screenshots);
    }
    let over = AtomicBool::new(false);
    // The directory is started by this thread: the kernel ends it with the thread that started it.
    let (ran, outage) = thread::scope(|scope| {
        let ran = scope.spawn(|| {
            let ran = process::run_for_output(&mut program, log, bench.stop);
            over.store(true, Ordering::Relaxed);
            ran
        });
        let outage = have_an_outage(&mut slapd, &signals, &over, bench.stop);
        (ran.join().unwrap_or_else(|_| Err(anyhow::anyhow!("running the browser ended in a panic"))), outage)
    });
    let (status, output) = ran?;
    ensure!(status.success(), "the pages are not as they should be");
    outage?;
    let line = output.lines().last().context("the program printed nothing")?;
    let result: serde_json::Value = serde_json::from_str(line).context("the program printed no JSON")?;
    ensure!(result["pages"].as_u64() >= Some(PAGES), "only {} pages were looked at", result["pages"]);
    let password = result["password"].as_str().context("no password was changed")?;
    sdk::signs_in(&slapd, state::PERSON, password, bench, log)?;
    state::signs_in(postgres, password, bench, log)
}

/// `lockstep demo`, as a newcomer starts it.
struct Demo {
    _service: Service,
    link: String,
}

impl Demo {
    fn start(bench: &Bench<'_>, data: &Path) -> Result<Self> {
        let printed = data.with_extension("log");
        let mut command = process::as_user("root", &bench.paths.root.join("target/debug/lockstep"));
        command.args(["demo", "--json", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        let mut service = Service::start("lockstep demo", &mut command, Signal::TERM, &printed)?;
        let facts = || -> Option<serde_json::Value> {
            let printed = fs::read_to_string(&printed).ok()?;
            printed.lines().find_map(|line| serde_json::from_str(line).ok())
        };
        service.wait_until(bench.stop, || facts().is_some())?;
        let link = facts().and_then(|facts| Some(facts["signInLink"].as_str()?.to_owned()));
        Ok(Self { _service: service, link: link.context("the demo printed no link")? })
    }
}

/// Ends the directory when the browser's program asks for it by the file `end`, and starts it again by the file `go-on`.
fn have_an_outage(slapd: &mut Slapd, signals: &Path, over: &AtomicBool, stop: &Stop) -> Result<()> {
    let wait_for = |name: &str| {
        while !signals.join(name).exists() {
            if over.load(Ordering::Relaxed) || stop.is_set() {
                return false;
            }
            thread::sleep(Duration::from_millis(20));
        }
        true
    };
    while wait_for("end") {
        slapd.end();
        fs::rename(signals.join("end"), signals.join("ended"))?;
        let asked = wait_for("go-on");
        slapd.go_on(stop)?;
        if asked {
            fs::remove_file(signals.join("go-on"))?;
        }
    }
    Ok(())
}
