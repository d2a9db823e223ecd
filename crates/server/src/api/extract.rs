//! How a request becomes values: its JSON body, the id in its address, and the fields of a body.
//!
//! Unknown fields are ignored and `null` counts as absent, since the published clients send both; a wrong type is
//! refused. Whether a value refers to something that exists is not asked here.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use lockstep_core::id::InvalidId;
use serde::de::DeserializeOwned;

use super::error::Error;
use crate::app::error::Error as AppError;

/// The largest body that is read.
pub const LARGEST_BODY: usize = 1024 * 1024;

/// How long a client may take to send a body.
const PATIENCE: Duration = Duration::from_secs(30);

/// Base64 with or without the padding at its end: clients differ.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A JSON body.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        Ok(Self(read(&json(request, state).await?)?))
    }
}

/// A JSON body that is read as two things: one with fields that the domain defines, one with those beside them.
pub(super) struct JsonBodies<T, U>(pub(super) T, pub(super) U);

impl<T: DeserializeOwned, U: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBodies<T, U> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let bytes = json(request, state).await?;
        Ok(Self(read(&bytes)?, read(&bytes)?))
    }
}

async fn json<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Error> {
    match media_type(request.headers()).as_deref() {
        Some("application/json") => body(request, state).await,
        _ => Err(Error::MediaType("application/json")),
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    // Only what does not parse is read again, to say where.
    serde_json::from_slice(bytes).map_err(|_| unreadable::<T>(bytes))
}

/// Why a body is not what it should be.
fn unreadable<T: DeserializeOwned>(bytes: &[u8]) -> Error {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read: Result<T, _> = serde_path_to_error::deserialize(&mut deserializer);
    // The library's own text quotes values.
    match read.map_err(|error| (error.inner().classify(), error.path().to_string())) {
        Err((serde_json::error::Category::Data, path)) if path == "." => {
            Error::WrongType("the body must be a JSON object".to_owned())
        }
        Err((serde_json::error::Category::Data, path)) => Error::WrongType(format!("{path} has the wrong type")),
        _ => Error::Syntax("the body is not JSON"),
    }
}

/// The id in an address. What is no id names nothing.
pub struct PathId<T>(pub T);

impl<T: std::str::FromStr<Err = InvalidId>, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let nothing = || Error::App(AppError::NotFound("resource"));
        let Path(text): Path<String> =
            Path::from_request_parts(parts, state).await.map_err(|_: PathRejection| nothing())?;
        text.parse().map(Self).map_err(|_| nothing())
    }
}

/// The whole body.
pub(super) async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Error> {
    let received = tokio::time::timeout(PATIENCE, Bytes::from_request(request, state)).await;
    match received {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Error::TooLarge),
        Ok(Err(_)) => Err(Error::Syntax("the body was not received")),
        Err(_) => Err(Error::Syntax("the body did not arrive in time")),
    }
}

/// The media type of the body, in lower case and without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let name = value.split(';').next().unwrap_or_default().trim();
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

/// A field that may be absent. Empty counts as absent; too long, or with a control character (which no name has and
/// PostgreSQL does not store), is refused.
pub(super) fn optional(field: &'static str, value: Option<String>, most: usize) -> Result<Option<String>, AppError> {
    let Some(text) = value.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > most {
        return Err(AppError::TooLong { field, most });
    }
    if text.chars().any(char::is_control) {
        return Err(AppError::Illegal { field, reason: "must not have control characters".to_owned() });
    }
    Ok(Some(text))
}

/// A field that must be there.
pub(super) fn required(field: &'static str, value: Option<String>, most: usize) -> Result<String, AppError> {
    optional(field, value, most)?.ok_or(AppError::Missing(field))
}

/// A text of several lines that may be absent. What no line has, and what PostgreSQL does not store, is refused.
pub(super) fn prose(field: &'static str, value: Option<String>, most: usize) -> Result<Option<String>, AppError> {
    let Some(text) = value.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > most {
        return Err(AppError::TooLong { field, most });
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(AppError::Illegal { field, reason: "must not have control characters".to_owned() });
    }
    Ok(Some(text))
}

/// The id in a field.
pub(super) fn id<T: std::str::FromStr<Err = InvalidId>>(field: &'static str, text: &str) -> Result<T, AppError> {
    text.parse().map_err(|error: InvalidId| AppError::Illegal { field, reason: format!("is {error}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_field_is_an_absent_one() {
        for value in [None, Some(String::new())] {
            assert!(matches!(optional("x", value.clone(), 9), Ok(None)));
            assert!(matches!(required("x", value, 9), Err(AppError::Missing("x"))));
        }
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        assert!(optional("x", Some("\u{1F511}".repeat(9)), 9).is_ok());
        assert!(matches!(optional("x", Some("a".repeat(10)), 9), Err(AppError::TooLong { most: 9, .. })));
    }

    #[test]
    fn control_characters_are_refused_and_the_rest_of_unicode_is_not() {
        for text in ["a\0b", "a\nb", "\u{85}"] {
            assert!(matches!(optional("x", Some(text.to_owned()), 9), Err(AppError::Illegal { .. })), "{text:?}");
        }
        for text in ["' OR 1=1", "*)(uid=*", "\u{202e}abc", "e\u{301}"] {
            assert_eq!(optional("x", Some(text.to_owned()), 9).expect("taken").as_deref(), Some(text));
        }
    }
}
