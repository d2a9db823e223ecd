//! Directories that speak LDAP (RFC 4511) and keep the password in `userPassword`: OpenLDAP, 389 Directory Server and
//! their kin. Not Active Directory, whose passwords, codes and locks follow rules of their own.
//!
//! Writes go through a small pool of connections bound as the service account. A sign-in gets a connection of its own,
//! to the address that the latest pooled connection went to: a name may stand for several servers, and only the one
//! that took the write can say what became of it. Reading accounts takes a connection of its own too, since it may take
//! long.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use ldap3::Mod;
use lockstep_core::password::Password;
use tokio::sync::mpsc::Sender;

mod accounts;
mod answer;
mod config;
mod connection;
mod dn;
mod entry;
mod native_key;
mod page;
mod ppolicy;
mod reading;
mod timestamp;

pub(crate) use config::Settings;
pub(crate) use native_key::native_key;

use self::accounts::Disable;
use self::config::{Method, Security};
use self::connection::{Connection, delete, replace};
use self::entry::Values;
use self::reading::Reader;
use crate::account::{AccountEntry, Pages, Reading};
use crate::pool::{CLOSED, Lease, Pool, Pooled as _};
use crate::{
    AccountRef, Capabilities, Clock, Connector, Failure, FailureKind, LockState, Refusal, RefusalKind, Report, SignIn,
    Written,
};

