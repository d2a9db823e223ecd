//! An application's own user table, in PostgreSQL, MySQL, MariaDB or SQLite.
//!
//! The administrator writes the statement; values are bound, never spliced in. A write is one transaction: exactly one
//! row, or rollback. It manages no logins of the database itself and no schema.
//!
//! What is known when a connection breaks: before COMMIT was sent, PostgreSQL and SQLite roll back whatever they were
//! sent, so nothing is in doubt. MySQL has tables without transactions and statements that commit by themselves, so
//! there the doubt begins with the statement. From COMMIT on, only its answer tells.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use lockstep_core::password::Password;
use rand::TryRng as _;
use rand::rngs::SysRng;
use tokio::sync::mpsc::Sender;
use zeroize::Zeroizing;

mod accounts;
mod config;
mod connection;
mod fault;
mod hash;
mod mysql;
mod postgres;
mod reading;
mod row;
mod sqlite;
mod statement;

pub(crate) use config::Settings;

use self::accounts::Accounts;
use self::config::{Address, Engine, Server, Switches};
use self::connection::{Connection, Values};
use self::hash::{Format, HashError, SALT_BYTES};
use self::reading::{Found, PAGE, Rows};
use self::statement::Statement;
use crate::account::{AccountEntry, Pages, Reading};
use crate::pool::{CLOSED, Lease, Pool, Pooled as _};
use crate::{
    AccountRef, Capabilities, Connector, Failure, FailureKind, LockState, Refusal, RefusalKind, Report, SignIn, Written,
};

/// One table.
pub(crate) struct Sql {
    settings: Settings,
    pool: Pool<Connection>,
}

impl Sql {
    pub(crate) fn new(settings: Settings) -> Self {
        let pool = Pool::new(settings.max_connections, settings.connect_timeout);
        Self { settings, pool }
    }

