//! People's pages in a real browser.
//!
//! The program is `xtask/browser/pages.mjs`, driven by playwright-core and looked at by axe-core; the browser is Debian's Chromium. What it
//! cannot know, whether the password that was changed last really works, is asked of slapd here.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::lockstep::{APPLICATION, Lockstep, PAGES_PERSON};
use crate::paths::find_program;
use crate::process;
use crate::sdk;
use crate::steps::Bench;

/// How many pages are looked at, at least: those of five visits.
const PAGES: u64 = 45;

/// Goes through the pages, and asks the directory what became of the last change.
pub(crate) fn run(bench: &Bench<'_>, log: &Path) -> Result<()> {
    let folder = bench.paths.tools.join("browser");
    fs::copy(bench.paths.root.join("xtask/browser/pages.mjs"), folder.join("pages.mjs"))?;
    let lockstep = Lockstep::start(bench, log)?;
    let words = lockstep.command(bench, log, &["enrol", PAGES_PERSON])?;
    let link = words.split_whitespace().find(|word| word.contains("/enrol#")).context("no link was shown")?;
    let mut program = Command::new("node");
    program
        .arg(folder.join("pages.mjs"))
        .env("LOCKSTEP_TEST_CHROMIUM", find_program("chromium").context("Chromium is not installed")?)
        .env("LOCKSTEP_TEST_BASE_URL", &lockstep.base_url)
        .env("LOCKSTEP_TEST_LINK", link)
        .env("LOCKSTEP_TEST_USER", PAGES_PERSON)
        .env("LOCKSTEP_TEST_APPLICATION", APPLICATION);
    let (status, output) = process::run_for_output(&mut program, log, bench.stop)?;
    ensure!(status.success(), "the pages are not as they should be");
    let line = output.lines().last().context("the program printed nothing")?;
    let result: serde_json::Value = serde_json::from_str(line).context("the program printed no JSON")?;
    ensure!(result["pages"].as_u64() >= Some(PAGES), "only {} pages were looked at", result["pages"]);
    let password = result["password"].as_str().context("no password was changed")?;
    sdk::signs_in(PAGES_PERSON, password, bench, log)
}
