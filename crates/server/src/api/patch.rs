//! JSON Patch (RFC 6902): changing a part of something.
//!
//! A patch is applied to what is told of the thing; what comes out is then taken like a whole replacement. Paths that a
//! client may not change are refused by name.

use axum::extract::{FromRequest, Request};
use json_patch::Patch;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;

use super::error::Error;
use super::extract;
use crate::app::Error as AppError;
use crate::app::patch::document_patched;

/// The media type of a patch; some clients send it as plain JSON.
const MEDIA_TYPES: [&str; 2] = ["application/json-patch+json", "application/json"];

/// More operations than anybody needs.
const MOST: usize = 200;

/// The operations of a patch, in order.
#[derive(ToSchema)]
#[schema(as = PatchOperations)]
#[expect(dead_code, reason = "describes a body that a library reads")]
pub struct PatchOperations(Vec<OnePatchOperation>);

/// One change (RFC 6902 section 4).
#[derive(ToSchema)]
#[schema(as = PatchOperation)]
#[expect(dead_code, reason = "describes a body that a library reads")]
struct OnePatchOperation {
    /// What is done.
    #[schema(examples("replace"), pattern = "^(add|remove|replace|move|copy|test)$")]
    op: String,
    /// What it is done to: a JSON Pointer (RFC 6901).
    #[schema(examples("/description"))]
    path: String,
    /// Where `move` and `copy` take it from.
    from: Option<String>,
    /// What `add`, `replace` and `test` are about.
    value: Option<Value>,
}

/// The body of a patch.
#[derive(Debug)]
pub struct PatchBody(pub(super) Patch);

impl<S: Send + Sync> FromRequest<S> for PatchBody {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let media_type = extract::media_type(request.headers());
        if !media_type.is_some_and(|given| MEDIA_TYPES.contains(&given.as_str())) {
            return Err(Error::MediaType("application/json-patch+json"));
        }
        let bytes = extract::body(request, state).await?;
        let patch: Patch = serde_json::from_slice(&bytes).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                Error::WrongType("the body must be a list of patch operations".to_owned())
            }
            _ => Error::Syntax("the body is not JSON"),
        })?;
        match patch.0.len() > MOST {
            true => Err(AppError::Impossible(format!("a patch has at most {MOST} operations")).into()),
            false => Ok(Self(patch)),
        }
    }
}

/// What a patch makes of what is told, read as a request.
pub(super) fn applied<T: DeserializeOwned>(
    told: &impl Serialize,
    patch: &Patch,
    writable: &[&str],
) -> Result<T, AppError> {
    // What is told is our own structs, which have nothing that JSON lacks.
    let patched = apply(serde_json::to_value(told).unwrap_or_default(), patch, writable)?;
    serde_path_to_error::deserialize(patched)
        .map_err(|error| AppError::Impossible(format!("after the patch {} has the wrong type", error.path())))
}

/// `document` with the patch applied. Every operation must be below one of `writable`, given as first segments of paths.
pub(super) fn apply(document: Value, patch: &Patch, writable: &[&str]) -> Result<Value, AppError> {
    document_patched(document, patch, writable)
}
