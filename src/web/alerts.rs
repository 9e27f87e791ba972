//! `/alerts`, `/alerts/{id}`, and `/alerts/{id}/confirm`.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::{HeaderMap, header},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

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
    if !is_own_page(&headers) {
        return Err(Error::foreign_page());
    }
    let cure = "send {\"by\": \"your name\"} as application/json";
    let Json(confirmation) = body.map_err(|bad| Error::bad_query(bad.body_text(), cure))?;
    let by = confirmation.by.trim();
    if by.is_empty() || by.chars().count() > NAME_MAX {
        return Err(Error::bad_query(format!("by: expected 1 to {NAME_MAX} characters"), cure));
    }
    let ended = app.alerts.confirm(id.clone(), by.to_owned()).await;
    ended.map_err(Error::alerts_unavailable)?.map(Json).ok_or_else(|| unknown(&id))
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
