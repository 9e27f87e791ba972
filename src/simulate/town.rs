//! All simulated devices, and who of them speaks next.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::Arc,
};

use anyhow::Context;

use super::{
    behaviour::Behaviours,
    life::{Life, Outgoing},
    metric::Here,
};
use crate::{reading::Timestamp, registry::Registry};

/// The devices of a registry, living.
#[derive(Debug)]
pub struct Town {
    devices: Vec<Citizen>,
    /// When each speaks next, soonest first; ties in the order of the registry.
    next: BinaryHeap<Reverse<(Timestamp, usize)>>,
}

#[derive(Debug)]
struct Citizen {
    path: Arc<str>,
    profile: String,
    life: Life,
}

/// One message of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// `district/station/device`
    pub path: Arc<str>,
    pub outgoing: Outgoing,
}

impl Town {
    /// Every device of the registry, from `start` on; fails where a profile's `[simulate]` is wrong.
    pub fn new(registry: &Registry, seed: u64, start: Timestamp) -> anyhow::Result<Self> {
        let mut known: HashMap<&str, Arc<Behaviours>> = HashMap::new();
        let mut town = Self { devices: Vec::new(), next: BinaryHeap::new() };
        for device in registry.reporting() {
            let profile = device.profile.as_ref();
            if !known.contains_key(profile.id.as_str()) {
                let behaviours = Behaviours::from_table(&profile.simulate)
                    .with_context(|| format!("profile {}: [simulate]", profile.id))?;
                known.insert(&profile.id, Arc::new(behaviours));
            }
            let Some(behaviours) = known.get(profile.id.as_str()) else { continue };
            let station = registry.station_of(device);
            let district = station.and_then(|station| registry.district_of(station));
            let offset = district.map_or(0, |district| offset_hours(&district.time_zone, start));
            let position = station.and_then(|station| station.position).unwrap_or_default();
            let (here, own_seed) = (Here { offset, position }, seed ^ hash(&device.path));
            let life =
                Life::new(Arc::clone(behaviours), own_seed, device.reports_every, here, start);
            town.next.push(Reverse((life.next(), town.devices.len())));
            town.devices.push(Citizen {
                path: Arc::from(&*device.path),
                profile: profile.id.clone(),
                life,
            });
        }
        Ok(town)
    }

    /// When somebody speaks next.
    pub fn next(&self) -> Option<Timestamp> {
        self.next.peek().map(|Reverse((at, _))| *at)
    }

    /// Lets the next device speak; it says that it is `at` now.
    pub fn speak(&mut self, at: Timestamp) -> Vec<Spoken> {
        let Some(Reverse((now, index))) = self.next.pop() else { return Vec::new() };
        let Some(citizen) = self.devices.get_mut(index) else { return Vec::new() };
        let said = citizen.life.speak(now, at);
        // A life that wanted to speak at this very moment again would hold up all others.
        let next = citizen.life.next().max(now.plus_millis(1));
        self.next.push(Reverse((next, index)));
        let path = &citizen.path;
        said.into_iter().map(|outgoing| Spoken { path: Arc::clone(path), outgoing }).collect()
    }

    /// Makes the named fault of the first device with that profile begin at `at`.
    pub fn break_first(&mut self, profile: &str, fault: &str, at: Timestamp) -> bool {
        let first = self.devices.iter_mut().position(|citizen| citizen.profile == profile);
        let Some(index) = first else { return false };
        let Some(citizen) = self.devices.get_mut(index) else { return false };
        let broke = citizen.life.break_at(fault, at);
        let next = citizen.life.next();
        self.next.retain(|Reverse((_, other))| *other != index);
        self.next.push(Reverse((next, index)));
        broke
    }

    pub fn len(&self) -> usize {
        self.devices.len()
    }

    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }
}

fn offset_hours(zone: &jiff::tz::TimeZone, at: Timestamp) -> i64 {
    let time = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    i64::from(zone.to_offset(time).seconds()) / 3600
}

/// FNV-1a: the same on every machine and in every version.
pub(super) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
