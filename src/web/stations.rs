//! `/stations` and `/stations/{district}/{station}`.

use std::collections::HashMap;

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    decode::Extra,
    device::unit,
    live::{Facts, Metric, Now},
    reading::{Timestamp, Value},
    registry::{Device, Registry, Station},
    rule::{Severity, Text},
};

use super::{
    App, Which,
    error::{Body, Error},
    format,
    place::{Place, place},
    query,
    standing::{self, Presence, Standing},
};

/// A station and how it stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Station)]
pub(super) struct StationView<'a> {
    district: &'a str,
    id: &'a str,
    #[schema(value_type = super::openapi::Text)]
    name: &'a Text,
    /// WGS-84 latitude and longitude; of a station that drives, only while it is open.
    position: Option<[f64; 2]>,
    /// Open now: by its hours, and parked if it drives.
    open: bool,
    capacity: Option<u32>,
    /// People inside, where somebody counts them.
    occupancy: Option<f64>,
    /// Visits since they are counted.
    visits_total: Option<f64>,
    /// `24h`, `08:00-22:00`, or by weekday, in the district's time zone.
    opens: String,
    state: Standing,
    /// When the last reading of any of its devices came, ms since 1970.
    #[schema(value_type = Option<i64>)]
    last_reading: Option<Timestamp>,
    devices_total: usize,
    devices_silent: usize,
    alerts_open: u32,
}

/// A station, its devices and their latest metrics.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StationDetail)]
pub(super) struct DetailView<'a> {
    #[serde(flatten)]
    station: StationView<'a>,
    devices: Vec<DeviceView<'a>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Device)]
pub(super) struct DeviceView<'a> {
    id: &'a str,
    profile: &'a str,
    /// The profile's name.
    #[schema(value_type = super::openapi::Text)]
    name: &'a Text,
    /// What managers and the public see: `cold_food`.
    facility: &'a str,
    presence: Presence,
    /// When its last reading was received, ms since 1970.
    #[schema(value_type = Option<i64>)]
    last_seen: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    model: Option<Box<str>>,
    #[schema(value_type = Option<String>)]
    firmware: Option<Box<str>>,
    #[schema(value_type = Option<String>)]
    serial: Option<Box<str>>,
    metrics: Vec<MetricView<'a>>,
    /// What it sends and its profile does not know.
    extras: Vec<ExtraView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Metric)]
pub(super) struct MetricView<'a> {
    metric: &'static str,
    #[schema(value_type = super::openapi::Text)]
    name: &'a Text,
    /// A number, a boolean or a word.
    #[schema(value_type = f64)]
    value: Value,
    /// Empty for counts, states and words.
    unit: &'static str,
    #[schema(value_type = i64)]
    at: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Extra)]
pub(super) struct ExtraView {
    name: String,
    found: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Ask {
    /// Only the stations of this district.
    district: Option<String>,
}

/// All stations and how they stand.
#[utoipa::path(get, path = "/api/v1/stations", tag = "stations", params(Ask),
    responses((status = 200, body = [StationView]), (status = 503, body = Body)))]
pub(super) async fn list(
    State(app): State<App>,
    query::Asked(ask): query::Asked<Ask>,
) -> Result<Response, Error> {
    let registry = app.registry();
    let open = open_alerts(&app).await?;
    let now = app.clock.now();
    let views: Vec<_> = app.live.with_latest(|known| {
        let stations = registry.stations.iter();
        let views =
            stations.filter_map(|station| view(&app, &registry, station, &open, known, now));
        views.filter(|view| ask.district.as_deref().is_none_or(|d| d == view.district)).collect()
    });
    Ok(Json(views).into_response())
}

/// One station, its devices and their latest metrics.
#[utoipa::path(get, path = "/api/v1/stations/{district}/{station}", tag = "stations",
    params(("district", Path), ("station", Path)),
    responses((status = 200, body = DetailView), (status = 404, body = Body), (status = 503, body = Body)))]
pub(super) async fn detail(
    State(app): State<App>,
    Path((district, station)): Path<(String, String)>,
) -> Result<Response, Error> {
    let registry = app.registry();
    let station = query::station(&registry, &format!("{district}/{station}"))?;
    let open = open_alerts(&app).await?;
    let now = app.clock.now();
    let view = app.live.with_latest(|known| view(&app, &registry, station, &open, known, now));
    let view = view.ok_or_else(|| Error::internal("a station without a district"))?;
    let devices = station.devices.iter().filter_map(|slot| registry.device(*slot));
    let devices = devices.filter_map(|device| device_view(&app, device, view.last_reading, now));
    let devices = devices.collect();
    Ok(Json(DetailView { station: view, devices }).into_response())
}

