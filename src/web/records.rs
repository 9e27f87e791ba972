//! `/records`: what people did to devices, written down and read again.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    alert::{Measured, Record},
    reading::Timestamp,
};

use super::{
    App, alerts,
    error::{Body, Error},
    openapi, query,
};

/// Work that was done to a device, and what was found.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Work {
    /// `district/station/device`.
    device: String,
    /// `serviced`, `replaced`, `cleaned`, `checked` or `filled`.
    kind: String,
    /// What of it, such as `filter`.
    #[serde(default)]
    part: Option<String>,
    /// A name for the record, 1 to 80 characters.
    by: String,
    /// At most 1000 characters.
    #[serde(default)]
    comment: String,
    /// When it was done: ms since 1970, or RFC 3339; now if left out.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    at: Option<Moment>,
    /// What was found, by metric of the device's profile: numbers, booleans or words.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, f64>)]
    values: BTreeMap<String, Measured>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Moment {
    Millis(i64),
    Text(String),
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Ask {
    /// Only those of this device: `district/station/device`.
    device: Option<String>,
    /// At most this many; 100 if left out, 1000 at most.
    #[serde(default = "usual")]
    limit: u32,
    /// Leave out so many of the newest: the next page.
    #[serde(default)]
    offset: u32,
}

const PAGE_MAX: u32 = 1000;

fn usual() -> u32 {
    100
}

/// Records, the latest work first. They are kept for ever.
#[utoipa::path(get, path = "/api/v1/records", tag = "records", params(Ask),
    responses((status = 200, body = [openapi::Record]), (status = 400, body = Body), (status = 503, body = Body)))]
pub(super) async fn list(
    State(app): State<App>,
    query::Asked(ask): query::Asked<Ask>,
) -> Result<Json<Vec<Record>>, Error> {
    let limit = ask.limit.min(PAGE_MAX);
    let records = app.alerts.records(ask.device, limit, ask.offset).await;
    records.map(Json).map_err(Error::alerts_unavailable)
}

/// A person says what was done. Once answered it is on disk, and rules know of it.
///
/// The body is JSON and its type is told, which a form on another site's page cannot do.
#[utoipa::path(post, path = "/api/v1/records", tag = "records", request_body = Work,
    responses((status = 201, body = openapi::Record), (status = 400, body = Body), (status = 403, body = Body),
        (status = 503, body = Body)))]
pub(super) async fn enter(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Json<Work>, JsonRejection>,
) -> Result<(StatusCode, Json<Record>), Error> {
    let cure = "send {\"device\": \"district/station/device\", \"kind\": \"cleaned\", \
                \"by\": \"your name\"} as application/json";
    let work = alerts::said(&headers, body, cure)?;
    let now = app.clock.now();
    let registry = app.registry();
    let Some(device) = registry.find(&work.device) else {
        let says = format!("device: no device {:?} is registered", work.device);
        let cure = "write district/station/device; /api/v1/stations lists them";
        return Err(Error::bad_record(says, cure));
    };
    let record = work.record(now)?.checked(&device.profile, now);
    let record =
        record.map_err(|bad| Error::bad_record(format!("{}: {}", bad.key, bad.says), bad.cure))?;
    app.alerts.enter(record.clone()).await.map_err(Error::alerts_unavailable)?;
    Ok((StatusCode::CREATED, Json(record)))
}

impl Work {
    fn record(self, now: Timestamp) -> Result<Record, Error> {
        let at = match self.at {
            None => now,
            Some(Moment::Millis(millis)) => Timestamp(millis),
            Some(Moment::Text(text)) => query::time("at", &text)?,
        };
        let Self { device: path, kind, part, by, comment, values, .. } = self;
        Ok(Record { id: String::new(), path, kind, part, at, by, comment, values })
    }
}
