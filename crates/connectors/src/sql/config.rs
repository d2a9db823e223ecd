//! The configuration of an application's user table.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use super::accounts::{self, Accounts};
use super::hash::{BcryptPrefix, Format};
use super::statement::{Parameter, Statement};
use crate::config::{self, ConfigError, Secrets};
use crate::tls;

/// The fields as they are written. Unknown fields are an error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    /// `postgres://user@host:port/database`, `mysql://user@host:port/database` or `sqlite:/path/to/file`. The login's
    /// password is the secret `password` and never part of it.
    url: String,
    /// `postgres`, `mysql` (also for MariaDB) or `sqlite`; only needed if it should be checked against the scheme.
    engine: Option<Engine>,
    /// Socket to use instead of TCP: the folder of the socket for PostgreSQL, the socket file for MySQL. The host in
    /// `url` is then only a name.
    socket: Option<PathBuf>,
    /// `verify-full`, the default for hosts other than this one, or `off`.
    tls: Option<TlsMode>,
    /// PEM file of certificate authorities to believe besides the public ones.
    ca_file: Option<PathBuf>,
    /// Changes the password of exactly one row: `:account` is the account's id, always bound as text, and `:hash` (or
    /// `:password` with `hash = "database"`) what to store. It runs in a transaction and is rolled back if it changed
    /// no row or more than one. For PostgreSQL a `SELECT` of a function that returns one row is possible.
    statement: String,
    /// How the application hashes: `argon2id`, `bcrypt`, `pbkdf2-sha256`, `django-pbkdf2-sha256`, `sha512-crypt`, or
    /// `database` if the statement calls the database's own function on `:password`. With `database`, the plaintext is
    /// part of the request: keep the server's statement and parameter logs off.
    hash: HashName,
    /// argon2id: memory in KiB, by default 19456.
    hash_memory_kib: Option<u32>,
    /// argon2id: passes, by default 2.
    hash_passes: Option<u32>,
    /// argon2id: lanes, by default 1.
    hash_lanes: Option<u32>,
    /// bcrypt: cost, the logarithm of the rounds, 4 to 17, by default 12.
    hash_cost: Option<u32>,
    /// bcrypt: `2a`, `2b` or `2y`, by default `2b`.
    hash_prefix: Option<BcryptPrefix>,
    /// PBKDF2 (by default 600000) and SHA-512-crypt (by default 100000): rounds, 1000 to 10000000.
    hash_rounds: Option<u32>,
    /// Reads what sign-in is checked against, by `:account`: one row with the stored hash; with `hash = "database"`,
    /// one row with true or 1 if `:password` is right, and false or 0 if not. Without it, sign-in is unsupported.
    verify: Option<String>,
    /// Which rows are accounts. Without it the accounts of the source are not read.
    accounts: Option<accounts::Fields>,
    /// Lets the account `:account` sign in again; exactly one row, or it is rolled back.
    enable: Option<String>,
    /// Lets it sign in no more.
    disable: Option<String>,
    /// Connections kept to the database, 1 to 64.
    #[serde(default = "four")]
    max_connections: usize,
    /// Milliseconds to connect and agree on TLS, and to wait for a free connection.
    #[serde(default = "five_seconds")]
    connect_timeout_ms: u64,
    /// Milliseconds for one step of a transaction, waiting for row locks included.
    #[serde(default = "ten_seconds")]
    request_timeout_ms: u64,
}

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Engine {
    Postgres,
    MySql,
    Sqlite,
}

