//! PostgreSQL with one superuser, `admin`; tests create databases of their own in it.
//!
//! `fsync` stays on: Lockstep refuses a PostgreSQL whose commits do not survive a crash.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::folder_of;
use crate::process::{Service, Stop, as_user, free_port, run, run_for_output, succeeds};

const USER: &str = "postgres";
const ADMIN: &str = "admin";
const PASSWORD: &str = "pgadminpw";

/// A running PostgreSQL.
#[derive(Debug)]
pub(crate) struct Postgres {
    _service: Service,
    /// The superuser's address, with password and the database `postgres`.
    pub(super) url: String,
    port: String,
}

impl Postgres {
    pub(super) fn start(folder: &Path, log: &Path, stop: &Stop) -> Result<Self> {
        let binaries = binaries().context("PostgreSQL is not installed")?;
        folder_of(USER, folder, log, stop)?;
        let password = folder.with_extension("password");
        fs::write(&password, PASSWORD).context("writing the password file")?;
        fs::set_permissions(&password, fs::Permissions::from_mode(0o644))?;
        let data = folder.join("data");
        run(
            as_user(USER, &binaries.join("initdb"))
                .arg("-D")
                .arg(&data)
                .args(["-U", ADMIN, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--auth=scram-sha-256", "--pwfile"])
                .arg(&password)
                .current_dir(folder_parent(folder)?),
            log,
            stop,
        )?;

        let port = free_port()?.to_string();
        let mut command = as_user(USER, &binaries.join("postgres"));
        command.arg("-D").arg(&data).args(["-p", &port]).current_dir(folder_parent(folder)?);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300"] {
            command.args(["-c", setting]);
        }
        // SIGINT is PostgreSQL's "fast shutdown": sessions are cut, data is written.
        let mut service = Service::start("postgres", &mut command, Signal::INT, log)?;
        let ready = binaries.join("pg_isready");
        service.wait_until(stop, || succeeds(Command::new(&ready).args(["-q", "-h", "127.0.0.1", "-p", &port])))?;
        let url = format!("postgres://{ADMIN}:{PASSWORD}@127.0.0.1:{port}/postgres");
        Ok(Self { _service: service, url, port })
    }

    /// What psql prints when it has run the statements: bare values, one row a line. They go in by a file,
    /// so that no password is an argument.
    pub(crate) fn ask(&self, database: &str, statements: &str, log: &Path, stop: &Stop) -> Result<String> {
        let mut input = tempfile::NamedTempFile::new().context("creating a file for psql")?;
        input.write_all(statements.as_bytes())?;
        let mut psql = Command::new(binaries().context("PostgreSQL is not installed")?.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &self.port, "-U", ADMIN])
            .args(["-d", database, "-f"])
            .arg(input.path())
            .env("PGPASSWORD", PASSWORD);
        let (status, output) = run_for_output(&mut psql, log, stop)?;
        ensure!(status.success(), "psql ended with {status}");
        Ok(output)
    }

    /// The address of a database without the password, and the password.
    pub(crate) fn address(&self, database: &str) -> (String, &'static str) {
        (format!("postgres://{ADMIN}@127.0.0.1:{}/{database}", self.port), PASSWORD)
    }
}

/// The folder of the newest installed version's programs; Debian keeps one per version, off the search path.
pub(crate) fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(|entry| Some((entry.as_ref().ok()?.file_name().to_str()?.parse::<u32>().ok()?, entry.ok()?.path())))
        .map(|(version, path)| (version, path.join("bin")))
        .filter(|(_, path)| path.join("initdb").is_file() && path.join("postgres").is_file())
        .max()
        .map(|(_, path)| path)
}

/// The service user cannot enter the caller's working directory, and PostgreSQL complains about that.
fn folder_parent(folder: &Path) -> Result<&Path> {
    folder.parent().context("the server's folder has a parent")
}
