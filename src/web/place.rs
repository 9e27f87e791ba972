//! Where a station is, and whether it is open now. One that drives is open only when it is parked,
//! and tells where it is only while it is open.

use crate::{
    live::{Metric, Now},
    reading::{Timestamp, Value},
    registry::{Registry, Station},
};

use super::standing;

/// The profile that says where a station that drives is.
const VEHICLE: &str = "vehicle";
/// A parked vehicle's GPS wanders about this fast (judgement).
const STANDS_KMH: f64 = 1.0;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// By its hours; and parked, if it drives.
    pub(super) open: bool,
    /// WGS-84 latitude and longitude.
    pub(super) position: Option<[f64; 2]>,
}

pub(super) fn place(
    registry: &Registry,
    station: &Station,
    known: &Now<'_>,
    now: Timestamp,
) -> Place {
    let open = registry.open_at(station, now);
    if !station.moves {
        return Place { open, position: station.position };
    }
    let mut devices = station.devices.iter().filter_map(|slot| registry.device(*slot));
    let Some(vehicle) = devices.find(|device| device.profile.id == VEHICLE) else {
        return Place { open: false, position: None };
    };
    let fresh = |metric: &Metric| now.since(metric.at) <= standing::patience_of(vehicle);
    let said = |name: &str| known.metric(vehicle.slot, name).filter(fresh);
    let number = |name| said(name).and_then(|metric| metric.value.as_number());
    let runs = said("ignition").map(|ignition| ignition.value == Value::State(true));
    let rolls = number("speed_kmh").map(|speed| speed > STANDS_KMH);
    let drives = runs.into_iter().chain(rolls).reduce(|runs, rolls| runs || rolls);
    // One that nobody has heard of lately may be anywhere.
    let open = open && drives == Some(false);
    let position = number("lat").zip(number("lon")).map(|(lat, lon)| [lat, lon]);
    Place { open, position: position.filter(|_| open) }
}
