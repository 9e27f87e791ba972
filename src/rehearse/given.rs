//! What a line says of the station itself, which nobody sends: `station: occupancy=3`.

use std::sync::Arc;

use super::{message::found, world};
use crate::{
    decode::Decoded,
    device::{Moment, Said},
    reading::{Kind, MessageId, PlacedBy, Reading, Sample, Slot, Symbol},
    registry::Registry,
};

/// The reading as it would be derived, the only one of its group.
pub(super) fn derived(
    group: u64,
    at: Moment,
    registry: &Arc<Registry>,
    device: Slot,
    values: &[(Symbol, Said)],
) -> Decoded {
    let time = world::time(at);
    let sample =
        |(metric, said): &(Symbol, Said)| Some(Sample { metric: *metric, value: found(said, at)? });
    let samples: Vec<_> = values.iter().filter_map(sample).collect();
    let reading = Reading {
        device,
        message: MessageId { group, index: 0 },
        kind: Kind::Telemetry,
        at: time,
        placed_by: PlacedBy::Device,
        claimed: None,
        received: time,
        backfill: false,
        samples: 0..u32::try_from(samples.len()).unwrap_or(0),
    };
    Decoded {
        group,
        messages: 1,
        received: time,
        registry: Arc::clone(registry),
        readings: vec![reading],
        samples,
        ..Decoded::default()
    }
}
