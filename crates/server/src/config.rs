//! The configuration file, `lockstep.toml`: what a process must know before it can open its database. Everything else
//! is in the database and brought there by `lockstep apply` or the API.

pub mod colour;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use lockstep_core::change::{Backoff, DEFAULT_LIFETIME, LaneSettings, MAX_LIFETIME};
use lockstep_core::node::NodeSettings;
use lockstep_engine::EngineSettings;
use serde::Deserialize;
use url::Url;

use self::colour::Colour;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Where the server listens.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// The address people and programs reach it by; `http://` and `listen` unless said.
    pub base_url: Option<String>,
    /// The server's own certificate; without it, plain HTTP.
    pub tls: Option<TlsConfig>,
    /// What stands between the server and its clients.
    #[serde(default)]
    pub proxy: ProxyConfig,
    /// What is known of countries; without it, nothing.
    pub geography: Option<GeographyConfig>,
    /// Where everything is kept.
    pub store: StoreConfig,
    /// Where the master key comes from. Exactly one of its fields.
    pub master_key: MasterKeyConfig,
    /// What tokens and pages call the organisation.
    #[serde(default)]
    pub organisation: Organisation,
    /// How changes are carried out.
    #[serde(default)]
    pub engine: EngineConfig,
    /// The keys that clients encrypt with.
    #[serde(default)]
    pub transport_keys: TransportKeyConfig,
    /// How much one client may ask.
    #[serde(default)]
    pub limits: Limits,
    /// What the log looks like.
    #[serde(default)]
    pub log: LogConfig,
}

/// The server's own certificate.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TlsConfig {
    /// A PEM file with the certificate, and after it those between it and the authority.
    pub certificate: PathBuf,
    /// A PEM file with its private key.
    pub key: PathBuf,
}

/// What stands between the server and its clients.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ProxyConfig {
    /// The networks of proxies that are believed when they say for whom they ask.
    pub trusted_proxies: Vec<IpNet>,
    /// In which header they say it. Only one is read: what a proxy does not set itself, it passes on from anybody.
    pub header: ForwardingHeader,
    /// Whether other machines may come without TLS, because a proxy ends it.
    pub allow_plain_http: bool,
}

/// The header in which a proxy says for whom it asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardingHeader {
    /// `X-Forwarded-For`, which most proxies know.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// What is known of countries.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GeographyConfig {
    /// A database in MaxMind's format that says in which country an address is.
    pub database: PathBuf,
}

/// Where everything is kept. Its `Debug` does not show the address, which may hold a password.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StoreConfig {
    /// `sqlite:/var/lib/lockstep/lockstep.db` or `postgres://user@host/database`.
    pub url: String,
    /// A file with the PostgreSQL password, so that it need not stand in the URL.
    pub password_file: Option<PathBuf>,
    /// The file that tells whether the database was restored; see [`Config::restore_mark`].
    pub restore_mark: Option<PathBuf>,
}

/// Where the master key comes from.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MasterKeyConfig {
    /// A file that only the server's user may read.
    pub file: Option<PathBuf>,
    /// The name of an environment variable.
    pub environment: Option<String>,
    /// The name of a systemd credential.
    pub credential: Option<String>,
    /// The key before this one, while the master key is changed. It has none before it.
    pub previous: Option<Box<MasterKeyConfig>>,
}

/// What tokens and pages call the organisation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Organisation {
    /// A short name without spaces.
    pub name: String,
    /// What people read on the pages; Lockstep unless said.
    pub display_name: Option<String>,
    /// A picture beside it: an SVG or a PNG.
    pub logo: Option<PathBuf>,
    /// The colour of what can be clicked, where the ground is light, and where it is dark.
    pub colour: Option<Colour>,
    /// See `colour`.
    pub colour_dark: Option<Colour>,
}

/// How changes are carried out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct EngineConfig {
    /// How long a change is tried; at most 24 hours.
    #[serde(with = "humantime_serde")]
    pub lifetime: Duration,
    /// How long a write whose answer was lost may still land.
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
    /// How long a node may be silent before the others take its work over.
    #[serde(with = "humantime_serde")]
    pub node_timeout: Duration,
    /// The wait after the first failed try of a target.
    #[serde(with = "humantime_serde")]
    pub first_retry: Duration,
    /// The longest wait between two tries.
    #[serde(with = "humantime_serde")]
    pub longest_retry: Duration,
}

/// The keys that clients encrypt with.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct TransportKeyConfig {
    /// 2048, 3072 or 4096.
    pub bits: u32,
    /// How long a key is published before the next one takes its place.
    #[serde(with = "humantime_serde")]
    pub rotate_every: Duration,
    /// How long a key that is no longer published is still accepted.
    #[serde(with = "humantime_serde")]
    pub overlap: Duration,
}

/// How much one client may ask.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Limits {
    /// Requests of one client to one version of the API, within `per`.
    pub requests: u32,
    /// The time that `requests` counts for.
    #[serde(with = "humantime_serde")]
    pub per: Duration,
}

