//! `GET …/identities` and `GET …/public-identities`: the people.

use axum::Json;
use axum::extract::State;
use lockstep_core::filter::collections::{IDENTITIES, PUBLIC_IDENTITIES};
use lockstep_core::id::IdentityId;
use lockstep_store::listing::ListedIdentity;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

use super::time::instant;
use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::PathId;
use crate::api::list::{Choosing, ListRequest, Listed, Paging};
use crate::api::openapi::Refused;
use crate::app::identity;
use crate::auth::Permit;

/// A person, for whoever administers.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Identity)]
pub struct Identity {
    /// The identity.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    id: String,
    /// What the person is called.
    name: String,
    /// The login name.
    alias: String,
    /// Where mail reaches the person.
    email_address: Option<String>,
    /// Nothing is being worked out.
    processing_state: Option<String>,
    /// `ACTIVE` or `DISABLED`.
    identity_status: &'static str,
    /// Nobody: there are no managers here.
    manager_ref: Option<String>,
    /// Whether the person manages others.
    is_manager: bool,
    /// What policies look at.
    attributes: BTreeMap<String, String>,
    /// When it was made.
    #[schema(format = "date-time")]
    created: String,
    /// When it was last changed.
    #[schema(format = "date-time")]
    modified: String,
}

/// A person, for everybody.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PublicIdentity)]
pub struct PublicIdentity {
    /// The identity.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    id: String,
    /// What the person is called.
    name: String,
    /// The login name.
    alias: String,
    /// Where mail reaches the person.
    email: Option<String>,
    /// `ACTIVE` or `DISABLED`.
    status: &'static str,
    /// `ACTIVE` or `INACTIVE_LONG_TERM`.
    identity_state: &'static str,
    /// Nobody: there are no managers here.
    manager: Option<String>,
    /// None: attributes are told to whoever administers.
    attributes: Vec<String>,
}

/// List identities
///
/// The people, by id unless `sorters` says otherwise. Filters: `id`, `name`, `alias`, `firstname`, `lastname`, `email`,
/// `cloudStatus`, `processingState`, `correlated`, `protected`. Sorters: `name`, `alias`, `cloudStatus`.
#[utoipa::path(
    get,
    path = "/identities",
    tag = "Identities",
    params(Paging, Choosing),
    responses(
        (status = 200, description = "The people.", body = Vec<Identity>,
            headers(("X-Total-Count" = u64, description = "How many there are in all, with `count=true`."))),
        (status = 400, description = "A parameter is wrong.", body = ErrorResponse),
        Refused,
    ),
)]
pub(in crate::api) async fn list_identities(
    State(api): State<Api>,
    permit: Permit,
    list: ListRequest,
) -> Result<Listed<Identity>, Error> {
    let found = identity::list(&api.app, &permit, list.of(&IDENTITIES)?).await?;
    Ok(Listed::of(found, Identity::from))
}

/// Get an identity
///
/// One person.
#[utoipa::path(
    get,
    path = "/identities/{id}",
    tag = "Identities",
    params(("id" = String, Path, description = "The identity.")),
    responses(
        (status = 200, description = "The person.", body = Identity),
        (status = 404, description = "There is no such identity.", body = ErrorResponse),
        Refused,
    ),
)]
pub(in crate::api) async fn get_identity(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<IdentityId>,
) -> Result<Json<Identity>, Error> {
    Ok(Json(identity::get(&api.app, &permit, id).await?.into()))
}

/// List people
///
/// What everybody may know of the people. Filters: `id`, `alias`, `email`, `firstname`, `lastname`. Sorter: `name`.
#[utoipa::path(
    get,
    path = "/public-identities",
    tag = "Identities",
    params(Paging, Choosing),
    responses(
        (status = 200, description = "The people.", body = Vec<PublicIdentity>,
            headers(("X-Total-Count" = u64, description = "How many there are in all, with `count=true`."))),
        (status = 400, description = "A parameter is wrong.", body = ErrorResponse),
        Refused,
    ),
)]
pub(in crate::api) async fn list_public_identities(
    State(api): State<Api>,
    permit: Permit,
    list: ListRequest,
) -> Result<Listed<PublicIdentity>, Error> {
    let found = identity::list_public(&api.app, &permit, list.of(&PUBLIC_IDENTITIES)?).await?;
    Ok(Listed::of(found, PublicIdentity::from))
}

/// The contract's word for whether a person is enabled.
fn status(enabled: bool) -> &'static str {
    if enabled { "ACTIVE" } else { "DISABLED" }
}

impl From<ListedIdentity> for Identity {
    fn from(listed: ListedIdentity) -> Self {
        let ListedIdentity { identity, created_at, modified_at } = listed;
        Self {
            id: identity.id.to_string(),
            name: identity.display_name,
            alias: identity.alias,
            email_address: identity.email,
            processing_state: None,
            identity_status: status(identity.enabled),
            manager_ref: None,
            is_manager: false,
            attributes: identity.attributes,
            created: instant(created_at),
            modified: instant(modified_at),
        }
    }
}

impl From<ListedIdentity> for PublicIdentity {
    fn from(listed: ListedIdentity) -> Self {
        let identity = listed.identity;
        Self {
            id: identity.id.to_string(),
            name: identity.display_name,
            alias: identity.alias,
            email: identity.email,
            status: status(identity.enabled),
            identity_state: if identity.enabled { "ACTIVE" } else { "INACTIVE_LONG_TERM" },
            manager: None,
            attributes: Vec::new(),
        }
    }
}
