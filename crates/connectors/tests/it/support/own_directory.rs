//! A directory of a test's own, made from the test directory's settings: with other limits, or with people whom nobody
//! else changes.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lockstep_connectors::Connector;
use serde_json::{Value, json};

use super::directory::plain;
use super::{fresh, told};

/// A running directory with people `uid=p0…,ou=people,dc=example,dc=test`.
pub(crate) struct OwnDirectory {
    pub(crate) url: String,
    child: Child,
    _folder: tempfile::TempDir,
}

impl OwnDirectory {
    /// `more` are lines for the settings of the database. The person of number N was changed last on 2020-01-01 at N
    /// seconds after midnight.
    pub(crate) fn start(people: u32, more: &str) -> Self {
        let template = PathBuf::from(told("LOCKSTEP_TEST_SLAPD_DIR"));
        let folder = tempfile::tempdir().expect("temporary folder");
        for name in ["db", "run"] {
            fs::create_dir(folder.path().join(name)).expect("made");
        }
        std::os::unix::fs::symlink(template.join("tls"), folder.path().join("tls")).expect("linked");
        let settings = fs::read_to_string(template.join("slapd.conf")).expect("slapd.conf");
        let settings = settings
            .replace(&template.display().to_string(), &folder.path().display().to_string())
            .replace("database monitor", &format!("index entryUUID eq\n{more}\ndatabase monitor"));
        fs::write(folder.path().join("slapd.conf"), settings).expect("written");
        fs::write(folder.path().join("data.ldif"), ldif(&template, people)).expect("written");
        let filled = Command::new(daemon("slapadd"))
            .args(["-q", "-f", "slapd.conf", "-l", "data.ldif"])
            .current_dir(folder.path())
            .output()
            .expect("slapadd runs");
        assert!(filled.status.success(), "slapadd: {filled:?}");
        let port = TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("an address").port();
        let url = format!("ldap://127.0.0.1:{port}");
        let child = Command::new(daemon("slapd"))
            .args(["-d", "0", "-h", &url, "-f"])
            .arg(folder.path().join("slapd.conf"))
            .stderr(Stdio::null())
            .spawn()
            .expect("slapd runs");
        let directory = Self { url, child, _folder: folder };
        directory.wait();
        directory
    }

    /// A connector that reads the people.
    pub(crate) fn connector(&self, accounts: Value) -> Box<dyn Connector> {
        let mut table = json!({ "base": "ou=people,dc=example,dc=test" });
        for (name, value) in accounts.as_object().expect("an object") {
            table[name] = value.clone();
        }
        plain(json!({ "url": self.url, "accounts": table }))
    }

    fn wait(&self) {
        for _ in 0..200 {
            let asked = Command::new("ldapwhoami").args(["-x", "-H", &self.url]).output().expect("ldapwhoami runs");
            if asked.status.success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("slapd does not answer at {}", self.url);
    }
}

impl Drop for OwnDirectory {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The distinguished name of a person.
pub(crate) fn person(number: u32) -> String {
    format!("uid=p{number},ou=people,dc=example,dc=test")
}

/// What the test directory has before its first person, and then other people.
fn ldif(template: &Path, people: u32) -> String {
    let text = fs::read_to_string(template.join("data.ldif")).expect("data.ldif");
    let head = text.split("dn: uid=user").next().expect("a beginning");
    let run = fresh();
    let mut ldif = head.to_owned();
    for number in 0..people {
        let (hour, minute, second) = (number / 3600 % 24, number / 60 % 60, number % 60);
        let (day, dn) = (1 + number / 86_400, person(number));
        ldif.push_str(&format!(
            "dn: {dn}\nobjectClass: inetOrgPerson\nuid: p{number}\ncn: Person {number}\nsn: {run}\n\
             mail: p{number}@example.test\nemployeeNumber: {number}\nuserPassword: {{SSHA}}never\n\
             createTimestamp: 20200101000000Z\nmodifyTimestamp: 202001{day:02}{hour:02}{minute:02}{second:02}Z\n\n"
        ));
    }
    ldif
}

fn daemon(name: &str) -> PathBuf {
    let folders = ["/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/lib/openldap"].map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&path).chain(folders).map(|folder| folder.join(name));
    candidates.find(|candidate| candidate.is_file()).unwrap_or_else(|| panic!("{name} is not installed"))
}
