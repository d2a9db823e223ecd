//! `POST …/query-password-info`: what a client needs to know before it changes a password.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use lockstep_vault::transport::TransportPadding;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::LONGEST_NAME;
use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::{BASE64, JsonBody, optional, required};
use crate::api::openapi::Refused;
use crate::app::{Error as AppError, query_password_info as app};
use crate::auth::Permit;

/// Which padding the client will use. The transport key that it then gets is for that padding only.
const PADDING: HeaderName = HeaderName::from_static("x-lockstep-padding");

/// Whose password, and where.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordInfoQuery {
    /// The person's login name.
    #[schema(value_type = String, required, min_length = 1, max_length = 2048, examples("Abby.Smith"))]
    user_name: Option<String>,
    /// The source; left out: the built-in source `IdentityNow`, which holds the sign-in password.
    #[schema(max_length = 2048, examples("Corporate Directory"))]
    source_name: Option<String>,
}

/// What may be said in a header.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header; its values are compared with the vault's names")]
struct PasswordInfoHeaders {
    /// The padding that the payload will have; `pkcs1v15` unless said.
    #[param(rename = "X-Lockstep-Padding", required = false, inline)]
    padding: Padding,
}

/// The paddings by name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a header; its values are compared with the vault's names")]
enum Padding {
    #[schema(rename = "pkcs1v15")]
    Pkcs1v15,
    #[schema(rename = "oaep-sha256")]
    OaepSha256,
}

/// Everything that a change needs.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordInfo {
    /// The person.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    identity_id: String,
    /// The source.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    source_id: String,
    /// The transport key's name, to be sent back unchanged.
    public_key_id: String,
    /// The transport key to encrypt the new password with: base64 of its DER SubjectPublicKeyInfo, on one line.
    public_key: String,
    /// The person's accounts on the source.
    accounts: Vec<PasswordInfoAccount>,
    /// The rules of the policy that binds there, each as `constraint is value`.
    #[schema(examples(json!(["passwordMinLength is 8"])))]
    policies: Vec<String>,
}

/// An account whose password can be changed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordInfoAccount {
    /// The account as its source names it; in a directory the distinguished name.
    account_id: String,
    /// The account as people know it.
    account_name: String,
}

/// Accounts, policy and transport key
///
/// Looks up a person's accounts on one source, the rules that a new password there must follow, and the public key to
/// encrypt it with. The key is replaced daily; ask again before each change. A person's token sees that person only,
/// unless its owner is ORG_ADMIN or HELPDESK.
#[utoipa::path(
    post,
    path = "/query-password-info",
    tag = "Password management",
    params(PasswordInfoHeaders),
    request_body = PasswordInfoQuery,
    responses(
        (status = 200, description = "What was found.", body = PasswordInfo),
        (status = 400, description = "A field is missing or wrong, or refers to nothing.", body = ErrorResponse),
        Refused,
    ),
)]
pub async fn query_password_info(
    State(api): State<Api>,
    permit: Permit,
    headers: HeaderMap,
    JsonBody(query): JsonBody<PasswordInfoQuery>,
) -> Result<Json<PasswordInfo>, Error> {
    let question = app::Question {
        user_name: required("userName", query.user_name, LONGEST_NAME)?,
        source_name: optional("sourceName", query.source_name, LONGEST_NAME)?,
        padding: padding(&headers)?,
    };
    let found = app::query_password_info(&api.app, &permit, question).await?;
    let account =
        |account: app::FoundAccount| PasswordInfoAccount { account_id: account.native_id, account_name: account.name };
    Ok(Json(PasswordInfo {
        identity_id: found.identity.to_string(),
        source_id: found.source.to_string(),
        public_key_id: base64::Engine::encode(&BASE64, found.key.to_string()),
        public_key: found.public_key,
        accounts: found.accounts.into_iter().map(account).collect(),
        policies: found.policies,
    }))
}

fn padding(headers: &HeaderMap) -> Result<TransportPadding, AppError> {
    let Some(value) = headers.get(PADDING) else { return Ok(TransportPadding::Pkcs1v15) };
    let known = TransportPadding::NAMES.iter().find(|(_, name)| value.as_bytes() == name.as_bytes());
    known.map(|(padding, _)| *padding).ok_or_else(|| AppError::Illegal {
        field: "X-Lockstep-Padding",
        reason: "must be pkcs1v15 or oaep-sha256".to_owned(),
    })
}
