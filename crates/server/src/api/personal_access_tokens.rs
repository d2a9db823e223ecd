//! `…/personal-access-tokens`: with what people's programs get tokens.

pub mod create;
pub mod delete;
pub mod list;
pub mod patch;

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::personal_access_tokens::Found;

/// A personal access token.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonalAccessToken {
    /// Its id, which is its `client_id`.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    id: String,
    /// Its secret, in the answer that made it and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// What its owner calls it.
    name: String,
    /// What it may be used for.
    scope: Vec<String>,
    /// Whose it is.
    owner: TokenOwner,
    /// When it was made.
    #[schema(format = DateTime)]
    created: String,
    /// When it was last exchanged for an access token.
    #[schema(format = DateTime)]
    last_used: Option<String>,
    /// Whether Lockstep made it for itself: never.
    managed: bool,
    /// How long an access token lives that it is exchanged for.
    access_token_validity_seconds: u32,
    /// From when on it is dead; null where it lives until it is deleted.
    #[schema(format = DateTime)]
    expiration_date: Option<String>,
}

/// Whose a token is.
#[derive(Serialize, ToSchema)]
pub struct TokenOwner {
    /// Always `IDENTITY`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The identity's id.
    id: String,
    /// What the person is called.
    name: String,
}

impl PersonalAccessToken {
    fn of(found: Found) -> Self {
        let Found { token, owner } = found;
        Self {
            id: token.id.to_string(),
            secret: None,
            name: token.name,
            scope: token.scopes.0.iter().map(ToString::to_string).collect(),
            owner: TokenOwner { kind: "IDENTITY", id: token.identity.to_string(), name: owner },
            created: super::time(token.created_at),
            last_used: token.last_used_at.map(super::time),
            managed: false,
            access_token_validity_seconds: token.token_seconds,
            expiration_date: token.expires_at.map(super::time),
        }
    }
}
