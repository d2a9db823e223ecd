//! `cargo xtask prove package`: the package on a bare Debian, from its installation to its purge.

mod bare;
mod confinement;
mod people;

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use rustix::process::Signal;

use crate::http;
use crate::install::{Installer, Tool};
use crate::package;
use crate::paths::Paths;
use crate::process::{Service, Stop, free_port, is_root};
use bare::Bare;

/// Where the package puts what it brings.
const CONFIGURATION: &str = "etc/lockstep/lockstep.toml";
const UNIT: &str = "lib/systemd/system/lockstep.service";
const DATA: &str = "var/lib/lockstep";

const CLIENT_ID: &str = "5f3c1b0e-7d42-4a0a-9a43-0c9a6f2c8e11";
/// A test's own secret for a server that lives for seconds on loopback.
const CLIENT_SECRET: &str = "9d1f0c7ab35e4862a4c1e07f3b96d85217e4a90c6bd3f8512c7e06a4b9d8f3e1";
const PASSWORD: &str = "a-Password-4-the-Package";

/// Build the Debian package and run it on a bare Debian: install, set up, serve, enrol the first administrator, change a
/// password, remove, purge.
///
/// As root, since it unpacks a Debian of its own (into a temporary folder) and works in it. The unit is not started by systemd:
/// its command line is run as its user, and what the server asks of the kernel is compared with what the unit allows.
#[derive(Debug, Args)]
pub(crate) struct Package {}

/// Runs it. The exit code is 0 only if all of it holds.
pub(crate) fn run(paths: &Paths, stop: &Stop) -> Result<ExitCode> {
    ensure!(is_root(), "a Debian can be unpacked and entered by root only");
    let installer = Installer { allowed: true, paths, stop };
    installer.ensure(Tool::Packaging)?;
    installer.ensure(Tool::Bare)?;
    let log = paths.log("prove-package");

    let deb = package::build(paths, stop)?;
    let first = fs::read(&deb)?;
    package::assemble(paths, stop)?;
    ensure!(first == fs::read(&deb)?, "built again from the same commit the package is another one");
    said(&format!("built {} twice, {} bytes, the same", paths.shown(&deb), first.len()));

    let bare = Bare::unpack(&log, stop)?;
    said(&format!("unpacked a bare Debian {}", bare.release));
    bare.install(&deb)?;
    installed(&bare)?;
    bare.run("runuser", &["-u", "lockstep", "--", "lockstep", "--version"]).context("as the user of the unit")?;
    said("installed: a user, a folder of mode 0700, nothing enabled, nothing started");

    said(&format!("unit: {}", confinement::verify(&bare.unit())?));

    let port = free_port()?;
    configure(&bare, port)?;
    let link = people::link(&lockstep(&bare, &["init", "--admin", people::ADMINISTRATOR])?)?;
    lockstep(&bare, &["apply", "/var/lib/lockstep/state.toml"])?;
    let words = lockstep(&bare, &["doctor"])?;
    said(&format!("init, apply and doctor as the user lockstep:\n{}", words.trim_end()));

    let trace = paths.tools.join("package/trace");
    serve_and_change(&bare, port, &link, &trace, &log, stop)?;
    said(&format!(
        "the kernel was asked for nothing that the unit forbids: {}",
        confinement::compare(&bare.unit(), &trace)?
    ));

    removed_and_purged(&bare, &deb)?;
    said(
        "removed: data and configuration are kept; installed again: the same; purged: only the master key and a foreign file are left",
    );
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "a command line tool speaks on standard output")]
fn said(text: &str) {
    println!("{text}");
}

fn installed(bare: &Bare) -> Result<()> {
    let data = fs::metadata(bare.path(DATA)).context("the data folder")?;
    ensure!(data.permissions().mode() & 0o777 == 0o700 && data.uid() != 0, "the data folder is open, or root's");
    ensure!(!bare.path("etc/systemd/system/multi-user.target.wants/lockstep.service").exists(), "the unit is enabled");
    ensure!(fs::read_dir(bare.path(DATA))?.next().is_none(), "there is something in the data folder already");
    Ok(())
}

/// What an administrator writes: a free port, a source, a person, a client.
fn configure(bare: &Bare, port: u16) -> Result<()> {
    let text = fs::read_to_string(bare.path(CONFIGURATION))?;
    ensure!(text.contains("listen = \"127.0.0.1:8080\""), "the packaged configuration listens elsewhere");
    fs::write(bare.path(CONFIGURATION), text.replace("127.0.0.1:8080", &format!("127.0.0.1:{port}")))?;
    let table = bare.path(DATA).join("application.db");
    let sql = "CREATE TABLE users (login TEXT PRIMARY KEY, hash TEXT); INSERT INTO users VALUES ('abby', '');";
    ensure!(Command::new("sqlite3").arg(&table).arg(sql).status()?.success(), "the application's table was not made");
    let state = format!(
        r#"[[client]]
id = "{CLIENT_ID}"
name = "Package"
secret = {{ file = "client.secret" }}

[[password-policy]]
name = "Office"
minLength = 8

[[source]]
name = "Application"
connector = "sql"
policies = [{{ policy = "Office" }}]
[source.config]
url = "sqlite:/var/lib/lockstep/application.db"
hash = "sha512-crypt"
statement = "UPDATE users SET hash = :hash WHERE login = :account"
verify = "SELECT hash FROM users WHERE login = :account"

[[identity]]
alias = "Abby.Smith"
[[identity.account]]
source = "Application"
native-id = "abby"
"#
    );
    fs::write(bare.path(DATA).join("state.toml"), state)?;
    fs::write(bare.path(DATA).join("client.secret"), CLIENT_SECRET)?;
    fs::set_permissions(bare.path(DATA).join("client.secret"), Permissions::from_mode(0o600))?;
    bare.run("chown", &["-R", "lockstep:lockstep", "/var/lib/lockstep"])?;
    Ok(())
}

