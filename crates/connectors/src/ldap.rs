//! Directories that speak LDAP (RFC 4511) and keep the password in `userPassword`: OpenLDAP, 389 Directory Server and
//! their kin. Not Active Directory, whose passwords, codes and locks follow rules of their own.
//!
//! Writes go through a small pool of connections bound as the service account. A sign-in gets a connection of its own,
//! to the address that the latest pooled connection went to: a name may stand for several servers, and only the one
//! that took the write can say what became of it.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use ldap3::Mod;
use lockstep_core::password::Password;

mod answer;
mod config;
mod connection;
mod dn;
mod ppolicy;

pub(crate) use config::Settings;

use self::config::{Method, Security};
use self::connection::{Connection, replace};
use crate::pool::{Lease, Pool, Pooled as _};
use crate::{
    AccountRef, Capabilities, Clock, Connector, Failure, FailureKind, LockState, Refusal, RefusalKind, Report, SignIn,
    Written,
};

/// When the policy locked the entry; set by the directory, deleted to unlock (draft-behera section 5.3.3).
const LOCKED_TIME: &str = "pwdAccountLockedTime";
/// "No such attribute" (RFC 4511 appendix A.2).
const NO_SUCH_ATTRIBUTE: u32 = 16;
/// "Unavailable": the directory is about to close the connection.
const UNAVAILABLE: u32 = 52;

/// One directory.
pub(crate) struct Ldap {
    settings: Settings,
    clock: Clock,
    pool: Pool<Connection>,
    /// Where the latest pooled connection leads.
    server: Mutex<Option<SocketAddr>>,
}

impl Ldap {
    pub(crate) fn new(settings: Settings, clock: Clock) -> Self {
        let pool = Pool::new(settings.max_connections, settings.connect_timeout);
        Self { settings, clock, pool, server: Mutex::new(None) }
    }

    /// A connection bound as the service account.
    async fn lease(&self) -> Result<Lease<'_, Connection>, Failure> {
        self.pool
            .lease(|| async {
                let mut addresses = self.resolve().await?;
                if let Some(server) = self.server() {
                    // The server used last comes first for as long as it is there.
                    addresses.sort_by_key(|&address| address != server);
                }
                let connection = Connection::open_service(&self.settings, &addresses).await?;
                *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.peer);
                Ok(connection)
            })
            .await
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, Failure> {
        let Settings { host, port, connect_timeout, .. } = &self.settings;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match tokio::time::timeout(*connect_timeout, tokio::net::lookup_host((host, *port))).await {
            Ok(Ok(addresses)) => Ok(addresses.collect()),
            Ok(Err(error)) => Err(Failure::connect(format!("the name {host} cannot be resolved: {error}"))),
            Err(_elapsed) => {
                let waited = connect_timeout.as_millis();
                Err(Failure::connect(format!("the name {host} was not resolved within {waited} ms")))
            }
        }
    }

    fn server(&self) -> Option<SocketAddr> {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The password, and what is written beside it.
    fn changes(&self, new: &Password) -> Vec<Mod<Vec<u8>>> {
        let days = (self.clock)().timestamp().div_euclid(86_400).to_string();
        let beside = self.settings.also_write.iter();
        let beside = beside.map(|(attribute, value)| replace(attribute, value.replace("{days}", &days).as_bytes()));
        std::iter::once(replace("userPassword", new.expose().as_bytes())).chain(beside).collect()
    }
}

#[async_trait]
impl Connector for Ldap {
    async fn set_password(&self, account: &AccountRef, new: &Password, current: Option<&Password>) -> Written {
        let dn = account.native_id.as_str();
        if current.is_some() {
            let detail = "this source resets passwords as the service account; it makes no own change".to_owned();
            return Written::Refused(Refusal { kind: RefusalKind::Unsupported, detail });
        }
        if let Err(problem) = dn::check(dn) {
            return Written::Refused(Refusal { kind: RefusalKind::AccountNotFound, detail: problem.to_owned() });
        }
        let mut connection = match self.lease().await {
            Ok(connection) => connection,
            Err(failure) => return Written::before_sending(failure),
        };
        let answer = match self.settings.method {
            Method::Exop if !connection.features.password_modify => {
                connection.keep();
                return Written::Refused(Refusal { kind: RefusalKind::Misconfigured, detail: NO_EXOP.to_owned() });
            }
            Method::Exop => connection.password_modify(dn, new.expose()).await,
            Method::Modify => connection.modify(dn, self.changes(new)).await,
        };
        match answer {
            Ok(answer) => {
                if answer.code != UNAVAILABLE {
                    connection.keep();
                }
                answer.written(&[new.expose()])
            }
            Err(failure) => Written::after_sending(failure),
        }
    }

