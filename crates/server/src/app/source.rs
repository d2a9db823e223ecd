//! Sources: reading them. What writes is beside this, one file a use case.
//!
//! Where passwords go is the most valuable thing that an administrator can edit. So whoever changes a source's connection
//! must give its secrets again (otherwise the service account's password would be sent to wherever they point it), no
//! secret is ever told, and each such edit is an audit event that says so.

mod change;
mod create;
mod delete;
mod judge;
mod policy_holders;
mod test_connection;

use std::collections::{BTreeMap, BTreeSet};

use lockstep_core::aggregation::Aggregation;
use lockstep_core::filter::Value;
use lockstep_core::filter::apply::Record;
use lockstep_core::id::{PasswordPolicyId, SourceId};
use lockstep_core::source::{Feature, Source};
use lockstep_store::source::Stored;
use lockstep_store::{Tx, password_policy, source};
use zeroize::Zeroizing;

use super::list::{Part, Wanted};
use super::record::About;
use super::revision::{Revised, Revision};
use super::{App, Error};
use crate::auth::Permit;

pub use change::change;
pub use create::create;
pub use delete::delete;
pub(in crate::app) use delete::needed_by;
pub(in crate::app) use judge::is_moved;
pub use policy_holders::set_policy_holders;
pub use test_connection::{Tested, test_connection};

/// A source as it is told.
#[derive(Debug, Clone)]
pub struct Told {
    /// The source and its dates.
    pub stored: Stored,
    /// The names of the policies that its holders name.
    pub policies: BTreeMap<PasswordPolicyId, String>,
}

/// What a source is to be.
#[derive(Default)]
pub struct Draft {
    /// What people call it.
    pub name: String,
    /// A sentence for administrators.
    pub description: String,
    /// The connector's settings, without secrets.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// The secrets that are given; those that are not stay, unless the connection changes.
    pub secrets: BTreeMap<String, Zeroizing<String>>,
    /// What it can do; none: what its connector can, but no passwords.
    pub features: Option<BTreeSet<Feature>>,
    /// How many deliveries may be under way at once.
    pub concurrency: Option<u16>,
    /// How its accounts come in.
    pub aggregation: Option<Aggregation>,
}

impl Told {
    /// Whether a source is well is not known without a test of its connection; the contract has a word for that.
    pub const STATUS: &str = "SOURCE_STATE_UNCHECKED_SOURCE";
}

impl Record for Told {
    fn value(&self, field: &str) -> Option<Value> {
        let source = &self.stored.source;
        Some(match field {
            "id" => Value::Id(source.id.0),
            "name" => Value::Text(source.name.clone()),
            "type" | "connectorName" => Value::Text(source.kind().to_owned()),
            "description" => Value::Text(source.description.clone()),
            "features" => Value::Words(source.features.iter().map(ToString::to_string).collect()),
            "created" => Value::Instant(self.stored.created_at),
            "modified" => Value::Instant(self.stored.modified_at),
            "status" => Value::Text(Self::STATUS.to_owned()),
            "healthy" => Value::Bool(false),
            "authoritative" => Value::Bool(source.aggregation.authoritative),
            _ => return None,
        })
    }
}

/// A part of the list of sources.
pub async fn list(app: &App, _: &Permit, wanted: Wanted) -> Result<Part<Told>, Error> {
    let found = app.store.read(move |tx: &mut Tx<'_>| {
        Box::pin(async move {
            let policies = policy_names(tx).await?;
            let told = |stored| Told { stored, policies: policies.clone() };
            let all: Vec<Told> = source::list_stored(tx).await?.into_iter().map(told).collect();
            Ok::<_, Error>(wanted.apply(all))
        })
    });
    found.await
}

/// One source.
pub async fn get(app: &App, _: &Permit, id: SourceId) -> Result<Revised<Told>, Error> {
    let found = app.store.read(move |tx: &mut Tx<'_>| Box::pin(async move { told(tx, id).await }));
    found.await
}

/// A source as this transaction sees it.
async fn told(tx: &mut Tx<'_>, id: SourceId) -> Result<Revised<Told>, Error> {
    let stored = source::find_stored(tx, id).await?.ok_or(Error::NotFound("source"))?;
    let revision = revision(&stored);
    Ok(Revised { value: Told { stored, policies: policy_names(tx).await? }, revision })
}

/// The version counts what is not told, too: that a secret was replaced.
fn revision(stored: &Stored) -> Revision {
    Revision::of(&stored.version)
}

async fn policy_names(tx: &mut Tx<'_>) -> Result<BTreeMap<PasswordPolicyId, String>, Error> {
    Ok(password_policy::list(tx).await?.into_iter().map(|policy| (policy.id, policy.name)).collect())
}

/// The name of a source, if another has it already.
fn taken(error: lockstep_store::Error) -> Error {
    match error.constraint() {
        Some("source_name_key_key") => Error::Conflict("another source has this name".to_owned()),
        _ => error.into(),
    }
}

/// A source, and whether its passwords go elsewhere from now on.
pub(in crate::app) fn about(id: SourceId, moved: bool) -> About {
    match moved {
        true => About::source(id).word("destination", "changed"),
        false => About::source(id),
    }
}

/// A source that is new, or is what it was but for what the draft says.
fn drafted(base: Source, draft: &Draft) -> Source {
    // The built-in source has no settings, which is not the same as empty ones.
    let config = match base.is_built_in() && draft.config.is_empty() {
        true => base.config.clone(),
        false => serde_json::Value::Object(draft.config.clone()),
    };
    Source {
        name: draft.name.clone(),
        description: draft.description.clone(),
        config,
        concurrency: draft.concurrency.unwrap_or(base.concurrency),
        aggregation: draft.aggregation.clone().unwrap_or_else(|| base.aggregation.clone()),
        features: draft.features.clone().unwrap_or_else(|| base.features.clone()),
        ..base
    }
}
