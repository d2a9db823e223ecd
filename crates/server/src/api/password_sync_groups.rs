//! `…/password-sync-groups`: sources that share one password and one policy.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use lockstep_core::id::{PasswordPolicyId, SourceId, SyncGroupId};
use lockstep_core::sync_group::SyncGroup;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::conditional::{Conditions, tagged};
use super::error::{Error, ErrorResponse};
use super::extract::{JsonBody, PathId, required};
use super::list::{ListRequest, Listed, Paging};
use super::openapi::{Refused, RefusedOne};
use super::time::instant;
use crate::app::Error as AppError;
use crate::app::revision::Seen;
use crate::app::sync_group::{Group, Wanted, create, delete, read, replace};
use crate::auth::Permit;

/// A sync group.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PasswordSyncGroup)]
pub(super) struct GroupView {
    /// Its id.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    id: String,
    /// What people call it.
    name: String,
    /// The policy that binds on every member.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    password_policy_id: String,
    /// The members.
    source_ids: Vec<String>,
    /// When it was made.
    #[schema(format = "date-time")]
    created: String,
    /// When it was last changed; null if it never was.
    #[schema(format = "date-time")]
    modified: Option<String>,
}

/// What a sync group should be.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PasswordSyncGroupRequest)]
pub(super) struct GroupRequest {
    /// What people call it; unique.
    #[schema(value_type = String, required, min_length = 1, max_length = 255, examples("Everyday"))]
    name: Option<String>,
    /// The policy that binds on every member.
    #[schema(value_type = String, required)]
    password_policy_id: Option<PasswordPolicyId>,
    /// The members: two or more sources whose passwords can be set, each in no other group.
    #[schema(value_type = Vec<String>, required)]
    source_ids: Option<Vec<SourceId>>,
}

/// List the sync groups
///
/// In the order of their names.
#[utoipa::path(
    get,
    path = "/password-sync-groups",
    tag = "Password sync groups",
    params(Paging),
    responses(
        (status = 200, description = "The groups.", body = Vec<GroupView>,
            headers(("X-Total-Count" = u64, description = "How many there are, where `count` asks."))),
        (status = 400, description = "A parameter is wrong.", body = ErrorResponse),
        Refused,
    ),
)]
pub(super) async fn list_sync_groups(
    State(api): State<Api>,
    permit: Permit,
    list: ListRequest,
) -> Result<Listed<GroupView>, Error> {
    list.unsorted()?;
    let groups = read::list(&api.app, &permit).await?;
    Ok(list.part(groups.into_iter().map(GroupView::from).collect()))
}

/// Read a sync group
///
/// With its policy and its members.
#[utoipa::path(
    get,
    path = "/password-sync-groups/{id}",
    tag = "Password sync groups",
    params(("id" = String, Path, description = "The group.")),
    responses(
        (status = 200, description = "The group.", body = GroupView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        RefusedOne,
        Refused,
    ),
)]
pub(super) async fn get_sync_group(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<SyncGroupId>,
) -> Result<Response, Error> {
    Ok(tagged(read::get(&api.app, &permit, id).await?, GroupView::from))
}

/// Make a sync group
///
/// From then on a change on one member reaches all of them, each with the password in plain text.
#[utoipa::path(
    post,
    path = "/password-sync-groups",
    tag = "Password sync groups",
    request_body = GroupRequest,
    responses(
        (status = 200, description = "The group that was made.", body = GroupView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "A field is missing or wrong, or a source cannot be a member.", body = ErrorResponse),
        Refused,
    ),
)]
pub(super) async fn create_sync_group(
    State(api): State<Api>,
    permit: Permit,
    JsonBody(body): JsonBody<GroupRequest>,
) -> Result<Response, Error> {
    Ok(tagged(create::create(&api.app, &permit, body.wanted()?).await?, GroupView::from))
}

/// Change a sync group
///
/// The whole group. A source that is a member no more keeps the policy that bound there.
#[utoipa::path(
    put,
    path = "/password-sync-groups/{id}",
    tag = "Password sync groups",
    params(("id" = String, Path, description = "The group."), Conditions),
    request_body = GroupRequest,
    responses(
        (status = 200, description = "The group as it is now.", body = GroupView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "A field is missing or wrong, or a source cannot be a member.", body = ErrorResponse),
        RefusedOne,
        Refused,
    ),
)]
pub(super) async fn replace_sync_group(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<SyncGroupId>,
    seen: Seen,
    JsonBody(body): JsonBody<GroupRequest>,
) -> Result<Response, Error> {
    Ok(tagged(replace::replace(&api.app, &permit, id, seen, body.wanted()?).await?, GroupView::from))
}

/// Delete a sync group
///
/// Its policy becomes that of each member; each has a password of its own from then on.
#[utoipa::path(
    delete,
    path = "/password-sync-groups/{id}",
    tag = "Password sync groups",
    params(("id" = String, Path, description = "The group."), Conditions),
    responses((status = 204, description = "It is gone."), RefusedOne, Refused),
)]
pub(super) async fn delete_sync_group(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<SyncGroupId>,
    seen: Seen,
) -> Result<StatusCode, Error> {
    delete::delete(&api.app, &permit, id, seen).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl GroupRequest {
    fn wanted(self) -> Result<Wanted, AppError> {
        Ok(Wanted {
            name: required("name", self.name, SyncGroup::LONGEST_NAME)?,
            policy: self.password_policy_id.ok_or(AppError::Missing("passwordPolicyId"))?,
            sources: self.source_ids.ok_or(AppError::Missing("sourceIds"))?,
        })
    }
}

impl From<Group> for GroupView {
    fn from(Group { group, created_at, modified_at }: Group) -> Self {
        Self {
            id: group.id.to_string(),
            name: group.name,
            password_policy_id: group.policy.to_string(),
            source_ids: group.sources.iter().map(ToString::to_string).collect(),
            created: instant(created_at),
            modified: modified_at.map(instant),
        }
    }
}
