//! `…/oauth-clients`: the programs that may call.

pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod patch;

use std::collections::BTreeSet;

use lockstep_core::client::{AccessType, ClientKind, Grant};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::oauth_clients::Found;

/// A program that may call.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OauthClient {
    /// Its id, which is its `client_id`.
    #[schema(format = "uuid")]
    id: String,
    /// Its secret, in the answer that made it and never again; empty for a `PUBLIC` client.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// What people call it.
    name: String,
    /// What it is for.
    description: String,
    /// Whose it is; empty where nobody said.
    business_name: String,
    /// Where more is said about it; empty where nobody said.
    homepage_url: String,
    /// How it gets tokens.
    #[schema(value_type = Vec<String>)]
    grant_types: BTreeSet<Grant>,
    /// Where people who signed in may be sent back to.
    redirect_uris: Vec<String>,
    /// `CONFIDENTIAL` or `PUBLIC`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: ClientKind,
    /// `OFFLINE` or `ONLINE`.
    #[schema(value_type = String)]
    access_type: AccessType,
    /// How long an access token lives.
    access_token_validity_seconds: u32,
    /// How long a sign-in lasts.
    refresh_token_validity_seconds: i64,
    /// What its tokens may be used for.
    scope: Vec<String>,
    /// As which levels it acts by itself.
    authorities: Vec<String>,
    /// Whether it gets tokens.
    enabled: bool,
    /// Of no effect.
    internal: bool,
    /// Of no effect.
    strong_auth_supported: bool,
    /// Of no effect.
    claims_supported: bool,
    /// When it was made.
    #[schema(format = DateTime)]
    created: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    modified: String,
    /// When it last got a token, to the hour.
    #[schema(format = DateTime)]
    last_used: Option<String>,
}

impl OauthClient {
    fn of(found: Found) -> Self {
        let Found { client, modified_at, last_used_at } = found;
        let settings = client.settings;
        Self {
            id: client.id.to_string(),
            secret: None,
            name: client.name,
            description: settings.description,
            // The vendor's Python clients take no null here in the answer that makes a client.
            business_name: settings.business_name.unwrap_or_default(),
            homepage_url: settings.homepage_url.unwrap_or_default(),
            grant_types: settings.grant_types,
            redirect_uris: settings.redirect_uris.iter().map(ToString::to_string).collect(),
            kind: settings.kind,
            access_type: settings.access_type,
            access_token_validity_seconds: client.token_seconds,
            refresh_token_validity_seconds: settings.refresh_seconds,
            scope: client.scopes.0.iter().map(ToString::to_string).collect(),
            authorities: client.levels.iter().map(ToString::to_string).collect(),
            enabled: client.enabled,
            internal: settings.internal,
            strong_auth_supported: settings.strong_auth_supported,
            claims_supported: settings.claims_supported,
            created: super::time(client.created_at),
            modified: super::time(modified_at),
            last_used: last_used_at.map(super::time),
        }
    }
}
