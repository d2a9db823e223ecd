//! The one error of every endpoint, and the contract's shapes for it.
//!
//! An error has two audiences. The client gets a code and a sentence, never an internal text; the log gets the source
//! chain of what failed inside. Both happen in one place, the layer around every request: turning an [`Error`] into a
//! response only carries it there.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::oauth::OAuthError;
use crate::app::error::Error as AppError;
use crate::auth::Refusal;

/// Why a request is not answered as it hoped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The use case says so.
    #[error(transparent)]
    App(#[from] AppError),
    /// Nobody living calls.
    #[error(transparent)]
    Unauthorised(#[from] Refusal),
    /// The body is not JSON, or was not received.
    #[error("{0}")]
    Syntax(&'static str),
    /// The body is JSON, but a field has the wrong type.
    #[error("{0}")]
    WrongType(String),
    /// The header for experimental operations is missing.
    #[error("the header X-SailPoint-Experimental must be true")]
    Experimental,
    /// No such address.
    #[error("there is no such address")]
    NoRoute,
    /// The address exists, for other methods.
    #[error("the method is not allowed at this address")]
    Method,
    /// The client wants something else than JSON.
    #[error("answers are application/json, which the Accept header leaves out")]
    NotAcceptable,
    /// The body is in another format.
    #[error("the body must be {0}")]
    MediaType(&'static str),
    /// The body is larger than 1 MiB.
    #[error("the body is larger than 1 MiB")]
    TooLarge,
    /// Too many requests; after so many seconds there is room again.
    #[error("too many requests")]
    TooMany {
        /// Seconds, one at least.
        retry_after: u64,
    },
    /// The token endpoint's own errors.
    #[error(transparent)]
    OAuth(#[from] OAuthError),
    /// A handler panicked.
    #[error("a handler panicked")]
    Panicked,
}

/// The contract's error for most answers from 400 on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ErrorResponse)]
pub struct ErrorResponse {
    /// What kind of error it is.
    #[schema(examples("400.1.0 Required Data Missing Or Empty"))]
    pub detail_code: &'static str,
    /// The id of the request, as in the header `SLPT-Request-ID`.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub tracking_id: String,
    /// The sentence, once in the default language and once in that of the request.
    pub messages: Vec<ErrorMessage>,
    /// What led to it, where there is more to say.
    pub causes: Vec<ErrorMessage>,
}

/// A sentence in a language.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorMessage {
    /// The language (BCP 47); `und` where it is not known.
    pub locale: &'static str,
    /// `DEFAULT` or `REQUEST`.
    pub locale_origin: &'static str,
    /// The sentence.
    pub text: String,
}

/// The error of a request that is refused before anything is done with it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProtocolError {
    /// A name without spaces.
    #[schema(examples("UnsupportedMediaType"))]
    pub error_name: &'static str,
    /// A sentence.
    pub error_message: String,
    /// The id of the request, as in the header `SLPT-Request-ID`.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub tracking_id: String,
}

/// An error that is only a sentence.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlainError {
    /// The sentence.
    pub error: String,
}

/// A refusal that is only a message.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageError {
    /// The message.
    pub message: &'static str,
}