/// What the log looks like.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct LogConfig {
    /// `text` for people, `json` for collectors.
    pub format: LogFormat,
    /// A filter such as `info,lockstep=debug`.
    pub filter: Option<String>,
}

/// What a log line looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is wrong with a configuration file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It could not be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no TOML, or has a field that does not belong or is missing. The text names the line.
    #[error("{path}: {source}", path = path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value that makes no sense.
    #[error("{path}: {field}: {reason}", path = path.display())]
    Value {
        /// Which file.
        path: PathBuf,
        /// Which field, with dots.
        field: &'static str,
        /// What it must be.
        reason: &'static str,
    },
}

impl Config {
    /// Reads and checks the file at `path`.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let config: Self = toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        match config.mistake() {
            Some((field, reason)) => Err(ConfigError::Value { path: path.to_owned(), field, reason }),
            None => Ok(config),
        }
    }

    /// What the engine is started with. `alone` says that the database proves that there is no other node.
    pub fn engine_settings(&self, alone: bool) -> EngineSettings {
        let EngineConfig { grace, node_timeout, first_retry, longest_retry, .. } = self.engine;
        let backoff = Backoff { first: first_retry, max: longest_retry };
        EngineSettings {
            lane: LaneSettings { grace, backoff },
            node: NodeSettings { beat_every: node_timeout / 10, timeout: node_timeout, settling: grace, alone },
        }
    }

    /// The file of the restore mark: where it is named, else in the folder of the master key's file, else in that of the
    /// SQLite database. None for PostgreSQL with a master key that is no file: nothing says where this host keeps things.
    pub fn restore_mark(&self) -> Option<PathBuf> {
        const NAME: &str = "restore.mark";
        let database = || {
            let path = self.store.url.strip_prefix("sqlite:")?;
            let path = path.strip_prefix("//").unwrap_or(path);
            Some(Path::new(path).with_file_name(NAME))
        };
        let beside_key = || Some(self.master_key.file.as_ref()?.with_file_name(NAME));
        self.store.restore_mark.clone().or_else(beside_key).or_else(database)
    }

    /// The address people and programs reach the server by, without a slash at the end.
    pub fn public_url(&self) -> String {
        match &self.base_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None if self.tls.is_some() => format!("https://{}", self.listen),
            None => format!("http://{}", self.listen),
        }
    }

    /// Whether secrets and tokens would cross a network in the clear: other machines can come, no certificate is named, and
    /// nothing says that a proxy ends TLS.
    pub fn speaks_in_the_clear(&self) -> bool {
        let reachable = !self.listen.ip().to_canonical().is_loopback();
        reachable && self.tls.is_none() && !self.proxy.allow_plain_http
    }

    fn mistake(&self) -> Option<(&'static str, &'static str)> {
        if !self.master_key.names_one() {
            return Some(("master-key", "name exactly one of file, environment and credential"));
        }
        if self.master_key.previous.as_ref().is_some_and(|key| !key.names_one() || key.previous.is_some()) {
            return Some(("master-key.previous", "name exactly one of file, environment and credential"));
        }
        if self.base_url.as_deref().is_some_and(|url| !is_base(url)) {
            return Some(("base-url", "must be http:// or https:// and a name, with a port if need be, and no path"));
        }
        if self.restore_mark().is_none() {
            let reason =
                "must name a file on this host, since the master key is no file and the database is PostgreSQL";
            return Some(("store.restore-mark", reason));
        }
        if self.organisation.colour.is_some_and(|colour| !colour.is_readable_on_light()) {
            return Some(("organisation.colour", "cannot be read on a light ground: take a darker one"));
        }
        if self.organisation.colour_dark.is_some_and(|colour| !colour.is_readable_on_dark()) {
            return Some(("organisation.colour-dark", "cannot be read on a dark ground: take a lighter one"));
        }
        if !matches!(self.transport_keys.bits, 2048 | 3072 | 4096) {
            return Some(("transport-keys.bits", "must be 2048, 3072 or 4096"));
        }
        if self.transport_keys.rotate_every < Duration::from_secs(3600) {
            return Some(("transport-keys.rotate-every", "must be an hour at least"));
        }
        if self.engine.lifetime.is_zero() || self.engine.lifetime > MAX_LIFETIME.to_std().unwrap_or_default() {
            return Some(("engine.lifetime", "must be more than nothing and at most 24 hours"));
        }
        if self.engine.grace < Duration::from_secs(1) {
            return Some(("engine.grace", "must be a second at least"));
        }
        if self.engine.node_timeout < Duration::from_secs(2) {
            return Some(("engine.node-timeout", "must be two seconds at least"));
        }
        if self.engine.first_retry.is_zero() || self.engine.first_retry > self.engine.longest_retry {
            return Some(("engine.first-retry", "must be more than nothing and at most engine.longest-retry"));
        }
        if self.limits.requests == 0 || self.limits.per.is_zero() {
            return Some(("limits", "requests and per must be more than nothing"));
        }
        None
    }
}

