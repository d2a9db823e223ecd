//! User tables of applications, in PostgreSQL, MariaDB and SQLite. Whether a password fits is said by the database's
//! own functions: pgcrypto's `crypt` for bcrypt, MariaDB's `ENCRYPT` (the C library's) for SHA-512-crypt.

use std::collections::BTreeSet;
use std::path::PathBuf;

use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, MySqlPool, PgPool, SqlitePool};
use tempfile::TempDir;
use toml::Table;
use url::Url;

use super::state::Source;
use super::told;

/// What the sources are called.
pub(super) const BILLING: &str = "Billing";
pub(super) const WAREHOUSE: &str = "Warehouse";
pub(super) const CANTEEN: &str = "Canteen";

/// A table in PostgreSQL, in a database of its own with pgcrypto.
pub(super) struct PostgresTable {
    pool: PgPool,
    url: Url,
}

/// A table in MariaDB, in a database of its own.
pub(super) struct MariaDbTable {
    pool: MySqlPool,
    url: Url,
}

/// A table in a SQLite file.
pub(super) struct SqliteTable {
    pool: SqlitePool,
    folder: TempDir,
}

/// Creates an empty database on PostgreSQL, in place of one of that name that an earlier run left, and gives its
/// address.
pub(crate) async fn postgres_database(name: &str) -> Url {
    let mut url: Url = told("LOCKSTEP_TEST_POSTGRES_URL").parse().expect("an address");
    let pool = PgPoolOptions::new().max_connections(1).connect(url.as_str()).await.expect("connected");
    for statement in [format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), format!("CREATE DATABASE {name}")] {
        sqlx::query(AssertSqlSafe(statement)).execute(&pool).await.expect("created");
    }
    pool.close().await;
    url.set_path(name);
    url
}

impl PostgresTable {
    /// A table with these logins, all with one password.
    pub(super) async fn new(database: &str, logins: &[String], password: &str) -> Self {
        let url = postgres_database(database).await;
        let pool = PgPoolOptions::new().max_connections(2).connect(url.as_str()).await.expect("connected");
        for statement in
            ["CREATE EXTENSION pgcrypto", "CREATE TABLE people (login TEXT PRIMARY KEY, password TEXT NOT NULL)"]
        {
            sqlx::query(statement).execute(&pool).await.expect("created");
        }
        let table = Self { pool, url };
        let hash = table.hash(password).await;
        sqlx::query("INSERT INTO people SELECT unnest($1::text[]), $2")
            .bind(logins)
            .bind(hash)
            .execute(&table.pool)
            .await
            .expect("filled");
        table
    }

    /// The table as a source. `fields` say how the password is written.
    pub(super) fn source(&self, fields: Table) -> Source {
        sql(BILLING, &self.url, fields)
    }

    /// Runs a statement of the application's administrator.
    pub(super) async fn run(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.pool).await.expect("run");
    }

    /// Whether the password fits.
    pub(super) async fn holds(&self, login: &str, password: &str) -> bool {
        let fits = sqlx::query_as("SELECT crypt($2, password) = password FROM people WHERE login = $1");
        let (fits,): (bool,) = fits.bind(login).bind(password).fetch_one(&self.pool).await.expect("one row");
        fits
    }

    /// What is stored, by login.
    pub(super) async fn stored(&self) -> Vec<(String, String)> {
        sqlx::query_as("SELECT login, password FROM people").fetch_all(&self.pool).await.expect("rows")
    }

    /// Stores this for everybody, and keeps a journal of what is written from then on.
    pub(super) async fn keep_journal(&self, stored: &str) {
        sqlx::query("UPDATE people SET password = $1").bind(stored).execute(&self.pool).await.expect("written");
        for statement in [
            "CREATE TABLE journal (login TEXT NOT NULL, password TEXT NOT NULL)",
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO journal VALUES (NEW.login, NEW.password); RETURN NEW; END'",
            "CREATE TRIGGER keep AFTER UPDATE ON people FOR EACH ROW EXECUTE FUNCTION keep()",
        ] {
            sqlx::query(statement).execute(&self.pool).await.expect("created");
        }
    }

    /// Every write that was committed.
    pub(super) async fn journal(&self) -> BTreeSet<(String, String)> {
        let rows = sqlx::query_as("SELECT login, password FROM journal").fetch_all(&self.pool);
        rows.await.expect("rows").into_iter().collect()
    }

    /// A bcrypt hash, made by pgcrypto.
    pub(super) async fn hash(&self, password: &str) -> String {
        let hash = sqlx::query_as("SELECT crypt($1, gen_salt('bf', 4))").bind(password);
        let (hash,): (String,) = hash.fetch_one(&self.pool).await.expect("a hash");
        hash
    }

    /// Holds on to a login's row until the transaction ends: whoever writes it waits.
    pub(super) async fn hold(&self, login: &str) -> sqlx::Transaction<'static, sqlx::Postgres> {
        let mut transaction = self.pool.begin().await.expect("begun");
        let row = sqlx::query("SELECT login FROM people WHERE login = $1 FOR UPDATE").bind(login);
        row.execute(&mut *transaction).await.expect("held");
        transaction
    }

    /// Which of these pairs of a hash and a password fit, as pgcrypto says.
    pub(super) async fn fitting(&self, hashes: &[String], passwords: &[String]) -> Vec<bool> {
        let fits = sqlx::query_as(
            "SELECT crypt(password, hash) = hash
             FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS pair (hash, password, place) ORDER BY place",
        );
        let rows: Vec<(bool,)> = fits.bind(hashes).bind(passwords).fetch_all(&self.pool).await.expect("rows");
        rows.into_iter().map(|(fits,)| fits).collect()
    }
}