    async fn lease(&self) -> Result<Lease<'_, Connection>, Failure> {
        self.pool.lease(|| self.open()).await
    }

    async fn open(&self) -> Result<Connection, Failure> {
        let limit = self.settings.connect_timeout;
        let server = self.settings.server();
        match tokio::time::timeout(limit, Connection::open(&self.settings)).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => {
                let failure = fault::failure(self.settings.engine, &error, &[]);
                let kind = match failure.kind {
                    FailureKind::Broken | FailureKind::Timeout => FailureKind::Connect,
                    kind => kind,
                };
                Err(Failure { kind, detail: format!("{server}: {}", failure.detail) })
            }
            Err(_elapsed) => Err(Failure::connect(format!(
                "the database {server} did not let the login in within {} ms",
                limit.as_millis()
            ))),
        }
    }

    /// How accounts are read, where the settings say that.
    fn readable(&self) -> Result<&Accounts, Failure> {
        let accounts = self.settings.accounts.as_ref();
        accounts.ok_or_else(|| Failure::refused(RefusalKind::Unsupported, NO_ACCOUNTS))
    }

    /// A connection of its own, in a transaction that only reads: a long reading must not take one that writes need.
    async fn open_for_reading(&self) -> Result<Connection, Failure> {
        if self.pool.is_closed() {
            return Err(Failure::connect(CLOSED));
        }
        let mut connection = self.open().await?;
        let (engine, limit) = (self.settings.engine, self.settings.request_timeout);
        in_time(limit, connection.begin_reading()).await.map_err(|error| error.failure(engine, &[]))?;
        Ok(connection)
    }

    fn rows<'a>(&self, connection: &'a mut Connection, statement: &'a Statement, values: &'a Values<'a>) -> Rows<'a> {
        Rows::of(connection, statement, values, self.settings.engine, self.settings.request_timeout)
    }

    async fn one(
        &self,
        connection: &mut Connection,
        statement: &Statement,
        stable_id: &str,
    ) -> Result<Option<AccountEntry>, Failure> {
        let values = Values { stable_id, ..Values::default() };
        let mut rows = self.rows(connection, statement, &values);
        let Some(Found { entry, .. }) = rows.next().await? else { return Ok(None) };
        if rows.next().await?.is_some() {
            let detail = "the statement `one` found more than one row";
            return Err(Failure::refused(RefusalKind::AccountAmbiguous, detail));
        }
        entry.map(Some).map_err(|problem| Failure::refused(RefusalKind::Misconfigured, problem))
    }

    /// Reads the first account by each of the statements, and says so in a sentence; none if there is no account.
    async fn test_reading(&self) -> Result<Option<String>, Failure> {
        let Accounts { statement, changed, one } = self.readable()?;
        let none = Values::default();
        let mut connection = self.open_for_reading().await?;
        let first = self.rows(&mut connection, statement, &none).with_changes(changed.is_some()).next().await?;
        let Some(Found { entry, changed_at }) = first else { return Ok(None) };
        let entry = entry.map_err(|problem| Failure::refused(RefusalKind::Misconfigured, problem))?;
        // Each on a connection of its own: the rows behind the first one are not waited for.
        if let Some(one) = one {
            let found = self.one(&mut self.open_for_reading().await?, one, &entry.stable_id).await?;
            if found.is_none_or(|found| found.stable_id != entry.stable_id) {
                let detail =
                    format!("the statement `one` does not find the account with the `stable_id` {}", entry.stable_id);
                return Err(Failure::refused(RefusalKind::Misconfigured, detail));
            }
        }
        if let (Some(changed), Some(since)) = (changed, &changed_at) {
            let values = Values { since, ..Values::default() };
            let mut connection = self.open_for_reading().await?;
            self.rows(&mut connection, changed, &values).with_changes(true).next().await?;
        }
        Ok(Some(format!(
            "accounts can be read, for example {} with the `stable_id` {}",
            entry.native_id, entry.stable_id
        )))
    }

    /// What to store for a new password: a hash, or nothing where the database hashes.
    async fn hash(&self, new: &Password) -> Result<Zeroizing<String>, Refusal> {
        let Some(format) = self.settings.format.clone() else { return Ok(Zeroizing::default()) };
        let misconfigured = |detail: &str| Refusal { kind: RefusalKind::Misconfigured, detail: detail.to_owned() };
        let mut salt = [0; SALT_BYTES];
        // Salts come straight from the operating system: they must be unpredictable, and nobody replays them.
        SysRng.try_fill_bytes(&mut salt).map_err(|_| misconfigured("the operating system gives no randomness"))?;
        let new = new.clone();
        match tokio::task::spawn_blocking(move || format.hash(&new, &salt)).await {
            Ok(Ok(hash)) => Ok(hash),
            Ok(Err(error @ HashError::TooLong)) => {
                Err(Refusal { kind: RefusalKind::PolicyLength, detail: error.to_string() })
            }
            Ok(Err(error)) => Err(misconfigured(&error.to_string())),
            Err(_panicked) => Err(misconfigured("the hash could not be computed")),
        }
    }

    /// One write, from BEGIN to COMMIT. The lease is given back only after an answer to the last statement.
    async fn transact(
        &self,
        mut connection: Lease<'_, Connection>,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Written {
        let (engine, limit) = (self.settings.engine, self.settings.request_timeout);
        let secrets = [values.password, values.hash];
        if let Err(error) = in_time(limit, connection.begin(limit)).await {
            return Written::before_sending(error.failure(engine, &secrets));
        }
        let rows = match in_time(limit, connection.write(statement, values)).await {
            Ok(rows) => rows,
            Err(error) => {
                let failure = error.failure(engine, &secrets);
                if error.was_answered() {
                    self.undo(connection).await;
                }
                return match engine {
                    Engine::Postgres | Engine::Sqlite => Written::before_sending(failure),
                    Engine::MySql => Written::after_sending(failure),
                };
            }
        };
        if rows != 1 {
            let undone = self.undo(connection).await;
            return Written::Refused(wrong_count(rows, undone));
        }
        match in_time(limit, connection.commit()).await {
            Ok(()) => {
                connection.keep();
                Written::Applied
            }
            Err(Trouble::Error(error)) if fault::not_committed(engine, &error) => {
                self.undo(connection).await;
                Written::before_sending(fault::failure(engine, &error, &secrets))
            }
            Err(error) => {
                let failure = error.failure(engine, &secrets);
                Written::Unknown(Failure { detail: format!("COMMIT was not confirmed: {}", failure.detail), ..failure })
            }
        }
    }

    /// Rolls back, and says whether everything was undone. A connection that fails even there is closed, which rolls
    /// back too.
    async fn undo(&self, mut connection: Lease<'_, Connection>) -> bool {
        let limit = self.settings.request_timeout;
        if in_time(limit, connection.rollback()).await.is_err() {
            return true;
        }
        let Ok(incomplete) = in_time(limit, connection.rollback_was_incomplete()).await else { return true };
        connection.keep();
        !incomplete
    }

    /// Compares with the stored hash, or lets the database compare. A failure proves nothing.
    async fn compare(&self, statement: &Statement, values: &Values<'_>, password: &Password) -> Result<bool, Failure> {
        let (engine, limit) = (self.settings.engine, self.settings.request_timeout);
        let mut connection = self.lease().await?;
        let Some(format) = self.settings.format.clone() else {
            let verdicts = in_time(limit, connection.read_verdicts(statement, values)).await;
            let verdicts = verdicts.map_err(|error| error.failure(engine, &[values.password]))?;
            connection.keep();
            return single(verdicts)?.ok_or_else(|| {
                Failure::refused(RefusalKind::Misconfigured, "the verify statement said neither true nor false (NULL)")
            });
        };
        let hashes = in_time(limit, connection.read_hashes(statement, values)).await;
        let hashes = hashes.map_err(|error| error.failure(engine, &[]))?;
        connection.keep();
        match single(hashes)? {
            // No hash is stored, so no password is right.
            None => Ok(false),
            Some(stored) => verify(format, password.clone(), Zeroizing::new(stored)).await,
        }
    }
}

