//! `/series`: one metric of one device over time.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{device::Profile, reading::Timestamp, store::SeriesQuery};

use super::{
    App,
    error::{Body, Error},
    openapi, query,
};

const A_DAY: Duration = Duration::from_hours(24);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Ask {
    /// `district/station/device`.
    device: String,
    /// A metric of its profile.
    metric: String,
    /// ms since 1970, or RFC 3339; a day before `to` if left out.
    from: Option<String>,
    /// Exclusive; now if left out.
    to: Option<String>,
    /// Length of a window: `5m`, `1h`, or ms. Without it the points themselves are the answer.
    window: Option<String>,
}

/// Points `{at, value}`, or with `window` windows `{at, min, max, mean, last, count}`.
#[utoipa::path(get, path = "/api/v1/series", tag = "series", params(Ask),
    responses((status = 200, body = openapi::Series), (status = 400, body = Body),
        (status = 404, body = Body), (status = 503, body = Body)))]
pub(super) async fn series(
    State(app): State<App>,
    query::Asked(ask): query::Asked<Ask>,
) -> Result<Response, Error> {
    let registry = app.registry();
    let device = query::device(&registry, &ask.device)?;
    let query = understood(&ask, &device.profile, app.clock.now())?;
    query.check()?;
    Ok(Json(app.store.series(query).await?).into_response())
}

fn understood(ask: &Ask, profile: &Profile, now: Timestamp) -> Result<SeriesQuery, Error> {
    if profile.metric(&ask.metric).is_none() {
        let says = format!("the profile {} has no metric {:?}", profile.id, ask.metric);
        let known: Vec<_> = profile.metrics.iter().map(|m| m.symbol.as_str()).collect();
        let cure = format!("ask for one of {}", known.join(", "));
        return Err(Error::unknown("unknown_metric", says, cure));
    }
    let to = ask.to.as_deref().map_or(Ok(now), |text| query::time("to", text))?;
    let from = ask.from.as_deref().map_or(Ok(to - A_DAY), |text| query::time("from", text))?;
    let window = ask.window.as_deref().map(|text| query::length("window", text)).transpose()?;
    let (path, profile) = (ask.device.clone(), profile.id.clone());
    Ok(SeriesQuery { path, profile, metric: ask.metric.clone(), from, to, window })
}
