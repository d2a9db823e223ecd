//! What operators ask: whether the process lives, whether it can work, and what it has counted. None of it needs a
//! token, and none of it tells of anybody.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::Api;
use super::error::Error;
use crate::app::readiness;
use crate::metrics::CONTENT_TYPE;

/// How it is.
#[derive(Debug, Serialize)]
struct Health {
    status: &'static str,
}

/// `GET /healthz`: 200 while the process answers at all.
pub(super) async fn healthz() -> Response {
    Json(Health { status: "ok" }).into_response()
}

/// `GET /readyz`: 200 when the database answers and a transport key is published, else 503. Why it is not ready stands
/// in the log.
pub(super) async fn readyz(State(api): State<Api>) -> Response {
    match readiness::check(&api.app).await {
        Ok(()) => Json(Health { status: "ready" }).into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status: "not ready" })).into_response()
        }
    }
}

/// `GET /metrics`: the counters, for Prometheus. How much is queued is counted when it is asked for.
pub(super) async fn metrics(State(api): State<Api>) -> Result<Response, Error> {
    readiness::measure(&api.app).await?;
    let text = api.app.metrics.text().map_err(|_| crate::app::Error::Lacking("room for the counters"))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}
