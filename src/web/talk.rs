//! `/devices/{district}/{station}/{device}/commands` and `…/config`.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::command::{AskError, Command, Config, Order};

use super::{
    App, alerts,
    error::{Body, Error},
    openapi, query,
};

type Device = Path<(String, String, String)>;

/// A command as somebody asks for it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// An operation that the device's profile declares: `eject`.
    op: String,
    #[serde(default)]
    #[schema(value_type = Object)]
    args: Map<String, Value>,
    /// How long the command holds: `60s`, or ms as a number; the operation's own if left out.
    #[schema(value_type = Option<String>)]
    expires: Option<Value>,
    /// Who asks, for the record: 1 to 80 characters.
    by: String,
}

/// What the settings of a device should be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wished {
    /// All of them: what is left out is no longer wanted.
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
    /// Who wants them, for the record: 1 to 80 characters.
    by: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Ask {
    /// At most this many; 50 if left out, 1000 at most.
    #[serde(default = "usual")]
    limit: u32,
}

fn usual() -> u32 {
    50
}

const PAGE_MAX: u32 = 1000;

/// Asks a device to do something. The answer says that it is taken; what became of it, the list of
/// commands and the event `command` say.
#[utoipa::path(post, path = "/api/v1/devices/{district}/{station}/{device}/commands", tag = "devices",
    params(("district", Path), ("station", Path), ("device", Path)), request_body = Asked,
    responses((status = 202, body = openapi::Command), (status = 400, body = Body), (status = 403, body = Body),
        (status = 404, body = Body), (status = 429, body = Body), (status = 503, body = Body)))]
pub(super) async fn order(
    State(app): State<App>,
    Path((district, station, device)): Device,
    headers: HeaderMap,
    body: Result<Json<Asked>, JsonRejection>,
) -> Result<(StatusCode, Json<Command>), Error> {
    let cure = "send {\"op\": \"…\", \"args\": {…}, \"by\": \"your name\"} as application/json";
    let Asked { op, args, expires, by } = read(&headers, body, cure)?;
    let registry = app.registry();
    let device = query::device(&registry, &format!("{district}/{station}/{device}"))?;
    let expires = expires.as_ref().map(length).transpose()?;
    let order = Order { op, args, expires, by };
    let command = app.desk.ask(device, order, app.clock.now()).await?;
    Ok((StatusCode::ACCEPTED, Json(command)))
}

/// Commands of a device and what became of them, the newest first.
#[utoipa::path(get, path = "/api/v1/devices/{district}/{station}/{device}/commands", tag = "devices",
    params(("district", Path), ("station", Path), ("device", Path), Ask),
    responses((status = 200, body = [openapi::Command]), (status = 400, body = Body), (status = 404, body = Body),
        (status = 503, body = Body)))]
pub(super) async fn orders(
    State(app): State<App>,
    Path((district, station, device)): Device,
    query::Asked(ask): query::Asked<Ask>,
) -> Result<Json<Vec<Command>>, Error> {
    let registry = app.registry();
    let device = query::device(&registry, &format!("{district}/{station}/{device}"))?;
    let history = app.desk.history(&device.path, ask.limit.min(PAGE_MAX)).await;
    Ok(Json(history.map_err(AskError::from)?))
}

/// Says what the settings of a device should be; what is the same already makes no new revision.
#[utoipa::path(put, path = "/api/v1/devices/{district}/{station}/{device}/config", tag = "devices",
    params(("district", Path), ("station", Path), ("device", Path)), request_body = Wished,
    responses((status = 200, body = openapi::Config), (status = 400, body = Body), (status = 403, body = Body),
        (status = 404, body = Body), (status = 503, body = Body)))]
pub(super) async fn wish(
    State(app): State<App>,
    Path((district, station, device)): Device,
    headers: HeaderMap,
    body: Result<Json<Wished>, JsonRejection>,
) -> Result<Json<Config>, Error> {
    let cure = "send {\"settings\": {…}, \"by\": \"your name\"} as application/json";
    let Wished { settings, by } = read(&headers, body, cure)?;
    let registry = app.registry();
    let device = query::device(&registry, &format!("{district}/{station}/{device}"))?;
    Ok(Json(app.desk.wish(device, settings, &by, app.clock.now()).await?))
}

/// What the settings of a device should be, and whether it has them; 404 when nobody ever said so.
#[utoipa::path(get, path = "/api/v1/devices/{district}/{station}/{device}/config", tag = "devices",
    params(("district", Path), ("station", Path), ("device", Path)),
    responses((status = 200, body = openapi::Config), (status = 404, body = Body), (status = 503, body = Body)))]
pub(super) async fn wished(
    State(app): State<App>,
    Path((district, station, device)): Device,
) -> Result<Json<Config>, Error> {
    let registry = app.registry();
    let device = query::device(&registry, &format!("{district}/{station}/{device}"))?;
    let config = app.desk.config(&device.path).await.map_err(AskError::from)?;
    config.map(Json).ok_or_else(|| {
        let says = format!("nobody has said what the settings of {} should be", device.path);
        Error::unknown("no_config", says, "PUT them here first")
    })
}

/// The body is JSON and its type is told, which a form on another site's page cannot do.
fn read<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Result<Json<T>, JsonRejection>,
    cure: &str,
) -> Result<T, Error> {
    if !alerts::is_own_page(headers) {
        return Err(Error::foreign_page());
    }
    body.map(|Json(read)| read).map_err(|bad| Error::bad_query(bad.body_text(), cure))
}

fn length(expires: &Value) -> Result<Duration, Error> {
    match expires {
        Value::String(text) => query::length("expires", text),
        other => query::length("expires", &other.to_string()),
    }
}

impl From<AskError> for Error {
    fn from(error: AskError) -> Self {
        let says = error.to_string();
        match error {
            AskError::Refused(refused) => Self::bad_query(refused.says, refused.cure),
            AskError::TooMany => Self::too_many(says),
            AskError::Unavailable(_) => Self::commands_unavailable(says),
        }
    }
}
