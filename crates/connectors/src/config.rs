//! What every connector's configuration has in common: parsing that names the wrong field, and secrets given apart.
//!
//! The fields themselves are documented where they are used, in each kind's `config`. Nothing here connects.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// A configuration that cannot work, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// There is no such kind of connector.
    #[error("there is no connector kind `{kind}`; the kinds are `ldap` and `sql`")]
    UnknownKind {
        /// The kind as given.
        kind: String,
    },
    /// A field is missing, unknown, of the wrong type, or says something that cannot work.
    #[error("`{field}`: {problem}")]
    Field {
        /// The field, with dots where it is nested. `.` is the configuration as a whole.
        field: String,
        /// What is wrong and what to write instead. Never a secret.
        problem: String,
    },
    /// A secret is needed and was not given.
    #[error("the secret `{name}` is missing: {problem}")]
    Secret {
        /// The name it is expected under.
        name: &'static str,
        /// What it is for.
        problem: String,
    },
}

impl ConfigError {
    pub(crate) fn field(field: &str, problem: impl Into<String>) -> Self {
        Self::Field { field: field.to_owned(), problem: problem.into() }
    }
}

/// A source's secrets by name. They come apart from the configuration, so that a configuration can be shown.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, Zeroizing<String>>);

impl Secrets {
    /// The secret of that name, if it was given.
    pub fn get(&self, name: &str) -> Option<&Zeroizing<String>> {
        self.0.get(name)
    }
}

impl FromIterator<(String, Zeroizing<String>)> for Secrets {
    fn from_iter<T: IntoIterator<Item = (String, Zeroizing<String>)>>(secrets: T) -> Self {
        Self(secrets.into_iter().collect())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secrets").field(&self.0.keys()).finish()
    }
}

/// Reads a configuration into its struct. The error names the field, also of a value of the wrong type.
pub(crate) fn parse<T: DeserializeOwned>(config: &serde_json::Value) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(config)
        .map_err(|error| ConfigError::Field { field: error.path().to_string(), problem: error.inner().to_string() })
}

/// A timeout in milliseconds between 100 ms and 5 min: less breaks on every hiccup, more holds a delivery hostage.
pub(crate) fn milliseconds(field: &str, value: u64) -> Result<std::time::Duration, ConfigError> {
    if (100..=300_000).contains(&value) {
        Ok(std::time::Duration::from_millis(value))
    } else {
        Err(ConfigError::field(field, format!("{value} is out of range; write 100 to 300000 milliseconds")))
    }
}

/// A number of connections between 1 and 64.
pub(crate) fn connections(field: &str, value: usize) -> Result<usize, ConfigError> {
    if (1..=64).contains(&value) {
        Ok(value)
    } else {
        Err(ConfigError::field(field, format!("{value} is out of range; write 1 to 64")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its parsing is looked at")]
        port: u16,
    }

    #[test]
    fn errors_name_the_field() {
        for (config, field) in
            [(serde_json::json!({ "port": "x" }), "port"), (serde_json::json!({ "port": 1, "prot": 2 }), "prot")]
        {
            let error = parse::<Sample>(&config).expect_err("wrong");
            assert!(matches!(&error, ConfigError::Field { field: f, .. } if f == field), "{error}");
        }
        let error = parse::<Sample>(&serde_json::json!({})).expect_err("missing");
        assert!(error.to_string().contains("port"), "{error}");
    }

    #[test]
    fn secrets_show_their_names_only() {
        let secrets = Secrets::from_iter([("password".to_owned(), Zeroizing::new("svcsecret".to_owned()))]);
        assert_eq!(format!("{secrets:?}"), r#"Secrets(["password"])"#);
    }

    #[test]
    fn limits_are_kept() {
        assert!(
            milliseconds("t", 99).is_err() && milliseconds("t", 100).is_ok() && milliseconds("t", 300_001).is_err()
        );
        assert!(connections("c", 0).is_err() && connections("c", 64).is_ok() && connections("c", 65).is_err());
    }
}