/// Whether an address is that of the whole server: pages and tokens name what lies behind it.
fn is_base(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    matches!(url.scheme(), "http" | "https") && url.has_host() && is_bare
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A password may stand in the address.
        f.debug_struct("StoreConfig")
            .field("url", &"redacted")
            .field("password_file", &self.password_file)
            .field("restore_mark", &self.restore_mark)
            .finish()
    }
}

impl MasterKeyConfig {
    fn names_one(&self) -> bool {
        let origins = [self.file.is_some(), self.environment.is_some(), self.credential.is_some()];
        origins.iter().filter(|named| **named).count() == 1
    }
}

impl Default for Organisation {
    fn default() -> Self {
        let (display_name, logo, colour, colour_dark) = (None, None, None, None);
        Self { name: "lockstep".to_owned(), display_name, logo, colour, colour_dark }
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        let LaneSettings { grace, backoff } = LaneSettings::default();
        Self {
            lifetime: DEFAULT_LIFETIME.to_std().unwrap_or_default(),
            grace,
            node_timeout: Duration::from_secs(10),
            first_retry: backoff.first,
            longest_retry: backoff.max,
        }
    }
}

impl Default for TransportKeyConfig {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self { bits: 2048, rotate_every: day, overlap: day }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests: 100, per: Duration::from_secs(10) }
    }
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8080))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(store: &str, key: &str) -> Config {
        toml::from_str(&format!("[store]\n{store}\n[master-key]\n{key}\n")).unwrap()
    }

    #[test]
    fn the_restore_mark_lies_beside_the_key_or_the_database_or_where_it_is_named() {
        let (file, variable) = ("file = \"/keys/master.key\"", "environment = \"KEY\"");
        let (sqlite, postgres) = ("url = \"sqlite:///data/l.db\"", "url = \"postgres://host/l\"");
        let named = "url = \"postgres://host/l\"\nrestore-mark = \"/var/mark\"";
        for (store, key, expected) in [
            (sqlite, file, Some("/keys/restore.mark")),
            (postgres, file, Some("/keys/restore.mark")),
            (sqlite, variable, Some("/data/restore.mark")),
            ("url = \"sqlite:l.db\"", variable, Some("restore.mark")),
            (named, file, Some("/var/mark")),
            (named, variable, Some("/var/mark")),
            (postgres, variable, None),
        ] {
            let config = config(store, key);
            assert_eq!(config.restore_mark(), expected.map(PathBuf::from), "{store} {key}");
            assert_eq!(config.mistake().map(|(field, _)| field), expected.is_none().then_some("store.restore-mark"));
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_or_for_a_proxy() {
        for (listen, settings, clear) in [
            ("127.0.0.1:80", "", false),
            ("127.8.9.1:80", "", false),
            ("[::1]:80", "", false),
            ("[::ffff:127.0.0.1]:80", "", false),
            ("0.0.0.0:80", "", true),
            ("[::]:80", "", true),
            ("192.0.2.7:80", "", true),
            ("192.0.2.7:80", "[proxy]\ntrusted-proxies = [\"192.0.2.8/32\"]", true),
            ("192.0.2.7:80", "[proxy]\nallow-plain-http = true", false),
            ("192.0.2.7:80", "[tls]\ncertificate = \"c\"\nkey = \"k\"", false),
        ] {
            let mut config = config("url = \"sqlite:l.db\"", &format!("file = \"a\"\n{settings}"));
            config.listen = listen.parse().unwrap();
            assert_eq!(config.speaks_in_the_clear(), clear, "{listen} {settings}");
        }
    }

    #[test]
    fn the_base_url_is_that_of_the_whole_server() {
        for (url, wrong) in [
            ("https://lockstep.example.org", false),
            ("https://lockstep.example.org:8443/", false),
            ("http://[::1]:8080", false),
            ("lockstep.example.org", true),
            ("https://lockstep.example.org/x", true),
            ("https://lockstep.example.org?x", true),
            ("ftp://lockstep.example.org", true),
            ("https://", true),
        ] {
            let mut config = config("url = \"sqlite:l.db\"", "file = \"a\"");
            config.base_url = Some(url.to_owned());
            assert_eq!(config.mistake().map(|(field, _)| field), wrong.then_some("base-url"), "{url}");
        }
    }

    #[test]
    fn a_previous_master_key_is_one_and_has_none_before_it() {
        for (previous, wrong) in [
            ("file = \"b\"", false),
            ("credential = \"b\"", false),
            ("", true),
            ("file = \"b\"\ncredential = \"b\"", true),
            ("file = \"b\"\n[master-key.previous.previous]\nfile = \"c\"", true),
        ] {
            let key = format!("file = \"a\"\n[master-key.previous]\n{previous}");
            let config = config("url = \"sqlite:l.db\"", &key);
            assert_eq!(config.mistake().map(|(field, _)| field), wrong.then_some("master-key.previous"), "{previous}");
        }
    }
}
