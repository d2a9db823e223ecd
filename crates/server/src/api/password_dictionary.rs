//! `…/password-dictionary`: the words that no password may hold, as the text file that was uploaded.

use axum::body::Bytes;
use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa::ToSchema;

use super::Api;
use super::conditional::{Conditions, with_tag};
use super::error::{Error, ErrorResponse};
use super::extract;
use super::openapi::Refused;
use crate::app::Error as AppError;
use crate::app::dictionary::{self as app, Before};
use crate::app::revision::Seen;
use crate::auth::Permit;

/// A form with the file.
#[derive(ToSchema)]
#[schema(as = PasswordDictionaryForm)]
#[expect(dead_code, reason = "describes a form that is read by hand")]
pub(super) struct DictionaryForm {
    /// UTF-8 text: comments that begin with `#`, the locale (`locale=en_US`), then one word a line.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// The file of such a form.
pub(super) struct File(Bytes);

/// Read the dictionary
///
/// The text as it was uploaded.
#[utoipa::path(
    get,
    path = "/password-dictionary",
    tag = "Password dictionary",
    responses(
        (status = 200, description = "The text.", body = String, content_type = "text/plain",
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 404, description = "None was uploaded yet.", body = ErrorResponse),
        Refused,
    ),
)]
pub(super) async fn get_dictionary(State(api): State<Api>, permit: Permit) -> Result<Response, Error> {
    let words = app::get(&api.app, &permit).await?;
    let text = ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], words.value);
    Ok(with_tag(&words.revision, text.into_response()))
}

/// Replace the dictionary
///
/// At most 2,500 words of at most 128 characters. Of a file that cannot be taken, the first bad line is named.
#[utoipa::path(
    put,
    path = "/password-dictionary",
    tag = "Password dictionary",
    params(Conditions),
    request_body(content = DictionaryForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "It took the place of another.",
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 201, description = "It is the first.",
            headers(("ETag" = String, description = "For `If-Match`."))),
        (status = 400, description = "There is no file, or a line of it is wrong.", body = ErrorResponse),
        (status = 412, description = "It is not any more as `If-Match` says.", body = ErrorResponse),
        Refused,
    ),
)]
pub(super) async fn replace_dictionary(
    State(api): State<Api>,
    permit: Permit,
    seen: Seen,
    File(file): File,
) -> Result<Response, Error> {
    let (before, words) = app::replace(&api.app, &permit, seen, &file).await?;
    let status = match before {
        Before::Nothing => StatusCode::CREATED,
        Before::Another => StatusCode::OK,
    };
    Ok(with_tag(&words.revision, status.into_response()))
}

impl<S: Send + Sync> FromRequest<S> for File {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        if extract::media_type(request.headers()).as_deref() != Some("multipart/form-data") {
            return Err(Error::MediaType("multipart/form-data"));
        }
        let unreadable = |error: MultipartError| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge,
            _ => Error::Syntax("the form cannot be read"),
        };
        let mut form =
            Multipart::from_request(request, state).await.map_err(|_| Error::Syntax("the form cannot be read"))?;
        while let Some(field) = form.next_field().await.map_err(unreadable)? {
            if field.name() == Some("file") {
                return Ok(Self(field.bytes().await.map_err(unreadable)?));
            }
        }
        Err(AppError::Missing("file").into())
    }
}
