//! How Lockstep talks to each kind of system: one promise ([`Connector`]) and one module a kind.
//!
//! A connector does one thing once and says exactly what happened. It never retries, never decides policy, never
//! waits for a better moment, and never sees Lockstep's own database. What is told about each target rests on the
//! outcomes here meaning what they say: read [`Written`] and [`SignIn`] before writing a new connector.
//!
//! Kinds: `ldap` (directories that speak RFC 4511 and keep `userPassword`) and `sql` (an application's own user table
//! in PostgreSQL, MySQL, MariaDB or SQLite).

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use lockstep_core::password::Password;

pub mod account;
pub mod config;
pub mod failure;

mod ldap;
mod pool;
mod secret_name;
mod sql;
mod tls;

pub use account::{AccountEntry, Reading, Skipped};
pub use config::{ConfigError, Secrets};
pub use failure::{Failure, FailureKind, Refusal, RefusalKind};

/// One source, as the engine sees it.
///
/// Every method has timeouts of its own, from the source's configuration: one to connect and one for a request. The
/// caller may drop a future at any moment; a connection in the middle of a request is then closed, never reused. A
/// request that was sent before the drop may still take effect, exactly as after [`Written::Unknown`].
#[async_trait]
pub trait Connector: Send + Sync {
    /// Gives the account a new password, once.
    ///
    /// `current` asks for an own change: made as the user and proven by the current password, with the target's rules
    /// for users. Without it the service account resets the password. A connector whose [`Capabilities::own_change`]
    /// is false refuses a `current` as [`RefusalKind::Unsupported`]: a reset is not what was asked for.
    async fn set_password(&self, account: &AccountRef, new: &Password, current: Option<&Password>) -> Written;

    /// Asks whether the password signs in, on the same server that took the last write.
    ///
    /// It changes nothing, but a wrong password counts towards the account's lock on most systems: the caller decides
    /// how often it is worth that. It never goes through a connection that others use.
    async fn sign_in(&self, account: &AccountRef, password: &Password) -> SignIn;

    /// Whether the system holds the account locked after wrong passwords.
    async fn lock_state(&self, account: &AccountRef) -> Result<LockState, Failure>;

    /// Ends such a lock. An account that is not locked is a success.
    async fn unlock(&self, account: &AccountRef) -> Result<(), Failure>;

    /// Reads accounts and sends them in pages, waiting while nobody takes them: all, or with `since` only those that may
    /// have changed since that mark (never fewer than have; accounts that are gone are not told of). Stops when the
    /// receiver is dropped.
    ///
    /// The end of the pages alone says nothing: they are complete only if this returns a [`Reading`]. The receiver being
    /// dropped is a [`Failure`] as well.
    async fn accounts(
        &self,
        since: Option<&str>,
        pages: tokio::sync::mpsc::Sender<Vec<AccountEntry>>,
    ) -> Result<Reading, Failure>;

    /// One account, by what the source never changes about it; none when it is not there.
    async fn account(&self, stable_id: &str) -> Result<Option<AccountEntry>, Failure>;

    /// Lets the account sign in, or not. [`RefusalKind::Unsupported`] where the settings do not say how. An account that
    /// is so already is a success; a lock after wrong passwords is something else and stays.
    async fn set_enabled(&self, account: &AccountRef, enabled: bool) -> Result<(), Failure>;

    /// Tests what can be tested without touching an account: reachability, TLS, the service account, the rights that
    /// show without a write. Changes nobody's password.
    async fn test(&self) -> Result<Report, Failure>;

    /// What this source can do, from its configuration alone.
    fn capabilities(&self) -> Capabilities;

    /// Closes idle connections and lets no new one be opened. Requests under way end by themselves.
    async fn close(&self);
}

/// The account a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRef {
    /// How the system itself names the account: the distinguished name in a directory, the value of `:account` in an
    /// SQL statement.
    pub native_id: String,
    /// What people call it (`Abby.Smith`); for connectors whose system has both. Never used to find the account.
    pub name: String,
}

/// What became of one attempt to write a password.
///
/// The line between the variants is what may be true on the target afterwards, not how the attempt looked from here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// The system confirmed the write: the account has the new password.
    Applied,
    /// The system answered, did not apply it, and would answer the same again. Permanent.
    Refused(Refusal),
    /// Nothing of the write can take effect: it was never sent (name not resolved, connection refused, TLS handshake
    /// broken off, no free connection), or it was sent in a transaction that was provably never committed. Transient.
    Unreachable(Failure),
    /// The system answered that it did not apply it now: busy, read-only, out of space, a deadlock. Transient and
    /// never in doubt.
    Busy(Failure),
    /// The write may have been sent and there was no answer: the account is in doubt. It may have the old password or
    /// the new one, and may still change from one to the other for as long as the server stalls.
    Unknown(Failure),
}

impl Written {
    /// The outcome of a failure that happened before anything of the write was sent.
    pub fn before_sending(failure: Failure) -> Self {
        match failure.kind {
            FailureKind::Connect | FailureKind::Timeout | FailureKind::Broken => Self::Unreachable(failure),
            FailureKind::Busy => Self::Busy(failure),
            FailureKind::Refused(kind) => Self::Refused(Refusal { kind, detail: failure.detail }),
        }
    }