impl Error {
    /// The answer, for the request with this id.
    pub fn render(&self, request_id: &str) -> Response {
        let text = self.to_string();
        match self {
            Self::App(error) => render_app(error, request_id),
            Self::Unauthorised(_) => {
                let mut response = json(StatusCode::UNAUTHORIZED, &PlainError { error: text });
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                response
            }
            Self::Syntax(_) => detailed(StatusCode::BAD_REQUEST, "400.0 Bad Request Syntax", text, None, request_id),
            Self::WrongType(_) => detailed(StatusCode::BAD_REQUEST, "400.1.3 Illegal value", text, None, request_id),
            Self::Experimental => {
                let error = "Experimental Header is missing or invalid.".to_owned();
                json(StatusCode::BAD_REQUEST, &PlainError { error })
            }
            Self::NoRoute => detailed(StatusCode::NOT_FOUND, "404 Not found", text, None, request_id),
            Self::Method => protocol(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", text, request_id),
            Self::NotAcceptable => protocol(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", text, request_id),
            Self::MediaType(_) => {
                protocol(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", text, request_id)
            }
            Self::TooLarge => protocol(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", text, request_id),
            Self::TooMany { retry_after } => {
                let mut response =
                    json(StatusCode::TOO_MANY_REQUESTS, &MessageError { message: " Rate Limit Exceeded " });
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
                response
            }
            Self::OAuth(error) => error.render(),
            Self::Panicked => internal(request_id),
        }
    }

    /// Whether the log must say what failed.
    pub fn is_internal(&self) -> bool {
        match self {
            Self::App(error) => error.is_internal(),
            Self::Panicked => true,
            _ => false,
        }
    }
}

impl IntoResponse for Error {
    /// An empty response that carries the error to the boundary, where the request's id is known.
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(Carried(std::sync::Arc::new(self)));
        response
    }
}

/// An error on its way to the boundary.
#[derive(Clone)]
pub(super) struct Carried(pub(super) std::sync::Arc<Error>);

fn render_app(error: &AppError, request_id: &str) -> Response {
    let text = error.to_string();
    let bad = StatusCode::BAD_REQUEST;
    match error {
        AppError::Missing(_) => detailed(bad, "400.1.0 Required Data Missing Or Empty", text, None, request_id),
        AppError::Illegal { .. } => detailed(bad, "400.1.3 Illegal value", text, None, request_id),
        AppError::TooLong { .. } => detailed(bad, "400.1.4 Limit violation", text, None, request_id),
        AppError::Unknown { .. } => detailed(bad, "400.1.404 Referenced object not found", text, None, request_id),
        AppError::Impossible(_) => detailed(bad, "400.1 Bad Request Content", text, None, request_id),
        AppError::Conflict(_) => detailed(bad, "400.1.409 Reference conflict", text, None, request_id),
        AppError::InUse { by, .. } => {
            detailed(bad, "400.2.1.0 Object in use by another", text, by.iter().cloned(), request_id)
        }
        AppError::ReadOnly(_) => detailed(bad, "400.1.1 Illegal update attempt", text, None, request_id),
        AppError::Outdated => {
            detailed(StatusCode::PRECONDITION_FAILED, "412 Precondition failed", text, None, request_id)
        }
        AppError::Forbidden(_) => {
            let said = "The token does not allow this request".to_owned();
            detailed(StatusCode::FORBIDDEN, "403 Forbidden", said, Some(text), request_id)
        }
        AppError::NotFound(_) => detailed(StatusCode::NOT_FOUND, "404 Not found", text, None, request_id),
        AppError::Unavailable(_) => {
            detailed(StatusCode::SERVICE_UNAVAILABLE, "503 Source unavailable", text, None, request_id)
        }
        AppError::NotEnabled(_) => {
            let message = " API/Feature not enabled for your organization.";
            json(StatusCode::PRECONDITION_FAILED, &MessageError { message })
        }
        AppError::Store(_)
        | AppError::Sealed(_)
        | AppError::Signing(_)
        | AppError::RestoreMark(_)
        | AppError::Lacking(_) => internal(request_id),
    }
}

fn internal(request_id: &str) -> Response {
    let said = "Something failed on the server; the log has it under this trackingId".to_owned();
    detailed(StatusCode::INTERNAL_SERVER_ERROR, "500.0 Internal Fault", said, None, request_id)
}

fn detailed(
    status: StatusCode,
    detail_code: &'static str,
    text: String,
    causes: impl IntoIterator<Item = String>,
    request_id: &str,
) -> Response {
    let body = ErrorResponse {
        detail_code,
        tracking_id: request_id.to_owned(),
        messages: twice(text),
        causes: causes.into_iter().flat_map(twice).collect(),
    };
    json(status, &body)
}

/// The contract says everything once for the server's language and once for the client's, which we do not know.
fn twice(text: String) -> Vec<ErrorMessage> {
    vec![
        ErrorMessage { locale: "en-US", locale_origin: "DEFAULT", text: text.clone() },
        ErrorMessage { locale: "und", locale_origin: "REQUEST", text },
    ]
}

fn protocol(status: StatusCode, error_name: &'static str, error_message: String, request_id: &str) -> Response {
    json(status, &ProtocolError { error_name, error_message, tracking_id: request_id.to_owned() })
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    (status, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use tower_http::catch_panic::ResponseForPanic;

    use super::*;
    use crate::api::boundary::Panics;

    const ID: &str = "089899f13a8f4da7824996191587bab9";

    async fn rendered(error: Error) -> (u16, serde_json::Value) {
        let response = error.render(ID);
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.expect("a body");
        (status, serde_json::from_slice(&body).expect("JSON"))
    }

    #[tokio::test]
    async fn what_failed_inside_is_not_told() {
        let inner = [
            AppError::Store(lockstep_store::Error::NotFound("secret thing")),
            AppError::Sealed(lockstep_vault::seal::OpenError::CannotBeOpened),
            AppError::Signing(lockstep_vault::token::SigningError::NoKey),
            AppError::Lacking("secret thing"),
        ];
        for error in inner.map(Error::App).into_iter().chain([Error::Panicked]) {
            assert!(error.is_internal());
            let (status, body) = rendered(error).await;
            assert_eq!((status, &body["detailCode"]), (500, &serde_json::json!("500.0 Internal Fault")));
            let text = body["messages"][0]["text"].as_str().expect("a sentence");
            assert_eq!(text, "Something failed on the server; the log has it under this trackingId");
            assert_eq!(body["causes"], serde_json::json!([]));
        }
    }

    #[tokio::test]
    async fn a_panic_is_carried_to_the_boundary_without_its_text() {
        let response = Panics.response_for_panic(Box::new("secret thing"));
        let Carried(error) = response.extensions().get().expect("an error");
        assert!(matches!(**error, Error::Panicked));
        assert!(axum::body::to_bytes(response.into_body(), 1).await.expect("a body").is_empty());
    }

    #[tokio::test]
    async fn a_refusal_says_what_is_missing_in_its_causes() {
        let (status, body) = rendered(AppError::Forbidden("the token lacks the scope x".to_owned()).into()).await;
        assert_eq!((status, &body["detailCode"]), (403, &serde_json::json!("403 Forbidden")));
        assert_eq!(body["causes"][1]["text"], "the token lacks the scope x");
        assert_eq!(body["trackingId"], ID);
    }
}
