//! What somebody writes about a personal access token, under the contract's names.

use chrono::{DateTime, Utc};
use lockstep_store::personal_access_token::PersonalAccessToken;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A token that is to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PersonalAccessTokenRequest)]
pub struct WantedToken {
    /// What its owner calls it; one name once a person.
    #[schema(value_type = String, required, min_length = 1, max_length = 255, examples("laptop"))]
    pub name: Option<String>,
    /// What it may be used for; no more than the token that makes it. Left out: as much.
    #[schema(examples(json!(["sp:scopes:all"])))]
    pub scope: Option<Vec<String>>,
    /// How long an access token lives that it is exchanged for; 12 hours unless said.
    #[schema(minimum = 15, maximum = 43200)]
    pub access_token_validity_seconds: Option<i64>,
    /// From when on it is dead: within six months, and in six months unless said.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expiration_date: Option<DateTime<Utc>>,
    /// Says that it is known to live until it is deleted, where no end is said.
    pub user_aware_token_never_expires: Option<bool>,
}

/// What can be changed of a token that there is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangeableToken {
    pub(super) name: Option<String>,
    pub(super) scope: Option<Vec<String>>,
    pub(super) access_token_validity_seconds: Option<i64>,
}

impl ChangeableToken {
    pub(super) const CHANGEABLE: &'static [&'static str] = &["name", "scope", "accessTokenValiditySeconds"];

    pub(super) fn of(token: &PersonalAccessToken) -> Self {
        Self {
            name: Some(token.name.clone()),
            scope: Some(token.scopes.0.iter().map(ToString::to_string).collect()),
            access_token_validity_seconds: Some(i64::from(token.token_seconds)),
        }
    }
}
