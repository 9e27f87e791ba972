//! Devices of one station: which ask others, and the one that stands for the station itself.
//!
//! That one is heard whenever any device of the station is. While it is silent, the silence of its
//! devices is no news; when it is heard again, theirs counts anew.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use foldhash::fast::FixedState;

use super::{Asking, Device, Engine, Event, NEVER, Outcome};
use crate::{
    alert::{
        life::Link,
        place::Place,
        plan::{Source, from_afar},
    },
    reading::{Slot, Symbol, Timestamp},
    registry::{Registry, Station},
};

/// A station that was not heard for so long is silent as a whole. One whose devices report seldom
/// is given three of its reports.
const SILENT_AFTER: Duration = Duration::from_mins(5);

/// What rules ask of devices of other profiles: names such as `people.occupancy`, by profile.
pub(super) type Asked = BTreeMap<String, Vec<Symbol>>;

/// Who belongs together.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// By station: the device that stands for it.
    own: Vec<Option<Slot>>,
    /// By station: devices whose rules look at others.
    asking: HashMap<u32, Box<[Slot]>, FixedState>,
}

pub(super) fn asked_of_others(registry: &Registry) -> Asked {
    let mut asked = Asked::new();
    let mut seen: HashSet<_, FixedState> = HashSet::default();
    for device in registry.devices() {
        if !seen.insert(Arc::as_ptr(&device.rules).cast::<u8>().addr()) {
            continue;
        }
        for symbol in from_afar(&device.rules) {
            let Some((profile, _)) = symbol.as_str().split_once('.') else { continue };
            let known = asked.entry(profile.to_owned()).or_default();
            if !known.contains(&symbol) {
                known.push(symbol);
            }
        }
    }
    asked
}

impl Links {
    /// Finds them, and tells devices how often those report that they depend on.
    pub(super) fn new(registry: &Registry, devices: &mut [Option<Box<Device>>]) -> Self {
        let mut links = Self::default();
        for (index, station) in (0_u32..).zip(&registry.stations) {
            let all = || station.devices.iter().filter_map(|slot| registry.device(*slot));
            let own = registry.derived_of(station);
            links.own.push(own.map(|own| own.slot));
            if let Some(own) = own {
                let every = all().filter(|d| !d.profile.derived).map(|d| d.reports_every).min();
                let place = Place::new(registry, own);
                let device = devices.get_mut(own.slot.index()).and_then(Option::as_mut);
                device
                    .zip(every)
                    .into_iter()
                    .for_each(|(own, every)| own.hears_every(every, place));
            }
            let mut asking = Vec::new();
            for registered in all() {
                let device = devices.get_mut(registered.slot.index()).and_then(Option::as_mut);
                let Some(device) = device.filter(|device| device.plan.asks_others) else {
                    continue;
                };
                device.afar = afar(device, registry, station);
                asking.push(registered.slot);
            }
            if !asking.is_empty() {
                links.asking.insert(index, asking.into());
            }
        }
        links
    }

    pub(super) fn own(&self, station: u32) -> Option<Slot> {
        usize::try_from(station).ok().and_then(|station| *self.own.get(station)?)
    }

    pub(super) fn asking(&self, station: u32) -> &[Slot] {
        self.asking.get(&station).map_or(&[], |asking| asking)
    }

    /// Whether devices of its station tell each other anything.
    pub(super) fn has(&self, slot: Slot, registry: &Registry) -> bool {
        let station = registry.device(slot).map(|device| device.station);
        station.is_some_and(|at| self.own(at).is_some() || self.asking.contains_key(&at))
    }
}

/// Seconds between reports of the slowest device that it looks at.
fn afar(device: &Device, registry: &Registry, station: &Station) -> u32 {
    let afar = device.plan.metrics.iter().filter(|metric| metric.source == Source::Afar);
    let profiles = afar.filter_map(|metric| metric.symbol.as_str().split_once('.'));
    let profiles: Vec<_> = profiles.map(|(profile, _)| profile).collect();
    let others = station.devices.iter().filter_map(|slot| registry.device(*slot));
    let asked = others.filter(|other| profiles.contains(&other.profile.id.as_str()));
    let slowest = asked.map(|other| other.reports_every.as_secs()).max().unwrap_or(0);
    u32::try_from(slowest).unwrap_or(u32::MAX)
}

impl Engine {
    /// A device was heard: the one that stands for its station is, too.
    pub(super) fn station_hears(
        &mut self,
        slot: Slot,
        now: Timestamp,
        group: u64,
        outcome: &mut Outcome,
    ) {
        let Some(station) = self.registry.device(slot).map(|device| device.station) else { return };
        let Some(own) = self.links.own(station).filter(|own| *own != slot) else { return };
        let Some(Some(device)) = self.devices.get_mut(own.index()) else { return };
        if group <= device.applied {
            return;
        }
        let back = now >= device.silent_from();
        if !back && device.overhears(now) {
            return self.touch(own);
        }
        if back {
            self.count_silence_anew(station, own, now, outcome);
        }
        self.visit(own, group, outcome, |device, asking, events| {
            device.greet(now, asking, events);
        });
    }

    /// The station was silent and is heard again.
    fn count_silence_anew(
        &mut self,
        station: u32,
        own: Slot,
        now: Timestamp,
        outcome: &mut Outcome,
    ) {
        let registry = Arc::clone(&self.registry);
        let station = usize::try_from(station).ok().and_then(|at| registry.stations.get(at));
        for slot in station.iter().flat_map(|station| &station.devices) {
            if *slot != own {
                self.visit(*slot, 0, outcome, |device, asking, events| {
                    device.is_silent_from(now, asking, events);
                });
            }
        }
    }

    /// From when on a device's silence is its station's.
    pub(super) fn hushed(&self, slot: Slot) -> Timestamp {
        let station = self.registry.device(slot).map(|device| device.station);
        let own = station.and_then(|station| self.links.own(station)).filter(|own| *own != slot);
        let own = own.and_then(|own| self.devices.get(own.index())?.as_deref());
        own.map_or(NEVER, Device::silent_from)
    }
}

impl Device {
    fn hears_every(&mut self, every: Duration, place: Place<'_>) {
        self.interval = every;
        self.due = self.due.min(self.next_due(Timestamp::MIN, place));
    }

    /// When it has been silent for too long, if nothing comes.
    fn silent_from(&self) -> Timestamp {
        let heard = self.heard.map_or(self.from, |heard| heard.max(self.from));
        heard + SILENT_AFTER.max(self.interval * 3)
    }

    /// Takes a sign of life in that changes nothing else; false where it may.
    fn overhears(&mut self, now: Timestamp) -> bool {
        let armed = self.due != NEVER || self.plan.absences == 0;
        let quiet = self.live.active.is_empty() && self.due >= now && self.link == Link::Alive;
        if armed && quiet {
            self.heard = Some(now);
        }
        armed && quiet
    }

    fn is_silent_from(&mut self, now: Timestamp, asking: &Asking<'_>, events: &mut Vec<Event>) {
        let before = now.plus_millis(-1);
        self.run(before, asking, events);
        self.from = self.from.max(now);
        self.due = self.next_due(before, asking.place);
    }
}
