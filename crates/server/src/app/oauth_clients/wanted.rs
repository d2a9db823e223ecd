//! What somebody writes about an API client, under the contract's names.

use lockstep_store::client::Client;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A client as it should be. What is left out stays as it is, or is the default of a new one.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OauthClientRequest)]
pub struct WantedClient {
    /// What people call it.
    #[schema(value_type = String, required, min_length = 1, max_length = 255, examples("Portal"))]
    pub name: Option<String>,
    /// What it is for.
    #[schema(max_length = 2048)]
    pub description: Option<String>,
    /// Whose it is.
    #[schema(max_length = 255)]
    pub business_name: Option<String>,
    /// Where more is said about it.
    #[schema(max_length = 2048)]
    pub homepage_url: Option<String>,
    /// How it gets tokens: `CLIENT_CREDENTIALS`, `AUTHORIZATION_CODE`, `REFRESH_TOKEN`.
    #[schema(value_type = Vec<String>, required, examples(json!(["AUTHORIZATION_CODE", "REFRESH_TOKEN"])))]
    pub grant_types: Option<Vec<String>>,
    /// Where people who signed in may be sent back to, to the letter: `https`, `http` on this machine, or a scheme such as
    /// `com.example.app:`.
    pub redirect_uris: Option<Vec<String>>,
    /// `CONFIDENTIAL`, or `PUBLIC` for a program that cannot keep a secret.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `OFFLINE`, or `ONLINE` for a program that gets no refresh tokens.
    pub access_type: Option<String>,
    /// How long an access token lives.
    #[schema(minimum = 15, maximum = 43200)]
    pub access_token_validity_seconds: Option<i64>,
    /// How long a sign-in lasts, however often its tokens are refreshed.
    #[schema(minimum = 60, maximum = 31536000)]
    pub refresh_token_validity_seconds: Option<i64>,
    /// What its tokens may be used for; no more than the token that makes it. Left out: as much.
    pub scope: Option<Vec<String>>,
    /// As which levels it acts by itself; only those that whoever makes it has.
    #[schema(examples(json!(["HELPDESK"])))]
    pub authorities: Option<Vec<String>>,
    /// Whether it gets tokens.
    pub enabled: Option<bool>,
    /// Kept, and of no effect.
    pub internal: Option<bool>,
    /// Kept, and of no effect.
    pub strong_auth_supported: Option<bool>,
    /// Kept, and of no effect.
    pub claims_supported: Option<bool>,
}

impl WantedClient {
    /// What can be changed of one that there is.
    pub(super) const CHANGEABLE: &'static [&'static str] = &[
        "name",
        "description",
        "businessName",
        "homepageUrl",
        "grantTypes",
        "redirectUris",
        "accessType",
        "accessTokenValiditySeconds",
        "refreshTokenValiditySeconds",
        "authorities",
        "enabled",
        "strongAuthSupported",
        "claimsSupported",
    ];

    /// A client as it is, but for what cannot be changed.
    pub(super) fn of(client: &Client) -> Self {
        let settings = &client.settings;
        let word = |value: serde_json::Value| value.as_str().map(str::to_owned);
        let grants = settings.grant_types.iter().filter_map(|grant| word(serde_json::json!(grant)));
        Self {
            name: Some(client.name.clone()),
            description: Some(settings.description.clone()),
            business_name: settings.business_name.clone(),
            homepage_url: settings.homepage_url.clone(),
            grant_types: Some(grants.collect()),
            redirect_uris: Some(settings.redirect_uris.iter().map(ToString::to_string).collect()),
            kind: None,
            access_type: word(serde_json::json!(settings.access_type)),
            access_token_validity_seconds: Some(i64::from(client.token_seconds)),
            refresh_token_validity_seconds: Some(settings.refresh_seconds),
            scope: None,
            authorities: Some(client.levels.iter().map(ToString::to_string).collect()),
            enabled: Some(client.enabled),
            internal: None,
            strong_auth_supported: Some(settings.strong_auth_supported),
            claims_supported: Some(settings.claims_supported),
        }
    }
}
