//! TLS in the server itself. What clients say and see is said by OpenSSL's own client where it can be, so that not the
//! same library stands at both ends.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lockstep::config::TlsConfig;
use lockstep::tls::{Looked, Tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::Installation;
use super::running::{read_until, signal, wait};

const PATIENCE: Duration = Duration::from_secs(60);

/// An authority, and what it certified.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let authority = Self { folder: tempfile::tempdir().expect("a folder") };
        authority.openssl(
            &["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
            |command| {
                command.args(["-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Test CA"]);
                command.args([
                    "-addext",
                    "basicConstraints=critical,CA:TRUE",
                    "-addext",
                    "keyUsage=critical,keyCertSign",
                ]);
            },
        );
        authority
    }

    /// Its own certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Makes `NAME.pem`, for this machine and with its chain, and `NAME.key`, in `folder`.
    pub(crate) fn certify(&self, folder: &Path, name: &str, days: u32) {
        fs::write(
            self.folder.path().join("extensions"),
            "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n",
        )
        .expect("written");
        self.openssl(&["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"], |command| {
            command.args(["-keyout", "new.key", "-out", "new.csr", "-subj", &format!("/CN={name}")]);
        });
        self.openssl(&["x509", "-req", "-in", "new.csr", "-CA", "ca.pem", "-CAkey", "ca.key"], |command| {
            command.args(["-extfile", "extensions", "-out", "new.pem", "-days", &days.to_string()]);
        });
        let read = |file: &str| fs::read(self.folder.path().join(file)).expect("made");
        let chain = [read("new.pem"), read("ca.pem")].concat();
        replace(&folder.join(format!("{name}.pem")), &chain);
        replace(&folder.join(format!("{name}.key")), &read("new.key"));
    }

    fn openssl(&self, arguments: &[&str], more: impl FnOnce(&mut Command)) {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(self.folder.path());
        more(&mut command);
        let made = command.output().expect("openssl runs");
        assert!(made.status.success(), "{made:?}");
    }
}

/// As programs that renew certificates do it.
fn replace(path: &Path, content: &[u8]) {
    let beside = path.with_extension("new");
    fs::write(&beside, content).expect("written");
    fs::rename(beside, path).expect("moved");
}

