//! The state of stations as rows beside the decoder's, by the path of the station's own device.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Deriver, source::Source, station::Station};
use crate::{device::STATION, registry::Registry};

/// Devices by their id, as slots are another process's another time.
#[derive(Serialize, Deserialize)]
struct Row<'a> {
    station: Cow<'a, Station>,
    sources: Vec<(Cow<'a, str>, Cow<'a, Source>)>,
}

impl Deriver {
    /// What changed since the last call, by path, for [`Self::restore`] after a restart.
    pub fn changed_state(&mut self, registry: &Registry) -> Vec<(String, Vec<u8>)> {
        let mut rows = self.decoder.changed_state(registry);
        for slot in std::mem::take(&mut self.changed) {
            let (Some(own), Some(station)) = (registry.device(slot), self.stations.get_mut(&slot))
            else {
                continue;
            };
            station.changed = false;
            let sources = station.sources.iter().filter_map(|(device, source)| {
                Some((Cow::Borrowed(registry.device(*device)?.id()), Cow::Borrowed(source)))
            });
            let row = Row { station: Cow::Borrowed(station), sources: sources.collect() };
            rows.extend(serde_json::to_vec(&row).ok().map(|row| (own.path.to_string(), row)));
        }
        rows
    }

    /// Takes back what [`Self::changed_state`] gave. Stations that are gone, and rows that cannot
    /// be read, are passed over: they begin anew.
    pub fn restore(
        &mut self,
        rows: impl IntoIterator<Item = (String, Vec<u8>)>,
        registry: &Registry,
    ) {
        let is_station = |(path, _): &(String, Vec<u8>)| path.rsplit('/').next() == Some(STATION);
        let (stations, devices): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_station);
        self.decoder.restore(devices, registry);
        for (path, bytes) in stations {
            let row = serde_json::from_slice::<Row<'_>>(&bytes);
            let (Some(own), Ok(row)) = (registry.find(&path), row) else { continue };
            let mut station = row.station.into_owned();
            let before = path.strip_suffix(STATION).unwrap_or_default();
            station.sources.extend(row.sources.into_iter().filter_map(|(id, source)| {
                let device = registry.find(&format!("{before}{id}"))?;
                Some((device.slot, source.into_owned()))
            }));
            self.stations.insert(own.slot, Box::new(station));
        }
    }
}
