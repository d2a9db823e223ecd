//! `POST …/personal-access-tokens`.

use axum::Json;
use axum::extract::State;

use super::PersonalAccessToken;
use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::JsonBody;
use crate::api::openapi::Refused;
use crate::app::personal_access_tokens;
use crate::app::personal_access_tokens::wanted::WantedToken;
use crate::auth::Permit;

/// Make a personal access token
///
/// For whoever asks: nobody makes one for another. Its secret is in this answer and never again, and it gets no scope that
/// the token which makes it has not. A person has ten at most.
#[utoipa::path(
    post,
    path = "/personal-access-tokens",
    tag = "Personal access tokens",
    request_body = WantedToken,
    responses(
        (status = 200, description = "The token, with its secret.", body = PersonalAccessToken),
        (status = 400, description = "A field is missing or wrong, or there are ten.", body = ErrorResponse),
        Refused,
    ),
)]
pub async fn create_personal_access_token(
    State(api): State<Api>,
    permit: Permit,
    JsonBody(wanted): JsonBody<WantedToken>,
) -> Result<Json<PersonalAccessToken>, Error> {
    let (made, secret) = personal_access_tokens::create(&api.app, &permit, wanted).await?;
    let secret = Some(secret.expose().to_owned());
    Ok(Json(PersonalAccessToken { secret, ..PersonalAccessToken::of(made) }))
}
