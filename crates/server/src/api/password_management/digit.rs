//! `POST …/generate-password-reset-token/digit`: draws a code that a help desk reads to a caller.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::LONGEST_NAME;
use crate::api::Api;
use crate::api::error::{Error, ErrorResponse, MessageError, PlainError};
use crate::api::extract::{JsonBody, required};
use crate::api::openapi::Refused;
use crate::app::generate_digit_token as app;
use crate::auth::Permit;

/// For whom, and what the code should be like.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DigitTokenRequest {
    /// The person's login name.
    #[schema(value_type = String, required, min_length = 1, max_length = 2048, examples("Abby.Smith"))]
    user_id: Option<String>,
    /// How many digits; at least as many as the organisation has set, which is also what it has unless said.
    #[schema(minimum = 6, maximum = 18)]
    length: Option<i64>,
    /// How long the code lives; what the organisation has set unless said.
    #[schema(minimum = 1, maximum = 60)]
    duration_minutes: Option<i64>,
}

/// A code, shown this once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DigitToken {
    /// The digits; zeros at the front count.
    #[schema(pattern = "^[0-9]{6,18}$", examples("09087713"))]
    digit_token: String,
    /// The code's own id.
    #[schema(format = "uuid")]
    request_id: String,
}

/// What is wrong with a request for a code.
#[derive(ToSchema)]
#[schema(as = DigitTokenError)]
#[serde(untagged)]
pub enum DigitTokenError {
    /// A field is missing or wrong, or refers to nothing.
    Content(ErrorResponse),
    /// The header for experimental operations is missing.
    Header(PlainError),
}

/// Draw a digit token
///
/// Draws a code for one person, which voids the one before. It works once, and five wrong tries void it. The
/// organisation must have switched digit tokens on. A person's token gets codes for that person only, unless its owner
/// is ORG_ADMIN or HELPDESK.
#[utoipa::path(
    post,
    path = "/generate-password-reset-token/digit",
    tag = "Password management",
    request_body = DigitTokenRequest,
    responses(
        (status = 200, description = "The code.", body = DigitToken),
        (status = 400, description = "A field is missing or wrong, or refers to nothing.", body = DigitTokenError),
        (status = 412, description = "Digit tokens are not switched on.", body = MessageError),
        Refused,
    ),
)]
pub async fn generate_digit_token(
    State(api): State<Api>,
    permit: Permit,
    JsonBody(body): JsonBody<DigitTokenRequest>,
) -> Result<Json<DigitToken>, Error> {
    let request = app::Request {
        alias: required("userId", body.user_id, LONGEST_NAME)?,
        length: body.length,
        duration_minutes: body.duration_minutes,
    };
    let drawn = app::generate_digit_token(&api.app, &permit, request).await?;
    Ok(Json(DigitToken { digit_token: drawn.code.expose().to_owned(), request_id: drawn.id.hyphenated().to_string() }))
}
