//! `/validate`: what would become of a message, for whoever writes firmware.

use std::sync::Arc;

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::{
    contract::{self, KINDS, Question, Verdict},
    device::Profile,
};

use super::{
    App,
    error::{Body, Error},
};

/// A message whose fate is asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MessageToValidate)]
pub(super) struct Ask {
    /// The type of device, as its profile's id.
    #[schema(example = "fridge")]
    profile: String,
    /// The last level of the message's topic: `telemetry` if left out, `event`, `birth`, `status`, `reply`.
    #[serde(default = "usual")]
    kind: String,
    /// The message: as a text, or as it is.
    #[schema(value_type = Object, example = json!({"temp_c": 4.1}))]
    payload: Option<Box<RawValue>>,
    /// The message's bytes instead, for CBOR.
    payload_base64: Option<String>,
}

const CURE: &str =
    "send {\"profile\": \"fridge\", \"payload\": {\"temp_c\": 4.1}} as application/json";

fn usual() -> String {
    "telemetry".to_owned()
}

/// What the daemon would make of a message, were it the first of a device of that profile, received
/// now. Nothing comes of it.
#[utoipa::path(post, path = "/api/v1/validate", tag = "devices", request_body = Ask,
    responses((status = 200, body = Verdict), (status = 400, body = Body), (status = 404, body = Body)))]
pub(super) async fn validate(
    State(app): State<App>,
    ask: Result<Json<Ask>, JsonRejection>,
) -> Result<Json<Verdict>, Error> {
    let Json(ask) = ask.map_err(|bad| Error::bad_query(bad.body_text(), CURE))?;
    if !KINDS.contains(&ask.kind.as_str()) {
        let says = format!("kind: no message is called {:?}", ask.kind);
        return Err(Error::bad_query(says, format!("write one of {}", KINDS.join(", "))));
    }
    let payload = payload(&ask)?;
    let profile = profile(&app, &ask.profile)?;
    let (kind, received) = (ask.kind.as_str(), app.clock.now());
    let question = Question { profile: &profile, kind, payload: &payload, received };
    Ok(Json(contract::judge(&app.contract, question)))
}

fn payload(ask: &Ask) -> Result<Vec<u8>, Error> {
    match (&ask.payload, &ask.payload_base64) {
        (Some(raw), None) => {
            let text = serde_json::from_str::<String>(raw.get());
            Ok(text.unwrap_or_else(|_| raw.get().to_owned()).into_bytes())
        }
        (None, Some(base64)) => STANDARD.decode(base64).map_err(|error| {
            let says = format!("payload_base64: {error}");
            Error::bad_query(says, "write standard base64 with its padding, or use payload")
        }),
        _ => Err(Error::bad_query("needs either payload or payload_base64", CURE)),
    }
}

/// As registered devices have it now, else as it was at the start.
fn profile(app: &App, id: &str) -> Result<Arc<Profile>, Error> {
    let registry = app.registry();
    let registered = registry.devices().map(|device| &device.profile).find(|p| p.id == id);
    registered.or_else(|| app.catalog.get(id)).map(Arc::clone).ok_or_else(|| {
        let mut known: Vec<&str> = app.catalog.iter().map(|profile| profile.id.as_str()).collect();
        known.sort_unstable();
        let says = format!("there is no profile {id:?}");
        Error::unknown("unknown_profile", says, format!("known here: {}", known.join(", ")))
    })
}
