//! `/events`: what happens, as server-sent events. A listener that is too slow misses some and is
//! told how many.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::response::{IntoResponse, Response, Sse, sse};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use tokio::sync::broadcast;
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;

use crate::live::{Event, Kind};

use super::{App, error::Error, query};

const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Ask {
    /// Only what concerns this station: `district/station`.
    station: Option<String>,
    /// Only what concerns this device, registered or not: `district/station/device`.
    device: Option<String>,
    /// Only these kinds, separated by commas: `alert,rejection`.
    kinds: Option<String>,
}

/// Which events a listener wants.
#[derive(Debug, Clone)]
struct Wanted {
    /// A station or a device.
    of: Option<String>,
    kinds: Vec<Kind>,
}

/// Events `reading`, `alert`, `command` and `rejection`, with JSON as their data; `missed` with a number when
/// this listener was too slow.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(Ask),
    responses((status = 200, content_type = "text/event-stream", body = String),
        (status = 400, body = super::error::Body), (status = 404, body = super::error::Body)))]
pub(super) fn events(
    app: &App,
    stop: CancellationToken,
    query::Asked(ask): query::Asked<Ask>,
) -> Result<Response, Error> {
    if let Some(station) = &ask.station {
        query::station(&app.registry(), station)?;
    }
    if let Some(device) = ask.device.as_deref().filter(|path| !query::is_device_path(path)) {
        let says = format!("device: expected district/station/device, found {device:?}");
        return Err(Error::bad_query(says, "write its three levels, as in its topic"));
    }
    let of = ask.device.or(ask.station);
    let wanted = Wanted { kinds: kinds(ask.kinds.as_deref())?, of };
    let hello = stream::once(async { Ok(sse::Event::default().comment("listening")) });
    let happenings = happenings(app, wanted).take_until(stop.cancelled_owned());
    let keep_alive = sse::KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(hello.chain(happenings)).keep_alive(keep_alive).into_response())
}

fn kinds(asked: Option<&str>) -> Result<Vec<Kind>, Error> {
    let all = [Kind::Reading, Kind::Alert, Kind::Command, Kind::Rejection];
    let Some(asked) = asked else { return Ok(all.to_vec()) };
    let kind = |word: &str| {
        all.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| {
            let says = format!("kinds: no event is called {word:?}");
            Error::bad_query(says, "write some of reading,alert,command,rejection")
        })
    };
    asked.split(',').map(kind).collect()
}

fn happenings(
    app: &App,
    wanted: Wanted,
) -> impl Stream<Item = Result<sse::Event, Infallible>> + use<> {
    let readings = wanted.kinds.contains(&Kind::Reading).then(|| app.live.subscribe_readings());
    let others = (wanted.kinds != [Kind::Reading]).then(|| app.live.subscribe());
    let both = stream::select(listen(readings), listen(others));
    both.filter_map(move |heard| std::future::ready(told(&wanted, heard).map(Ok)))
}

type Heard = Result<Arc<Event>, BroadcastStreamRecvError>;

fn listen(events: Option<broadcast::Receiver<Arc<Event>>>) -> impl Stream<Item = Heard> {
    stream::iter(events).flat_map(BroadcastStream::new)
}

fn told(wanted: &Wanted, heard: Heard) -> Option<sse::Event> {
    match heard {
        Err(BroadcastStreamRecvError::Lagged(missed)) => {
            Some(sse::Event::default().event("missed").data(missed.to_string()))
        }
        Ok(event) => {
            let here = wanted.of.as_deref().is_none_or(|path| event.is_of(path));
            (here && wanted.kinds.contains(&event.kind))
                .then(|| sse::Event::default().event(event.kind.as_str()).data(&*event.json))
        }
    }
}