impl Engine {
    /// How people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL",
            Self::Sqlite => "SQLite",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum TlsMode {
    VerifyFull,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum HashName {
    Argon2id,
    Bcrypt,
    #[serde(rename = "pbkdf2-sha256")]
    Pbkdf2Sha256,
    #[serde(rename = "django-pbkdf2-sha256")]
    DjangoPbkdf2Sha256,
    #[serde(rename = "sha512-crypt")]
    Sha512Crypt,
    Database,
}

/// A configuration that can work.
pub(crate) struct Settings {
    pub(super) engine: Engine,
    pub(super) address: Address,
    pub(super) statement: Statement,
    /// None: the database hashes.
    pub(super) format: Option<Format>,
    pub(super) verify: Option<Statement>,
    pub(super) accounts: Option<Accounts>,
    pub(super) switches: Option<Switches>,
    pub(super) max_connections: usize,
    pub(super) connect_timeout: Duration,
    pub(super) request_timeout: Duration,
}

/// The statements that enable and disable an account.
pub(super) struct Switches {
    pub(super) enable: Statement,
    pub(super) disable: Statement,
}

/// Where the table is.
pub(super) enum Address {
    Server(Server),
    File(PathBuf),
}

/// A database server and how to sign in there.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) socket: Option<PathBuf>,
    pub(super) user: String,
    pub(super) password: Option<Zeroizing<String>>,
    pub(super) database: String,
    /// Trusted certificates as PEM text; none: no TLS.
    pub(super) roots: Option<Vec<u8>>,
}

impl Settings {
    /// Checks everything that can be checked without connecting.
    pub(crate) fn parse(config: &serde_json::Value, secrets: &Secrets) -> Result<Self, ConfigError> {
        let fields: Fields = config::parse(config)?;
        let (engine, address) = address(&fields, secrets)?;
        if fields.engine.is_some_and(|named| named != engine) {
            let problem = format!("the address in `url` is one of {}", engine.name());
            return Err(ConfigError::field("engine", problem));
        }
        let format = format(&fields)?;
        let secret = if format.is_some() { Parameter::Hash } else { Parameter::Password };
        let statement = translate("statement", &fields.statement, engine, &[Parameter::Account, secret])?;
        let needed: &[_] =
            if format.is_some() { &[Parameter::Account] } else { &[Parameter::Account, Parameter::Password] };
        let verify = fields.verify.as_deref().map(|text| translate("verify", text, engine, needed)).transpose()?;
        Ok(Self {
            engine,
            address,
            statement,
            format,
            verify,
            accounts: fields.accounts.as_ref().map(|fields| Accounts::parse(fields, engine)).transpose()?,
            switches: switches(&fields, engine)?,
            max_connections: config::connections("max_connections", fields.max_connections)?,
            connect_timeout: config::milliseconds("connect_timeout_ms", fields.connect_timeout_ms)?,
            request_timeout: config::milliseconds("request_timeout_ms", fields.request_timeout_ms)?,
        })
    }