#[async_trait]
impl Connector for Sql {
    async fn set_password(&self, account: &AccountRef, new: &Password, current: Option<&Password>) -> Written {
        if current.is_some() {
            let detail = "this source writes to the application's table; it makes no own change".to_owned();
            return Written::Refused(Refusal { kind: RefusalKind::Unsupported, detail });
        }
        if let Err(refusal) = bindable(&account.native_id) {
            return Written::Refused(refusal);
        }
        // Before a connection is taken: hashing takes longer than everything else, and holds nobody up here.
        let hash = match self.hash(new).await {
            Ok(hash) => hash,
            Err(refusal) => return Written::Refused(refusal),
        };
        let connection = match self.lease().await {
            Ok(connection) => connection,
            Err(failure) => return Written::before_sending(failure),
        };
        let values = Values { account: &account.native_id, password: new.expose(), hash: &hash, ..Values::default() };
        self.transact(connection, &self.settings.statement, &values).await
    }

    async fn sign_in(&self, account: &AccountRef, password: &Password) -> SignIn {
        let Some(statement) = &self.settings.verify else { return SignIn::Unsupported };
        if let Err(Refusal { kind, detail }) = bindable(&account.native_id) {
            return SignIn::NotAccepted(Failure::refused(kind, detail));
        }
        let values = Values { account: &account.native_id, password: password.expose(), ..Values::default() };
        match self.compare(statement, &values, password).await {
            Ok(true) => SignIn::Right,
            Ok(false) => SignIn::Wrong,
            // What compares the password in the database may find nobody for a wrong one.
            Err(failure @ Failure { kind: FailureKind::Refused(RefusalKind::AccountNotFound), .. }) => {
                SignIn::NotAccepted(failure)
            }
            Err(failure) => SignIn::Unable(failure),
        }
    }

    async fn lock_state(&self, _account: &AccountRef) -> Result<LockState, Failure> {
        Err(Failure::refused(RefusalKind::Unsupported, NO_LOCKS))
    }

    async fn unlock(&self, _account: &AccountRef) -> Result<(), Failure> {
        Err(Failure::refused(RefusalKind::Unsupported, NO_LOCKS))
    }

