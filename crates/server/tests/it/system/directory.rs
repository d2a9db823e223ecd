//! A directory: the shared one, or a copy of its own that a test may stop. Asked through OpenLDAP's own command-line
//! clients, which share no code with the connector.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::{NamedTempFile, TempDir};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use super::installation::free_port;
use super::state::Source;
use super::{told, until};

/// What the source is called.
pub(super) const DIRECTORY: &str = "Corporate Directory";

/// slapd's rootdn, whom no policy binds: for what a test prepares.
const ADMIN: [&str; 5] = ["-x", "-D", "cn=admin,dc=example,dc=test", "-w", "adminpw"];

/// A directory.
pub(crate) struct Directory {
    url: String,
    ldaps_url: String,
    authority: PathBuf,
    own: Option<Own>,
}

/// A copy that belongs to one test.
struct Own {
    folder: TempDir,
    process: Option<Child>,
}

impl Directory {
    /// The one that all tests share.
    pub(super) fn shared() -> Self {
        let authority = told("LOCKSTEP_TEST_LDAP_CA").into();
        let (url, ldaps_url) = (told("LOCKSTEP_TEST_LDAP_URL"), told("LOCKSTEP_TEST_LDAPS_URL"));
        Self { url, ldaps_url, authority, own: None }
    }

    /// A copy of it as it was in the beginning, started.
    pub(crate) async fn own() -> Self {
        Self::own_named("DNS:localhost,IP:127.0.0.1").await
    }

