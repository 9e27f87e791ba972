//! How the daemon itself is: `/metrics`, `/healthz`, `/readyz`.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    App,
    error::{Body, Error},
};

/// Counters in the `OpenMetrics` text form.
#[utoipa::path(get, path = "/metrics", tag = "own health",
    responses((status = 200, content_type = "application/openmetrics-text", body = String), (status = 500, body = Body)))]
pub(super) async fn metrics(State(app): State<App>) -> Result<Response, Error> {
    let page =
        app.counters.render().map_err(|_| Error::internal("the counters cannot be written"))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], page).into_response())
}

/// The daemon runs. Says nothing of whether it can do its work: `/readyz` does.
#[utoipa::path(get, path = "/healthz", tag = "own health",
    responses((status = 200, content_type = "text/plain", body = String)))]
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether the daemon can do its work, and if not, which part says why.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Readiness)]
pub(super) struct ReadinessView {
    ready: bool,
    /// What each part in trouble says, by part.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    troubles: BTreeMap<&'static str, String>,
}

/// 200 when every part can do its work, else 503 with the parts that cannot.
#[utoipa::path(get, path = "/readyz", tag = "own health",
    responses((status = 200, body = ReadinessView), (status = 503, body = ReadinessView)))]
pub(super) async fn ready(State(app): State<App>) -> (StatusCode, Json<ReadinessView>) {
    let troubles = app.readiness.troubles();
    let ready = troubles.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(ReadinessView { ready, troubles }))
}