/// A server with a certificate of its own, `server.pem`.
struct Server {
    installation: Installation,
    authority: Authority,
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    fn start() -> Self {
        let (installation, authority) = (Installation::new(), Authority::new());
        authority.certify(installation.path(), "server", 20);
        configure(&installation, "[tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n");
        let mut child = super::command(installation.path())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let said = read_until(child.stdout.take().expect("piped"), |line| line.contains("https://"));
        let address = said.trim().strip_prefix("Lockstep serves https://").expect("an address").parse().expect("one");
        let log = Arc::new(Mutex::new(String::new()));
        let (kept, errors) = (Arc::clone(&log), child.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines() {
                let mut kept = kept.lock().expect("a log");
                kept.push_str(&line.expect("text"));
                kept.push('\n');
            }
        });
        Self { installation, authority, child, address, log }
    }

    /// A connection that believes the authority and nobody else.
    fn connect(&self) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.authority.file()).expect("a certificate")).expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        let client = ClientConnection::new(Arc::new(client), name).expect("a client");
        let tcp = TcpStream::connect(self.address).expect("connected");
        tcp.set_read_timeout(Some(PATIENCE)).expect("a limit");
        StreamOwned::new(client, tcp)
    }

    /// The certificate that a new client is shown.
    fn shown(&self) -> CertificateDer<'static> {
        let mut connection = self.connect();
        assert_eq!(get(&mut connection, "/healthz").0, 200);
        connection.conn.peer_certificates().expect("certificates")[0].clone().into_owned()
    }

    fn file(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.installation.path().join("server.pem")).expect("a certificate")
    }

    fn write(&self, name: &str, content: &[u8]) {
        replace(&self.installation.path().join(name), content);
    }

    /// SIGHUP, and waits until the log says this for the `times`th time.
    fn reload(&self, text: &str, times: usize) {
        signal("HUP", self.child.id());
        let begin = Instant::now();
        while self.log.lock().expect("a log").matches(text).count() < times {
            assert!(begin.elapsed() < PATIENCE, "not said: {text}\n{}", self.log.lock().expect("a log"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(mut self) {
        signal("TERM", self.child.id());
        assert_eq!(wait(&mut self.child, PATIENCE), 0);
    }

    /// What OpenSSL's client says when it connects with these arguments, and whether it could.
    fn s_client(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &self.address.to_string(), "-servername", "localhost"]);
        command.args(["-verify_return_error", "-verify_hostname", "localhost", "-CAfile"]).arg(self.authority.file());
        let ran = command.args(arguments).stdin(Stdio::null()).output().expect("openssl runs");
        (ran.status.success(), String::from_utf8_lossy(&ran.stdout).into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configure(installation: &Installation, settings: &str) {
    let config = fs::read_to_string(installation.path().join("lockstep.toml")).expect("a configuration");
    installation.write("lockstep.toml", &format!("{config}\n{settings}"));
}

/// Asks on a connection that is kept, and gives status and body.
fn get(connection: &mut (impl Read + Write), path: &str) -> (u16, String) {
    write!(connection, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        connection.read_exact(&mut byte).expect("an answer");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("text").to_lowercase();
    let length = head.split("content-length: ").nth(1).expect("a length").split('\r').next().expect("a number");
    let mut body = vec![0; length.parse().expect("a number")];
    connection.read_exact(&mut body).expect("a body");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, String::from_utf8(body).expect("text"))
}

#[test]
fn clients_of_both_versions_and_protocols_are_served_and_older_ones_are_not() {
    let server = Server::start();
    for (version, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let (connected, said) = server.s_client(&[version, "-alpn", "h2,http/1.1"]);
        assert!(connected && said.contains(name) && said.contains("ALPN protocol: h2"), "{said}");
        let (connected, said) = server.s_client(&[version, "-alpn", "http/1.1"]);
        assert!(connected && said.contains("ALPN protocol: http/1.1"), "{said}");
        assert!(server.s_client(&[version]).0, "without ALPN");
    }
    for version in ["-tls1", "-tls1_1"] {
        let (connected, said) = server.s_client(&[version, "-cipher", "ALL:@SECLEVEL=0"]);
        assert!(!connected, "{version}: {said}");
    }

    let mut connection = server.connect();
    let (status, metrics) = get(&mut connection, "/metrics");
    assert_eq!(status, 200);
    let line = metrics.lines().find(|line| line.starts_with("lockstep_tls_certificate_expires_seconds{"));
    let seconds: f64 = line.expect("a metric").split(' ').nth(1).expect("a value").parse().expect("a number");
    assert!((19.0 * 86400.0..=20.0 * 86400.0).contains(&seconds), "{seconds}");

    // Whoever speaks plain HTTP gets no answer.
    let mut plain = TcpStream::connect(server.address).expect("connected");
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_believes_the_authority_comes_by_http_and_one_that_does_not_stays_away() {
    let server = Server::start();
    let root = reqwest::Certificate::from_pem(&fs::read(server.authority.file()).expect("read")).expect("a root");
    let url = format!("https://{}/readyz", server.address);
    let believer = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().expect("a client");
    assert_eq!(believer.get(&url).send().await.expect("an answer").status(), 200);
    let other = fs::read(Authority::new().file()).expect("read");
    let other = reqwest::Certificate::from_pem(&other).expect("a root");
    let stranger = reqwest::Client::builder().no_proxy().tls_certs_only([other]).build().expect("a client");
    assert!(stranger.get(&url).send().await.is_err());
    server.stop();
}

#[test]
fn a_new_certificate_is_taken_while_connections_are_open_and_a_broken_one_is_not() {
    let server = Server::start();
    let mut kept = server.connect();
    assert_eq!(get(&mut kept, "/healthz").0, 200);
    let first = server.file();
    assert_eq!(server.shown(), first);

    server.authority.certify(server.installation.path(), "server", 40);
    server.reload("is in use", 1);
    let second = server.file();
    assert_ne!(second, first);
    assert_eq!(server.shown(), second);
    assert_eq!(get(&mut kept, "/healthz").0, 200, "who was connected before");

    server.authority.certify(server.installation.path(), "other", 40);
    let other_key = fs::read(server.installation.path().join("other.key")).expect("read");
    for (times, (file, content)) in
        [("server.key", b"nonsense".as_slice()), ("server.key", &other_key), ("server.pem", b"")]
            .into_iter()
            .enumerate()
    {
        server.write(file, content);
        server.reload("the certificate before stays in use", times + 1);
        assert_eq!(server.shown(), second);
    }
    let log = server.log.lock().expect("a log").clone();
    assert!(log.contains("holds no private key") && log.contains("do not go together"), "{log}");
    fs::remove_file(server.installation.path().join("server.key")).expect("removed");
    server.reload("cannot read server.key", 1);
    assert_eq!(server.shown(), second);
    assert!(!log.contains("nonsense"), "{log}");

    // One that expires soon is said.
    server.authority.certify(server.installation.path(), "server", 5);
    server.reload("expires in 4 days", 1);
    assert_eq!(server.shown(), server.file());
    assert_eq!(get(&mut kept, "/healthz").0, 200);
    server.stop();
}

#[test]
fn files_that_changed_are_found_without_a_signal() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    authority.certify(folder.path(), "server", 20);
    let [certificate, key] = ["server.pem", "server.key"].map(|name| folder.path().join(name));
    let tls = Tls::load(&TlsConfig { certificate, key: key.clone() }).expect("a pair");
    assert!(matches!(tls.look(), Looked::Unchanged));
    fs::write(&key, "nonsense").expect("written");
    assert!(matches!(tls.look(), Looked::Refused(_)));
    assert!(matches!(tls.look(), Looked::Unchanged), "said once");
    authority.certify(folder.path(), "server", 20);
    assert!(matches!(tls.look(), Looked::Taken));
    assert!(matches!(tls.look(), Looked::Unchanged));
}

#[test]
fn who_is_silent_keeps_nobody_waiting_and_no_server_from_stopping() {
    let server = Server::start();
    let mut silent: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(server.address).expect("connected")).collect();
    // Half of them begin a handshake: the head of a record that never comes.
    for connection in silent.iter_mut().step_by(2) {
        connection.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).expect("sent");
    }
    assert_eq!(server.shown(), server.file());
    // They are let go after a while.
    let mut first = silent.remove(0);
    first.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let mut said = Vec::new();
    assert!(!matches!(first.read_to_end(&mut said), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock));
    let more = TcpStream::connect(server.address).expect("connected");
    server.stop();
    drop((silent, more));
}

#[test]
fn without_tls_only_this_machine_may_come_unless_a_proxy_is_named() {
    let installation = Installation::new();
    let refused = installation.run(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    for word in ["in the clear", "[tls]", "certificate = ", "allow-plain-http = true", "127.0.0.1"] {
        assert!(refused.stderr.contains(word), "{word}: {}", refused.stderr);
    }

    configure(&installation, "[proxy]\nallow-plain-http = true\n");
    let mut server = super::command(installation.path())
        .args(["serve", "--listen", "0.0.0.0:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    read_until(server.stdout.take().expect("piped"), |line| line.contains("http://"));
    // There is nothing to read anew, and nothing to die of.
    signal("HUP", server.id());
    let errors = server.stderr.take().expect("piped");
    read_until(errors, |line| line.contains("no certificate to read anew"));
    signal("TERM", server.id());
    assert_eq!(wait(&mut server, PATIENCE), 0);
}

#[test]
fn a_certificate_that_cannot_be_served_is_said_at_the_start() {
    let (installation, authority) = (Installation::new(), Authority::new());
    authority.certify(installation.path(), "server", 20);
    authority.certify(installation.path(), "other", 20);
    configure(&installation, "[tls]\ncertificate = \"server.pem\"\nkey = \"given.key\"\n");
    let serve = || installation.run(&["serve", "--listen", "127.0.0.1:0"]);
    let ran = serve();
    assert!(ran.code == 1 && ran.stderr.contains("cannot read given.key"), "{ran:?}");
    installation.write("given.key", "");
    let ran = serve();
    assert!(ran.code == 1 && ran.stderr.contains("given.key holds no private key"), "{ran:?}");
    fs::copy(installation.path().join("other.key"), installation.path().join("given.key")).expect("copied");
    let ran = serve();
    assert!(ran.code == 1 && ran.stderr.contains("do not go together"), "{ran:?}");
}
