//! The OpenAPI document, put together from the handlers. A test holds it to the routes.

use axum::Json;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::{alerts, error, events, own, refused, series, stations};
use crate::live::ReadingEvent;

/// The API as a machine reads it.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Waystation",
        description = "Rest stations, their devices, readings and alerts. Moments in answers are \
            whole milliseconds since 1970-01-01T00:00:00Z (UTC); in questions they may be RFC 3339 too. \
            Every error is {\"error\":{\"code\",\"says\",\"cure\"}}.",
    ),
    paths(
        stations::list, stations::detail, series::series, alerts::list, alerts::one,
        refused::rejections, refused::unknown, events::events, openapi,
        own::metrics, own::alive, own::ready,
    ),
    components(schemas(error::Body, ReadingEvent<'static>))
)]
struct Document;

/// A text in both languages.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only describes `rule::Text`")]
pub(super) struct Text {
    en: String,
    zh: String,
}

/// Points without `window`, windows with it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only describes `store::Series`")]
pub(super) enum Series {
    Points(Vec<Point>),
    Windows(Vec<Window>),
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Point {
    at: i64,
    /// A number, a boolean or a word.
    #[schema(value_type = f64)]
    value: serde_json::Value,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Window {
    /// When the window starts: a multiple of its length since 1970.
    at: i64,
    min: Option<f64>,
    max: Option<f64>,
    mean: Option<f64>,
    /// A number, a boolean or a word.
    #[schema(value_type = f64)]
    last: serde_json::Value,
    count: u64,
}

/// The document, for whoever wants it without a server.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "own health",
    responses((status = 200, content_type = "application/json", body = String)))]
pub(super) async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(document())
}
