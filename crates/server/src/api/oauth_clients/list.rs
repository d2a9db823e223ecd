//! `GET …/oauth-clients`.

use axum::extract::State;
use lockstep_core::filter::collections::OAUTH_CLIENTS;

use super::OauthClient;
use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::list::{Choosing, ListRequest, Listed};
use crate::api::openapi::Refused;
use crate::app::oauth_clients;
use crate::auth::Permit;

/// List the API clients
///
/// Every program that may call, in the order of their names. Takes the level ORG_ADMIN.
#[utoipa::path(
    get,
    path = "/oauth-clients",
    tag = "OAuth clients",
    params(Choosing),
    responses(
        (status = 200, description = "The clients.", body = Vec<OauthClient>),
        (status = 400, description = "A parameter is wrong or not supported.", body = ErrorResponse),
        Refused,
    ),
)]
pub async fn list_oauth_clients(
    State(api): State<Api>,
    permit: Permit,
    list: ListRequest,
) -> Result<Listed<OauthClient>, Error> {
    let query = list.query(&OAUTH_CLIENTS)?;
    Ok(list.chosen(oauth_clients::list(&api.app, &permit).await?, &query).map(OauthClient::of))
}