    async fn sign_in(&self, account: &AccountRef, password: &Password) -> SignIn {
        let dn = account.native_id.as_str();
        if let Err(problem) = dn::check(dn) {
            return SignIn::Unable(Failure::refused(RefusalKind::AccountNotFound, problem));
        }
        let addresses = match self.server() {
            Some(server) => vec![server],
            None => match self.resolve().await {
                Ok(addresses) => addresses,
                Err(failure) => return SignIn::Unable(failure),
            },
        };
        let mut connection = match Connection::dial(&self.settings, &addresses).await {
            Ok(connection) => connection,
            Err(failure) => return SignIn::Unable(failure),
        };
        let sign_in = match connection.bind(dn, password.expose()).await {
            Ok(answer) => answer.sign_in(&[password.expose()]),
            Err(failure) => return SignIn::Unable(failure),
        };
        connection.goodbye().await;
        if sign_in != SignIn::Wrong {
            return sign_in;
        }
        // Many directories refuse a locked account in the same words as a wrong password. Only a second look tells.
        match self.lock_state(account).await {
            Ok(LockState::Open) => SignIn::Wrong,
            Err(Failure { kind: FailureKind::Refused(RefusalKind::AccountNotFound), .. }) => SignIn::Wrong,
            Ok(LockState::Locked { .. }) => SignIn::Unable(Failure::refused(
                RefusalKind::PolicyOther,
                "the account is locked in the directory, which proves nothing about the password",
            )),
            Err(failure) => SignIn::Unable(failure),
        }
    }

    async fn lock_state(&self, account: &AccountRef) -> Result<LockState, Failure> {
        dn::check(&account.native_id).map_err(|problem| Failure::refused(RefusalKind::AccountNotFound, problem))?;
        let mut connection = self.lease().await?;
        let read = connection.read(&account.native_id, &[LOCKED_TIME]).await?;
        connection.keep();
        let Some(entry) = read.map_err(|answer| answer.failure(&[]))? else {
            return Err(Failure::refused(RefusalKind::AccountNotFound, "there is no such entry in the directory"));
        };
        let since = entry.attrs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(LOCKED_TIME));
        Ok(match since {
            Some((_, times)) => LockState::Locked { since: times.into_iter().next() },
            None => LockState::Open,
        })
    }

    async fn unlock(&self, account: &AccountRef) -> Result<(), Failure> {
        dn::check(&account.native_id).map_err(|problem| Failure::refused(RefusalKind::AccountNotFound, problem))?;
        let mut connection = self.lease().await?;
        let removal = Mod::Delete(LOCKED_TIME.as_bytes().to_vec(), std::collections::HashSet::new());
        let answer = connection.modify(&account.native_id, vec![removal]).await?;
        connection.keep();
        match answer.code {
            0 | NO_SUCH_ATTRIBUTE => Ok(()),
            _ => Err(answer.failure(&[])),
        }
    }

    async fn test(&self) -> Result<Report, Failure> {
        let connection = self.lease().await?;
        let mut report = Report::default();
        let server = self.settings.server();
        match &self.settings.security {
            Security::Ldaps(_) => report.good(format!("{server} answers, with a trusted certificate (ldaps)")),
            Security::StartTls(_) => report.good(format!("{server} answers, with a trusted certificate (StartTLS)")),
            Security::Plain => {
                report.warning(format!("{server} answers, but passwords cross the network in the clear"));
            }
        }
        report.good(format!("the service account {} signs in", self.settings.bind_dn));
        match (self.settings.method, connection.features.password_modify) {
            (Method::Exop, true) => report.good("the directory offers the password modify operation (RFC 3062)"),
            (Method::Exop, false) => return Err(Failure::refused(RefusalKind::Misconfigured, NO_EXOP)),
            (Method::Modify, true) => {
                report.warning("the directory offers the password modify operation; `method = \"exop\"` is safer");
            }
            (Method::Modify, false) => {
                report.warning("the directory stores what it is given in userPassword; make sure that it hashes it");
            }
        }
        if connection.features.ppolicy {
            report.good("the directory tells why it refuses a password (policy control)");
        } else {
            report.warning("the directory does not say that it knows the policy control; its refusals may be vague");
        }
        connection.keep();
        Ok(report)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { sign_in: true, unlock: true, own_change: false, max_password_bytes: None }
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

const NO_EXOP: &str = "the directory does not list the password modify operation (1.3.6.1.4.1.4203.1.11.1) in its root \
                       entry, or does not let the service account read it there; if it hashes what is written to \
                       userPassword, set `method = \"modify\"`";
