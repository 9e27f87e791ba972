//! What the readings of a station's devices say of the station: who is inside, how many came.
//!
//! ```text
//! messages ─ decode ─▶ readings ─ fold by station ─▶ the same, and readings of the device `station`
//!                                       │
//!                                       └─▶ notes beside the group: who lags comes to the same by them
//! ```
//! Readings that came late change nothing: totals go on from where they are when the next one comes
//! in time. Nothing is said of a station where no `people` device is heard.

mod append;
mod count;
mod day;
mod saved;
mod source;
mod station;
mod stay;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc, time::Duration};

use foldhash::fast::FixedState;

use self::{
    append::append,
    source::{Role, Seen},
    station::Station,
};
use crate::{
    decode::{self, Annotations, Contract, Decoded, Decoder, Derived},
    journal::Messages,
    reading::{Reading, Slot},
    registry::{Device, District, Registry},
};

/// A device that was heard this short a while ago is not asked again, however often it reports.
const PATIENCE_LEAST: Duration = Duration::from_mins(10);

/// Decodes, and derives.
#[derive(Debug, Default)]
pub struct Deriver {
    decoder: Decoder,
    /// By the slot of the station's own device.
    stations: HashMap<Slot, Box<Station>, FixedState>,
    /// Whose state is not what was last given away, each once.
    changed: Vec<Slot>,
}

impl Deriver {
    pub fn new(contract: Arc<Contract>) -> Self {
        Self { decoder: Decoder::new(contract), ..Self::default() }
    }

    /// Decodes one group and derives from it. Groups come in order and each once.
    pub fn decode(
        &mut self,
        group: u64,
        messages: &Messages,
        registry: &Arc<Registry>,
    ) -> (Decoded, Annotations) {
        let (mut decoded, mut notes) = self.decoder.decode(group, messages, registry);
        notes.derived = self.derive(&decoded);
        append(&mut decoded, &notes.derived);
        (decoded, notes)
    }

    fn derive(&mut self, decoded: &Decoded) -> Vec<Derived> {
        let mut derived = Vec::new();
        for reading in decoded.readings.iter().filter(|reading| !reading.backfill) {
            let Some((device, own, district)) = place(&decoded.registry, reading) else { continue };
            let role = Role::of(&device.profile.id);
            let station = match role {
                Role::People => self.stations.entry(own.slot).or_default(),
                _ => match self.stations.get_mut(&own.slot) {
                    Some(station) => station,
                    None => continue,
                },
            };
            let seen = Seen {
                role,
                device: device.slot,
                at: reading.at.min(reading.received),
                received: reading.received,
                patience: PATIENCE_LEAST.max(device.reports_every.saturating_mul(3)),
                samples: decoded.samples_of(reading),
            };
            if !std::mem::replace(&mut station.changed, true) {
                self.changed.push(own.slot);
            }
            if let Some((at, figures)) = station.take(&seen, &district.time_zone) {
                derived.push(Derived { index: reading.message.index, at, figures });
            }
        }
        derived
    }
}

/// Decodes and derives as it was done when [`Deriver::decode`] gave these annotations. Pure.
pub fn again(
    contract: &Contract,
    group: u64,
    messages: &Messages,
    registry: &Arc<Registry>,
    annotations: &Annotations,
) -> Decoded {
    let mut decoded = decode::again(contract, group, messages, registry, annotations);
    append(&mut decoded, &annotations.derived);
    decoded
}

/// Whose reading it is, the device that stands for its station, and its district.
fn place<'r>(
    registry: &'r Registry,
    reading: &Reading,
) -> Option<(&'r Device, &'r Device, &'r District)> {
    let device = registry.device(reading.device)?;
    let station = registry.station_of(device)?;
    Some((device, registry.derived_of(station)?, registry.district_of(station)?))
}
