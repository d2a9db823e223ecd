//! An application's user table, made anew for one test in each of the databases, and looked at beside the connector.

use lockstep_connectors::Connector;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, MySqlPool, PgPool, SqlitePool};

use super::{connector, fresh, told};

/// A login of the application, allowed by the password rules of every test server.
const LOGIN_PASSWORD: &str = "App-Passw0rd-1";

/// A table `name (login, password_hash, note)` and a database login that may read and update it.
pub(crate) struct Table {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) login_password: &'static str,
    pub(crate) admin: Admin,
    _folder: Option<tempfile::TempDir>,
}

/// Who looks at the table beside the connector.
pub(crate) enum Admin {
    Postgres(PgPool),
    MySql(MySqlPool),
    Sqlite(SqlitePool),
}

/// Runs an expression with whichever pool it is.
macro_rules! with_pool {
    ($admin:expr, $pool:ident => $body:expr) => {
        match $admin {
            Admin::Postgres($pool) => $body,
            Admin::MySql($pool) => $body,
            Admin::Sqlite($pool) => $body,
        }
    };
}

impl Table {
    /// One table in each database.
    pub(crate) async fn everywhere() -> Vec<Self> {
        vec![Self::postgres().await, Self::mariadb().await, Self::sqlite().await]
    }

    pub(crate) async fn postgres() -> Self {
        let url = told("LOCKSTEP_TEST_POSTGRES_URL");
        let pool = PgPool::connect(&url).await.expect("PostgreSQL");
        let name = format!("users_{}", fresh());
        let login = login_url(&url, "postgres", &name, None);
        let table = Self::new("postgres", name.clone(), login, Admin::Postgres(pool), None);
        table.run(&format!("CREATE ROLE {name} LOGIN PASSWORD '{LOGIN_PASSWORD}'")).await;
        table.create("text").await;
        table.run(&format!("GRANT SELECT, UPDATE ON {name} TO {name}")).await;
        table
    }

    pub(crate) async fn mariadb() -> Self {
        let url = told("LOCKSTEP_TEST_MARIADB_URL");
        let pool = MySqlPool::connect(&url).await.expect("MariaDB");
        let user = format!("users_{}", fresh());
        let login = login_url(&url, "mysql", &user, Some(&user));
        let table = Self::new("mysql", format!("{user}.users"), login, Admin::MySql(pool), None);
        table.run(&format!("CREATE DATABASE {user} CHARACTER SET utf8mb4")).await;
        table.run(&format!("CREATE USER {user}@'127.0.0.1' IDENTIFIED BY '{LOGIN_PASSWORD}'")).await;
        table.create("varchar(255)").await;
        table.run(&format!("GRANT SELECT, UPDATE ON {user}.* TO {user}@'127.0.0.1'")).await;
        table
    }

    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("app.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.expect("SQLite");
        let url = format!("sqlite:{}", path.display());
        let table = Self::new("sqlite", "users".to_owned(), url, Admin::Sqlite(pool), Some(folder));
        table.create("text").await;
        table
    }

    fn new(kind: &'static str, name: String, url: String, admin: Admin, folder: Option<tempfile::TempDir>) -> Self {
        Self { kind, name, url, login_password: LOGIN_PASSWORD, admin, _folder: folder }
    }

    async fn create(&self, text: &str) {
        let name = &self.name;
        self.run(&format!(
            "CREATE TABLE {name} (login {text} NOT NULL, password_hash {text}, note {text} DEFAULT '-')"
        ))
        .await;
    }

    /// Runs a statement as the administrator.
    pub(crate) async fn run(&self, sql: &str) {
        let statement = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        with_pool!(&self.admin, pool => { statement.execute(pool).await.map(drop) })
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Adds a row.
    pub(crate) async fn insert(&self, login: &str) {
        let login = login.replace('\'', "''").replace('\\', if self.kind == "mysql" { "\\\\" } else { "\\" });
        self.run(&format!("INSERT INTO {} (login, password_hash) VALUES ('{login}', 'old')", self.name)).await;
    }

    /// Every stored hash, in no order.
    pub(crate) async fn hashes(&self) -> Vec<String> {
        let sql = AssertSqlSafe(format!("SELECT password_hash FROM {} WHERE password_hash IS NOT NULL", self.name));
        with_pool!(&self.admin, pool => { sqlx::query_scalar(sql).fetch_all(pool).await }).expect("read")
    }

    /// Whether an expression of the database is true.
    pub(crate) async fn holds(&self, condition: &str) -> bool {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {} WHERE {condition}", self.name));
        let count: i64 =
            with_pool!(&self.admin, pool => { sqlx::query_scalar(sql).fetch_one(pool).await }).expect("read");
        count == 1
    }

    /// The configuration with the obvious statements, and some fields added or replaced.
    pub(crate) fn config(&self, more: Value) -> Value {
        let mut config = json!({
            "url": self.url,
            "statement": format!("UPDATE {} SET password_hash = :hash WHERE login = :account", self.name),
            "verify": format!("SELECT password_hash FROM {} WHERE login = :account", self.name),
            "hash": "pbkdf2-sha256",
            "hash_rounds": 1000,
        });
        for (name, value) in more.as_object().expect("an object") {
            config[name] = value.clone();
        }
        if config["hash_rounds"].is_null() {
            config.as_object_mut().expect("an object").remove("hash_rounds");
        }
        config
    }

    pub(crate) fn connector(&self, more: Value) -> Box<dyn Connector> {
        connector("sql", &self.config(more), self.login_password)
    }

    /// `host:port` of the server.
    pub(crate) fn address(&self) -> String {
        let url = url::Url::parse(&self.url).expect("an address");
        format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"))
    }
}

/// The server's address for a login, without its password.
fn login_url(url: &str, scheme: &str, login: &str, database: Option<&str>) -> String {
    let url = url::Url::parse(url).expect("an address");
    let (host, port) = (url.host_str().expect("a host"), url.port().expect("a port"));
    let database = database.unwrap_or(url.path().trim_start_matches('/'));
    format!("{scheme}://{login}@{host}:{port}/{database}")
}
