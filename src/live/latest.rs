//! The latest value of every metric of every device, packed: 120 000 devices stay under 40 MB.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::{
    decode::{Birth, Decoded, Presence, PresenceState},
    reading::{Reading, Sample, Slot, Symbol, Timestamp, Value},
};

/// One metric, what it was, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    pub metric: Symbol,
    pub value: Value,
    pub at: Timestamp,
}

/// What a device said of itself at birth.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    pub model: Option<Box<str>>,
    pub firmware: Option<Box<str>>,
    pub serial: Option<Box<str>>,
    /// The profile it claims; the registry's word counts.
    pub profile: Option<Box<str>>,
}

/// All that is known of a device now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Latest {
    pub seen: Seen,
    pub metrics: Vec<Metric>,
    pub facts: Option<Facts>,
}

/// When a device was heard, and what it said of being there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// When its last reading was received. Births and states may be retained ones of a dead device.
    pub last: Option<Timestamp>,
    pub presence: Option<(PresenceState, Timestamp)>,
    /// For how long it said it would sleep, in seconds.
    pub sleeps_s: Option<u32>,
}

/// Indexed by slot.
#[derive(Debug, Default)]
pub(super) struct Table {
    devices: Vec<Row>,
    facts: HashMap<Slot, Box<Facts>, FixedState>,
}

#[derive(Debug, Default)]
struct Row {
    seen: Seen,
    metrics: Box<[Packed]>,
}

/// [`Metric`] in 24 bytes: the tag and the name share one word.
#[derive(Debug, Clone, Copy)]
enum Packed {
    Number { metric: Symbol, value: f64, at: Timestamp },
    State { metric: Symbol, value: bool, at: Timestamp },
    Word { metric: Symbol, value: Symbol, at: Timestamp },
}

impl Table {
    pub(super) fn apply(&mut self, decoded: &Decoded) {
        for reading in &decoded.readings {
            self.take_reading(reading, decoded.samples_of(reading));
        }
        for presence in &decoded.presence {
            self.take_presence(presence);
        }
        for birth in &decoded.births {
            self.facts.insert(birth.device, Box::new(facts(birth)));
        }
    }

    pub(super) fn get(&self, device: Slot) -> Latest {
        let facts = self.facts.get(&device).map(|facts| (**facts).clone());
        let Some(row) = self.devices.get(device.index()) else {
            return Latest { facts, ..Latest::default() };
        };
        Latest {
            seen: row.seen,
            metrics: row.metrics.iter().map(|packed| packed.open()).collect(),
            facts,
        }
    }

    pub(super) fn seen(&self, device: Slot) -> Seen {
        self.devices.get(device.index()).map_or_else(Seen::default, |row| row.seen)
    }

    pub(super) fn metric(&self, device: Slot, name: &str) -> Option<Metric> {
        let mut metrics = self.devices.get(device.index())?.metrics.iter().map(|one| one.open());
        metrics.find(|metric| metric.metric.as_str() == name)
    }

    pub(super) fn restore(&mut self, device: Slot, metrics: impl IntoIterator<Item = Metric>) {
        let row = self.row(device);
        let known: Vec<Metric> = row.metrics.iter().map(|packed| packed.open()).collect();
        let is_new = |metric: &Metric| {
            known.iter().all(|known| known.metric != metric.metric || known.at < metric.at)
        };
        let new: Vec<Metric> = metrics.into_iter().filter(is_new).collect();
        row.seen.last = row.seen.last.max(new.iter().map(|metric| metric.at).max());
        row.merge(new.into_iter());
    }

    fn take_reading(&mut self, reading: &Reading, samples: &[Sample]) {
        let row = self.row(reading.device);
        row.seen.last = row.seen.last.max(Some(reading.received));
        let at = reading.at;
        row.merge(samples.iter().map(|s| Metric { metric: s.metric, value: s.value, at }));
    }

