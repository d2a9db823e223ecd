//! `PATCH …/accounts/{id}`: whose an account is.

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use lockstep_core::id::AccountId;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::error::{Error, ErrorResponse};
use crate::api::extract::{PathId, body, id, media_type};
use crate::api::openapi::Refused;
use crate::app::Error as AppError;
use crate::app::link_account::{Said, link_account};
use crate::auth::Permit;

/// An operation of a JSON Patch (RFC 6902).
#[derive(Deserialize, ToSchema)]
pub struct AccountOperation {
    /// What is done.
    #[schema(examples("replace"))]
    op: String,
    /// `/identityId` or `/manuallyCorrelated`.
    #[schema(examples("/identityId"))]
    path: String,
    /// An identity, or whether it stays whatever the rules say.
    #[schema(value_type = Option<Object>)]
    value: Option<Value>,
}

/// A JSON Patch, under either name of its format.
pub struct Patch(Vec<AccountOperation>);

/// Say whose an account is
///
/// Gives an account to an identity, or to nobody: `/identityId`. What was said so stays, whatever the rules of the source say,
/// until `/manuallyCorrelated` is made `false`. An account that is somebody's goes when nothing is under way there any more.
#[utoipa::path(
    patch,
    path = "/accounts/{id}",
    tag = "Aggregation",
    params(("id" = String, Path, description = "The account.")),
    request_body(content = [AccountOperation], content_type = "application/json-patch+json"),
    responses(
        (status = 202, description = "It is accepted.", body = Object),
        (status = 400, description = "An operation is wrong, or refers to nothing.", body = ErrorResponse),
        (status = 404, description = "There is no such account.", body = ErrorResponse),
        Refused,
    ),
)]
pub async fn update_account(
    State(api): State<Api>,
    permit: Permit,
    PathId(id): PathId<AccountId>,
    Patch(operations): Patch,
) -> Result<(StatusCode, Json<Value>), Error> {
    link_account(&api.app, &permit, id, said(operations)?).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({}))))
}

impl<S: Send + Sync> FromRequest<S> for Patch {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        if !matches!(media_type(request.headers()).as_deref(), Some("application/json-patch+json" | "application/json"))
        {
            return Err(Error::MediaType("application/json-patch+json"));
        }
        let bytes = body(request, state).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                Error::WrongType("the body must be a JSON Patch: an array of operations".to_owned())
            }
            _ => Error::Syntax("the body is not JSON"),
        })
    }
}

fn said(operations: Vec<AccountOperation>) -> Result<Said, AppError> {
    let mut said = Said::default();
    if operations.is_empty() {
        return Err(AppError::Missing("an operation"));
    }
    for AccountOperation { op, path, value } in operations {
        match (op.as_str(), path.as_str(), value) {
            ("remove", "/identityId", _) | ("add" | "replace", "/identityId", None | Some(Value::Null)) => {
                said.owner = Some(None);
            }
            ("add" | "replace", "/identityId", Some(Value::String(text))) => {
                said.owner = Some(Some(id("identityId", &text)?));
            }
            ("add" | "replace", "/manuallyCorrelated", Some(Value::Bool(manual))) => said.manual = Some(manual),
            ("add" | "replace" | "remove", "/identityId" | "/manuallyCorrelated", _) => {
                return Err(AppError::Illegal { field: "value", reason: "is not what the path takes".to_owned() });
            }
            ("add" | "replace" | "remove", ..) => {
                let reason = "must be /identityId or /manuallyCorrelated: the rest is said by the source".to_owned();
                return Err(AppError::Illegal { field: "path", reason });
            }
            _ => return Err(AppError::Illegal { field: "op", reason: "must be add, replace or remove".to_owned() }),
        }
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(patch: Value) -> Result<Said, AppError> {
        said(serde_json::from_value(patch).expect("operations"))
    }

    #[test]
    fn an_account_goes_to_somebody_or_to_nobody() {
        let somebody = "2c9180857725c14301772a93bb77242d";
        let given = read(json!([{"op": "replace", "path": "/identityId", "value": somebody}])).expect("said");
        assert_eq!((given.owner, given.manual), (Some(somebody.parse().ok()), None));
        let nobodys = read(json!([{"op": "remove", "path": "/identityId"}])).expect("said");
        assert_eq!(nobodys.owner, Some(None));
        let back = read(json!([{"op": "replace", "path": "/manuallyCorrelated", "value": false}])).expect("said");
        assert_eq!(back, Said { owner: None, manual: Some(false) });
    }

    #[test]
    fn everything_else_is_refused() {
        for wrong in [
            json!([]),
            json!([{"op": "test", "path": "/identityId", "value": "x"}]),
            json!([{"op": "replace", "path": "/identityId", "value": "x"}]),
            json!([{"op": "replace", "path": "/identityId", "value": 7}]),
            json!([{"op": "remove", "path": "/manuallyCorrelated"}]),
            json!([{"op": "add", "path": "/attributes/familyName", "value": "Smith"}]),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
