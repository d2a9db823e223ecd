//! `POST …/set-password`: asks for a password change.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use lockstep_core::change::ChangeState;
use lockstep_core::id::TransportKeyId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{LONGEST_ID, LONGEST_NAME, LONGEST_PAYLOAD};
use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::{BASE64, JsonBody, id, optional, required};
use crate::api::openapi::Refused;
use crate::api::prefer::PREFERENCE_APPLIED;
use crate::app::await_change::await_change;
use crate::app::{Error as AppError, set_password as app};
use crate::auth::Permit;

/// A new password, and where it belongs. Every id is one that query-password-info gave.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordChangeRequest {
    /// The person.
    #[schema(value_type = String, required, min_length = 1, max_length = 64)]
    identity_id: Option<String>,
    /// The new password, encrypted with the transport key, in base64. Line breaks and other white space are ignored.
    #[schema(value_type = String, required, min_length = 1, max_length = 4096)]
    encrypted_password: Option<String>,
    /// The transport key's name.
    #[schema(value_type = String, required, min_length = 1, max_length = 64)]
    public_key_id: Option<String>,
    /// The account; may be left out where the person has just one on the source.
    #[schema(max_length = 2048)]
    account_id: Option<String>,
    /// The source; left out: the built-in source `IdentityNow`.
    #[schema(max_length = 64)]
    source_id: Option<String>,
}

/// The change that was accepted.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordChangeResponse {
    /// What password-change-status wants to know.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{32}$")]
    request_id: String,
    /// How far the change is.
    state: PasswordChangeState,
}

/// How far a change is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PasswordChangeState {
    /// Under way.
    InProgress,
    /// Every account has the new password.
    Finished,
    /// At least one account did not get it.
    Failed,
}

/// Change a password
///
/// Accepts an encrypted password and carries it to the named account and, where the source is in a sync group, to the
/// person's accounts on every other member. What can be judged without opening the password is answered at once; all
/// else shows in the status. The same request again, by the same caller, is the same change. A person's token changes
/// that person's password only.
#[utoipa::path(
    post,
    path = "/set-password",
    tag = "Password management",
    params((
        "Prefer" = Option<String>, Header,
        description = "`wait=N` holds the answer up to N seconds, at most 30, for a final state (RFC 7240).",
        example = json!("wait=10"),
    )),
    request_body = PasswordChangeRequest,
    responses(
        (status = 202, description = "The change is accepted.", body = PasswordChangeResponse,
            headers(("Preference-Applied" = String, description = "Which wait was granted, if one was."))),
        (status = 400, description = "A field is missing or wrong, or refers to nothing.", body = ErrorResponse),
        Refused,
    ),
)]
pub async fn set_password(
    State(api): State<Api>,
    permit: Permit,
    headers: HeaderMap,
    JsonBody(body): JsonBody<PasswordChangeRequest>,
) -> Result<Response, Error> {
    let accepted = app::set_password(&api.app, &permit, parse(body)?).await?;
    let wait = if accepted.state.is_final() { None } else { api.waits.enter(&headers, permit.caller().name()) };
    let state = match &wait {
        Some(wait) => await_change(&api.app, accepted.id, wait.longest).await?,
        None => accepted.state,
    };
    let body = PasswordChangeResponse { request_id: accepted.id.to_string(), state: state.into() };
    let mut response = (StatusCode::ACCEPTED, Json(body)).into_response();
    if let Some(wait) = wait {
        response.headers_mut().insert(PREFERENCE_APPLIED, wait.applied.clone());
    }
    Ok(response)
}

fn parse(body: PasswordChangeRequest) -> Result<app::Request, AppError> {
    let identity = required("identityId", body.identity_id, LONGEST_ID)?;
    let payload = body.encrypted_password.map(|text| text.replace(char::is_whitespace, ""));
    let payload = required("encryptedPassword", payload, LONGEST_PAYLOAD)?;
    let key = required("publicKeyId", body.public_key_id, LONGEST_ID)?;
    let source = optional("sourceId", body.source_id, LONGEST_ID)?;
    let ciphertext = BASE64
        .decode(payload)
        .map_err(|_| AppError::Illegal { field: "encryptedPassword", reason: "is not base64".to_owned() })?;
    Ok(app::Request {
        identity: id("identityId", &identity)?,
        source: source.map(|text| id("sourceId", &text)).transpose()?,
        account: optional("accountId", body.account_id, LONGEST_NAME)?,
        key: transport_key(&key)?,
        ciphertext,
        within: None,
    })
}

/// The key's id is the base64 of a UUID's text.
fn transport_key(text: &str) -> Result<TransportKeyId, AppError> {
    let decoded = BASE64.decode(text.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let illegal =
        || AppError::Illegal { field: "publicKeyId", reason: "is not one that query-password-info gives".to_owned() };
    decoded.ok_or_else(illegal)?.parse().map_err(|_| illegal())
}

impl From<ChangeState> for PasswordChangeState {
    fn from(state: ChangeState) -> Self {
        match state {
            ChangeState::Accepted | ChangeState::Judged => Self::InProgress,
            ChangeState::Finished => Self::Finished,
            ChangeState::Failed => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_spelled_as_the_contract_spells_them() {
        for (state, _) in ChangeState::NAMES {
            let written = serde_json::to_value(PasswordChangeState::from(state)).expect("written");
            assert_eq!(written, state.wire());
        }
    }

    #[test]
    fn a_transport_key_is_named_by_the_base64_of_its_uuid() {
        let id = "e1267ecd-fcd9-4c73-9c55-12555efad136";
        assert_eq!(transport_key(&BASE64.encode(id)).expect("an id").to_string(), id);
        for text in ["", id, "!", "AAAA"] {
            assert!(transport_key(text).is_err(), "{text:?}");
        }
    }
}