    async fn accounts(&self, since: Option<&str>, pages: Sender<Vec<AccountEntry>>) -> Result<Reading, Failure> {
        let Accounts { statement, changed, .. } = self.readable()?;
        let (since, statement) = match (since, changed) {
            (Some(since), Some(changed)) => (Some(since), changed),
            _ => (None, statement),
        };
        let values = Values { since: since.unwrap_or_default(), ..Values::default() };
        let mut connection = self.open_for_reading().await?;
        let rows = self.rows(&mut connection, statement, &values).with_changes(changed.is_some());
        let reading = rows.send(since, Pages::new(pages, PAGE)).await?;
        connection.goodbye().await;
        Ok(reading)
    }

    async fn account(&self, stable_id: &str) -> Result<Option<AccountEntry>, Failure> {
        let Some(statement) = &self.readable()?.one else {
            return Err(Failure::refused(RefusalKind::Unsupported, NO_ONE));
        };
        if stable_id.is_empty() || stable_id.contains('\0') {
            return Ok(None);
        }
        let mut connection = self.open_for_reading().await?;
        let account = self.one(&mut connection, statement, stable_id).await?;
        connection.goodbye().await;
        Ok(account)
    }

    async fn set_enabled(&self, account: &AccountRef, enabled: bool) -> Result<(), Failure> {
        let Some(Switches { enable, disable }) = &self.settings.switches else {
            return Err(Failure::refused(RefusalKind::Unsupported, NO_SWITCHES));
        };
        bindable(&account.native_id).map_err(|Refusal { kind, detail }| Failure::refused(kind, detail))?;
        let connection = self.lease().await?;
        let values = Values { account: &account.native_id, ..Values::default() };
        match self.transact(connection, if enabled { enable } else { disable }, &values).await {
            Written::Applied => Ok(()),
            Written::Refused(Refusal { kind, detail }) => Err(Failure::refused(kind, detail)),
            Written::Unreachable(failure) | Written::Busy(failure) | Written::Unknown(failure) => Err(failure),
        }
    }

    /// The database explains the statements instead of running them: that takes the tables, the columns and, on
    /// PostgreSQL and MySQL, the rights.
    async fn test(&self) -> Result<Report, Failure> {
        let (engine, limit) = (self.settings.engine, self.settings.request_timeout);
        let mut connection = self.lease().await?;
        let mut report = Report::default();
        let server = self.settings.server();
        match &self.settings.address {
            Address::File(_) => report.good(format!("the file {server} can be opened")),
            Address::Server(Server { roots: Some(_), .. }) => {
                report.good(format!("the database {server} lets the login in, with a trusted certificate"));
            }
            Address::Server(_) => report.good(format!("the database {server} lets the login in, without TLS")),
        }
        let failed = |error: Trouble| error.failure(engine, &[]);
        in_time(limit, connection.begin(limit)).await.map_err(failed)?;
        in_time(limit, connection.explain(&self.settings.statement)).await.map_err(failed)?;
        report.good("the statement fits the database");
        match &self.settings.verify {
            Some(verify) => {
                in_time(limit, connection.explain(verify)).await.map_err(failed)?;
                report.good("the verify statement fits the database");
            }
            None => report.warning("there is no verify statement, so no delivery can be checked by a sign-in"),
        }
        if let Some(Switches { enable, disable }) = &self.settings.switches {
            for statement in [enable, disable] {
                in_time(limit, connection.explain(statement)).await.map_err(failed)?;
            }
            report.good("the statements that enable and disable accounts fit the database");
        }
        self.undo(connection).await;
        if self.settings.accounts.is_some() {
            match self.test_reading().await {
                Ok(Some(sentence)) => report.good(sentence),
                Ok(None) => report.warning("the statement for accounts gives no row, so no account is read"),
                Err(Failure { detail, .. }) => report.warning(format!("accounts cannot be read: {detail}")),
            }
        }
        Ok(report)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            sign_in: self.settings.verify.is_some(),
            unlock: false,
            own_change: false,
            max_password_bytes: self.settings.format.as_ref().and_then(Format::max_password_bytes),
            read_accounts: self.settings.accounts.is_some(),
            read_changes: self.settings.accounts.as_ref().is_some_and(|accounts| accounts.changed.is_some()),
            enable: self.settings.switches.is_some(),
        }
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

const NO_ACCOUNTS: &str = "this source is not set up to read accounts; write the table `accounts` with its `statement`";
const NO_ONE: &str = "this source is not set up to read one account; write `one` in the table `accounts`";
const NO_SWITCHES: &str = "this source is not set up to disable accounts; write the statements `enable` and `disable`";
const NO_LOCKS: &str = "an application's table has no lock that Lockstep knows of";

/// Why one step of a transaction failed.
enum Trouble {
    Error(sqlx::Error),
    Late(Duration),
}

impl Trouble {
    /// Whether the database answered, so that the connection can be used on.
    fn was_answered(&self) -> bool {
        matches!(self, Self::Error(sqlx::Error::Database(_)))
    }

