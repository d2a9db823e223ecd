//! One connection to a directory: dialled, protected, and asked one request at a time.
//!
//! It knows what was sent and what was answered, and nothing of passwords' meaning. The socket is our own, because the
//! client library leaves Nagle's algorithm on (40 ms and more on every sign-in). A new password on its way is copied
//! into buffers of that library and of TLS, which nobody wipes; they live as long as the request.

use std::collections::HashSet;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use ldap3::exop::{Exop, PasswordModify};
use ldap3::{LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Mod, Scope, SearchEntry, StdStream};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::answer::Answer;
use super::config::{Security, Settings};
use super::{page, ppolicy};
use crate::failure::{Failure, RefusalKind, diagnostic};
use crate::pool::Pooled;
use crate::tls;

/// The password modify operation (RFC 3062).
const PASSWORD_MODIFY_OID: &str = "1.3.6.1.4.1.4203.1.11.1";
/// How long a goodbye, or a question whether an idle connection still works, may take.
const SHORTLY: Duration = Duration::from_secs(2);

/// A connection. Dropping it closes the socket.
pub(super) struct Connection {
    ldap: ldap3::Ldap,
    driver: JoinHandle<()>,
    pub(super) request_timeout: Duration,
    /// The server it leads to.
    pub(super) peer: SocketAddr,
    /// What the directory said it can do; asked once a connection.
    pub(super) features: Features,
}

/// What the root entry of a directory lists (RFC 4512 §5.1).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Features {
    pub(super) password_modify: bool,
    pub(super) ppolicy: bool,
    pub(super) paging: bool,
}

impl Connection {
    /// Connects to the first address that answers and agrees on TLS where the configuration wants it. Binds nobody.
    pub(super) async fn dial(settings: &Settings, addresses: &[SocketAddr]) -> Result<Self, Failure> {
        match timeout(settings.connect_timeout, Self::dial_each(settings, addresses)).await {
            Ok(result) => result,
            Err(_elapsed) => Err(Failure::connect(format!(
                "the directory {} did not accept a connection within {} ms",
                settings.server(),
                settings.connect_timeout.as_millis()
            ))),
        }
    }

    /// Connects and binds the service account.
    pub(super) async fn open_service(settings: &Settings, addresses: &[SocketAddr]) -> Result<Self, Failure> {
        let mut connection = Self::dial(settings, addresses).await?;
        let answer = connection.bind(&settings.bind_dn, &settings.bind_password).await?;
        let must_change = answer.policy.is_some_and(|policy| policy.error.is_some());
        if answer.code != 0 || must_change {
            return Err(answer.service_failure(&settings.bind_dn, &[&settings.bind_password]));
        }
        connection.features = connection.read_features().await?;
        Ok(connection)
    }

    /// A simple bind, with the policy control. Afterwards the connection is this user's.
    pub(super) async fn bind(&mut self, dn: &str, password: &str) -> Result<Answer, Failure> {
        self.ldap.with_controls(ppolicy::request());
        answered(self.request_timeout, self.ldap.simple_bind(dn, password)).await.map(Answer::from)
    }

    /// Sets a password by the password modify operation.
    pub(super) async fn password_modify(&mut self, dn: &str, new: &str) -> Result<Answer, Failure> {
        let operation = PasswordModify { user_id: Some(dn), old_pass: None, new_pass: Some(new) };
        self.ldap.with_controls(ppolicy::request());
        let result = answered(self.request_timeout, self.ldap.extended(Exop::from(operation))).await?;
        Ok(Answer::from(result.1))
    }

    /// Changes attributes of one entry in one request, with the policy control.
    pub(super) async fn modify(&mut self, dn: &str, changes: Vec<Mod<Vec<u8>>>) -> Result<Answer, Failure> {
        self.ldap.with_controls(ppolicy::request());
        answered(self.request_timeout, self.ldap.modify(dn, changes)).await.map(Answer::from)
    }

    /// Reads the values of some attributes of one entry. `Err(answer)` inside if the directory refuses.
    pub(super) async fn read(
        &mut self,
        dn: &str,
        attributes: &[&str],
    ) -> Result<Result<Option<SearchEntry>, Answer>, Failure> {
        let search = self.ldap.search(dn, Scope::Base, "(objectClass=*)", attributes);
        // Building an entry is done in here too: the library panics on entries that it cannot read.
        let read =
            search.map(|result| result.map(|found| (found.0.into_iter().next().map(SearchEntry::construct), found.1)));
        let (entry, result) = answered(self.request_timeout, read).await?;
        Ok(if result.rc == 0 { Ok(entry) } else { Err(Answer::from(result)) })
    }

    /// The client library itself, for a search that is read entry by entry.
    pub(super) fn ldap(&mut self) -> &mut ldap3::Ldap {
        &mut self.ldap
    }

    async fn read_features(&mut self) -> Result<Features, Failure> {
        let Ok(Some(root)) = self.read("", &["supportedExtension", "supportedControl"]).await? else {
            return Ok(Features::default());
        };
        let lists = |attribute: &str, oid: &str| {
            let values = root.attrs.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
            values.is_some_and(|(_, values)| values.iter().any(|value| value == oid))
        };
        Ok(Features {
            password_modify: lists("supportedExtension", PASSWORD_MODIFY_OID),
            ppolicy: lists("supportedControl", ppolicy::OID),
            paging: lists("supportedControl", page::OID),
        })
    }

