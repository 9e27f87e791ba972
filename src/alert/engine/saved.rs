//! What the ledger keeps of a device, by names, so that it survives changes of rules and versions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{DISORDER, Device, Engine};
use crate::{
    alert::{
        cell::Cell,
        life::Link,
        memory::Memory,
        place::Place,
        plan::Plan,
        state::State,
        track::{Active, Track},
    },
    reading::{Slot, Symbol, Timestamp, Value},
};

/// What a device's row holds.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    applied: u64,
    base: i64,
    heard: Option<Timestamp>,
    late_heard: Option<Timestamp>,
    link: Link,
    /// Left out by versions that had no use for it.
    #[serde(default)]
    first: Option<Timestamp>,
    #[serde(default)]
    boot: u32,
    #[serde(default)]
    from: Option<Timestamp>,
    /// What it holds is of this moment: time was let pass up to here.
    #[serde(default)]
    now: Option<Timestamp>,
    live: SavedTrack,
    late: Option<SavedTrack>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct SavedTrack {
    cells: Vec<(String, SavedValue, Timestamp)>,
    windows: Vec<(u64, Memory)>,
    active: Vec<SavedActive>,
}

#[derive(Debug, Serialize, Deserialize)]
enum SavedValue {
    Number(f64),
    State(bool),
    Word(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedActive {
    rule: String,
    state: State,
    origin: Box<str>,
    alert: Option<Box<str>>,
}

/// Everything the ledger knows at start.
#[derive(Debug, Default)]
pub struct Restored {
    pub position: u64,
    pub now: Option<Timestamp>,
    pub base: i64,
    /// Devices by path.
    pub devices: Vec<(String, Vec<u8>)>,
    /// Open alerts: id, path of the device, rule.
    pub open: Vec<(String, String, String)>,
}

/// A row that is not what this version writes: its device starts anew.
#[derive(Debug, thiserror::Error)]
#[error("the saved state of {path} cannot be read: {reason}")]
pub struct Unreadable {
    pub path: String,
    pub reason: String,
}

impl Engine {
    /// Goes on from what the ledger holds. Open alerts are open whatever the rows say. Gives the
    /// open alerts that no registered rule stands for any more, and the rows nobody can read.
    pub fn restore(&mut self, from: Restored) -> (Vec<String>, Vec<Unreadable>) {
        self.position = from.position;
        self.now = from.now.unwrap_or(Timestamp::MIN);
        self.base = from.base;
        let now = from.now.unwrap_or(self.start);
        let base = from.base;
        let unreadable = from.devices.iter().filter_map(|(path, row)| {
            let registered = self.registry.find(path)?;
            let device = self.devices.get_mut(registered.slot.index())?.as_mut()?;
            let place = Place::new(&self.registry, registered);
            let restored = restore_row(device, path, row, base);
            let seen = restored.as_ref().ok().copied().flatten();
            // Time turned its rules up to there: who looks earlier takes it back.
            device.due = device.first_due(seen.map_or(now, |seen| seen.max(now)), place);
            restored.err()
        });
        let unreadable = unreadable.collect();
        let orphans = from.open.iter().filter(|open| self.insist(open).is_none());
        let orphans = orphans.map(|(id, ..)| id.clone()).collect::<Vec<_>>();
        let known = from.open.into_iter().map(|(id, ..)| id).collect();
        self.forget_what_is_not_open(&known);
        self.requeue();
        (orphans, unreadable)
    }

    /// The rows of these devices that changed, as they stand now, and of all that changed in their
    /// stations: what devices tell each other is in all of their rows, or in none.
    pub fn rows(&mut self, slots: &[Slot]) -> Vec<(Box<str>, Vec<u8>)> {
        let mut rows = Vec::with_capacity(slots.len());
        let registry = Arc::clone(&self.registry);
        for slot in slots {
            let station = registry.device(*slot).and_then(|device| registry.station_of(device));
            let linked = station.filter(|_| self.links.has(*slot, &registry));
            rows.extend(self.row(*slot));
            for other in linked.iter().flat_map(|station| &station.devices) {
                rows.extend(self.row(*other));
            }
        }
        rows
    }

    /// The row of a device, if it changed.
    fn row(&mut self, slot: Slot) -> Option<(Box<str>, Vec<u8>)> {
        let path = self.registry.device(slot)?.path.clone();
        let base = self.base;
        let device = self.devices.get_mut(slot.index())?.as_mut()?;
        if !std::mem::take(&mut device.dirty) {
            return None;
        }
        let saved = Saved {
            applied: self.position.max(device.applied),
            base,
            heard: device.heard,
            late_heard: device.late_heard,
            link: device.link,
            first: Some(device.first),
            boot: device.boot,
            from: Some(device.from),
            now: Some(self.now),
            live: save_track(&device.live, &device.plan),
            late: device.late.as_deref().map(|late| save_track(late, &device.plan)),
        };
        Some((path, minicbor_serde::to_vec(&saved).ok()?))
    }

    /// Its row is not what the ledger has.
    pub(super) fn touch(&mut self, slot: Slot) {
        let Some(Some(device)) = self.devices.get_mut(slot.index()) else { return };
        if !std::mem::replace(&mut device.dirty, true) {
            self.dirty.push(slot);
        }
    }

    /// Devices whose rows are not what the ledger has, and forgets that they are.
    pub fn take_dirty(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.dirty)
    }

    /// The clock may have been set back while nobody looked: timers keep what they have left.
    pub fn wake_up(&mut self, start: Timestamp) {
        if start >= self.now - DISORDER {
            return;
        }
        let from = self.from;
        self.shift(start.0.saturating_sub(self.now.0));
        self.from = from;
        let registry = Arc::clone(&self.registry);
        for registered in registry.devices() {
            let Some(Some(device)) = self.devices.get_mut(registered.slot.index()) else {
                continue;
            };
            device.from = from;
            device.due = device.first_due(start, Place::new(&registry, registered));
        }
        self.requeue();
    }

    /// Makes an open alert's rule fire, if there still is such a rule.
    fn insist(&mut self, (id, path, rule): &(String, String, String)) -> Option<()> {
        let slot = self.registry.find(path)?.slot;
        let device = self.devices.get_mut(slot.index())?.as_mut()?;
        let rule = device.plan.rule_named(rule)?;
        let late = device.late.iter().flat_map(|late| &late.active);
        let mut known = device.live.active.iter().chain(late);
        if known.any(|active| active.alert.as_deref() == Some(id.as_str())) {
            return Some(());
        }
        device.live.active.retain(|active| active.rule != rule);
        let alert = Some(id.as_str().into());
        device.live.active.push(Active { rule, state: State::Firing, origin: "".into(), alert });
        Some(())
    }

    fn forget_what_is_not_open(&mut self, open: &std::collections::HashSet<String>) {
        let known = |active: &Active| match active.alert.as_deref() {
            Some(alert) if active.state.is_open() => open.contains(alert),
            _ => true,
        };
        for device in self.devices.iter_mut().flatten() {
            device.live.active.retain(known);
            if let Some(late) = &mut device.late {
                late.active.retain(known);
            }
        }
    }
}

/// The same device under other rules: what has the same name stays.
pub(super) fn carry_over(device: &mut Device, plan: Arc<Plan>) {
    let live = save_track(&device.live, &device.plan);
    let late = device.late.as_deref().map(|late| save_track(late, &device.plan));
    device.live = load_track(live, &plan);
    device.late = late.map(|late| Box::new(load_track(late, &plan)));
    device.plan = plan;
}

/// The last group a device's row has everything of.
pub(in crate::alert) fn applied(row: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Applied {
        applied: u64,
    }
    minicbor_serde::from_slice::<Applied>(row).ok().map(|row| row.applied)
}

/// Gives the moment up to which time was let pass for the device.
fn restore_row(
    device: &mut Device,
    path: &str,
    row: &[u8],
    base: i64,
) -> Result<Option<Timestamp>, Unreadable> {
    let saved: Saved = minicbor_serde::from_slice(row)
        .map_err(|error| Unreadable { path: path.to_owned(), reason: error.to_string() })?;
    device.applied = saved.applied;
    device.heard = saved.heard;
    device.late_heard = saved.late_heard;
    device.link = saved.link;
    device.boot = saved.boot;
    device.first = saved.first.unwrap_or(device.first);
    device.live = load_track(saved.live, &device.plan);
    device.late = saved.late.map(|late| Box::new(load_track(late, &device.plan)));
    let from = device.from;
    let moved = base.saturating_sub(saved.base);
    device.shift(moved);
    device.from = saved.from.map_or(from, |saved| saved.plus_millis(moved).max(from));
    // What it holds is in the ledger, unless since when it is known was not.
    device.dirty = saved.first.is_none() && device.dirty;
    Ok(saved.now.map(|now| now.plus_millis(moved)))
}

fn save_track(track: &Track, plan: &Plan) -> SavedTrack {
    let cells = track.cells.iter().zip(&plan.metrics).filter_map(|(cell, metric)| {
        let cell = cell.open()?;
        let value = match cell.value {
            Value::Number(number) => SavedValue::Number(number),
            Value::State(state) => SavedValue::State(state),
            Value::Word(word) => SavedValue::Word(word.as_str().to_owned()),
        };
        Some((metric.symbol.as_str().to_owned(), value, cell.came))
    });
    let windows = track.windows.iter().zip(&plan.windows).filter(|(m, _)| **m != Memory::Nothing);
    let active = track.active.iter().filter_map(|active| {
        let rule = plan.rules.get(active.rule)?.id.as_str().to_owned();
        let (state, origin) = (active.state, active.origin.clone());
        Some(SavedActive { rule, state, origin, alert: active.alert.clone() })
    });
    SavedTrack {
        cells: cells.collect(),
        windows: windows.map(|(memory, window)| (window.key, memory.clone())).collect(),
        active: active.collect(),
    }
}

fn load_track(saved: SavedTrack, plan: &Plan) -> Track {
    let mut track = Track::default();
    for (name, value, came) in saved.cells {
        let Some(cell) = Symbol::known(&name).and_then(|symbol| plan.cell(symbol)) else {
            continue;
        };
        let value = match value {
            SavedValue::Number(number) => Some(Value::Number(number)),
            SavedValue::State(state) => Some(Value::State(state)),
            SavedValue::Word(word) => Symbol::known(&word).map(Value::Word),
        };
        if let Some(value) = value {
            track.put(cell, Cell { value, came });
        }
    }
    for (key, memory) in saved.windows {
        let window = plan.windows.iter().position(|window| window.key == key);
        if let Some(place) = window.and_then(|window| track.window_room(window)) {
            *place = memory;
        }
    }
    let active = saved.active.into_iter().filter_map(|saved| {
        let rule = plan.rule_named(&saved.rule)?;
        let (state, origin, alert) = (saved.state, saved.origin, saved.alert);
        Some(Active { rule, state, origin, alert })
    });
    track.active = active.collect();
    track
}