/// When the policy locked the entry; set by the directory, deleted to unlock (draft-behera section 5.3.3).
const LOCKED_TIME: &str = "pwdAccountLockedTime";
/// "No such attribute" (RFC 4511 appendix A.2).
const NO_SUCH_ATTRIBUTE: u32 = 16;
/// "Insufficient access rights".
const INSUFFICIENT_RIGHTS: u32 = 50;
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
                let connection = self.open().await?;
                *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.peer);
                Ok(connection)
            })
            .await
    }

    async fn open(&self) -> Result<Connection, Failure> {
        let mut addresses = self.resolve().await?;
        if let Some(server) = self.server() {
            // The server used last comes first for as long as it is there.
            addresses.sort_by_key(|&address| address != server);
        }
        Connection::open_service(&self.settings, &addresses).await
    }

    /// What reads accounts, where the settings say which entries are some.
    fn reader(&self) -> Result<Reader<'_>, Failure> {
        let Some(accounts) = &self.settings.accounts else {
            return Err(Failure::refused(RefusalKind::Unsupported, NO_ACCOUNTS));
        };
        Ok(Reader { accounts, disable: self.settings.disable.as_ref() })
    }

    /// The values that an entry has in one attribute.
    async fn values(&self, dn: &str, attribute: &str) -> Result<Vec<String>, Failure> {
        let mut connection = self.lease().await?;
        let read = connection.read(dn, &[attribute]).await?;
        connection.keep();
        match read.map_err(|answer| answer.failure(&[]))? {
            Some(entry) => Ok(Values::of(&entry).all(attribute).map(str::to_owned).collect()),
            None => Err(Failure::refused(RefusalKind::AccountNotFound, "there is no such entry in the directory")),
        }
    }

    /// When the policy locked the entry, which may also be how it was disabled.
    async fn locked_since(&self, dn: &str) -> Result<Option<String>, Failure> {
        Ok(self.values(dn, LOCKED_TIME).await?.into_iter().next())
    }

    /// Whether this time of a lock is how the settings disable an account.
    fn is_disabling(&self, since: &str) -> bool {
        let disable = self.settings.disable.as_ref();
        disable.is_some_and(|disable| disable.attribute.eq_ignore_ascii_case(LOCKED_TIME) && disable.says(since))
    }

    /// One modification by the service account. What is to be removed and is not there is a success.
    async fn change(&self, dn: &str, change: Mod<Vec<u8>>) -> Result<(), Failure> {
        let removes = matches!(change, Mod::Delete(..));
        let mut connection = self.lease().await?;
        let answer = connection.modify(dn, vec![change]).await?;
        connection.keep();
        match answer.code {
            0 => Ok(()),
            NO_SUCH_ATTRIBUTE if removes => Ok(()),
            INSUFFICIENT_RIGHTS => {
                let words = "the service account may not write the attribute that locks or disables this entry";
                Err(Failure::refused(RefusalKind::NoRights, answer.sentence(words, &[])))
            }
            _ => Err(answer.failure(&[])),
        }
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
            return SignIn::NotAccepted(Failure::refused(RefusalKind::AccountNotFound, problem));
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
        match self.locked_since(dn).await {
            Ok(None) => SignIn::Wrong,
            Err(Failure { kind: FailureKind::Refused(RefusalKind::AccountNotFound), .. }) => SignIn::Wrong,
            Ok(Some(_)) => SignIn::NotAccepted(Failure::refused(
                RefusalKind::PolicyOther,
                "the account is locked in the directory, which proves nothing about the password",
            )),
            Err(failure) => SignIn::NotAccepted(failure),
        }
    }

    async fn lock_state(&self, account: &AccountRef) -> Result<LockState, Failure> {
        dn::check(&account.native_id).map_err(|problem| Failure::refused(RefusalKind::AccountNotFound, problem))?;
        Ok(match self.locked_since(&account.native_id).await? {
            Some(since) if !self.is_disabling(&since) => LockState::Locked { since: Some(since) },
            _ => LockState::Open,
        })
    }

    async fn unlock(&self, account: &AccountRef) -> Result<(), Failure> {
        dn::check(&account.native_id).map_err(|problem| Failure::refused(RefusalKind::AccountNotFound, problem))?;
        if !self.settings.disable.as_ref().is_some_and(|disable| disable.attribute.eq_ignore_ascii_case(LOCKED_TIME)) {
            return self.change(&account.native_id, delete(LOCKED_TIME, None)).await;
        }
        // The attribute also disables here, and unlocking must not enable: only the time that was read is removed.
        match self.locked_since(&account.native_id).await? {
            Some(since) if !self.is_disabling(&since) => {
                self.change(&account.native_id, delete(LOCKED_TIME, Some(&since))).await
            }
            _ => Ok(()),
        }
    }

    async fn accounts(&self, since: Option<&str>, pages: Sender<Vec<AccountEntry>>) -> Result<Reading, Failure> {
        let reader = self.reader()?;
        if self.pool.is_closed() {
            return Err(Failure::connect(CLOSED));
        }
        let pages = Pages::new(pages, usize::from(reader.accounts.page_size));
        let mut connection = self.open().await?;
        let reading = reader.all(&mut connection, since, pages).await?;
        connection.goodbye().await;
        Ok(reading)
    }

    async fn account(&self, stable_id: &str) -> Result<Option<AccountEntry>, Failure> {
        let reader = self.reader()?;
        let mut connection = self.lease().await?;
        let account = reader.one(&mut connection, stable_id).await?;
        connection.keep();
        Ok(account)
    }

    async fn set_enabled(&self, account: &AccountRef, enabled: bool) -> Result<(), Failure> {
        let Some(disable) = &self.settings.disable else {
            return Err(Failure::refused(RefusalKind::Unsupported, NO_DISABLE));
        };
        let dn = account.native_id.as_str();
        dn::check(dn).map_err(|problem| Failure::refused(RefusalKind::AccountNotFound, problem))?;
        let Disable { attribute, value } = disable;
        if !enabled {
            return self.change(dn, replace(attribute, value.as_bytes())).await;
        }
        // Another value there is something else (a lock after wrong passwords) and stays.
        if !self.values(dn, attribute).await?.iter().any(|found| disable.says(found)) {
            return Ok(());
        }
        self.change(dn, delete(attribute, None)).await
    }

    async fn test(&self) -> Result<Report, Failure> {
        let mut connection = self.lease().await?;
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
        let Ok(reader) = self.reader() else {
            connection.keep();
            return Ok(report);
        };
        // The connection is not kept: an answer may be on its way that nobody reads.
        reader.test(&mut connection, &mut report).await;
        Ok(report)
    }

    fn capabilities(&self) -> Capabilities {
        let read = self.settings.accounts.is_some();
        Capabilities {
            sign_in: true,
            unlock: true,
            own_change: false,
            max_password_bytes: None,
            read_accounts: read,
            read_changes: read,
            enable: self.settings.disable.is_some(),
        }
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

const NO_ACCOUNTS: &str = "this source is not set up to read accounts; write the table `accounts` with their `base`";
const NO_DISABLE: &str =
    "this source is not set up to disable accounts; write `disable` with the attribute and its value";
const NO_EXOP: &str = "the directory does not list the password modify operation (1.3.6.1.4.1.4203.1.11.1) in its root \
                       entry, or does not let the service account read it there; if it hashes what is written to \
                       userPassword, set `method = \"modify\"`";