/// A command as `docs/installation.md` writes it.
fn lockstep(bare: &Bare, arguments: &[&str]) -> Result<String> {
    bare.run("runuser", &[&["-u", "lockstep", "--", "lockstep"], arguments].concat())
}

/// Runs the unit's command line as its user, enrols the first administrator, changes a password, and looks into the application's table.
fn serve_and_change(bare: &Bare, port: u16, link: &people::Link, trace: &Path, log: &Path, stop: &Stop) -> Result<()> {
    let line = confinement::value(&bare.unit(), "ExecStart")?;
    let _absent = fs::remove_file(trace);
    let mut server = Command::new("strace");
    server.args(["-f", "-qq", "--seccomp-bpf", "-e", "signal=none", "-o"]).arg(trace).arg("chroot");
    server.args(["--userspec=lockstep:lockstep"]).arg(bare.root()).args(line.split_whitespace());
    let mut server = Service::start("lockstep", &mut server, Signal::TERM, log)?;
    server.wait_until(stop, || http::get(port, "/readyz").is_ok_and(|reply| reply.status == 200))?;
    said(&format!("`{line}` as the user lockstep: ready on port {port}"));
    let words = lockstep(bare, &["doctor", "--json"])?;
    ensure!(words.contains("\"ok\":true"), "doctor beside the server: {words}");

    people::enrol(port, link)?;
    said(
        "the first administrator set a password by the link of `lockstep init --admin`, once, and signed in on the pages",
    );

    let mut client =
        bare.command("lockstep", &["change-password", "--user", "Abby.Smith", "--source", "Application", "--stdin"]);
    client.env("SAIL_BASE_URL", format!("http://127.0.0.1:{port}"));
    client.env("SAIL_CLIENT_ID", CLIENT_ID).env("SAIL_CLIENT_SECRET", CLIENT_SECRET);
    let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    writeln!(client.stdin.take().context("piped")?, "{PASSWORD}")?;
    let output = client.wait_with_output()?;
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{words}{}", String::from_utf8_lossy(&output.stderr));
    ensure!(has_password(&bare.path(DATA).join("application.db"))?, "the application does not let the new password in");
    said(&format!("a password change over the API:\n{}", words.trim_end()));

    // `systemctl reload`, then `systemctl stop`. The child of strace is the server.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", server.id()))?;
    let child = children.split_whitespace().next().context("the server has a process")?.to_owned();
    for (signal, text) in [("-HUP", "no certificate to read anew"), ("-TERM", "stopped")] {
        ensure!(Command::new("kill").args([signal, &child]).status()?.success(), "the server could not be told");
        server.wait_for_end_or(stop, || fs::read_to_string(log).is_ok_and(|log| log.contains(text)))?;
    }
    Ok(())
}

/// Whether the table holds a hash of the new password, as OpenSSL computes it.
fn has_password(table: &Path) -> Result<bool> {
    let output = Command::new("sqlite3").arg(table).arg("SELECT hash FROM users").output()?;
    let hash = String::from_utf8(output.stdout)?.trim().to_owned();
    // `$6$rounds=100000$salt$…`
    let salt = hash.strip_prefix("$6$").and_then(|rest| rest.rsplit_once('$')).context("no such hash")?.0.to_owned();
    let mut openssl = Command::new("openssl");
    openssl.args(["passwd", "-6", "-salt", &salt, "-stdin"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut openssl = openssl.spawn()?;
    writeln!(openssl.stdin.take().context("piped")?, "{PASSWORD}")?;
    Ok(String::from_utf8(openssl.wait_with_output()?.stdout)?.trim() == hash)
}

fn removed_and_purged(bare: &Bare, deb: &Path) -> Result<()> {
    let kept = ["master.key", "lockstep.db", "application.db"].map(|name| bare.path(DATA).join(name));
    let contents = || kept.iter().map(fs::read).collect::<std::io::Result<Vec<_>>>();
    let (before, configuration) = (contents()?, fs::read(bare.path(CONFIGURATION))?);
    bare.run("dpkg", &["--remove", "lockstep"])?;
    ensure!(!bare.path("usr/bin/lockstep").exists() && !bare.path(UNIT).exists(), "the program is still there");
    ensure!(contents()? == before && fs::read(bare.path(CONFIGURATION))? == configuration, "removing touched data");
    bare.install(deb)?;
    ensure!(contents()? == before && fs::read(bare.path(CONFIGURATION))? == configuration, "installing touched data");
    let words = lockstep(bare, &["doctor", "--json"])?;
    ensure!(words.contains("\"ok\":true"), "doctor after a new installation: {words}");
    bare.run("dpkg", &["--purge", "lockstep"])?;
    let mut left: Vec<String> = Vec::new();
    for entry in fs::read_dir(bare.path(DATA))? {
        left.push(entry?.file_name().to_string_lossy().into_owned());
    }
    left.sort();
    if left != ["application.db", "client.secret", "master.key", "state.toml"] {
        bail!("left after a purge: {left:?}");
    }
    ensure!(!bare.path(CONFIGURATION).exists(), "the configuration is left after a purge");
    Ok(())
}

/// Appends a line to a log.
fn note(log: &Path, text: &str) -> Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(log)?;
    Ok(writeln!(file, "{text}")?)
}
