//! MariaDB with one administrator over TCP, `root`; tests create databases of their own in it.
//!
//! Commits are not flushed to disk, for the same reason as PostgreSQL's.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::folder_of;
use crate::paths::find_program;
use crate::process::{Service, Stop, as_user, free_port, run};

const USER: &str = "mysql";
const PASSWORD: &str = "mariadbpw";

/// A running MariaDB.
#[derive(Debug)]
pub(super) struct Mariadb {
    _service: Service,
    /// The administrator's address, with password and the database `mysql`.
    pub(super) url: String,
}

impl Mariadb {
    pub(super) fn start(folder: &Path, log: &Path, stop: &Stop) -> Result<Self> {
        folder_of(USER, folder, log, stop)?;
        let data = folder.join("data");
        run(
            as_user(USER, &daemon("mariadb-install-db")?)
                .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
                .arg(format!("--datadir={}", data.display()))
                .current_dir("/"),
            log,
            stop,
        )?;

        let first = folder.with_extension("sql");
        fs::write(&first, first_statements()).context("writing the first statements")?;
        fs::set_permissions(&first, fs::Permissions::from_mode(0o644))?;
        let port = free_port()?;
        let mut command = as_user(USER, &daemon("mariadbd")?);
        command
            .args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"])
            .args(["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", "--max-connections=300"])
            .arg(format!("--port={port}"))
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", folder.join("socket").display()))
            .arg(format!("--pid-file={}", folder.join("pid").display()))
            .arg(format!("--init-file={}", first.display()))
            .current_dir("/");
        let mut service = Service::start("mariadbd", &mut command, Signal::TERM, log)?;
        service.wait_until(stop, || greets(port))?;
        Ok(Self { _service: service, url: format!("mysql://root:{PASSWORD}@127.0.0.1:{port}/mysql") })
    }
}

fn daemon(name: &str) -> Result<PathBuf> {
    find_program(name).with_context(|| format!("{name} is not installed"))
}

/// One administrator, with a password; the others that a new installation has, all without one, are removed.
fn first_statements() -> String {
    format!(
        "DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys' AND NOT (User = 'root' AND Host = '127.0.0.1');\n\
         FLUSH PRIVILEGES;\n\
         CREATE OR REPLACE USER 'root'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n\
         GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n"
    )
}

/// The server speaks first in its protocol, and only after the first statements have run.
fn greets(port: u16) -> bool {
    let greeting = || -> std::io::Result<()> {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        connection.set_read_timeout(Some(Duration::from_secs(1)))?;
        connection.read_exact(&mut [0; 5])
    };
    greeting().is_ok()
}
