//! Changing a part of something, as JSON Patch (RFC 6902) says it.

use json_patch::{Patch, PatchOperation};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Error;

/// How large something may become on the way, in bytes of JSON: an operation can copy a list into itself.
const LARGEST: usize = 256 * 1024;

/// The same with the operations carried out, one after another. Only `fields` may be touched.
///
/// # Errors
/// Another field is named, a `test` fails, a place does not exist, or the outcome has a value of a wrong type.
pub(super) fn patched<T: Serialize + DeserializeOwned>(
    what: &T,
    patch: &Patch,
    fields: &'static [&'static str],
) -> Result<T, Error> {
    // What is told is our own structs, which have nothing that JSON lacks.
    let document = document_patched(serde_json::to_value(what).unwrap_or_default(), patch, fields)?;
    serde_path_to_error::deserialize(document).map_err(|error| {
        let path = error.path().to_string();
        // A name that is none of ours was sent.
        let field = fields.iter().find(|field| path.starts_with(**field)).copied().unwrap_or("the patch");
        Error::Illegal { field, reason: "has the wrong type".to_owned() }
    })
}

/// A document with the operations carried out.
///
/// # Errors
/// Those of [`patched`], but for the types.
pub(crate) fn document_patched(mut document: Value, patch: &Patch, fields: &[&str]) -> Result<Value, Error> {
    for (number, operation) in patch.0.iter().enumerate() {
        let forbidden = touched(operation).into_iter().find(|path| !fields.iter().any(|field| is_in(path, field)));
        if let Some(path) = forbidden {
            return Err(Error::ReadOnly(if path.is_empty() { "the whole".to_owned() } else { path }));
        }
        // The library's own text quotes what was sent.
        json_patch::patch(&mut document, std::slice::from_ref(operation))
            .map_err(|_| Error::Impossible(format!("operation {number} of the patch cannot be carried out")))?;
        if serde_json::to_string(&document).is_ok_and(|text| text.len() > LARGEST) {
            return Err(Error::Impossible(format!("operation {number} of the patch makes it too large")));
        }
    }
    Ok(document)
}

/// The paths that an operation changes. A `test` changes none.
fn touched(operation: &PatchOperation) -> Vec<String> {
    match operation {
        PatchOperation::Test(_) => Vec::new(),
        PatchOperation::Move(moved) => vec![moved.from.to_string(), moved.path.to_string()],
        other => vec![other.path().to_string()],
    }
}

fn is_in(path: &str, field: &str) -> bool {
    path.strip_prefix('/')
        .and_then(|path| path.strip_prefix(field))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Thing {
        name: String,
        list: Vec<Value>,
        id: u8,
    }

    const FIELDS: &[&str] = &["name", "list"];

    fn change(patch: Value) -> Result<Thing, Error> {
        let thing = Thing { name: "a".to_owned(), list: vec![json!(1)], id: 7 };
        patched(&thing, &serde_json::from_value(patch).expect("a patch"), FIELDS)
    }

    #[test]
    fn what_may_be_changed_is_changed() {
        let changed = change(json!([
            {"op": "test", "path": "/name", "value": "a"},
            {"op": "replace", "path": "/name", "value": "b"},
            {"op": "add", "path": "/list/-", "value": 2},
            {"op": "remove", "path": "/list/0"},
        ]));
        assert_eq!(changed.expect("changed"), Thing { name: "b".to_owned(), list: vec![json!(2)], id: 7 });
    }

    #[test]
    fn what_may_not_is_refused_whichever_way_it_is_reached() {
        for operation in [
            json!({"op": "replace", "path": "/id", "value": 8}),
            json!({"op": "remove", "path": "/id"}),
            json!({"op": "move", "from": "/id", "path": "/name"}),
            json!({"op": "replace", "path": "", "value": {}}),
            json!({"op": "add", "path": "/names", "value": 1}),
            json!({"op": "add", "path": "/name~1x", "value": 1}),
        ] {
            assert!(matches!(change(json!([operation])), Err(Error::ReadOnly(_))), "{operation}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_without_being_quoted() {
        for operations in [
            json!([{"op": "test", "path": "/name", "value": "Secret"}]),
            json!([{"op": "remove", "path": "/list/9"}]),
            json!([{"op": "replace", "path": "/name", "value": {"Secret": 1}}]),
            json!([{"op": "remove", "path": "/name"}]),
        ] {
            let error = change(operations).expect_err("refused").to_string();
            assert!(!error.contains("Secret"), "{error}");
        }
    }

    #[test]
    fn a_list_that_is_copied_into_itself_stays_small() {
        let bomb: Vec<Value> = (0..64).map(|_| json!({"op": "copy", "from": "/list", "path": "/list/-"})).collect();
        let error = change(Value::Array(bomb)).expect_err("refused").to_string();
        assert!(error.ends_with("makes it too large"), "{error}");
    }
}
