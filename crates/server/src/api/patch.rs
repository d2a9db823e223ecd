//! JSON Patch (RFC 6902): changing a part of something.
//!
//! A patch is applied to what is told of the thing; what comes out is then taken like a whole replacement. Paths that a
//! client may not change are refused by name.

use axum::extract::{FromRequest, Request};
use json_patch::{Patch, PatchOperation};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;

use super::error::Error;
use super::extract;
use crate::app::Error as AppError;

/// The media type of a patch; some clients send it as plain JSON.
const MEDIA_TYPES: [&str; 2] = ["application/json-patch+json", "application/json"];

/// More operations than anybody needs.
const MOST: usize = 200;

/// The operations of a patch, in order.
#[derive(ToSchema)]
#[schema(as = PatchOperations)]
#[expect(dead_code, reason = "describes a body that a library reads")]
pub(super) struct PatchOperations(Vec<OnePatchOperation>);

/// One change (RFC 6902 section 4).
#[derive(ToSchema)]
#[schema(as = PatchOperation)]
#[expect(dead_code, reason = "describes a body that a library reads")]
struct OnePatchOperation {
    /// `add`, `remove`, `replace`, `move`, `copy` or `test`.
    #[schema(examples("replace"))]
    op: String,
    /// What it is done to, as a JSON Pointer.
    path: String,
    /// Where `move` and `copy` take it from.
    from: Option<String>,
    /// What `add`, `replace` and `test` are about.
    value: Option<Value>,
}

/// The body of a patch.
#[derive(Debug)]
pub(super) struct PatchBody(pub(super) Patch);

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

/// A patch, for the description.
#[derive(ToSchema)]
#[schema(as = JsonPatch)]
#[expect(dead_code, reason = "describes a body that a library reads")]
pub(super) struct PatchDocument(Vec<PatchStep>);

/// One operation of a patch.
#[derive(ToSchema)]
#[schema(as = JsonPatchOperation)]
#[expect(dead_code, reason = "describes a body that a library reads")]
pub(super) struct PatchStep {
    /// What is done.
    #[schema(pattern = "^(add|remove|replace|move|copy|test)$", examples("replace"))]
    op: String,
    /// Where (RFC 6901).
    #[schema(examples("/description"))]
    path: String,
    /// The new value.
    #[schema(value_type = Option<Object>)]
    value: Option<Value>,
    /// Whence, of a move or copy.
    from: Option<String>,
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
fn apply(mut document: Value, patch: &Patch, writable: &[&str]) -> Result<Value, AppError> {
    for operation in &patch.0 {
        for path in touched(operation) {
            let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
            if !path.starts_with('/') || !writable.contains(&first) {
                return Err(AppError::ReadOnly(if path.is_empty() { "the whole".to_owned() } else { path }));
            }
        }
    }
    json_patch::patch(&mut document, &patch.0).map_err(|error| {
        AppError::Impossible(format!("operation {} of the patch cannot be done: {}", error.operation, error.kind))
    })?;
    Ok(document)
}

/// The paths that an operation changes.
fn touched(operation: &PatchOperation) -> Vec<String> {
    match operation {
        PatchOperation::Test(_) => Vec::new(),
        PatchOperation::Move(moved) => vec![moved.from.to_string(), moved.path.to_string()],
        other => vec![other.path().to_string()],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(operations: Value) -> Result<Value, AppError> {
        let patch = serde_json::from_value(operations).expect("a patch");
        apply(json!({ "name": "Old", "features": ["UNLOCK"], "id": "1" }), &patch, &["name", "features"])
    }

    #[test]
    fn a_part_is_changed() {
        let added = patched(json!([{ "op": "add", "path": "/features/-", "value": "PASSWORD" }])).expect("added");
        assert_eq!(added["features"], json!(["UNLOCK", "PASSWORD"]));
        let replaced = patched(json!([
            { "op": "test", "path": "/id", "value": "1" },
            { "op": "replace", "path": "/name", "value": "New" },
        ]));
        assert_eq!(replaced.expect("replaced")["name"], "New");
    }

    #[test]
    fn what_may_not_be_changed_is_named() {
        for path in ["/id", "/id/x", "", "/", "/unknown"] {
            let refused = patched(json!([{ "op": "replace", "path": path, "value": "2" }]));
            assert!(matches!(refused, Err(AppError::ReadOnly(_))), "{path}");
        }
        let moved = patched(json!([{ "op": "move", "from": "/id", "path": "/name" }]));
        assert_eq!(moved.expect_err("read-only").to_string(), "/id cannot be changed");
    }

    #[test]
    fn what_cannot_be_done_is_said_with_its_place() {
        let failed = patched(json!([
            { "op": "replace", "path": "/name", "value": "New" },
            { "op": "test", "path": "/name", "value": "Other" },
        ]));
        let text = failed.expect_err("the test fails").to_string();
        assert!(text.starts_with("operation 1 of the patch"), "{text}");
    }
}
