//! `/alerts` and `/alerts/{id}`.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::alert::Alert;

use super::{
    App, Which,
    error::{Body, Error},
    openapi, query,
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Ask {
    #[serde(default)]
    #[param(inline)]
    state: Which,
    /// Only those of this station: `district/station`.
    station: Option<String>,
    /// At most this many; 100 if left out, 1000 at most.
    #[serde(default = "usual")]
    limit: usize,
    /// Leave out so many of the newest: the next page.
    #[serde(default)]
    offset: usize,
}

const PAGE_MAX: usize = 1000;

fn usual() -> usize {
    100
}

/// Alerts, the newest first.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts", params(Ask),
    responses((status = 200, body = [openapi::Alert]), (status = 400, body = Body), (status = 503, body = Body)))]
pub(super) async fn list(
    State(app): State<App>,
    query::Asked(ask): query::Asked<Ask>,
) -> Result<Json<Vec<Alert>>, Error> {
    let limit = ask.limit.min(PAGE_MAX);
    // A station's alerts are picked out of all of them.
    let most = if ask.station.is_some() { usize::MAX } else { ask.offset.saturating_add(limit) };
    let alerts = app.alerts.list(ask.state, most).await.map_err(Error::alerts_unavailable)?;
    let of_station = |alert: &Alert| match ask.station.as_deref() {
        Some(path) => path.split_once('/') == Some((&alert.district, &alert.station)),
        None => true,
    };
    let page = alerts.into_iter().filter(of_station).skip(ask.offset).take(limit);
    Ok(Json(page.collect()))
}

/// One alert.
#[utoipa::path(get, path = "/api/v1/alerts/{id}", tag = "alerts", params(("id", Path)),
    responses((status = 200, body = openapi::Alert), (status = 404, body = Body), (status = 503, body = Body)))]
pub(super) async fn one(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Alert>, Error> {
    let found = app.alerts.get(id.clone()).await.map_err(Error::alerts_unavailable)?;
    found.map(Json).ok_or_else(|| {
        let says = format!("no alert has the id {id:?}");
        Error::unknown("unknown_alert", says, "/api/v1/alerts?state=all lists those that are kept")
    })
}