    async fn dial_each(settings: &Settings, addresses: &[SocketAddr]) -> Result<Self, Failure> {
        let mut last = Failure::connect(format!("the name {} has no address", settings.host));
        // Each address gets its share of the time, so that a silent first one does not hide a good second one.
        let share = settings.connect_timeout / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        for &address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Self::secure(settings, address, stream).await,
                Ok(Err(error)) => {
                    last = Failure::connect(format!("the directory {} cannot be reached: {error}", settings.server()));
                }
                Err(_elapsed) => {
                    let waited = share.as_millis();
                    last = Failure::connect(format!(
                        "the directory {} did not accept a connection within {waited} ms",
                        settings.server()
                    ));
                }
            }
        }
        Err(last)
    }

    async fn secure(settings: &Settings, peer: SocketAddr, stream: TcpStream) -> Result<Self, Failure> {
        let problem = |error: std::io::Error| Failure::connect(format!("the connection broke at once: {error}"));
        stream.set_nodelay(true).map_err(problem)?;
        let stream = StdStream::Tcp(stream.into_std().map_err(problem)?);
        let options = LdapConnSettings::new().set_std_stream(stream);
        let options = match &settings.security {
            Security::Ldaps(tls) => options.set_config(tls.clone()),
            Security::StartTls(tls) => options.set_config(tls.clone()).set_starttls(true),
            Security::Plain => options,
        };
        let dialled = AssertUnwindSafe(LdapConnAsync::with_settings(options, &settings.url)).catch_unwind().await;
        let (driver, ldap) = match dialled {
            Ok(Ok(pair)) => pair,
            Ok(Err(error)) => return Err(handshake_failure(settings, &error)),
            Err(_panic) => return Err(Failure::connect(format!("{} does not speak LDAP", settings.server()))),
        };
        // The error of a broken connection reaches whoever waits for an answer; here it would only be told twice.
        let driver = tokio::spawn(driver.drive().map(drop));
        Ok(Self { ldap, driver, request_timeout: settings.request_timeout, peer, features: Features::default() })
    }
}

impl Drop for Connection {
    /// The driver may be stuck writing to a server that does not read; it must not outlive its connection.
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Pooled for Connection {
    fn is_closed(&mut self) -> bool {
        self.ldap.is_closed() || self.driver.is_finished()
    }

    async fn answers(&mut self) -> bool {
        matches!(timeout(SHORTLY, self.read("", &["1.1"])).await, Ok(Ok(Ok(_))))
    }

    async fn goodbye(mut self) {
        // A directory that does not wait for our goodbye is no problem: the socket closes either way.
        let _ = timeout(SHORTLY, self.ldap.unbind()).await;
    }
}

impl From<LdapResult> for Answer {
    fn from(result: LdapResult) -> Self {
        Self { policy: ppolicy::response(&result.ctrls), code: result.rc, text: result.text }
    }
}

/// Waits for the answer of one request.
///
/// `OpSend` is the one error that proves that nothing was sent: the connection's driver had ended before it was handed
/// the request. Everything else may have come after the request went out.
pub(super) async fn answered<T>(
    limit: Duration,
    request: impl Future<Output = ldap3::result::Result<T>>,
) -> Result<T, Failure> {
    // The library panics on some answers that it cannot decode. That is a broken connection, not the end of the worker.
    match timeout(limit, AssertUnwindSafe(request).catch_unwind()).await {
        Ok(Ok(Ok(answer))) => Ok(answer),
        Ok(Ok(Err(LdapError::OpSend { .. }))) => {
            Err(Failure::connect("the directory had closed the connection before the request was sent"))
        }
        Ok(Ok(Err(_error))) => Err(Failure::broken("the directory closed the connection without an answer")),
        Ok(Err(_panic)) => Err(Failure::broken("the directory's answer could not be read")),
        Err(_elapsed) => Err(Failure::timeout(format!("the directory did not answer within {} ms", limit.as_millis()))),
    }
}

/// Why a connection could not be protected. A refused StartTLS ends here: there is no way on in the clear.
fn handshake_failure(settings: &Settings, error: &LdapError) -> Failure {
    let server = settings.server();
    match error {
        LdapError::Io { source } => match tls::permanent_problem(source) {
            Some(problem) => Failure::refused(RefusalKind::Misconfigured, format!("the directory {server}: {problem}")),
            None => Failure::connect(format!("no TLS with the directory {server}: {source}")),
        },
        LdapError::LdapResult { result } => {
            let text = diagnostic(&result.text, &[]).unwrap_or_default();
            let detail = format!("the directory {server} refuses StartTLS (LDAP result {}: {text})", result.rc);
            match result.rc {
                51 | 52 => Failure::busy(detail),
                _ => Failure::refused(RefusalKind::Misconfigured, detail),
            }
        }
        LdapError::DNSName { .. } | LdapError::Rustls { .. } => {
            Failure::refused(RefusalKind::Misconfigured, format!("no TLS with the directory {server}: {error}"))
        }
        _ => Failure::connect(format!("the directory {server} closed the connection before it was set up")),
    }
}

/// A delete of one value of an attribute, or of all that it has.
pub(super) fn delete(attribute: &str, value: Option<&str>) -> Mod<Vec<u8>> {
    Mod::Delete(attribute.as_bytes().to_vec(), value.map(|value| value.as_bytes().to_vec()).into_iter().collect())
}

/// A replace of one attribute by one value.
pub(super) fn replace(attribute: &str, value: &[u8]) -> Mod<Vec<u8>> {
    Mod::Replace(attribute.as_bytes().to_vec(), HashSet::from([value.to_vec()]))
}