impl MariaDbTable {
    /// A table with these logins, all with one password.
    pub(super) async fn new(database: &str, logins: &[String], password: &str) -> Self {
        let mut url: Url = told("LOCKSTEP_TEST_MARIADB_URL").parse().expect("an address");
        let pool = MySqlPoolOptions::new().max_connections(1).connect(url.as_str()).await.expect("connected");
        for statement in [format!("DROP DATABASE IF EXISTS {database}"), format!("CREATE DATABASE {database}")] {
            sqlx::query(AssertSqlSafe(statement)).execute(&pool).await.expect("created");
        }
        pool.close().await;
        url.set_path(database);
        let pool = MySqlPoolOptions::new().max_connections(2).connect(url.as_str()).await.expect("connected");
        sqlx::query("CREATE TABLE people (login VARCHAR(64) PRIMARY KEY, password VARCHAR(255) NOT NULL)")
            .execute(&pool)
            .await
            .expect("created");
        for login in logins {
            sqlx::query("INSERT INTO people VALUES (?, ENCRYPT(?, '$6$rounds=1000$saltsalt$'))")
                .bind(login)
                .bind(password)
                .execute(&pool)
                .await
                .expect("filled");
        }
        Self { pool, url }
    }

    /// The table as a source. `fields` say how the password is written.
    pub(super) fn source(&self, fields: Table) -> Source {
        sql(WAREHOUSE, &self.url, fields)
    }

    /// What is stored, by login.
    pub(super) async fn stored(&self) -> Vec<(String, String)> {
        sqlx::query_as("SELECT login, password FROM people").fetch_all(&self.pool).await.expect("rows")
    }

    /// Stores this for everybody, and keeps a journal of what is written from then on.
    pub(super) async fn keep_journal(&self, stored: &str) {
        sqlx::query("UPDATE people SET password = ?").bind(stored).execute(&self.pool).await.expect("written");
        for statement in [
            "CREATE TABLE journal (login VARCHAR(64) NOT NULL, password VARCHAR(255) NOT NULL)",
            "CREATE TRIGGER keep AFTER UPDATE ON people FOR EACH ROW
             INSERT INTO journal VALUES (NEW.login, NEW.password)",
        ] {
            sqlx::raw_sql(statement).execute(&self.pool).await.expect("created");
        }
    }

    /// Every write that was committed.
    pub(super) async fn journal(&self) -> BTreeSet<(String, String)> {
        let rows = sqlx::query_as("SELECT login, password FROM journal").fetch_all(&self.pool);
        rows.await.expect("rows").into_iter().collect()
    }

    /// Whether the password fits.
    pub(super) async fn holds(&self, login: &str, password: &str) -> bool {
        let fits = sqlx::query_as("SELECT ENCRYPT(?, password) = password FROM people WHERE login = ?");
        let (fits,): (bool,) = fits.bind(password).bind(login).fetch_one(&self.pool).await.expect("one row");
        fits
    }
}

impl SqliteTable {
    /// A table with these logins, all with one hash.
    pub(super) async fn new(logins: &[String], hash: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("lockstep-canteen-").tempdir().expect("a folder");
        let options = SqliteConnectOptions::new().filename(folder.path().join("canteen.db")).create_if_missing(true);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.expect("opened");
        sqlx::query("CREATE TABLE people (login TEXT PRIMARY KEY, password TEXT NOT NULL)")
            .execute(&pool)
            .await
            .expect("created");
        for login in logins {
            let insert = sqlx::query("INSERT INTO people VALUES ($1, $2)").bind(login).bind(hash);
            insert.execute(&pool).await.expect("filled");
        }
        Self { pool, folder }
    }

    /// The table as a source. `fields` say how the password is written.
    pub(super) fn source(&self, fields: Table) -> Source {
        let path: PathBuf = self.folder.path().join("canteen.db");
        let mut config = fields;
        config.insert("url".to_owned(), format!("sqlite:{}", path.display()).into());
        Source { name: CANTEEN, connector: "sql", config, password: None }
    }

    /// What is stored, by login.
    pub(super) async fn stored(&self) -> Vec<(String, String)> {
        sqlx::query_as("SELECT login, password FROM people").fetch_all(&self.pool).await.expect("rows")
    }
}

/// How an application that keeps bcrypt hashes is written and read. The cost is the lowest there is: these tests are
/// about where a password arrives, not about how long it takes to guess it.
pub(super) fn bcrypt() -> Table {
    toml::toml! {
        statement = "UPDATE people SET password = :hash WHERE login = :account"
        verify = "SELECT password FROM people WHERE login = :account"
        hash = "bcrypt"
        hash_cost = 4
        hash_prefix = "2a"
    }
}

/// The password in the address becomes the source's secret.
fn sql(name: &'static str, url: &Url, fields: Table) -> Source {
    let mut bare = url.clone();
    bare.set_password(None).expect("an address with a host");
    let mut config = fields;
    config.insert("url".to_owned(), bare.as_str().into());
    Source { name, connector: "sql", config, password: url.password().map(str::to_owned) }
}