    fn failure(&self, engine: Engine, secrets: &[&str]) -> Failure {
        match self {
            Self::Error(error) => fault::failure(engine, error, secrets),
            Self::Late(limit) => {
                Failure::timeout(format!("the database did not answer within {} ms", limit.as_millis()))
            }
        }
    }
}

/// Waits for one step. A step that is late is given up; its connection must not be used again.
async fn in_time<T>(limit: Duration, step: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Trouble> {
    // A little longer than the server's own limit, so that its answer ("gave up waiting for a lock") can arrive.
    match tokio::time::timeout(limit + Duration::from_millis(500), step).await {
        Ok(result) => result.map_err(Trouble::Error),
        Err(_elapsed) => Err(Trouble::Late(limit)),
    }
}

/// No database takes a NUL in text: PostgreSQL refuses it, others stop reading there.
fn bindable(native_id: &str) -> Result<(), Refusal> {
    if native_id.is_empty() || native_id.contains('\0') {
        let detail = "the account's id is empty or contains a NUL character".to_owned();
        return Err(Refusal { kind: RefusalKind::AccountNotFound, detail });
    }
    Ok(())
}

fn wrong_count(rows: u64, undone: bool) -> Refusal {
    if rows == 0 {
        let detail = "the statement found no row for the account".to_owned();
        return Refusal { kind: RefusalKind::AccountNotFound, detail };
    }
    let detail = if undone {
        format!("the statement found {rows} rows for the account; it was rolled back")
    } else {
        format!(
            "the statement found {rows} rows for the account, and the table's engine cannot roll back: all of them \
             were changed; use a table with transactions and a statement that names one row"
        )
    };
    Refusal { kind: RefusalKind::AccountAmbiguous, detail }
}

/// The one row that a verify statement returns.
fn single<T>(rows: Vec<T>) -> Result<T, Failure> {
    let count = rows.len();
    let mut rows = rows.into_iter();
    match (rows.next(), count) {
        (Some(row), 1) => Ok(row),
        (None, _) => {
            let detail = "the verify statement found no row for the account";
            Err(Failure::refused(RefusalKind::AccountNotFound, detail))
        }
        _ => {
            let detail = format!("the verify statement found {count} rows for the account");
            Err(Failure::refused(RefusalKind::AccountAmbiguous, detail))
        }
    }
}

async fn verify(format: Format, password: Password, stored: Zeroizing<Vec<u8>>) -> Result<bool, Failure> {
    let compared = tokio::task::spawn_blocking(move || {
        let stored = std::str::from_utf8(&stored).map_err(|_| HashError::OtherFormat)?;
        // A column of fixed width pads with spaces; no format ends in one.
        format.verify(&password, stored.trim_end_matches(' '))
    });
    match compared.await {
        Ok(Ok(right)) => Ok(right),
        Ok(Err(error)) => Err(Failure::refused(RefusalKind::Misconfigured, error.to_string())),
        Err(_panicked) => Err(Failure::refused(RefusalKind::Misconfigured, "the stored hash could not be checked")),
    }
}