    fn take_presence(&mut self, presence: &Presence) {
        let seen = &mut self.row(presence.device).seen;
        seen.presence = Some((presence.state, presence.received));
        seen.sleeps_s =
            presence.sleeps.map(|sleeps| u32::try_from(sleeps.as_secs()).unwrap_or(u32::MAX));
    }

    fn row(&mut self, device: Slot) -> &mut Row {
        let index = device.index();
        if index >= self.devices.len() {
            self.devices.resize_with(index + 1, Row::default);
        }
        #[expect(clippy::indexing_slicing, reason = "made long enough just above")]
        &mut self.devices[index]
    }
}

impl Row {
    /// Newer values take the place of older ones; a late reading changes nothing.
    fn merge(&mut self, metrics: impl Iterator<Item = Metric>) {
        let mut new = Vec::new();
        for metric in metrics {
            match self.metrics.iter_mut().find(|known| known.open().metric == metric.metric) {
                Some(known) if known.open().at > metric.at => {}
                Some(known) => *known = Packed::close(metric),
                None => keep_newest(&mut new, metric),
            }
        }
        if !new.is_empty() {
            let mut all = Vec::with_capacity(self.metrics.len() + new.len());
            all.extend_from_slice(&self.metrics);
            all.extend(new.into_iter().map(Packed::close));
            self.metrics = all.into_boxed_slice();
        }
    }
}

fn keep_newest(new: &mut Vec<Metric>, metric: Metric) {
    match new.iter_mut().find(|known| known.metric == metric.metric) {
        Some(known) if known.at > metric.at => {}
        Some(known) => *known = metric,
        None => new.push(metric),
    }
}

impl Packed {
    fn close(open: Metric) -> Self {
        let Metric { metric, value, at } = open;
        match value {
            Value::Number(value) => Self::Number { metric, value, at },
            Value::State(value) => Self::State { metric, value, at },
            Value::Word(value) => Self::Word { metric, value, at },
        }
    }

    fn open(self) -> Metric {
        match self {
            Self::Number { metric, value, at } => {
                Metric { metric, value: Value::Number(value), at }
            }
            Self::State { metric, value, at } => Metric { metric, value: Value::State(value), at },
            Self::Word { metric, value, at } => Metric { metric, value: Value::Word(value), at },
        }
    }
}

fn facts(birth: &Birth) -> Facts {
    let short = |text: &Option<String>| {
        text.as_ref().map(|text| text.chars().take(64).collect::<String>().into_boxed_str())
    };
    Facts {
        model: short(&birth.model),
        firmware: short(&birth.firmware),
        serial: short(&birth.serial),
        profile: short(&birth.profile),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_and_its_time_fit_in_24_bytes() {
        assert_eq!(size_of::<Packed>(), 24);
        assert!(size_of::<Row>() <= 64, "{}", size_of::<Row>());
    }

    /// What the heap holds for `devices` with eight metrics each.
    #[test]
    fn a_whole_city_stays_small() {
        let devices = 120_000;
        let bytes = devices * (size_of::<Row>() + 8 * size_of::<Packed>() + 16);
        assert!(bytes <= 40 << 20, "{} MiB", bytes >> 20);
    }

    #[test]
    fn a_late_value_never_takes_the_place_of_a_newer_one() {
        let metric = Symbol::intern("temp_c").unwrap();
        let value = |number, at| Metric { metric, value: Value::Number(number), at: Timestamp(at) };
        let mut table = Table::default();
        for (number, at) in [(1.0, 10), (2.0, 30), (3.0, 20)] {
            table.restore(Slot(5), [value(number, at)]);
        }
        table.restore(Slot(6), [value(2.0, 30), value(3.0, 20)]);
        for slot in [Slot(5), Slot(6)] {
            assert_eq!(table.get(slot).metrics, [value(2.0, 30)]);
            assert_eq!(table.seen(slot).last, Some(Timestamp(30)));
        }
        assert_eq!(table.get(Slot(4)), Latest::default());
        table.restore(Slot(6), [value(9.0, 30)]);
        assert_eq!(table.get(Slot(6)).metrics, [value(2.0, 30)], "as old: what is live stays");
    }
}
