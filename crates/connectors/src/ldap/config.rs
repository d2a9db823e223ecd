//! The configuration of a directory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use super::accounts::{self, Accounts, Disable};
use super::dn;
use crate::config::{self, ConfigError, Secrets};
use crate::tls;

/// The fields as they are written. Unknown fields are an error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    /// `ldaps://host`, or `ldap://host` with `start_tls`. Port 636 or 389 if none is given. Name one server, not a
    /// balancer before several: a password is verified where it was written.
    url: String,
    /// Turns an `ldap://` connection into TLS before anything else is sent. If that fails, so does the connection.
    #[serde(default)]
    start_tls: bool,
    /// Lets `ldap://` go without TLS: passwords then cross the network readable to all on the way.
    #[serde(default)]
    allow_plain: bool,
    /// PEM file of the certificate authorities to believe instead of the system's.
    ca_file: Option<PathBuf>,
    /// The service account's distinguished name; its password is the secret `password`. Not the directory's root
    /// entry: that one bypasses the password policy.
    bind_dn: String,
    /// How the password is written.
    #[serde(default)]
    method: Method,
    /// With `method = "modify"`: attributes replaced in the same request, by name. `{days}` in a value stands for the
    /// days since 1970-01-01 UTC, as `shadowLastChange` counts them.
    #[serde(default)]
    also_write: BTreeMap<String, String>,
    /// Which entries are accounts. Without it the accounts of the source are not read.
    accounts: Option<accounts::Fields>,
    /// How an account is disabled. Without it accounts are neither disabled nor enabled.
    disable: Option<Disable>,
    /// Connections kept to the directory, 1 to 64.
    #[serde(default = "four")]
    max_connections: usize,
    /// Milliseconds to resolve the name, connect and agree on TLS, and to wait for a free connection.
    #[serde(default = "five_seconds")]
    connect_timeout_ms: u64,
    /// Milliseconds to wait for the answer to one request.
    #[serde(default = "ten_seconds")]
    request_timeout_ms: u64,
}

/// How the password is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Method {
    /// The password modify operation (RFC 3062): the directory applies its policy and hashes. Never falls back.
    #[default]
    Exop,
    /// A replace of `userPassword`. Some directories store exactly what they are given: make sure that yours hashes.
    Modify,
}

/// How a connection is protected.
#[derive(Clone)]
pub(super) enum Security {
    /// TLS from the first byte.
    Ldaps(Arc<ClientConfig>),
    /// TLS by the StartTLS operation (RFC 4511 §4.14), before anything else.
    StartTls(Arc<ClientConfig>),
    /// None, because the configuration allows it in so many words.
    Plain,
}

/// A configuration that can work.
pub(crate) struct Settings {
    /// Scheme, host and port only.
    pub(super) url: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) bind_dn: String,
    pub(super) bind_password: Zeroizing<String>,
    pub(super) method: Method,
    pub(super) also_write: BTreeMap<String, String>,
    pub(super) accounts: Option<Accounts>,
    pub(super) disable: Option<Disable>,
    pub(super) max_connections: usize,
    pub(super) connect_timeout: Duration,
    pub(super) request_timeout: Duration,
}

impl Settings {
    /// Checks everything that can be checked without connecting.
    pub(crate) fn parse(config: &serde_json::Value, secrets: &Secrets) -> Result<Self, ConfigError> {
        let fields: Fields = config::parse(config)?;
        let url = Url::parse(&fields.url).map_err(|error| ConfigError::field("url", format!("{error}; {URL_FORM}")))?;
        let (Some(host), true) = (url.host_str().filter(|host| !host.is_empty()), bare(&url)) else {
            return Err(ConfigError::field("url", URL_FORM));
        };
        if host.starts_with('[') && (fields.start_tls || url.scheme() == "ldaps") {
            let problem = "TLS to a bare IPv6 address is not supported; write the name in the server's certificate";
            return Err(ConfigError::field("url", problem));
        }
        let (security, port) = match (url.scheme(), fields.start_tls) {
            ("ldaps", false) => (Security::Ldaps(tls::client_config(fields.ca_file.as_deref())?), 636),
            ("ldaps", true) => {
                let problem = "`ldaps://` is TLS already; leave this out, or write `ldap://`";
                return Err(ConfigError::field("start_tls", problem));
            }
            ("ldap", true) => (Security::StartTls(tls::client_config(fields.ca_file.as_deref())?), 389),
            ("ldap", false) if fields.allow_plain => (Security::Plain, 389),
            ("ldap", false) => {
                let problem = "`ldap://` sends passwords in the clear; write `ldaps://`, or set `start_tls = true` \
                               (or `allow_plain = true`, if you accept that)";
                return Err(ConfigError::field("url", problem));
            }
            _ => return Err(ConfigError::field("url", URL_FORM)),
        };
        if let Err(problem) = dn::check(&fields.bind_dn) {
            return Err(ConfigError::field("bind_dn", problem));
        }
        let Some(bind_password) = secrets.get("password").filter(|secret| !secret.is_empty()) else {
            let problem = format!("it is the password of the service account {}", fields.bind_dn);
            return Err(ConfigError::Secret { name: "password", problem });
        };
        if fields.method == Method::Exop && !fields.also_write.is_empty() {
            let problem = "the password modify operation writes the password only; this needs `method = \"modify\"`";
            return Err(ConfigError::field("also_write", problem));
        }
        for attribute in fields.also_write.keys() {
            if !dn::is_attribute_name(attribute) || attribute.eq_ignore_ascii_case("userPassword") {
                let field = format!("also_write.{attribute}");
                return Err(ConfigError::field(&field, "this is not the name of an attribute to write beside it"));
            }
        }
        if let Some(disable) = &fields.disable {
            disable.check()?;
        }
        let port = url.port().unwrap_or(port);
        Ok(Self {
            url: format!("{}://{host}:{port}", url.scheme()),
            host: host.to_owned(),
            port,
            security,
            bind_dn: fields.bind_dn,
            bind_password: bind_password.clone(),
            method: fields.method,
            also_write: fields.also_write,
            accounts: fields.accounts.map(Accounts::parse).transpose()?,
            disable: fields.disable,
            max_connections: config::connections("max_connections", fields.max_connections)?,
            connect_timeout: config::milliseconds("connect_timeout_ms", fields.connect_timeout_ms)?,
            request_timeout: config::milliseconds("request_timeout_ms", fields.request_timeout_ms)?,
        })
    }

