//! `POST …/oauth-clients`.

use axum::Json;
use axum::extract::State;

use super::OauthClient;
use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::JsonBody;
use crate::api::openapi::Refused;
use crate::app::oauth_clients;
use crate::app::oauth_clients::wanted::WantedClient;
use crate::auth::Permit;

/// Make an API client
///
/// Its secret is in this answer and never again. It gets no scope and no level that whoever makes it has not. Takes the
/// level ORG_ADMIN.
#[utoipa::path(
    post,
    path = "/oauth-clients",
    tag = "OAuth clients",
    request_body = WantedClient,
    responses(
        (status = 200, description = "The client, with its secret.", body = OauthClient),
        (status = 400, description = "A field is missing or wrong.", body = ErrorResponse),
        Refused,
    ),
)]
pub async fn create_oauth_client(
    State(api): State<Api>,
    permit: Permit,
    JsonBody(wanted): JsonBody<WantedClient>,
) -> Result<Json<OauthClient>, Error> {
    let (made, secret) = oauth_clients::create(&api.app, &permit, wanted).await?;
    let secret = secret.map_or_else(String::new, |secret| secret.expose().to_owned());
    Ok(Json(OauthClient { secret: Some(secret), ..OauthClient::of(made) }))
}
