//! `…/accounts`: what people have on sources.

pub mod read;
pub mod state;

use std::collections::BTreeMap;

use lockstep_core::id::SourceId;
use lockstep_store::listing::ListedAccount;
use serde::Serialize;
use utoipa::ToSchema;

use super::time::instant;
use crate::app::account::Sources;

/// What a person has on a source.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Account)]
pub struct Account {
    /// The account.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    id: String,
    /// What people read.
    name: String,
    /// What the source never changes about it.
    uuid: String,
    /// As its source names it; in a directory the distinguished name.
    native_identity: String,
    /// Where it is.
    source_id: String,
    /// What people call that.
    source_name: String,
    /// Whose it is; null while it is nobody's.
    identity_id: Option<String>,
    /// The same.
    identity: Option<AccountIdentity>,
    /// `ACTIVE` or `INACTIVE_LONG_TERM`.
    identity_state: Option<&'static str>,
    /// Whether it is nobody's.
    uncorrelated: bool,
    /// Whether somebody said whose it is.
    manually_correlated: bool,
    /// Whether its source makes identities.
    authoritative: bool,
    /// Whether it was disabled when it was read; of an account on the built-in source, whether the person is.
    disabled: bool,
    /// Whether its source holds it locked. Asked of the source for one account; false in lists and where it does not say.
    locked: bool,
    /// What was read of it.
    attributes: BTreeMap<String, String>,
    /// Whether it belongs to the system itself.
    system_account: bool,
    /// There are none here.
    has_entitlements: bool,
    /// What its source can do, with commas between.
    features: String,
    /// How it came here.
    origin: &'static str,
    /// How its source is reached.
    connection_type: &'static str,
    /// When it was made.
    #[schema(format = "date-time")]
    created: String,
    /// When it was last changed.
    #[schema(format = "date-time")]
    modified: String,
}

/// Whose an account is.
#[derive(Serialize, ToSchema)]
#[schema(as = AccountIdentity)]
pub struct AccountIdentity {
    /// Always `IDENTITY`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The identity.
    id: String,
    /// What the person is called.
    name: Option<String>,
}

impl Account {
    fn told(listed: ListedAccount, sources: &Sources, locked: Option<bool>) -> Self {
        let ListedAccount {
            account,
            enabled,
            manually_correlated,
            identity_name,
            identity_enabled,
            created_at,
            modified_at,
        } = listed;
        let source = sources.get(&account.source);
        let features = source.map(|source| source.features.iter().map(ToString::to_string).collect::<Vec<_>>());
        let person = account.identity.map(|id| id.to_string());
        let disabled = match account.source == SourceId::IDENTITY_NOW {
            true => identity_enabled == Some(false),
            false => enabled == Some(false),
        };
        let state = |enabled| if enabled { "ACTIVE" } else { "INACTIVE_LONG_TERM" };
        Self {
            id: account.id.to_string(),
            name: account.name,
            uuid: account.stable_id,
            native_identity: account.native_id,
            source_id: account.source.to_string(),
            source_name: source.map(|source| source.name.clone()).unwrap_or_default(),
            identity: person.clone().map(|id| AccountIdentity { kind: "IDENTITY", id, name: identity_name }),
            identity_state: identity_enabled.map(state),
            uncorrelated: person.is_none(),
            identity_id: person,
            manually_correlated,
            authoritative: source.is_some_and(|source| source.aggregation.authoritative),
            disabled,
            locked: locked.unwrap_or(false),
            attributes: account.attributes,
            system_account: false,
            has_entitlements: false,
            features: features.unwrap_or_default().join(", "),
            origin: "AGGREGATED",
            connection_type: "direct",
            created: instant(created_at),
            modified: instant(modified_at),
        }
    }
}
