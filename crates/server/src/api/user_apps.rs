//! `…/user-apps`: what people have of the applications.

use axum::extract::State;
use axum::response::Response;
use lockstep_core::filter::collections::USER_APPS;
use lockstep_core::id::AccountId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::conditional::{Conditions, tagged};
use super::error::Error;
use super::extract::PathId;
use super::list::{Choosing, ListRequest, Listed, Paging};
use super::openapi::{BadRequest, Refused, RefusedOne};
use super::patch::{self, PatchBody, PatchOperations};
use super::time::instant;
use crate::app::Error as AppError;
use crate::app::revision::Seen;
use crate::app::user_app::{self as app, UserApp, Whose};
use crate::auth::Permit;

/// What somebody has of an application.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UserApp)]
pub(super) struct UserAppView {
    /// Its id, which follows from application and owner.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    id: String,
    /// When the application was made.
    #[schema(format = "date-time")]
    created: String,
    /// When the application was last changed; null if it never was.
    #[schema(format = "date-time")]
    modified: Option<String>,
    /// Whether the owner has several accounts for it.
    has_multiple_accounts: bool,
    /// Whether passwords there can be set.
    use_for_password_management: bool,
    /// Always false: accounts are not asked for here.
    provision_request_enabled: bool,
    /// Always true.
    app_center_enabled: bool,
    /// The application.
    source_app: Reference,
    /// Where its accounts are.
    source: Reference,
    /// The account; of several the first by name.
    account: Reference,
    /// Whose it is.
    owner: Owner,
}

/// Something that is told elsewhere.
#[derive(Serialize, ToSchema)]
struct Reference {
    /// What it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Its id.
    id: String,
    /// What people call it.
    name: String,
}

/// A person.
#[derive(Serialize, ToSchema)]
struct Owner {
    /// Always `IDENTITY`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The person.
    id: String,
    /// What people are called.
    name: String,
    /// The login name.
    alias: String,
}

/// An account for an application.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AppAccountDetails)]
pub(super) struct AccountView {
    /// The application.
    app_id: String,
    /// What people call it.
    app_display_name: String,
    /// The account.
    source_account: SourceAccount,
}

/// An account.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SourceAccount {
    /// Lockstep's own id of it.
    id: String,
    /// The account as its source names it.
    native_identity: String,
    /// The account as people know it.
    display_name: String,
    /// The source.
    source_id: String,
    /// What people call the source.
    source_display_name: String,
}

/// What can be patched.
#[derive(Deserialize)]
struct Patched {
    account: PatchedAccount,
}

#[derive(Deserialize)]
struct PatchedAccount {
    id: AccountId,
}

/// The id of such a thing.
pub(super) struct UserAppId(Uuid);

impl std::str::FromStr for UserAppId {
    type Err = lockstep_core::id::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Any of the ids: they are spelled alike.
        text.parse::<AccountId>().map(|id| Self(id.0))
    }
}

/// List what one has of the applications
///
/// For each application that people see and the person whose token it is has an account for.
#[utoipa::path(
    get,
    path = "/user-apps",
    tag = "Applications",
    params(Paging, Choosing),
    responses(
        (status = 200, description = "What they have.", body = Vec<UserAppView>,
            headers(("X-Total-Count" = u64, description = "How many there are, where `count` asks."))),
        (status = 400, description = "A parameter is wrong.", body = BadRequest),
        Refused,
    ),
)]
pub(super) async fn list_own_user_apps(
    State(api): State<Api>,
    permit: Permit,
    list: ListRequest,
) -> Result<Listed<UserAppView>, Error> {
    let query = list.query(&USER_APPS)?;
    Ok(list.chosen(app::list_own(&api.app, &permit).await?, &query).map(UserAppView::from))
}

/// List what somebody has of the applications
///
/// `filters` says whose: `ownerId eq "…"`, `ownerAlias eq "…"` or `accountId eq "…"`, alone or with others after `and`.
#[utoipa::path(
    get,
    path = "/user-apps/all",
    tag = "Applications",
    params(("filters" = String, Query, description = "Whose."), Paging),
    responses(
        (status = 200, description = "What they have.", body = Vec<UserAppView>,
            headers(("X-Total-Count" = u64, description = "How many there are, where `count` asks."))),
        (status = 400, description = "A parameter is missing or wrong.", body = BadRequest),
        Refused,
    ),
)]
pub(super) async fn list_all_user_apps(
    State(api): State<Api>,
    permit: Permit,
    list: ListRequest,
) -> Result<Listed<UserAppView>, Error> {
    let query = list.query(&USER_APPS)?;
    let filter = query.filter.as_ref().ok_or(AppError::Missing("filters"))?;
    let whose = Whose::of(filter).ok_or_else(|| AppError::Illegal {
        field: "filters",
        reason: "must say whose: ownerId, ownerAlias or accountId with eq, alone or with others after and".to_owned(),
    })?;
    Ok(list.chosen(app::list_of(&api.app, &permit, whose).await?, &query).map(UserAppView::from))
}

