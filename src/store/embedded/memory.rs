//! What is not on disk yet: the samples of about the last hour, device by device.
//!
//! The active table takes what comes. To flush, it is frozen whole and a new one begun; readers see
//! both until the frozen one is on disk. The journal keeps what is here, so a crash loses nothing.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{
    entry::{Day, Entry, split},
    names::Names,
};
use crate::{
    decode::Decoded,
    reading::{Slot, Timestamp},
    registry::{Device, Registry},
};

#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) names: Names,
    active: Table,
    frozen: Option<Arc<Table>>,
}

/// Samples of the groups up to one, all decoded against one registry.
#[derive(Debug, Default)]
pub(super) struct Table {
    registry: Arc<Registry>,
    /// By slot.
    devices: Vec<SmallVec<[OfDay; 1]>>,
    pub(super) samples: usize,
    pub(super) messages: u64,
    /// When the first of it came.
    pub(super) since: Option<Timestamp>,
    /// The last group in it.
    pub(super) upto: u64,
}

/// One device's samples of one day, in order of arrival.
#[derive(Debug)]
pub(super) struct OfDay {
    pub(super) day: Day,
    pub(super) entries: Vec<Entry>,
}

impl Memory {
    pub(super) fn new(names: Names) -> Self {
        Self { names, ..Self::default() }
    }

    pub(super) fn active(&self) -> &Table {
        &self.active
    }

    /// Whether `decoded` may go to the active table: a table knows its devices by one registry.
    pub(super) fn fits(&self, decoded: &Decoded) -> bool {
        self.active.since.is_none() || Arc::ptr_eq(&self.active.registry, &decoded.registry)
    }

    /// Takes a group in; tells how many samples cannot be kept (they lie before 1970 or after 2149).
    pub(super) fn take(&mut self, decoded: &Decoded, now: Timestamp) -> u64 {
        let table = &mut self.active;
        table.since.get_or_insert(now);
        table.registry = Arc::clone(&decoded.registry);
        table.upto = decoded.group;
        table.messages += u64::from(decoded.messages);
        let mut refused = 0;
        for reading in &decoded.readings {
            let samples = decoded.samples_of(reading);
            let Some((day, at)) = split(reading.at) else {
                refused += u64::try_from(samples.len()).unwrap_or(0);
                continue;
            };
            let entries = table.entries_of(reading.device, day);
            let before = entries.len();
            entries.extend(samples.iter().filter_map(|sample| {
                let metric = self.names.of(sample.metric)?;
                Entry::new(metric, at, sample.value, |word| self.names.of(word))
            }));
            let kept = entries.len() - before;
            refused += u64::try_from(samples.len() - kept).unwrap_or(0);
            table.samples += kept;
        }
        refused
    }

    /// Begins a new table and hands out the one so far, for the disk.
    pub(super) fn freeze(&mut self) -> Arc<Table> {
        let next = Table { upto: self.active.upto, ..Table::default() };
        let frozen = Arc::new(std::mem::replace(&mut self.active, next));
        self.frozen = Some(Arc::clone(&frozen));
        frozen
    }

    /// The frozen table is on disk.
    pub(super) fn thaw(&mut self) {
        self.frozen = None;
    }

    /// What is here of a device, oldest table first; of one metric or of all.
    pub(super) fn recent(&self, path: &str) -> impl Iterator<Item = &OfDay> {
        self.frozen.as_deref().into_iter().chain([&self.active]).flat_map(move |table| {
            let device = table.registry.find(path);
            let days = device.and_then(|device| table.devices.get(device.slot.index()));
            days.into_iter().flatten()
        })
    }
}

impl Table {
    /// Devices with samples, and these.
    pub(super) fn devices(&self) -> impl Iterator<Item = (&Device, &[OfDay])> {
        let slots = (0_u32..).map(Slot).zip(&self.devices);
        slots
            .filter(|(_, days)| !days.is_empty())
            .filter_map(|(slot, days)| Some((self.registry.device(slot)?, days.as_slice())))
    }

    fn entries_of(&mut self, device: Slot, day: Day) -> &mut Vec<Entry> {
        let index = device.index();
        if self.devices.len() <= index {
            let slots = self.registry.slots().max(index + 1);
            self.devices.resize_with(slots, SmallVec::new);
        }
        #[expect(clippy::indexing_slicing, reason = "made long enough above")]
        let days = &mut self.devices[index];
        let place = days.iter().position(|of_day| of_day.day == day).unwrap_or_else(|| {
            days.push(OfDay { day, entries: Vec::new() });
            days.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed just now")]
        &mut days[place].entries
    }
}
