//! How an endpoint gets its [`Permit`]: the bearer token of the request (RFC 6750 section 2.1), verified, the request
//! counted, and the row of the operation asked.
//!
//! A token is taken from the header only: in a query it would reach logs, in a form it could be posted by a page.

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use lockstep_core::operation::Operation;

use super::boundary::CallerName;
use super::error::Error;
use super::{Api, address};
use crate::app::Error as AppError;
use crate::auth::{self, Permit, Refusal};

impl FromRequestParts<Api> for Permit {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Error> {
        let token = bearer(&parts.headers).ok_or(Refusal::Missing)?;
        let caller = auth::authenticate(&api.app, token).await?;
        if let Some(name) = parts.extensions.get::<CallerName>() {
            name.set(caller.name());
        }
        let pattern = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        api.requests.count(caller.name(), address::version(pattern))?;
        // The router puts it there, with the handler.
        let operation = parts.extensions.get::<Operation>().ok_or(AppError::Lacking("the operation of an address"))?;
        Ok(caller.permit(*operation)?)
    }
}

/// The token of a request, if there is one.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
