//! `GET …/personal-access-tokens`.

use axum::extract::{RawQuery, State};
use lockstep_core::filter::collections::PERSONAL_ACCESS_TOKENS;

use super::PersonalAccessToken;
use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract;
use crate::api::list::{Choosing, ListRequest, Listed};
use crate::api::openapi::Refused;
use crate::app::personal_access_tokens::{self, Whose};
use crate::auth::Permit;

/// List personal access tokens
///
/// Those of one person, oldest first, or with the level ORG_ADMIN everybody's.
#[utoipa::path(
    get,
    path = "/personal-access-tokens",
    tag = "Personal access tokens",
    params(Choosing, ("owner-id" = Option<String>, Query, description =
        "Whose: an identity's id, or `me`. Left out: everybody's, which takes the level ORG_ADMIN.")),
    responses(
        (status = 200, description = "The tokens.", body = Vec<PersonalAccessToken>),
        (status = 400, description = "A parameter is wrong or not supported.", body = ErrorResponse),
        Refused,
    ),
)]
pub async fn list_personal_access_tokens(
    State(api): State<Api>,
    permit: Permit,
    RawQuery(asked): RawQuery,
    list: ListRequest,
) -> Result<Listed<PersonalAccessToken>, Error> {
    let asked = asked.unwrap_or_default();
    let owner = url::form_urlencoded::parse(asked.as_bytes()).find(|(name, _)| name == "owner-id");
    let whose = match owner.as_ref().map(|(_, value)| &**value).filter(|value| !value.is_empty()) {
        None => Whose::Everybody,
        Some("me") => Whose::Mine,
        Some(id) => Whose::Of(extract::id("owner-id", id)?),
    };
    let query = list.query(&PERSONAL_ACCESS_TOKENS)?;
    let found = personal_access_tokens::list(&api.app, &permit, whose).await?;
    Ok(list.chosen(found, &query).map(PersonalAccessToken::of))
}