/// List one's own accounts for an application
///
/// Each of them can be named in a password change.
#[utoipa::path(
    get,
    path = "/user-apps/{id}/available-accounts",
    tag = "Applications",
    params(("id" = String, Path, description = "What one has of an application."), Paging),
    responses(
        (status = 200, description = "The accounts.", body = Vec<AccountView>,
            headers(("X-Total-Count" = u64, description = "How many there are, where `count` asks."))),
        (status = 400, description = "A parameter is wrong.", body = BadRequest),
        RefusedOne,
        Refused,
    ),
)]
pub(super) async fn list_user_app_accounts(
    State(api): State<Api>,
    permit: Permit,
    PathId(UserAppId(id)): PathId<UserAppId>,
    list: ListRequest,
) -> Result<Listed<AccountView>, Error> {
    list.unsorted()?;
    Ok(list.part(accounts(app::get_own(&api.app, &permit, id).await?.value)))
}

/// Choose an account for an application
///
/// A JSON Patch (RFC 6902) of `account`. No choice is kept: a password change names its account. So this can only be the
/// account that is there already.
#[utoipa::path(
    patch,
    path = "/user-apps/{id}",
    tag = "Applications",
    params(("id" = String, Path, description = "What one has of an application."), Conditions),
    request_body(content = PatchOperations, content_type = "application/json-patch+json"),
    responses(
        (status = 200, description = "What one has.", body = UserAppView,
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "The patch cannot be applied, or names another account.", body = BadRequest),
        RefusedOne,
        Refused,
    ),
)]
pub(super) async fn change_user_app(
    State(api): State<Api>,
    permit: Permit,
    PathId(UserAppId(id)): PathId<UserAppId>,
    seen: Seen,
    PatchBody(patch): PatchBody,
) -> Result<Response, Error> {
    let account = |own: &UserApp| {
        let before = serde_json::to_value(UserAppView::from(own.clone())).unwrap_or_default();
        let after = patch::apply(before, &patch, &["account"])?;
        let wrong =
            AppError::Illegal { field: "account", reason: "must be an object with the id of an account".to_owned() };
        Ok(serde_json::from_value::<Patched>(after).map_err(|_| wrong)?.account.id)
    };
    Ok(tagged(app::choose(&api.app, &permit, id, seen, account).await?, UserAppView::from))
}

fn accounts(own: UserApp) -> Vec<AccountView> {
    let UserApp { application, source_name, accounts, .. } = own;
    let view = |account: lockstep_core::account::Account| AccountView {
        app_id: application.id.to_string(),
        app_display_name: application.name.clone(),
        source_account: SourceAccount {
            id: account.id.to_string(),
            native_identity: account.native_id,
            display_name: account.name,
            source_id: account.source.to_string(),
            source_display_name: source_name.clone(),
        },
    };
    accounts.into_iter().map(view).collect()
}

impl From<UserApp> for UserAppView {
    fn from(own: UserApp) -> Self {
        let UserApp { id, application, source_name, takes_passwords, owner, accounts, created_at, modified_at } = own;
        let reference = |kind, id: String, name: String| Reference { kind, id, name };
        let several = accounts.len() > 1;
        // There is one at least.
        let account = accounts.into_iter().next().map(|account| (account.id.to_string(), account.name));
        let (account, account_name) = account.unwrap_or_default();
        Self {
            id: id.simple().to_string(),
            created: instant(created_at),
            modified: modified_at.map(instant),
            has_multiple_accounts: several,
            use_for_password_management: takes_passwords,
            provision_request_enabled: false,
            app_center_enabled: true,
            source_app: reference("SOURCE_APP", application.id.to_string(), application.name),
            source: reference("SOURCE", application.source.to_string(), source_name),
            account: reference("ACCOUNT", account, account_name),
            owner: Owner { kind: "IDENTITY", id: owner.id.to_string(), name: owner.display_name, alias: owner.alias },
        }
    }
}
