//! `…/sources`: the systems that hold accounts.
//!
//! A connector's settings are told under `connectorAttributes`, as they were given; its secrets are given there too and told
//! never, not even as a mask: what is read can be sent back, and changes no secret.

pub mod connection;
pub mod policies;
pub mod read;
pub mod write;

use std::collections::{BTreeMap, BTreeSet};

use lockstep_core::source::{Feature, Source as Row};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::extract::{optional, required};
use super::time::instant;
use crate::app::Error as AppError;
use crate::app::source::{Draft, Told};

/// The longest name, in characters.
const LONGEST_NAME: usize = 128;

/// The longest description, in characters.
const LONGEST_DESCRIPTION: usize = 2000;

/// The secrets of connectors, which stand among the settings when they are given.
const SECRETS: [&str; 1] = ["password"];

/// A system that holds accounts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Source)]
pub struct Source {
    /// The source.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    id: String,
    /// What people call it.
    name: String,
    /// A sentence for administrators.
    description: String,
    /// Nobody: sources have no owners here.
    owner: Option<Reference>,
    /// What it can do.
    features: Vec<String>,
    /// Its kind, for people.
    #[serde(rename = "type")]
    kind: String,
    /// Its kind: `ldap`, `sql`, or `built-in`.
    connector: String,
    /// The same as `type`.
    connector_name: String,
    /// How it is reached.
    connection_type: String,
    /// The settings of its connector, without secrets.
    #[schema(value_type = Object)]
    connector_attributes: Map<String, Value>,
    /// The policies that bind on it while it is in no sync group, in order.
    password_policies: Vec<Reference>,
    /// How many deliveries may be under way at once. Lockstep's own.
    #[schema(minimum = 1, maximum = 65535)]
    concurrency: u16,
    /// How its accounts come in, in the words of the apply file. Lockstep's own.
    #[schema(value_type = Object)]
    aggregation: Value,
    /// Whether its accounts make identities.
    authoritative: bool,
    /// How many of a hundred accounts may vanish before somebody is asked.
    delete_threshold: u8,
    /// Not known without a test of its connection.
    healthy: bool,
    /// The same in the contract's words.
    status: String,
    /// When it was made.
    #[schema(format = "date-time")]
    created: String,
    /// When it was last changed.
    #[schema(format = "date-time")]
    modified: String,
}

/// Something that is referred to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Reference)]
pub struct Reference {
    /// What it is.
    #[serde(rename = "type")]
    kind: String,
    /// Its id.
    id: String,
    /// Its name.
    name: Option<String>,
}

/// What a source is to be.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SourceRequest)]
pub struct SourceRequest {
    /// What people call it; unique without regard to case.
    #[schema(value_type = String, required, min_length = 1, max_length = 128, examples("Corporate Directory"))]
    name: Option<String>,
    /// A sentence for administrators.
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// Its kind: `ldap` or `sql`. It cannot be changed.
    #[schema(value_type = String, required, examples("ldap"))]
    connector: Option<String>,
    /// The settings of its connector, and its secret under `password`. A secret that is left out stays as it is, but must be
    /// given again when a setting changes.
    #[schema(value_type = Option<Object>)]
    connector_attributes: Option<Map<String, Value>>,
    /// What it can do: `PASSWORD`, `AUTHENTICATE`, `UNLOCK`, `ENABLE`. Left out where it is made: what its connector can, but no
    /// passwords.
    features: Option<Vec<String>>,
    /// How many deliveries may be under way at once. Lockstep's own.
    #[schema(minimum = 1, maximum = 65535)]
    concurrency: Option<u16>,
    /// How its accounts come in, in the words of the apply file. Lockstep's own.
    #[schema(value_type = Option<Object>)]
    aggregation: Option<Value>,
}

impl SourceRequest {
    /// What the source is to be. Fields that are left out are as `base` has them.
    fn draft(self) -> Result<Draft, AppError> {
        let mut config = self.connector_attributes.unwrap_or_default();
        let features = self.features.map(|features| features.iter().map(|name| feature(name)).collect());
        if self.concurrency == Some(0) {
            return Err(AppError::Illegal { field: "concurrency", reason: "must be at least 1".to_owned() });
        }
        let aggregation = self.aggregation.map(serde_path_to_error::deserialize).transpose().map_err(|error| {
            let reason = format!("cannot be read: {} is wrong", error.path());
            AppError::Illegal { field: "aggregation", reason }
        })?;
        Ok(Draft {
            name: required("name", self.name, LONGEST_NAME)?,
            description: optional("description", self.description, LONGEST_DESCRIPTION)?.unwrap_or_default(),
            secrets: secrets(&mut config)?,
            config,
            features: features.transpose()?,
            concurrency: self.concurrency,
            aggregation,
        })
    }
}

/// Takes the secrets out of the settings.
fn secrets(config: &mut Map<String, Value>) -> Result<BTreeMap<String, Zeroizing<String>>, AppError> {
    let mut secrets = BTreeMap::new();
    for name in SECRETS {
        match config.remove(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(secret)) if !secret.is_empty() => {
                secrets.insert(name.to_owned(), Zeroizing::new(secret));
            }
            Some(_) => {
                let reason = format!("have {name:?}, which must be a text that is not empty");
                return Err(AppError::Illegal { field: "connectorAttributes", reason });
            }
        }
    }
    Ok(secrets)
}

fn feature(name: &str) -> Result<Feature, AppError> {
    let known = "must be some of AUTHENTICATE, ENABLE, PASSWORD and UNLOCK";
    name.parse().map_err(|_| AppError::Illegal { field: "features", reason: known.to_owned() })
}

impl From<Told> for Source {
    fn from(told: Told) -> Self {
        let Told { stored, policies } = told;
        let kind = stored.source.kind().to_owned();
        let Row { id, name, description, connector, config, features, policy_holders, concurrency, aggregation } =
            stored.source;
        let mut seen = BTreeSet::new();
        let holders = policy_holders.iter().filter(|holder| seen.insert(holder.policy_id));
        let password_policies = holders.map(|holder| Reference {
            kind: "PASSWORD_POLICY".to_owned(),
            id: holder.policy_id.to_string(),
            name: policies.get(&holder.policy_id).cloned(),
        });
        Self {
            id: id.to_string(),
            name,
            description,
            owner: None,
            features: features.iter().map(ToString::to_string).collect(),
            kind: kind.clone(),
            connector,
            connector_name: kind,
            connection_type: "direct".to_owned(),
            connector_attributes: match config {
                Value::Object(settings) => settings,
                _ => Map::new(),
            },
            password_policies: password_policies.collect(),
            concurrency,
            authoritative: aggregation.authoritative,
            delete_threshold: aggregation.guard,
            // Our own struct, which has nothing that JSON lacks.
            aggregation: serde_json::to_value(&aggregation).unwrap_or_default(),
            healthy: false,
            status: Told::STATUS.to_owned(),
            created: instant(stored.created_at),
            modified: instant(stored.modified_at),
        }
    }
}