    /// A copy whose certificate names somebody else.
    pub(super) async fn own_named(names: &str) -> Self {
        let shared = told("LOCKSTEP_TEST_SLAPD_DIR");
        let folder = tempfile::Builder::new().prefix("lockstep-slapd-").tempdir().expect("a folder");
        for name in ["db", "run", "tls"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        for name in ["tls/ca.pem", "tls/ca.key", "tls/srv.csr", "tls/srv.key"] {
            fs::copy(Path::new(&shared).join(name), folder.path().join(name)).expect("copied");
        }
        fs::write(folder.path().join("tls/srv.ext"), format!("subjectAltName={names}\n")).expect("written");
        let signed = Command::new("openssl")
            .args(["x509", "-req", "-in", "srv.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"])
            .args(["-days", "2", "-out", "srv.pem", "-extfile", "srv.ext"])
            .current_dir(folder.path().join("tls"))
            .output();
        let signed = signed.await.expect("openssl runs");
        assert!(signed.status.success(), "{signed:?}");
        let configuration = fs::read_to_string(Path::new(&shared).join("slapd.conf")).expect("a configuration");
        let own = configuration.replace(&shared, folder.path().to_str().expect("text"));
        fs::write(folder.path().join("slapd.conf"), own).expect("written");
        let filled = Command::new(daemon("slapadd"))
            .args(["-q", "-f", "slapd.conf", "-l"])
            .arg(Path::new(&shared).join("data.ldif"))
            .current_dir(folder.path())
            .output();
        let filled = filled.await.expect("slapadd runs");
        assert!(filled.status.success(), "{filled:?}");
        let mut directory = Self {
            url: format!("ldap://127.0.0.1:{}", free_port()),
            ldaps_url: format!("ldaps://127.0.0.1:{}", free_port()),
            authority: folder.path().join("tls/ca.pem"),
            own: Some(Own { folder, process: None }),
        };
        directory.start().await;
        directory
    }

    /// Starts a copy, on the same ports as before.
    pub(crate) async fn start(&mut self) {
        let Own { folder, process } = self.own.as_mut().expect("the shared one is not for one test to start");
        let started = Command::new(daemon("slapd"))
            .args(["-d", "0", "-f"])
            .arg(folder.path().join("slapd.conf"))
            .args(["-h", &format!("{} {}", self.url, self.ldaps_url)])
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        *process = Some(started.expect("slapd starts"));
        until("slapd answers", Duration::from_secs(20), async || {
            let answer = Command::new("ldapwhoami").args(["-x", "-H", &self.url]).output().await.expect("it runs");
            answer.status.success().then_some(())
        })
        .await;
    }

    /// Stops a copy, and waits until it is gone.
    pub(crate) async fn stop(&mut self) {
        let own = self.own.as_mut().expect("the shared one is not for one test to stop");
        let mut process = own.process.take().expect("it runs");
        let pid = process.id().and_then(|id| Pid::from_raw(id.cast_signed())).expect("it runs");
        kill_process(pid, Signal::TERM).expect("asked to stop");
        tokio::time::timeout(Duration::from_secs(20), process.wait()).await.expect("stops").expect("its state");
    }

    /// `kill -9`: a copy gets no chance to write anything down.
    pub(super) async fn kill(&mut self) {
        let own = self.own.as_mut().expect("the shared one is not for one test to kill");
        own.process.take().expect("it runs").kill().await.expect("killed");
    }

    /// Its address without TLS.
    pub(crate) fn plain(&self) -> &str {
        &self.url
    }

    /// The directory as a source, over TLS, as a service account that the policy binds.
    pub(super) fn source(&self) -> Source {
        let mut config = toml::toml! { bind_dn = "cn=svc,dc=example,dc=test" };
        config.insert("url".to_owned(), self.ldaps_url.clone().into());
        config.insert("ca_file".to_owned(), self.authority.to_str().expect("text").into());
        Source { name: DIRECTORY, connector: "ldap", config, password: Some("svcsecret".to_owned()) }
    }

    /// Whether OpenLDAP's `ldapwhoami` signs in.
    pub(super) async fn signs_in(&self, number: usize, password: &str) -> bool {
        let mut file = NamedTempFile::new().expect("a file");
        file.write_all(password.as_bytes()).expect("written");
        let output = Command::new("ldapwhoami")
            .args(["-x", "-H", &self.url, "-D", &dn(number), "-y"])
            .arg(file.path())
            .output()
            .await
            .expect("ldapwhoami runs");
        match output.status.code() {
            Some(0) => true,
            Some(49) => false,
            _ => panic!("ldapwhoami: {output:?}"),
        }
    }

    /// What is stored for these people, as the administrator sees it.
    pub(super) async fn stored(&self, numbers: Range<usize>) -> BTreeMap<usize, String> {
        let values = self.search(numbers, "userPassword").await.into_iter();
        let text = |value| String::from_utf8(STANDARD.decode(value).expect("base64")).expect("text");
        values.map(|(number, value)| (number, text(value))).collect()
    }

    /// Whether a person has this password, without a sign-in that could count as a wrong one.
    pub(super) async fn holds(&self, number: usize, password: &str) -> bool {
        fits(&self.stored(number..number + 1).await[&number], password)
    }

    /// Old passwords are taken again from now on.
    pub(crate) async fn forget_histories(&self) {
        let policy = "dn: cn=default,ou=policies,dc=example,dc=test\nchangetype: modify\n";
        self.modify(format!("{policy}replace: pwdInHistory\npwdInHistory: 0\n\n")).await;
    }

    /// Those whom wrong sign-ins have locked.
    pub(super) async fn locked(&self, numbers: Range<usize>) -> Vec<usize> {
        self.search(numbers, "pwdAccountLockedTime").await.into_keys().collect()
    }

    /// Unlocks these people.
    pub(super) async fn unlock(&self, numbers: &[usize]) {
        let entry =
            |number: &usize| format!("dn: {}\nchangetype: modify\ndelete: pwdAccountLockedTime\n\n", dn(*number));
        self.modify(numbers.iter().map(entry).collect()).await;
    }

    /// An attribute of these people, where they have it, as `ldapsearch` prints it.
    async fn search(&self, numbers: Range<usize>, attribute: &str) -> BTreeMap<usize, String> {
        let mut found = BTreeMap::new();
        for number in numbers {
            let mut command = Command::new("ldapsearch");
            command.args(ADMIN).args(["-H", &self.url, "-LLL", "-o", "ldif-wrap=no", "-s", "base", "-b", &dn(number)]);
            let output = command.arg(attribute).output().await.expect("ldapsearch runs");
            assert!(output.status.success(), "{output:?}");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let value = text.lines().find_map(|line| line.strip_prefix(attribute));
            if let Some(value) = value {
                found.insert(number, value.trim_start_matches([':', ' ']).to_owned());
            }
        }
        found
    }

    /// Gives these people a password, as the administrator whom no policy binds; a locked account is open after it.
    pub(crate) async fn reset(&self, numbers: impl IntoIterator<Item = usize>, password: &str) {
        let entry = |number| {
            let dn = dn(number);
            format!("dn: {dn}\nchangetype: modify\nreplace: userPassword\nuserPassword: {password}\n\n")
        };
        self.modify(numbers.into_iter().map(entry).collect()).await;
    }

    /// Has a password be one that was changed at this time (`20250101000000Z`).
    pub(crate) async fn was_changed_at(&self, number: usize, time: &str) {
        let dn = dn(number);
        let ldif = format!("dn: {dn}\nchangetype: modify\nreplace: pwdChangedTime\npwdChangedTime: {time}\n\n");
        // Directories write it themselves, and let an administrator do so who asks for that.
        self.modify_with(&["-e", "relax"], ldif).await;
    }

    /// Has a password be one that must be changed, as an administrator says who has set it. The policy has such from then on.
    pub(crate) async fn must_change(&self, number: usize) {
        let replace = |dn: &str, attribute: &str| {
            format!("dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}: TRUE\n\n")
        };
        let policy = replace("cn=default,ou=policies,dc=example,dc=test", "pwdMustChange");
        self.modify(policy + &replace(&dn(number), "pwdReset")).await;
    }

    /// Makes changes as the administrator whom no policy binds.
    async fn modify(&self, ldif: String) {
        self.modify_with(&[], ldif).await;
    }

    async fn modify_with(&self, options: &[&str], ldif: String) {
        let mut command = Command::new("ldapmodify");
        command.args(ADMIN).args(options).args(["-H", &self.url]).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ldapmodify runs");
        let mut input = child.stdin.take().expect("piped");
        let writing = async move { input.write_all(ldif.as_bytes()).await };
        let (written, output) = tokio::join!(writing, child.wait_with_output());
        written.expect("written");
        let output: Output = output.expect("ldapmodify ends");
        assert!(output.status.success(), "ldapmodify: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The distinguished name of one of the people.
pub(crate) fn dn(number: usize) -> String {
    assert!(number < 1000, "{number} belongs to other tests");
    format!("uid=user{number:05},ou=people,dc=example,dc=test")
}

/// Whether what a directory stores, `{SSHA}` and the base64 of digest and salt, is this password's.
pub(super) fn fits(stored: &str, password: &str) -> bool {
    let bytes = STANDARD.decode(stored.strip_prefix("{SSHA}").expect("salted SHA-1")).expect("base64");
    let (hash, salt) = bytes.split_at(20);
    digest(&SHA1_FOR_LEGACY_USE_ONLY, &[password.as_bytes(), salt].concat()).as_ref() == hash
}

/// Debian keeps daemons where users do not look for programs.
fn daemon(name: &str) -> PathBuf {
    let usual = Path::new("/usr/sbin").join(name);
    if usual.exists() { usual } else { name.into() }
}