    /// `host:port`, for sentences.
    pub(super) fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

const URL_FORM: &str = "write `ldaps://host` or `ldaps://host:port`, and nothing after it";

/// Whether there is nothing in the address besides scheme, host and port.
fn bare(url: &Url) -> bool {
    matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
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
        let mut fields = json!({ "bind_dn": "cn=svc,dc=example,dc=test" });
        for (name, value) in config.as_object().expect("an object") {
            fields[name] = value.clone();
        }
        let secret = ("password".to_owned(), Zeroizing::new("svcsecret".to_owned()));
        Settings::parse(&fields, &Secrets::from_iter([secret]))
    }

    fn refused(config: Value) -> String {
        parse(config).err().expect("refused").to_string()
    }

    #[test]
    fn plain_text_needs_a_word_of_its_own() {
        let problem = refused(json!({ "url": "ldap://directory.example.test" }));
        assert!(problem.starts_with("`url`") && problem.contains("allow_plain"), "{problem}");
        let settings = parse(json!({ "url": "ldap://directory.example.test", "allow_plain": true })).expect("allowed");
        assert!(matches!(settings.security, Security::Plain));
        assert_eq!(settings.server(), "directory.example.test:389");
    }

    #[test]
    fn there_is_no_way_to_switch_verification_off() {
        for field in ["insecure", "verify", "no_tls_verify", "skip_verify"] {
            let problem = refused(json!({ "url": "ldaps://directory.example.test", field: true }));
            assert!(problem.contains("unknown field"), "{problem}");
        }
    }

    #[test]
    fn what_cannot_work_is_named() {
        for (config, field) in [
            (json!({ "url": "directory.example.test" }), "`url`"),
            (json!({ "url": "https://directory.example.test" }), "`url`"),
            (json!({ "url": "ldaps://directory.example.test/dc=example" }), "`url`"),
            (json!({ "url": "ldap://user:pw@directory.example.test", "allow_plain": true }), "`url`"),
            (json!({ "url": "ldaps://[::1]" }), "`url`"),
            (json!({ "url": "ldap://h", "start_tls": true, "ca_file": "/nowhere.pem" }), "`ca_file`"),
            (json!({ "url": "ldap://h", "allow_plain": true, "bind_dn": "svc" }), "`bind_dn`"),
            (json!({ "url": "ldap://h", "allow_plain": true, "max_connections": 0 }), "`max_connections`"),
            (json!({ "url": "ldap://h", "allow_plain": true, "request_timeout_ms": 1 }), "`request_timeout_ms`"),
            (json!({ "url": "ldap://h", "allow_plain": true, "method": "guess" }), "`method`"),
            (json!({ "url": "ldap://h", "allow_plain": true, "accounts": {} }), "`accounts`"),
            (json!({ "url": "ldap://h", "allow_plain": true, "accounts": { "base": "x" } }), "`accounts.base`"),
            (
                json!({ "url": "ldap://h", "allow_plain": true, "accounts": { "base": "dc=x", "bas": 1 } }),
                "`accounts.bas`",
            ),
            (
                json!({ "url": "ldap://h", "allow_plain": true, "disable": { "attribute": "userPassword", "value": "x" } }),
                "`disable.attribute`",
            ),
            (
                json!({ "url": "ldap://h", "allow_plain": true, "disable": { "attribute": "nsAccountLock", "value": "" } }),
                "`disable.value`",
            ),
            (
                json!({ "url": "ldap://h", "allow_plain": true, "also_write": { "shadowLastChange": "1" } }),
                "`also_write`",
            ),
            (
                json!({ "url": "ldap://h", "allow_plain": true, "method": "modify", "also_write": { "userPassword": "x" } }),
                "`also_write.userPassword`",
            ),
        ] {
            let problem = refused(config);
            assert!(problem.starts_with(field), "{problem}");
        }
    }

    #[test]
    fn the_service_account_needs_its_password() {
        let config = json!({ "url": "ldap://h", "allow_plain": true, "bind_dn": "cn=svc,dc=example,dc=test" });
        let problem = Settings::parse(&config, &Secrets::default()).err().expect("no secret").to_string();
        assert!(problem.contains("the secret `password`"), "{problem}");
    }
}
