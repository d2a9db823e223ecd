//! `PATCH …/sources/{id}/password-policies`: which policy binds whom. The body is a plain list, not a JSON Patch.

use axum::extract::State;
use axum::response::Response;
use lockstep_core::id::SourceId;
use lockstep_core::password_policy::holder::{PolicyHolder as Row, Selector as SelectorRow, Selectors as SelectorsRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::conditional::tagged;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::{JsonBody, PathId, id, required};
use crate::api::openapi::Refused;
use crate::app::Error as AppError;
use crate::app::revision::Seen;
use crate::app::source::{self, Told};
use crate::auth::Permit;

/// The longest name or value of an attribute, in characters.
const LONGEST: usize = 255;

/// Whom a policy binds.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PolicyHolder)]
pub struct PolicyHolder {
    /// The policy.
    #[schema(value_type = String, required)]
    policy_id: Option<String>,
    /// Its name; told, and not read.
    policy_name: Option<String>,
    /// Whom it binds; null: everybody whom no other entry matches.
    selectors: Option<Selectors>,
}

/// What a person must be like, all of it at once.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PolicySelectors)]
pub struct Selectors {
    /// The attributes of the identity.
    identity_attr: Option<Vec<Selector>>,
}

/// An attribute and its value.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = PolicySelector)]
pub struct Selector {
    /// The attribute's name.
    #[schema(value_type = String, required)]
    name: Option<String>,
    /// Its value, compared without regard to case.
    #[schema(value_type = String, required)]
    value: Option<String>,
}

/// Set the policies of a source
///
/// Replaces the list of policy holders. The first entry whose selectors all match a person binds, else the first without
/// selectors, else the Default policy. While the source is in a sync group, the group's policy binds and this list waits.
#[utoipa::path(
    patch,
    path = "/sources/{id}/password-policies",
    tag = "Sources",
    params(
        ("id" = String, Path, description = "The source."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the source that the client has seen."),
    ),
    request_body = Vec<PolicyHolder>,
    responses(
        (status = 200, description = "The list.", body = Vec<PolicyHolder>,
            headers(("ETag" = String, description = "The source's, for `If-Match`."))),
        (status = 400, description = "An entry is wrong, or its policy does not exist.", body = ErrorResponse),
        (status = 404, description = "There is no such source.", body = ErrorResponse),
        (status = 412, description = "It was changed meanwhile.", body = ErrorResponse),
        Refused,
    ),
)]
pub(in crate::api) async fn update_password_policy_holders(
    State(api): State<Api>,
    permit: Permit,
    PathId(source): PathId<SourceId>,
    seen: Seen,
    JsonBody(holders): JsonBody<Vec<PolicyHolder>>,
) -> Result<Response, Error> {
    let holders = holders.into_iter().map(Row::try_from).collect::<Result<Vec<_>, _>>()?;
    let changed = source::set_policy_holders(&api.app, &permit, source, seen, holders).await?;
    Ok(tagged(changed, told))
}

impl TryFrom<PolicyHolder> for Row {
    type Error = AppError;

    fn try_from(holder: PolicyHolder) -> Result<Self, AppError> {
        let policy = required("policyId", holder.policy_id, 36)?;
        let attributes = holder.selectors.and_then(|selectors| selectors.identity_attr);
        let selector = |selector: Selector| {
            Ok(SelectorRow {
                name: required("name", selector.name, LONGEST)?,
                value: required("value", selector.value, LONGEST)?,
            })
        };
        let identity_attr = attributes.map(|list| list.into_iter().map(selector).collect::<Result<Vec<_>, AppError>>());
        Ok(Self {
            policy_id: id("policyId", &policy)?,
            selectors: identity_attr.transpose()?.map(|identity_attr| SelectorsRow { identity_attr }),
        })
    }
}

fn told(told: Told) -> Vec<PolicyHolder> {
    let Told { stored, policies } = told;
    let selector = |row: SelectorRow| Selector { name: Some(row.name), value: Some(row.value) };
    let holder = |row: Row| PolicyHolder {
        policy_name: policies.get(&row.policy_id).cloned(),
        policy_id: Some(row.policy_id.to_string()),
        selectors: row.selectors.map(|selectors| Selectors {
            identity_attr: Some(selectors.identity_attr.into_iter().map(selector).collect()),
        }),
    };
    stored.source.policy_holders.into_iter().map(holder).collect()
}
