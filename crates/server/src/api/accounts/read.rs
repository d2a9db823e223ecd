//! `GET …/accounts` and `GET …/accounts/{id}`.

use axum::Json;
use axum::extract::State;
use lockstep_core::filter::collections::ACCOUNTS;
use lockstep_core::id::AccountId;

use super::Account;
use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::PathId;
use crate::api::list::{Choosing, ListRequest, Listed, Paging};
use crate::api::openapi::Refused;
use crate::app::account;
use crate::auth::Permit;

/// List accounts
///
/// What people have on sources, without what has vanished there; by id unless `sorters` says otherwise. Filters: `id`,
/// `identityId`, `name`, `nativeIdentity`, `sourceId`, `uncorrelated`, `created`, `modified`, `identity.name`,
/// `identity.identityState`, `identity.correlated`, `source.displayableName`, and those whose values are the same for all.
#[utoipa::path(
    get,
    path = "/accounts",
    tag = "Accounts",
    params(Paging, Choosing),
    responses(
        (status = 200, description = "The accounts.", body = Vec<Account>,
            headers(("X-Total-Count" = u64, description = "How many there are in all, with `count=true`."))),
        (status = 400, description = "A parameter is wrong.", body = ErrorResponse),
        Refused,
    ),
)]
pub(in crate::api) async fn list_accounts(
    State(api): State<Api>,
    permit: Permit,
    list: ListRequest,
) -> Result<Listed<Account>, Error> {
    let (found, sources) = account::list(&api.app, &permit, list.of(&ACCOUNTS)?).await?;
    Ok(Listed::of(found, |listed| Account::told(listed, &sources, None)))
}

/// Get an account
///
/// One account. Where its source can tell, it is asked whether the account is locked.
#[utoipa::path(
    get,
    path = "/accounts/{id}",
    tag = "Accounts",
    params(("id" = String, Path, description = "The account.")),
    responses(
        (status = 200, description = "The account.", body = Account),
        (status = 404, description = "There is no such account.", body = ErrorResponse),
        Refused,
    ),
)]
pub(in crate::api) async fn get_account(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<AccountId>,
) -> Result<Json<Account>, Error> {
    let (listed, sources, locked) = account::get(&api.app, &permit, id).await?;
    Ok(Json(Account::told(listed, &sources, locked)))
}