/// Open alerts of a station: how many, and the worst.
type Open = HashMap<String, (u32, Severity), FixedState>;

async fn open_alerts(app: &App) -> Result<Open, Error> {
    let mut open = Open::default();
    let alerts =
        app.alerts.list(Which::Open, usize::MAX).await.map_err(Error::alerts_unavailable)?;
    for alert in alerts {
        let path = format!("{}/{}", alert.district, alert.station);
        let (count, worst) = open.entry(path).or_insert((0, alert.severity));
        *count += 1;
        *worst = alert.severity.max(*worst);
    }
    Ok(open)
}

fn view<'a>(
    app: &App,
    registry: &'a Registry,
    station: &'a Station,
    open: &Open,
    known: &Now<'_>,
    now: Timestamp,
) -> Option<StationView<'a>> {
    let district = &registry.district_of(station)?.id;
    let (mut total, mut silent, mut last) = (0, 0, None);
    let devices = station.devices.iter().filter_map(|slot| registry.device(*slot));
    for device in devices.filter(|device| !device.profile.derived && !device.profile.by_hand) {
        let seen = known.seen(device.slot);
        let presence = standing::presence(seen, device.reports_every, app.live.started(), now);
        total += 1;
        silent += usize::from(presence.is_silent());
        last = last.max(seen.last);
    }
    let (occupancy, visits_total) = people(registry, station, known, now);
    let Place { open: is_open, position } = place(registry, station, known, now);
    let alerts = open.get(&format!("{district}/{}", station.id));
    Some(StationView {
        district,
        id: &station.id,
        name: &station.name,
        position,
        open: is_open,
        capacity: station.capacity,
        occupancy,
        visits_total,
        opens: format::opens(&station.opens),
        state: standing::standing(alerts.map(|(_, worst)| *worst), total, silent),
        last_reading: last,
        devices_total: total,
        devices_silent: silent,
        alerts_open: alerts.map_or(0, |(count, _)| *count),
    })
}

/// How many people are inside, if that was said a short while ago, and visits so far.
fn people(
    registry: &Registry,
    station: &Station,
    known: &Now<'_>,
    now: Timestamp,
) -> (Option<f64>, Option<f64>) {
    let Some(derived) = registry.derived_of(station) else { return (None, None) };
    let metric = |name| known.metric(derived.slot, name);
    let fresh = |metric: &Metric| now.since(metric.at) <= standing::patience_of(derived);
    let number = |metric: Metric| metric.value.as_number();
    (metric("occupancy").filter(fresh).and_then(number), metric("visits_total").and_then(number))
}

/// `heard`: when anything of the station was. The device that stands for it is there when the station
/// is, and shown once there is something to show.
fn device_view<'a>(
    app: &App,
    device: &'a Device,
    heard: Option<Timestamp>,
    now: Timestamp,
) -> Option<DeviceView<'a>> {
    let mut latest = app.live.latest(device.slot);
    if device.profile.derived {
        latest.seen.last = heard;
        if latest.metrics.is_empty() {
            return None;
        }
    }
    let Facts { model, firmware, serial, .. } = latest.facts.unwrap_or_default();
    let known = device.profile.metrics.iter().filter_map(|known| {
        let metric = latest.metrics.iter().find(|metric| metric.metric == known.symbol)?;
        Some(metric_view(&known.name, metric))
    });
    let extras = app.live.extras(device.slot).into_iter();
    Some(DeviceView {
        id: device.id(),
        profile: &device.profile.id,
        name: &device.profile.name,
        facility: &device.profile.facility,
        presence: standing::presence(latest.seen, device.reports_every, app.live.started(), now),
        last_seen: latest.seen.last,
        model,
        firmware,
        serial,
        metrics: known.collect(),
        extras: extras.map(|Extra { name, found, .. }| ExtraView { name, found }).collect(),
    })
}

fn metric_view<'a>(name: &'a Text, metric: &Metric) -> MetricView<'a> {
    let id = metric.metric.as_str();
    MetricView { metric: id, name, value: metric.value, unit: unit(id), at: metric.at }
}
