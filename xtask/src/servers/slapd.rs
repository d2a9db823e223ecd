//! OpenLDAP's slapd with its own certificate authority, a password policy and 10,000 people.
//!
//! What is in the directory `dc=example,dc=test`:
//! - people `uid=user00000…user09999,ou=people`, each with the password `Initial-NNNNN`;
//! - the service entry `cn=svc` with the password `svcsecret`, which may write passwords and is bound by the policy;
//! - `cn=admin` with the password `adminpw`, which no policy binds (slapd's rootdn), for a test's own preparation;
//! - the default policy: at least 8 characters, 3 old passwords remembered, locked after 3 wrong ones.
//!
//! The folder is made to be copied: `slapd.conf` and `data.ldif` are enough to make another directory, after replacing
//! this folder's path in the configuration and `slapadd -q -f slapd.conf -l data.ldif`. The process id is in
//! `run/slapd.pid`.

mod ldif;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::paths::find_program;
use crate::process::{Service, Stop, as_user, free_port, run, succeeds};

/// How many people the directory holds.
const PEOPLE: u32 = 10_000;
const SUFFIX: &str = "dc=example,dc=test";

/// A running directory.
#[derive(Debug)]
pub(crate) struct Slapd {
    service: Option<Service>,
    log: PathBuf,
    /// The folder with `slapd.conf`, `data.ldif`, `db`, `tls` and `run`.
    pub(crate) folder: PathBuf,
    /// Plain LDAP, which also takes StartTLS.
    pub(crate) ldap_url: String,
    /// LDAP over TLS; the certificate names both `localhost` and `127.0.0.1`.
    pub(crate) ldaps_url: String,
}

impl Slapd {
    /// Fills `folder` and starts slapd on two free ports.
    pub(super) fn start(folder: &Path, log: &Path, stop: &Stop) -> Result<Self> {
        Self::with(PEOPLE, folder, log, stop)
    }

    /// The same with so many people.
    pub(crate) fn with(people: u32, folder: &Path, log: &Path, stop: &Stop) -> Result<Self> {
        for name in ["db", "tls", "run"] {
            fs::create_dir_all(folder.join(name)).with_context(|| format!("creating {name}"))?;
        }
        certificates(&folder.join("tls"), log, stop)?;
        fs::write(folder.join("slapd.conf"), configuration(folder)).context("writing slapd.conf")?;
        fs::write(folder.join("data.ldif"), ldif::directory(people)).context("writing data.ldif")?;
        run(
            Command::new(daemon("slapadd")?)
                .arg("-q")
                .arg("-f")
                .arg("slapd.conf")
                .args(["-l", "data.ldif"])
                .current_dir(folder),
            log,
            stop,
        )?;

        let ldap_url = format!("ldap://127.0.0.1:{}", free_port()?);
        let ldaps_url = format!("ldaps://127.0.0.1:{}", free_port()?);
        let (folder, log) = (folder.to_path_buf(), log.to_path_buf());
        let mut slapd = Self { service: None, log, folder, ldap_url, ldaps_url };
        slapd.go_on(stop)?;
        Ok(slapd)
    }

    /// Ends it; what is in the directory stays.
    pub(crate) fn end(&mut self) {
        self.service = None;
    }

    /// Starts it once more, on the ports that it had.
    pub(crate) fn go_on(&mut self, stop: &Stop) -> Result<()> {
        // "-d 0" keeps slapd in the foreground, as our child.
        let mut command = as_user("root", &daemon("slapd")?);
        command.args(["-d", "0", "-f"]).arg(self.folder.join("slapd.conf"));
        command.arg("-h").arg(format!("{} {}", self.ldap_url, self.ldaps_url));
        let mut service = Service::start("slapd", &mut command, Signal::TERM, &self.log)?;
        service.wait_until(stop, || succeeds(Command::new("ldapwhoami").args(["-x", "-H", &self.ldap_url])))?;
        self.service = Some(service);
        Ok(())
    }

    /// The certificate of the authority that signed the server's.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.join("tls/ca.pem")
    }

    /// The distinguished name of one of the people, by `uid`.
    pub(crate) fn person(uid: &str) -> String {
        format!("uid={uid},ou=people,{SUFFIX}")
    }
}

fn daemon(name: &str) -> Result<PathBuf> {
    find_program(name).with_context(|| format!("{name} is not installed"))
}

/// An authority of our own and a server certificate for both names of loopback.
fn certificates(folder: &Path, log: &Path, stop: &Stop) -> Result<()> {
    const KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let extensions =
        "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n";
    fs::write(folder.join("srv.ext"), extensions).context("writing the certificate's extensions")?;
    let openssl = |arguments: &[&str], more: &[&str]| {
        run(Command::new("openssl").args(arguments).args(more).current_dir(folder).stdin(Stdio::null()), log, stop)
    };
    openssl(
        &["req", "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650", "-subj", "/CN=Lockstep test CA"],
        &[
            &KEY[..],
            &["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
        ]
        .concat(),
    )?;
    openssl(&["req", "-keyout", "srv.key", "-out", "srv.csr", "-subj", "/CN=localhost"], &KEY)?;
    openssl(
        &["x509", "-req", "-in", "srv.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "825"],
        &["-out", "srv.pem", "-extfile", "srv.ext"],
    )
}

fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
pidfile {folder}/run/slapd.pid
argsfile {folder}/run/slapd.args
TLSCACertificateFile {folder}/tls/ca.pem
TLSCertificateFile {folder}/tls/srv.pem
TLSCertificateKeyFile {folder}/tls/srv.key
TLSProtocolMin 3.3
loglevel none
threads 4
sizelimit unlimited
password-hash {{SSHA}}
database mdb
suffix "{SUFFIX}"
rootdn "cn=admin,{SUFFIX}"
rootpw adminpw
directory {folder}/db
maxsize 1073741824
index objectClass eq
index uid eq
overlay ppolicy
ppolicy_default "cn=default,ou=policies,{SUFFIX}"
ppolicy_hash_cleartext
ppolicy_use_lockout
access to attrs=userPassword by self write by dn.exact="cn=svc,{SUFFIX}" write by anonymous auth by * none
access to * by dn.exact="cn=svc,{SUFFIX}" write by users read
database monitor
"#
    )
}