    /// The database, for sentences.
    pub(super) fn server(&self) -> String {
        match &self.address {
            Address::Server(Server { socket: Some(socket), .. }) => socket.display().to_string(),
            Address::Server(server) => format!("{}:{}", server.host, server.port),
            Address::File(path) => path.display().to_string(),
        }
    }
}

/// Translates a statement that needs exactly these parameters.
pub(super) fn translate(
    field: &str,
    text: &str,
    engine: Engine,
    needed: &[Parameter],
) -> Result<Statement, ConfigError> {
    let statement = Statement::translate(text, engine).map_err(|problem| ConfigError::field(field, problem))?;
    for parameter in Parameter::ALL {
        let name = parameter.name();
        match (needed.contains(&parameter), statement.parameters.contains(&parameter)) {
            (true, false) => return Err(ConfigError::field(field, format!("it must use `:{name}`"))),
            (false, true) => {
                let why = match parameter {
                    Parameter::Password | Parameter::Hash => " with the `hash` you set",
                    _ => "",
                };
                return Err(ConfigError::field(field, format!("`:{name}` has no value here{why}")));
            }
            _ => {}
        }
    }
    Ok(statement)
}

/// Both statements or none: who is disabled must be able to come back.
fn switches(fields: &Fields, engine: Engine) -> Result<Option<Switches>, ConfigError> {
    let one = |field, text: &str| translate(field, text, engine, &[Parameter::Account]);
    match (&fields.enable, &fields.disable) {
        (Some(enable), Some(disable)) => {
            Ok(Some(Switches { enable: one("enable", enable)?, disable: one("disable", disable)? }))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(ConfigError::field("disable", "write it too, or leave out `enable`")),
        (None, Some(_)) => Err(ConfigError::field("enable", "write it too, or leave out `disable`")),
    }
}

const URL_FORM: &str = "write `postgres://user@host:port/database`, `mysql://user@host:port/database` or \
                        `sqlite:/path/to/file`, without anything after it";

fn address(fields: &Fields, secrets: &Secrets) -> Result<(Engine, Address), ConfigError> {
    if let Some(path) = fields.url.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.contains(['?', '#']) || path.starts_with(':') {
            return Err(ConfigError::field("url", URL_FORM));
        }
        if fields.tls.is_some() || fields.socket.is_some() || fields.ca_file.is_some() {
            return Err(ConfigError::field("url", "a file needs no `tls`, `ca_file` or `socket`; leave them out"));
        }
        return Ok((Engine::Sqlite, Address::File(PathBuf::from(path))));
    }
    let url = Url::parse(&fields.url).map_err(|error| ConfigError::field("url", format!("{error}; {URL_FORM}")))?;
    let (engine, port) = match url.scheme() {
        "postgres" | "postgresql" => (Engine::Postgres, 5432),
        "mysql" | "mariadb" => (Engine::MySql, 3306),
        _ => return Err(ConfigError::field("url", URL_FORM)),
    };
    if url.password().is_some() {
        let problem = "a password in the address would be shown with it; give it as the secret `password`";
        return Err(ConfigError::field("url", problem));
    }
    let decoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8().map_err(|_| ConfigError::field("url", URL_FORM))?;
        if text.contains('\0') { Err(ConfigError::field("url", URL_FORM)) } else { Ok(text.into_owned()) }
    };
    let (user, database) = (decoded(url.username())?, decoded(url.path().trim_start_matches('/'))?);
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    if host.is_empty() || user.is_empty() || database.is_empty() || url.query().is_some() || url.fragment().is_some() {
        return Err(ConfigError::field("url", URL_FORM));
    }
    let here = fields.socket.is_some() || is_this_machine(&host);
    let roots = match fields.tls.unwrap_or(if here { TlsMode::Off } else { TlsMode::VerifyFull }) {
        TlsMode::VerifyFull if fields.socket.is_some() => {
            return Err(ConfigError::field("tls", "a local socket has no TLS; leave one of the two out"));
        }
        TlsMode::VerifyFull => Some(tls::roots_pem(fields.ca_file.as_deref())?),
        TlsMode::Off if fields.ca_file.is_some() => {
            return Err(ConfigError::field("ca_file", "it is not used without `tls = \"verify-full\"`"));
        }
        TlsMode::Off => None,
    };
    let server = Server {
        host,
        port: url.port().unwrap_or(port),
        socket: fields.socket.clone(),
        user,
        password: secrets.get("password").cloned(),
        database,
        roots,
    };
    Ok((engine, Address::Server(server)))
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn format(fields: &Fields) -> Result<Option<Format>, ConfigError> {
    let rounds = |default: u32| ranged("hash_rounds", fields.hash_rounds, default, 1000..=10_000_000);
    let (format, used): (_, &[&str]) = match fields.hash {
        HashName::Argon2id => {
            let lanes = ranged("hash_lanes", fields.hash_lanes, 1, 1..=64)?;
            let format = Format::Argon2id {
                memory_kib: ranged("hash_memory_kib", fields.hash_memory_kib, 19_456, 8 * lanes..=1_048_576)?,
                passes: ranged("hash_passes", fields.hash_passes, 2, 1..=64)?,
                lanes,
            };
            (Some(format), &["hash_memory_kib", "hash_passes", "hash_lanes"])
        }
        HashName::Bcrypt => {
            let cost = ranged("hash_cost", fields.hash_cost, 12, 4..=17)?;
            let prefix = fields.hash_prefix.unwrap_or_default();
            (Some(Format::Bcrypt { cost, prefix }), &["hash_cost", "hash_prefix"])
        }
        HashName::Pbkdf2Sha256 => (Some(Format::Pbkdf2Sha256 { rounds: rounds(600_000)? }), &["hash_rounds"]),
        HashName::DjangoPbkdf2Sha256 => {
            (Some(Format::DjangoPbkdf2Sha256 { rounds: rounds(600_000)? }), &["hash_rounds"])
        }
        HashName::Sha512Crypt => (Some(Format::Sha512Crypt { rounds: rounds(100_000)? }), &["hash_rounds"]),
        HashName::Database => (None, &[]),
    };
    for (field, set) in [
        ("hash_memory_kib", fields.hash_memory_kib.is_some()),
        ("hash_passes", fields.hash_passes.is_some()),
        ("hash_lanes", fields.hash_lanes.is_some()),
        ("hash_cost", fields.hash_cost.is_some()),
        ("hash_prefix", fields.hash_prefix.is_some()),
        ("hash_rounds", fields.hash_rounds.is_some()),
    ] {
        if set && !used.contains(&field) {
            return Err(ConfigError::field(field, "the format in `hash` does not know it; leave it out"));
        }
    }
    Ok(format)
}

fn ranged(
    field: &str,
    value: Option<u32>,
    default: u32,
    range: std::ops::RangeInclusive<u32>,
) -> Result<u32, ConfigError> {
    let value = value.unwrap_or(default);
    if range.contains(&value) {
        Ok(value)
    } else {
        let (least, most) = range.into_inner();
        Err(ConfigError::field(field, format!("{value} is out of range; write {least} to {most}")))
    }
}

fn four() -> usize {
    4
}

fn five_seconds() -> u64 {
    5_000
}

fn ten_seconds() -> u64 {
    10_000
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(config: Value) -> Result<Settings, ConfigError> {
        let mut fields = json!({
            "url": "postgres://app@127.0.0.1/app",
            "statement": "UPDATE users SET hash = :hash WHERE login = :account",
            "hash": "argon2id",
        });
        for (name, value) in config.as_object().expect("an object") {
            fields[name] = value.clone();
        }
        Settings::parse(&fields, &Secrets::default())
    }

    #[test]
    fn addresses_are_read() {
        let settings = parse(json!({ "url": "mysql://my%20app@localhost:3307/app" })).expect("right");
        let Address::Server(server) = &settings.address else { panic!("a server") };
        assert_eq!((settings.engine, server.port, server.user.as_str()), (Engine::MySql, 3307, "my app"));
        assert!(server.roots.is_none(), "no TLS to this machine by default");
        let settings = parse(json!({ "url": "postgresql://app@[::1]/app" })).expect("right");
        assert_eq!(settings.server(), "::1:5432");
        for url in ["sqlite:/var/lib/app.db", "sqlite:///var/lib/app.db"] {
            assert_eq!(parse(json!({ "url": url })).expect("right").server(), "/var/lib/app.db");
        }
    }

    #[test]
    fn other_machines_get_tls_unless_told_otherwise() {
        // A CA file is named, so that the test does not depend on the certificates of the machine it runs on.
        let problem = parse(json!({ "url": "postgres://app@db.example.test/app", "ca_file": "/nowhere.pem" }));
        assert!(problem.err().expect("read").to_string().starts_with("`ca_file`: /nowhere.pem"));
        let settings = parse(json!({ "url": "postgres://app@db.example.test/app", "tls": "off" })).expect("told");
        assert!(matches!(&settings.address, Address::Server(Server { roots: None, .. })));
    }

    #[test]
    fn what_cannot_work_is_named() {
        for (config, start) in [
            (json!({ "url": "oracle://app@h/app" }), "`url`"),
            (json!({ "url": "postgres://app@h" }), "`url`"),
            (json!({ "url": "postgres://h/app" }), "`url`"),
            (json!({ "url": "postgres://app@h/app?sslmode=disable" }), "`url`"),
            (json!({ "url": "postgres://app:secret@h/app" }), "`url`: a password"),
            (json!({ "url": "sqlite:" }), "`url`"),
            (json!({ "url": "sqlite::memory:" }), "`url`"),
            (json!({ "url": "sqlite:/a.db", "tls": "off" }), "`url`"),
            (json!({ "engine": "mysql" }), "`engine`"),
            (json!({ "tls": "prefer" }), "`tls`"),
            (json!({ "tls": "off", "ca_file": "/ca.pem" }), "`ca_file`"),
            (json!({ "socket": "/run/postgresql", "tls": "verify-full" }), "`tls`"),
            (json!({ "hash": "md5" }), "`hash`"),
            (json!({ "hash": "bcrypt", "hash_cost": 3 }), "`hash_cost`"),
            (json!({ "hash_cost": 12 }), "`hash_cost`"),
            (json!({ "hash": "sha512-crypt", "hash_rounds": 999 }), "`hash_rounds`"),
            (json!({ "hash_memory_kib": 31, "hash_lanes": 4 }), "`hash_memory_kib`"),
            (json!({ "statement": "UPDATE users SET hash = :hash" }), "`statement`: it must use `:account`"),
            (json!({ "statement": "UPDATE u SET p = :password WHERE l = :account" }), "`statement`"),
            (json!({ "hash": "database" }), "`statement`: it must use `:password`"),
            (json!({ "verify": "SELECT hash FROM users" }), "`verify`: it must use `:account`"),
            (json!({ "verify": "SELECT hash FROM u WHERE l = :account AND c > :since" }), "`verify`: `:since`"),
            (json!({ "accounts": {} }), "`accounts`"),
            (json!({ "accounts": { "statement": "" } }), "`accounts.statement`"),
            (json!({ "accounts": { "statement": "SELECT :account" } }), "`accounts.statement`: `:account`"),
            (json!({ "accounts": { "statement": "SELECT 1", "changed": "SELECT 1" } }), "`accounts.changed`"),
            (json!({ "accounts": { "statement": "SELECT 1", "one": "SELECT :since" } }), "`accounts.one`"),
            (json!({ "accounts": { "statement": "SELECT 1", "all": "x" } }), "`accounts.all`"),
            (json!({ "enable": "UPDATE u SET e = 1 WHERE l = :account" }), "`disable`"),
            (json!({ "disable": "UPDATE u SET e = 0 WHERE l = :account" }), "`enable`"),
            (json!({ "disable": "UPDATE u SET e = 0 WHERE l = :account", "enable": "UPDATE u SET e = 1" }), "`enable`"),
            (json!({ "max_connections": 65 }), "`max_connections`"),
            (json!({ "connect_timeout_ms": "soon" }), "`connect_timeout_ms`"),
            (json!({ "statment": "x" }), "`statment`"),
        ] {
            let problem = parse(config.clone()).err().unwrap_or_else(|| panic!("{config} passed")).to_string();
            assert!(problem.starts_with(start), "{problem}");
        }
    }

    #[test]
    fn the_database_may_hash() {
        let settings = parse(json!({
            "hash": "database",
            "statement": "UPDATE u SET p = crypt(:password, gen_salt('bf')) WHERE l = :account",
            "verify": "SELECT p = crypt(:password, p) FROM u WHERE l = :account",
        }))
        .expect("right");
        assert_eq!(settings.format, None);
        assert_eq!(settings.statement.parameters, [Parameter::Password, Parameter::Account]);
    }
}
