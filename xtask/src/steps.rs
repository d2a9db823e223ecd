//! The checks, one after another: what each needs and what it runs.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::authlib;
use crate::install::Tool;
use crate::pages;
use crate::paths::Paths;
use crate::process::{Stop, run};
use crate::prove;
use crate::schemathesis;
use crate::sdk::{self, Sdk};
use crate::servers::Servers;

/// How many seeds every change is tried with.
const SEEDS: u64 = 10_000;

/// One check. They run in this order: the quick ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// cargo fmt --check
    Fmt,
    /// cargo clippy over all targets, warnings are errors
    Clippy,
    /// cargo deny check bans licenses sources
    Deny,
    /// cargo doc of our crates, warnings are errors
    Doc,
    /// cargo test of the workspace, with the real servers
    Test,
    /// 10,000 simulated runs of the engine
    Simulation,
    /// The official Python SDK 1.4.2 (v2024 addresses) changes a password in slapd
    #[value(name = "sdk-python-142")]
    SdkPython142,
    /// The newest official Python SDK (new addresses) changes a password in slapd
    SdkPythonLatest,
    /// The official TypeScript SDK changes a password in slapd
    SdkTypescript,
    /// The official Go SDK v2 changes a password in slapd
    SdkGo,
    /// The official Python SDK 1.4.2 sets an empty server up and changes a password in slapd and PostgreSQL
    #[value(name = "admin-python-142")]
    AdminPython142,
    /// The newest official Python SDK does the same under the new addresses
    AdminPythonLatest,
    /// The official TypeScript SDK does the same
    AdminTypescript,
    /// Authlib signs a person in at an application, refreshes and revokes
    #[value(name = "oauth-authlib")]
    OauthAuthlib,
    /// People's pages in Chromium: wide and narrow, light and dark, with and without JavaScript, by the keyboard, under axe-core
    Pages,
    /// Bad input, generated from our OpenAPI document, to every operation
    Schemathesis,
}

/// What a step runs with.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) paths: &'a Paths,
    pub(crate) stop: &'a Stop,
    /// The servers; `None` if no selected step needs them.
    pub(crate) servers: Option<&'a Servers>,
}

impl Bench<'_> {
    /// The servers, for a step that said it needs them.
    pub(crate) fn servers(&self) -> Result<&Servers> {
        self.servers.context("the servers are not running")
    }
}

impl Step {
    /// The name on the command line, in the table and of the log file.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// One line for `--list`.
    pub(crate) fn about(self) -> String {
        self.to_possible_value().and_then(|value| Some(value.get_help()?.to_string())).unwrap_or_default()
    }

    /// What must be installed.
    pub(crate) fn tools(self) -> &'static [Tool] {
        match self {
            Self::Fmt | Self::Clippy | Self::Doc | Self::Simulation => &[],
            Self::Deny => &[Tool::CargoDeny],
            Self::Test => &[Tool::Servers],
            Self::SdkPython142 | Self::AdminPython142 => &[Tool::Servers, Tool::Python142],
            Self::SdkPythonLatest | Self::AdminPythonLatest => &[Tool::Servers, Tool::PythonLatest],
            Self::SdkTypescript | Self::AdminTypescript => &[Tool::Servers, Tool::Typescript],
            Self::SdkGo => &[Tool::Servers, Tool::Go],
            Self::OauthAuthlib => &[Tool::Servers, Tool::Authlib],
            Self::Pages => &[Tool::Servers, Tool::Browser],
            Self::Schemathesis => &[Tool::Servers, Tool::Schemathesis],
        }
    }

    /// Runs the check; everything it prints goes to its log.
    pub(crate) fn run(self, bench: &Bench<'_>) -> Result<()> {
        let log = bench.paths.log(&self.name());
        let in_workspace = |command: &mut Command| run(command.current_dir(&bench.paths.root), &log, bench.stop);
        match self {
            Self::Fmt => in_workspace(cargo().args(["fmt", "--all", "--check"])),
            Self::Clippy => in_workspace(cargo().args([
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "-D",
                "warnings",
            ])),
            Self::Deny => {
                let mut command = Command::new(bench.paths.program("cargo-deny"));
                in_workspace(command.args(["--workspace", "--locked", "check", "bans", "licenses", "sources"]))
            }
            Self::Doc => {
                let mut command = cargo();
                command.args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings");
                in_workspace(&mut command)
            }
            Self::Test => {
                let mut command = cargo();
                command.args(["test", "--workspace", "--locked"]).envs(bench.servers()?.environment());
                in_workspace(&mut command)
            }
            Self::Simulation => in_workspace(&mut prove::simulation::command(&bench.paths.root, SEEDS)),
            Self::SdkPython142 => sdk::run(Sdk::Python142, bench, &log),
            Self::SdkPythonLatest => sdk::run(Sdk::PythonLatest, bench, &log),
            Self::SdkTypescript => sdk::run(Sdk::Typescript, bench, &log),
            Self::SdkGo => sdk::run(Sdk::Go, bench, &log),
            Self::AdminPython142 => sdk::administer(Sdk::Python142, bench, &log),
            Self::AdminPythonLatest => sdk::administer(Sdk::PythonLatest, bench, &log),
            Self::AdminTypescript => sdk::administer(Sdk::Typescript, bench, &log),
            Self::OauthAuthlib => authlib::run(bench, &log),
            Self::Pages => pages::run(bench, &log),
            Self::Schemathesis => schemathesis::run(bench, &log),
        }
    }
}

/// The cargo that started this tool, without the variables by which it described this tool's own build: build scripts
/// that look at them would run again.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(Path::new(&program));
    for (name, _) in std::env::vars_os() {
        let described = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "CARGO_PRIMARY_PACKAGE"
        });
        if described {
            command.env_remove(name);
        }
    }
    command
}
