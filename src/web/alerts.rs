//! `/alerts`, `/alerts/{id}`, and what people say of one: `/confirm`, `/acknowledge`.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::{HeaderMap, header},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::alert::{Acknowledgement, Alert};

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
    found.map(Json).ok_or_else(|| unknown(&id))
}

/// Who says so.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmation {
    /// A name for the record, 1 to 80 characters.
    by: String,
}

const NAME_MAX: usize = 80;
const COMMENT_MAX: usize = 1000;

/// A person says that an open alert is over; a latched one ends in no other way.
///
/// The body is JSON and its type is told, which a form on another site's page cannot do.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/confirm", tag = "alerts", params(("id", Path)),
    request_body = Confirmation,
    responses((status = 200, body = openapi::Alert), (status = 400, body = Body), (status = 403, body = Body),
        (status = 404, body = Body), (status = 503, body = Body)))]
pub(super) async fn confirm(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Confirmation>, JsonRejection>,
) -> Result<Json<Alert>, Error> {
    let cure = "send {\"by\": \"your name\"} as application/json";
    let confirmation = said(&headers, body, cure)?;
    let by = text("by", &confirmation.by, 1, NAME_MAX, cure)?;
    let ended = app.alerts.confirm(id.clone(), by).await;
    ended.map_err(Error::alerts_unavailable)?.map(Json).ok_or_else(|| unknown(&id))
}

/// Who looks after it, and for how long that keeps it quiet.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Care {
    /// A name for the record, 1 to 80 characters.
    by: String,
    /// At most 1000 characters.
    #[serde(default)]
    comment: String,
    /// `30m`, `8h` (the default), `2days`: from a minute to 30 days. If it still fires then, people
    /// are told again.
    #[serde(default, rename = "for")]
    lasts: Option<String>,
}

const CARE: Duration = Duration::from_hours(8);
const CARE_LEAST: Duration = Duration::from_mins(1);
const CARE_MOST: Duration = Duration::from_hours(24 * 30);

/// A person looks after an open alert: it is told no more until that runs out.
///
/// It stays open until it gets better, or until somebody confirms that it is over. The body is JSON
/// and its type is told, which a form on another site's page cannot do.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/acknowledge", tag = "alerts", params(("id", Path)),
    request_body = Care,
    responses((status = 200, body = openapi::Alert), (status = 400, body = Body), (status = 403, body = Body),
        (status = 404, body = Body), (status = 503, body = Body)))]
pub(super) async fn acknowledge(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Care>, JsonRejection>,
) -> Result<Json<Alert>, Error> {
    let cure = "send {\"by\": \"your name\", \"for\": \"8h\"} as application/json";
    let taken = said(&headers, body, cure)?;
    let by = text("by", &taken.by, 1, NAME_MAX, cure)?;
    let comment = text("comment", &taken.comment, 0, COMMENT_MAX, cure)?;
    let lasts = taken.lasts.as_deref().map_or(Ok(CARE), |lasts| query::length("for", lasts))?;
    if !(CARE_LEAST..=CARE_MOST).contains(&lasts) {
        return Err(Error::bad_query("for: expected a minute to 30 days", cure));
    }
    let at = app.clock.now();
    let acknowledgement = Acknowledgement { by, comment, at, until: at + lasts };
    let known = app.alerts.acknowledge(id.clone(), acknowledgement).await;
    let alert = known.map_err(Error::alerts_unavailable)?.ok_or_else(|| unknown(&id))?;
    app.live.announce_alert(&alert.path(), &alert);
    Ok(Json(alert))
}

/// What somebody said, if it was not another site's page that did.
pub(super) fn said<T>(
    headers: &HeaderMap,
    body: Result<Json<T>, JsonRejection>,
    cure: &str,
) -> Result<T, Error> {
    if !is_own_page(headers) {
        return Err(Error::foreign_page());
    }
    body.map(|Json(said)| said).map_err(|bad| Error::bad_query(bad.body_text(), cure))
}

fn text(key: &str, said: &str, least: usize, most: usize, cure: &str) -> Result<String, Error> {
    let said = said.trim();
    if (least..=most).contains(&said.chars().count()) {
        return Ok(said.to_owned());
    }
    Err(Error::bad_query(format!("{key}: expected {least} to {most} characters"), cure))
}

/// A browser says where a page is from; programs say nothing.
pub(super) fn is_own_page(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host))
        }
        (Some(_), None) => false,
    }
}

fn unknown(id: &str) -> Error {
    let says = format!("no alert has the id {id:?}");
    Error::unknown("unknown_alert", says, "/api/v1/alerts?state=all lists those that are kept")
}
