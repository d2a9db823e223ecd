//! The real servers of the tests: OpenLDAP, PostgreSQL and MariaDB, on free loopback ports, in one temporary folder.
//!
//! Nothing of an installed server is touched: own configuration, own data, own certificates, and all of it is gone
//! when [`Servers`] is dropped. What the tests need to know is in [`Servers::environment`].

mod mariadb;
mod postgres;
mod slapd;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use self::mariadb::Mariadb;
pub(crate) use self::postgres::Postgres;
pub(crate) use self::postgres::binaries as postgres_binaries;
pub(crate) use self::slapd::Slapd;
use crate::paths::Paths;
use crate::process::{Stop, is_root, run};

/// The three servers, ready. Dropping stops them first and removes their folder last (fields drop in this order).
#[derive(Debug)]
pub(crate) struct Servers {
    /// The directory.
    pub(crate) slapd: Slapd,
    /// The application's database, and what Lockstep's own can be.
    pub(crate) postgres: Postgres,
    mariadb: Mariadb,
    tools: PathBuf,
    _folder: TempDir,
}

impl Servers {
    /// Starts all three and waits until each answers: about three seconds.
    pub(crate) fn start(paths: &Paths, stop: &Stop) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("lockstep-servers-").tempdir().context("creating a folder")?;
        // The service users must be able to pass through; they may not list it.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o711))?;
        let at = |name: &str| folder.path().join(name);
        let slapd = Slapd::start(&at("slapd"), &fresh_log(paths, "slapd"), stop).context("slapd")?;
        let postgres = Postgres::start(&at("postgres"), &fresh_log(paths, "postgres"), stop).context("PostgreSQL")?;
        let mariadb = Mariadb::start(&at("mariadb"), &fresh_log(paths, "mariadb"), stop).context("MariaDB")?;
        Ok(Self { slapd, postgres, mariadb, tools: paths.tools.clone(), _folder: folder })
    }

    /// The address of PostgreSQL's superuser, with password and the database `postgres`.
    pub(crate) fn postgres_url(&self) -> &str {
        &self.postgres.url
    }

    /// The variables by which the tests find the servers.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LOCKSTEP_TEST_LDAP_URL", self.slapd.ldap_url.clone()),
            ("LOCKSTEP_TEST_LDAPS_URL", self.slapd.ldaps_url.clone()),
            ("LOCKSTEP_TEST_LDAP_CA", self.slapd.authority().display().to_string()),
            ("LOCKSTEP_TEST_SLAPD_DIR", self.slapd.folder.display().to_string()),
            ("LOCKSTEP_TEST_POSTGRES_URL", self.postgres.url.clone()),
            ("LOCKSTEP_TEST_MARIADB_URL", self.mariadb.url.clone()),
            ("LOCKSTEP_TEST_TOOLS", self.tools.display().to_string()),
        ]
    }
}

/// A server's log holds one run.
fn fresh_log(paths: &Paths, name: &str) -> PathBuf {
    let log = paths.log(name);
    let _absent = fs::remove_file(&log);
    log
}

/// Creates a folder that belongs to `user` when this process is root, and to itself otherwise.
fn folder_of(user: &str, path: &Path, log: &Path, stop: &Stop) -> Result<()> {
    let mut command = Command::new("install");
    command.args(["-d", "-m", "700"]);
    if is_root() {
        command.args(["-o", user]);
    }
    run(command.arg(path), log, stop)
}