    /// The outcome of a failure of the write itself. Silence and a broken connection leave a doubt; an answer, or the
    /// certainty that there was no connection to send it on, does not.
    pub fn after_sending(failure: Failure) -> Self {
        match failure.kind {
            FailureKind::Timeout | FailureKind::Broken => Self::Unknown(failure),
            FailureKind::Connect | FailureKind::Busy | FailureKind::Refused(_) => Self::before_sending(failure),
        }
    }
}

/// What a sign-in showed about a password.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum SignIn {
    /// The password is the account's.
    Right,
    /// It is, and the system lets nobody do anything with it before there is another one.
    MustChange(MustChange),
    /// The system said unequivocally that the password is not the account's.
    Wrong,
    /// The system was asked and did not accept the password, which does not prove that it is wrong: it may answer so of right
    /// and wrong passwords alike (the account is locked, disabled or not there).
    NotAccepted(Failure),
    /// The system could not be asked.
    Unable(Failure),
    /// This source is not set up for sign-in, and never will answer.
    Unsupported,
}

/// Why a right password must be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MustChange {
    /// It is too old.
    Expired,
    /// Somebody else than its person has set it. Some systems say so of what Lockstep delivers, too.
    Reset,
}

/// Whether an account is locked after wrong passwords. A disabled account is something else and not told here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockState {
    /// Not locked.
    Open,
    /// Locked, `since` in the system's own notation where it tells. Where locks lapse with time the system may already
    /// let the account in again: it clears the mark at the next sign-in.
    Locked {
        /// When the lock began, as the system writes it.
        since: Option<String>,
    },
}

/// What a connection test found, in the order it looked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// One line each; empty never happens on success.
    pub checks: Vec<Check>,
}

/// One finding of a connection test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Whether the finding stands in the way of changing passwords well. What stands in the way altogether is no
    /// finding: the test ends with a [`Failure`].
    pub level: Level,
    /// A sentence for an administrator.
    pub text: String,
}

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Good,
    /// Works, but an administrator should know.
    Warning,
}

impl Report {
    /// Adds a finding that is as it should be.
    pub fn good(&mut self, text: impl Into<String>) {
        self.checks.push(Check { level: Level::Good, text: text.into() });
    }

    /// Adds a finding that an administrator should know.
    pub fn warning(&mut self, text: impl Into<String>) {
        self.checks.push(Check { level: Level::Warning, text: text.into() });
    }
}

/// What a source can do, so that nobody asks in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// [`Connector::sign_in`] can answer.
    pub sign_in: bool,
    /// [`Connector::lock_state`] and [`Connector::unlock`] can answer.
    pub unlock: bool,
    /// [`Connector::set_password`] takes the current password and makes an own change.
    pub own_change: bool,
    /// [`Connector::accounts`] and [`Connector::account`] can answer.
    pub read_accounts: bool,
    /// [`Connector::accounts`] can read only what changed.
    pub read_changes: bool,
    /// [`Connector::set_enabled`] can do it.
    pub enable: bool,
    /// The longest password in bytes that the target keeps whole, where that is known. bcrypt: 72.
    pub max_password_bytes: Option<usize>,
}

/// Tells the time to connectors that write it to the target (`shadowLastChange`): time is an argument here too.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Makes the connector of a source from its configuration, or says which field is wrong and what to write instead.
///
/// `kind` is `ldap` or `sql`. Opens no connection and needs no runtime, so it is also the check of a configuration
/// before it is stored; certificate files named there are read. Secrets come apart from the configuration, by name:
/// both kinds know `password`, the service account's.
pub fn build(
    kind: &str,
    config: &serde_json::Value,
    secrets: &Secrets,
    clock: Clock,
) -> Result<Box<dyn Connector>, ConfigError> {
    match kind {
        "ldap" => Ok(Box::new(ldap::Ldap::new(ldap::Settings::parse(config, secrets)?, clock))),
        "sql" => Ok(Box::new(sql::Sql::new(sql::Settings::parse(config, secrets)?))),
        _ => Err(ConfigError::UnknownKind { kind: kind.to_owned() }),
    }
}

/// The form in which two native ids of a source of that kind are compared: distinguished names as a directory would, however
/// they are written, everything else exactly.
pub fn native_key(kind: &str, native_id: &str) -> String {
    match kind {
        "ldap" => ldap::native_key(native_id),
        _ => native_id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: FailureKind) -> Failure {
        Failure { kind, detail: "it broke".to_owned() }
    }

    #[test]
    fn a_broken_connection_is_in_doubt_only_after_sending() {
        for kind in [FailureKind::Timeout, FailureKind::Broken] {
            assert!(matches!(Written::before_sending(failure(kind)), Written::Unreachable(_)), "{kind:?}");
            assert!(matches!(Written::after_sending(failure(kind)), Written::Unknown(_)), "{kind:?}");
        }
        assert!(matches!(Written::after_sending(failure(FailureKind::Connect)), Written::Unreachable(_)));
    }

    #[test]
    fn an_answer_is_never_in_doubt() {
        assert!(matches!(Written::after_sending(failure(FailureKind::Busy)), Written::Busy(_)));
        let refused = Written::after_sending(failure(FailureKind::Refused(RefusalKind::NoRights)));
        assert_eq!(refused, Written::Refused(Refusal { kind: RefusalKind::NoRights, detail: "it broke".to_owned() }));
    }

    #[test]
    fn an_unknown_kind_is_named() {
        let clock: Clock = Arc::new(DateTime::<Utc>::default);
        let error = build("fax", &serde_json::json!({}), &Secrets::default(), clock).err().expect("no such kind");
        assert!(error.to_string().contains("`fax`"), "{error}");
    }
}
