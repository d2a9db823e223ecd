//! References: where a secret or a file is, never what it is.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use zeroize::Zeroizing;

/// `{ file = "path" }` or `{ env = "NAME" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// What stands in a file.
    File(PathBuf),
    /// What stands in an environment variable.
    Env(String),
}

/// How a reference is followed: the one thing of an apply file that needs more than the file and the database. The
/// error is a sentence without the content.
pub type Follow = Arc<dyn Fn(&Reference) -> Result<Zeroizing<Vec<u8>>, String> + Send + Sync>;

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReferenceVisitor)
    }
}

const NO_SECRETS: &str =
    "no secret is written here: put it in a file and write { file = \"path\" }, or { env = \"NAME\" }";

/// Written by hand so that a secret that was put where a reference belongs is not repeated in the error.
struct ReferenceVisitor;

impl<'de> Visitor<'de> for ReferenceVisitor {
    type Value = Reference;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reference: { file = \"path\" } or { env = \"NAME\" }")
    }

    fn visit_str<E: de::Error>(self, _text: &str) -> Result<Reference, E> {
        Err(E::custom(NO_SECRETS))
    }

    fn visit_i64<E: de::Error>(self, _number: i64) -> Result<Reference, E> {
        Err(E::custom(NO_SECRETS))
    }

    fn visit_f64<E: de::Error>(self, _number: f64) -> Result<Reference, E> {
        Err(E::custom(NO_SECRETS))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Reference, M::Error> {
        let mut reference = None;
        while let Some(key) = map.next_key::<String>()? {
            let next = match key.as_str() {
                "file" => Reference::File(map.next_value()?),
                "env" => Reference::Env(map.next_value()?),
                _ => return Err(de::Error::unknown_field(&key, &["file", "env"])),
            };
            if reference.replace(next).is_some() {
                return Err(de::Error::custom("name either a file or an environment variable, not both"));
            }
        }
        reference.ok_or_else(|| de::Error::custom("name a file or an environment variable"))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Env(name) => write!(f, "the environment variable {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn parse(text: &str) -> Result<Reference, String> {
        let parsed: Result<BTreeMap<String, Reference>, _> = toml::from_str(&format!("secret = {text}"));
        parsed.map(|mut table| table.remove("secret").unwrap()).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_reference_names_a_file_or_a_variable() {
        assert_eq!(parse(r#"{ file = "a/b" }"#), Ok(Reference::File("a/b".into())));
        assert_eq!(parse(r#"{ env = "NAME" }"#), Ok(Reference::Env("NAME".to_owned())));
        assert!(parse("{}").unwrap_err().contains("name a file"));
        assert!(parse(r#"{ file = "a", env = "B" }"#).unwrap_err().contains("not both"));
        assert!(parse(r#"{ path = "a" }"#).unwrap_err().contains("`path`"));
    }

    #[test]
    fn a_secret_in_the_file_is_refused_and_not_repeated() {
        let error = parse(r#""hunter2""#).unwrap_err();
        assert!(error.contains("{ file = ") && !error.contains("hunter2"), "{error}");
        for text in ["20261124", "3.25"] {
            let error = parse(text).unwrap_err();
            assert!(error.contains("{ file = ") && !error.contains(text), "{error}");
        }
    }
}
