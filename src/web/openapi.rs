//! The OpenAPI document, put together from the handlers. A test holds it to the routes.

use axum::Json;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::{alerts, error, events, own, records, refused, series, stations, talk, validate};
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
        stations::list, stations::detail, series::series, alerts::list, alerts::one, alerts::confirm,
        talk::order, talk::orders, talk::wish, talk::wished,
        alerts::acknowledge, records::list, records::enter,
        refused::rejections, refused::unknown, validate::validate, events::events, openapi,
        own::metrics, own::alive, own::ready,
    ),
    components(schemas(error::Body, ReadingEvent<'static>))
)]
struct Document;

/// A text in both languages.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Text {
    en: String,
    zh: String,
}

/// One rule that holds for one device.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Alert {
    id: String,
    rule: String,
    /// `info`, `minor`, `major` or `critical`.
    severity: String,
    /// `pending`, `firing`, `acknowledged` or `resolved`.
    state: String,
    district: String,
    station: String,
    device: String,
    /// When the breach began, ms since 1970.
    since: i64,
    /// The value that raised it, where one did: a number, a boolean or a word.
    #[schema(value_type = Option<f64>)]
    value: Option<serde_json::Value>,
    says: Text,
    /// What to do.
    #[serde(rename = "do")]
    cure: Text,
    /// What to bring.
    bring: Vec<String>,
    /// When people were last told that it fires.
    told: Option<i64>,
    /// How often they were told again; left out while they were not.
    repeats: Option<u32>,
    /// `true` from the third time on; left out before.
    escalated: Option<bool>,
    /// Who looks after it; left out while nobody does.
    acknowledged: Option<Acknowledgement>,
    /// When it was resolved; left out while it is not.
    ended: Option<i64>,
    /// Why it ended without getting better: `removed`, or `{"confirmed":{"by":…}}`.
    reason: Option<serde_json::Value>,
}

/// Something a device was asked to do.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Command {
    id: String,
    /// `district/station/device`
    device: String,
    op: String,
    #[schema(value_type = Object)]
    args: serde_json::Value,
    /// Who asked.
    by: String,
    /// `waiting`, `sent`, `accepted`, `done`, `failed`, `expired` (nothing was done) or `unanswered`
    /// (it was sent and nothing came back: perhaps it was done).
    state: String,
    /// When it was asked for, ms since 1970.
    asked: i64,
    /// From then on it is not carried out any more.
    expires: i64,
    /// Why it failed; left out where it did not.
    reason: Option<String>,
    /// Every state it was in, the oldest first.
    history: Vec<CommandStep>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CommandStep {
    state: String,
    at: i64,
}

/// What the settings of a device should be.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Config {
    /// `district/station/device`
    device: String,
    /// Grows by one with each change.
    revision: u64,
    #[schema(value_type = Object)]
    settings: serde_json::Value,
    /// Who wants them so.
    by: String,
    since: i64,
    /// The revision the device said last that it runs with.
    reported: Option<u64>,
    /// Whether the device has still to take them.
    pending: bool,
}

/// A person looks after an alert.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Acknowledgement {
    by: String,
    /// Left out where there is none.
    comment: Option<String>,
    at: i64,
    /// Then people are told again, if it still fires.
    until: i64,
}

/// Work that was done to a device. What was not said is left out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Record {
    id: String,
    /// `district/station/device`.
    device: String,
    /// `serviced`, `replaced`, `cleaned`, `checked` or `filled`.
    kind: String,
    part: Option<String>,
    /// When it was done, ms since 1970.
    at: i64,
    by: String,
    comment: Option<String>,
    /// What was found, by metric: numbers, booleans or words.
    #[schema(value_type = Option<std::collections::HashMap<String, f64>>)]
    values: Option<serde_json::Value>,
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
