//! Who is where: districts, stations, devices, from `config/stations/*.toml`.
//!
//! A [`Registry`] is a snapshot that never changes; a reload makes a new one in which every device
//! that stays keeps its [`Slot`].

mod build;
mod dates;
mod days;
mod hours;
mod load;
mod opens;
mod pieces;
mod rules;
mod sample;
mod written;

pub use days::Days;
pub use load::{load, load_with};

use std::{sync::Arc, time::Duration};

use crate::{
    device::Profile,
    reading::{Slot, Symbol, Timestamp},
    rule::{Rule, Text},
};

/// The area one organisation looks after.
#[derive(Debug, Clone)]
pub struct District {
    pub id: String,
    pub name: Text,
    pub time_zone: jiff::tz::TimeZone,
    /// The zone's IANA name.
    pub time_zone_name: String,
    /// Days on which its stations are closed.
    pub closed: Days,
}

/// One rest station.
#[derive(Debug, Clone)]
pub struct Station {
    pub id: String,
    /// Index into [`Registry::districts`].
    pub district: usize,
    pub name: Text,
    /// WGS-84 latitude and longitude.
    pub position: Option<[f64; 2]>,
    pub capacity: Option<u32>,
    pub opens: Opens,
    /// Days on which it is closed whatever its hours: holidays, its district's and its own.
    pub closed: Days,
    /// A vehicle: open only when parked, and only then is its position public.
    pub moves: bool,
    pub address: Option<Text>,
    pub phone: Option<String>,
    pub master: Option<String>,
    /// In the order of the file; the one that stands for the station itself is the last.
    pub devices: Vec<Slot>,
}

/// When a station is open, in its district's time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opens {
    Always,
    /// Spans of minutes since Monday 00:00 local; a span may run past midnight.
    Week(Vec<(u16, u16)>),
}

/// One thing in a station that reports.
#[derive(Debug, Clone)]
pub struct Device {
    pub slot: Slot,
    /// `district/station/device`, as in topics and the API.
    pub path: Box<str>,
    /// Index into [`Registry::stations`].
    pub station: u32,
    pub profile: Arc<Profile>,
    /// Seconds between reports if the registry says otherwise than the profile.
    pub reports_every: Duration,
    /// The profile's rules with the overrides of district, station and device applied.
    /// Shared by all devices whose rules are the same.
    pub rules: Arc<[Rule]>,
    /// What a person wrote down of it, as `date.pads`: the local midnight with which each begins.
    pub dates: Arc<[(Symbol, Timestamp)]>,
}

impl Device {
    /// The device's own id, the last level of its path.
    pub fn id(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// Everything registered, as loaded at one time.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    pub districts: Vec<District>,
    pub stations: Vec<Station>,
    /// By slot; `None` where a device was removed by a reload.
    devices: Vec<Option<Device>>,
    by_path: std::collections::HashMap<Box<str>, Slot, foldhash::fast::FixedState>,
    by_station: std::collections::HashMap<Box<str>, u32, foldhash::fast::FixedState>,
}

impl Registry {
    /// Puts together what was loaded. `devices` stands by slot, with `None` where one was removed.
    pub fn new(
        districts: Vec<District>,
        stations: Vec<Station>,
        devices: Vec<Option<Device>>,
    ) -> Self {
        let by_path = devices.iter().flatten().map(|d| (d.path.clone(), d.slot)).collect();
        let path_of = |station: &Station| {
            let district = districts.get(station.district).map_or("", |d| d.id.as_str());
            format!("{district}/{}", station.id).into_boxed_str()
        };
        let by_station = (0..).zip(&stations).map(|(index, s)| (path_of(s), index)).collect();
        Self { districts, stations, devices, by_path, by_station }
    }

    pub fn device(&self, slot: Slot) -> Option<&Device> {
        self.devices.get(slot.index())?.as_ref()
    }

    /// By `district/station/device`.
    pub fn find(&self, path: &str) -> Option<&Device> {
        self.device(*self.by_path.get(path)?)
    }

    /// By `district/station`.
    pub fn find_station(&self, path: &str) -> Option<&Station> {
        let index = *self.by_station.get(path)?;
        self.stations.get(usize::try_from(index).ok()?)
    }

    pub fn station_of(&self, device: &Device) -> Option<&Station> {
        self.stations.get(usize::try_from(device.station).ok()?)
    }

    pub fn district_of(&self, station: &Station) -> Option<&District> {
        self.districts.get(station.district)
    }

    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().flatten()
    }

    /// The devices that send something: all but what has no electronics, and the stations themselves.
    pub fn reporting(&self) -> impl Iterator<Item = &Device> {
        self.devices().filter(|device| !device.profile.derived && !device.profile.by_hand)
    }

    /// The device that stands for the station itself.
    pub fn derived_of(&self, station: &Station) -> Option<&Device> {
        station.devices.last().and_then(|slot| self.device(*slot)).filter(|d| d.profile.derived)
    }

    /// One more than the highest slot ever given: the length of a table indexed by slot.
    pub fn slots(&self) -> usize {
        self.devices.len()
    }
}

#[cfg(test)]
mod tests;
