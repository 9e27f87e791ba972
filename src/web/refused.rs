//! `/rejections` and `/devices/unknown`: for whoever writes firmware or puts a device up.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{live::Refused, reading::Timestamp};

use super::{
    App, adopt,
    error::{Body, Error},
    query,
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Ask {
    /// Only those of this registered device: `district/station/device`.
    device: Option<String>,
    /// At most this many; 100 if left out.
    #[serde(default = "usual")]
    limit: usize,
}

fn usual() -> usize {
    100
}

/// What was refused and why, the newest first: the last 1000 of all, the last 5 of a device.
#[utoipa::path(get, path = "/api/v1/rejections", tag = "devices", params(Ask),
    responses((status = 200, body = [Refused]), (status = 404, body = Body)))]
pub(super) async fn rejections(
    State(app): State<App>,
    query::Asked(ask): query::Asked<Ask>,
) -> Result<Json<Vec<Arc<Refused>>>, Error> {
    let registry = app.registry();
    let device = ask.device.as_deref().map(|path| query::device(&registry, path)).transpose()?;
    Ok(Json(app.live.rejections(device.map(|device| device.slot), ask.limit)))
}

/// A device that publishes and that nobody registered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UnknownDevice {
    /// `district/station/device`, from its topic.
    device: String,
    #[schema(value_type = i64)]
    first_seen: Timestamp,
    #[schema(value_type = i64)]
    last_seen: Timestamp,
    messages: u64,
    /// The beginning of its last payload; texts and long numbers are masked.
    head: String,
    /// What to put into a file of `config/stations` to register it.
    adopt: String,
}

/// Devices in quarantine, the one heard last first.
#[utoipa::path(get, path = "/api/v1/devices/unknown", tag = "devices",
    responses((status = 200, body = [UnknownDevice])))]
pub(super) async fn unknown(State(app): State<App>) -> Json<Vec<UnknownDevice>> {
    let registry = app.registry();
    let unknown = app.live.unknown(&registry).into_iter().map(|device| UnknownDevice {
        adopt: adopt::snippet(&registry, &device.path, &device.head),
        device: device.path,
        first_seen: device.first_seen,
        last_seen: device.last_seen,
        messages: device.messages,
        head: device.head,
    });
    Json(unknown.collect())
}
