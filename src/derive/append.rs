//! Derived readings among those they came of, the same whether noted just now or long ago.

use std::sync::Arc;

use crate::{
    decode::{Decoded, Derived},
    reading::{Kind, MessageId, Reading, Sample},
};

/// Puts what was noted behind the readings of the group. What came of a message whose device is no
/// longer registered is left out, as the message is.
///
/// A derived reading's message stands behind the group's own, at the place of the one it came of:
/// no two devices share one, and those of one batch keep together.
pub(super) fn append(decoded: &mut Decoded, noted: &[Derived]) {
    let registry = Arc::clone(&decoded.registry);
    let mut place = 0;
    for derived in noted {
        while decoded.readings.get(place).is_some_and(|r| r.message.index < derived.index) {
            place += 1;
        }
        let cause = decoded.readings.get(place).filter(|r| r.message.index == derived.index);
        let Some(cause) = cause.cloned() else { continue };
        let device = registry.device(cause.device).and_then(|device| registry.station_of(device));
        let Some(device) = device.and_then(|station| registry.derived_of(station)) else {
            continue;
        };
        let first = decoded.samples.len();
        decoded.samples.extend(device.profile.metrics.iter().filter_map(|metric| {
            let value = derived.figures.value(metric.symbol.as_str())?;
            Some(Sample { metric: metric.symbol, value })
        }));
        let (Ok(first), Ok(end)) = (u32::try_from(first), u32::try_from(decoded.samples.len()))
        else {
            continue;
        };
        let index = decoded.messages.saturating_add(derived.index);
        decoded.readings.push(Reading {
            device: device.slot,
            message: MessageId { group: decoded.group, index },
            kind: Kind::Telemetry,
            at: derived.at,
            placed_by: cause.placed_by,
            claimed: None,
            received: cause.received,
            backfill: false,
            samples: first..end,
        });
    }
}
