//! Puts files together into one registry: checks what the form cannot, gives out slots.

use std::{path::Path, sync::Arc, time::Duration};

use crate::{
    device::{Catalog, STATION},
    problem::{Problem, nearest},
    reading::{Slot, Symbol, Timestamp},
};

use super::{
    Days, Device, District, Opens, Registry, Station,
    dates::dates,
    rules::{Facts, Sharing},
    written::{self, ProfileRules},
};

pub(super) struct Builder<'a> {
    catalog: &'a Catalog,
    registry: Registry,
    sharing: Sharing,
    /// Most devices have none: theirs are one list.
    no_dates: Arc<[(Symbol, Timestamp)]>,
    pub(super) problems: Vec<Problem>,
}

/// Where a mistake is, for its message.
struct Place<'a> {
    file: &'a Path,
    key: String,
}

impl<'a> Builder<'a> {
    pub(super) fn new(catalog: &'a Catalog, previous: Option<&Registry>) -> Self {
        let mut registry = Registry::default();
        if let Some(previous) = previous {
            registry.by_path.clone_from(&previous.by_path);
            registry.devices.resize(previous.devices.len(), None);
        }
        let (sharing, no_dates) = (Sharing::default(), Arc::default());
        Self { catalog, registry, sharing, no_dates, problems: Vec::new() }
    }

    pub(super) fn finish(self) -> Result<Registry, Vec<Problem>> {
        if self.problems.is_empty() { Ok(self.registry) } else { Err(self.problems) }
    }

    pub(super) fn file(&mut self, file: &Path, written: written::File) {
        let place = |key: &str| Place { file, key: key.to_owned() };
        self.check_rules(&place("rules"), &written.rules);
        let Some(district) = self.district(&place("district"), written.district) else { return };
        for (i, station) in written.stations.into_iter().enumerate() {
            self.station(&place(&format!("stations[{i}]")), district, &written.rules, station);
        }
    }

    /// The district's index; several files may belong to one district.
    fn district(&mut self, place: &Place<'_>, written: written::District) -> Option<usize> {
        self.id(place, &written.id);
        let closed = self.closed(place, &written.closed);
        let known = self.registry.districts.iter().position(|known| known.id == written.id);
        if let Some(index) = known {
            let known = self.registry.districts.get(index)?;
            let same = (&known.name, &known.time_zone_name, &known.closed);
            if same != (&written.name, &written.time_zone, &closed) {
                let what = format!("district {:?} differs from another file's", written.id);
                self.note(
                    place,
                    "",
                    what,
                    "make name, time_zone and closed the same, or change the id",
                );
            }
            return Some(index);
        }
        let time_zone = jiff::tz::TimeZone::get(&written.time_zone).unwrap_or_else(|_| {
            let what = format!("there is no time zone {:?}", written.time_zone);
            self.note(place, "time_zone", what, "write it as \"Asia/Shanghai\"");
            jiff::tz::TimeZone::UTC
        });
        let time_zone_name = written.time_zone;
        let (id, name) = (written.id, written.name);
        self.registry.districts.push(District { id, name, time_zone, time_zone_name, closed });
        Some(self.registry.districts.len() - 1)
    }

    fn station(
        &mut self,
        place: &Place<'_>,
        district: usize,
        outer: &ProfileRules,
        written: written::Station,
    ) {
        self.id(place, &written.id);
        self.check_rules(&place.inner("rules"), &written.rules);
        self.check_facts(place, &written);
        let opens = written.opens.parse().unwrap_or_else(|what| {
            self.note(place, "opens", what, "");
            Opens::Always
        });
        let own = self.closed(place, &written.closed);
        let Some(known) = self.registry.districts.get(district) else { return };
        let (district_id, closed) = (&known.id, known.closed.with(&own));
        let path = format!("{district_id}/{}", written.id).into_boxed_str();
        let Ok(index) = u32::try_from(self.registry.stations.len()) else { return };
        let twice = self.registry.by_station.insert(path.clone(), index).is_some();
        if twice {
            self.note(place, "id", format!("station {path} is there twice"), "rename one of them");
        }
        let station = Station {
            id: written.id,
            district,
            name: written.name,
            position: written.position,
            capacity: written.capacity,
            opens,
            closed,
            moves: written.moves,
            address: written.address,
            phone: written.phone,
            master: written.master,
            devices: Vec::with_capacity(written.devices.len() + 1),
        };
        self.registry.stations.push(station);
        for (i, device) in written.devices.iter().enumerate() {
            let place = place.inner(&format!("devices[{i}]"));
            self.device(&place, index, &path, [outer, &written.rules], device);
        }
        if !twice {
            self.derived(place, index, &path, [outer, &written.rules]);
        }
    }

    /// The device that stands for the station itself.
    fn derived(
        &mut self,
        place: &Place<'_>,
        station: u32,
        station_path: &str,
        outer: [&ProfileRules; 2],
    ) {
        if self.catalog.get(STATION).is_some() {
            let written = written::Device::named(STATION);
            self.enter(place, station, station_path, outer, &written);
        }
    }

    fn closed(&mut self, place: &Place<'_>, written: &[String]) -> Days {
        Days::parse(written).unwrap_or_else(|what| {
            let cure = "write \"2026-10-01\" or \"2026-10-01..2026-10-07\"";
            self.note(place, "closed", what, cure);
            Days::default()
        })
    }

    fn check_facts(&mut self, place: &Place<'_>, station: &written::Station) {
        if let Some([latitude, longitude]) = station.position
            && !((-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude))
        {
            let what = format!("[{latitude}, {longitude}] is nowhere on earth");
            self.note(place, "position", what, "write latitude first, then longitude");
        }
        if station.capacity == Some(0) {
            self.note(place, "capacity", "is 0", "say how many people fit, or leave it out");
        }
    }

    fn device(
        &mut self,
        place: &Place<'_>,
        station: u32,
        station_path: &str,
        outer: [&ProfileRules; 2],
        written: &written::Device,
    ) {
        self.id(place, &written.id);
        for (key, name) in [("id", &written.id), ("profile", &written.profile)] {
            if name == STATION {
                let what = format!("{STATION:?} is the device that stands for the station itself");
                return self.note(place, key, what, "leave it out: every station has it already");
            }
        }
        self.enter(place, station, station_path, outer, written);
    }

    fn enter(
        &mut self,
        place: &Place<'_>,
        station: u32,
        station_path: &str,
        outer: [&ProfileRules; 2],
        written: &written::Device,
    ) {
        let Some(profile) = self.catalog.get(&written.profile) else {
            return self.unknown_profile(place, "profile", &written.profile);
        };
        let reports_every = written.reports_every.unwrap_or(profile.reports_every);
        if written.reports_every.is_some() && profile.by_hand {
            let what = format!("profile \"{}\" is by_hand: nothing reports", profile.id);
            self.note(place, "reports_every", what, "leave it out");
        }
        if !profile.by_hand
            && !(Duration::from_secs(1)..=Duration::from_hours(48)).contains(&reports_every)
        {
            self.note(place, "reports_every", "must lie between 1 s and 48 h", "");
        }
        let Some(of) = self.registry.stations.get(usize::try_from(station).unwrap_or(usize::MAX))
        else {
            return;
        };
        let [district, own_station] = outer.map(|rules| rules.get(&profile.id));
        let layers = [district, own_station, Some(&written.rules)];
        let facts = match Facts::of(profile, of, written.frozen) {
            Ok(facts) => facts,
            Err(what) => return self.note(place, "frozen", what, "leave it out"),
        };
        let rules = match self.sharing.rules(profile, facts, layers) {
            Ok(rules) => rules,
            Err((rule, what)) => {
                let cure = Sharing::cure(profile, &rule);
                return self.note(place, &format!("rules.{rule}"), what, cure);
            }
        };
        let path = format!("{station_path}/{}", written.id).into_boxed_str();
        let dates = match self.registry.district_of(of).map(|of| &of.time_zone) {
            Some(zone) if !written.dates.is_empty() => dates(profile, zone, &written.dates),
            _ => Ok(Arc::clone(&self.no_dates)),
        };
        let dates = dates.unwrap_or_else(|mistakes| {
            for (key, what, cure) in mistakes {
                self.note(place, &key, what, cure);
            }
            Arc::clone(&self.no_dates)
        });
        let Some(slot) = self.slot(&path) else { return };
        let profile = Arc::clone(profile);
        let device = Device { slot, path, station, profile, reports_every, rules, dates };
        self.place_device(place, device);
    }

    fn place_device(&mut self, place: &Place<'_>, device: Device) {
        let Some(entry) = self.registry.devices.get_mut(device.slot.index()) else { return };
        if entry.is_some() {
            let what = format!("device {} is there twice", device.path);
            return self.note(place, "id", what, "rename one of them");
        }
        let station = usize::try_from(device.station).unwrap_or(usize::MAX);
        if let Some(station) = self.registry.stations.get_mut(station) {
            station.devices.push(device.slot);
        }
        *entry = Some(device);
    }

    /// The slot the path always had, or a new one.
    fn slot(&mut self, path: &str) -> Option<Slot> {
        if let Some(slot) = self.registry.by_path.get(path) {
            return Some(*slot);
        }
        let slot = Slot(u32::try_from(self.registry.devices.len()).ok()?);
        self.registry.devices.push(None);
        self.registry.by_path.insert(path.into(), slot);
        Some(slot)
    }

    /// Overrides of a district or station name profiles and rules that exist, and fit them.
    fn check_rules(&mut self, place: &Place<'_>, rules: &ProfileRules) {
        for (name, rules) in rules {
            let Some(profile) = self.catalog.get(name) else {
                self.unknown_profile(place, name, name);
                continue;
            };
            for (rule, change) in rules {
                if let Err(what) = Sharing::fits(profile, rule, change) {
                    let cure = Sharing::cure(profile, rule);
                    self.note(place, &format!("{name}.{rule}"), what, cure);
                }
            }
        }
    }

    fn unknown_profile(&mut self, place: &Place<'_>, key: &str, name: &str) {
        if self.catalog.is_broken(name) {
            return;
        }
        let mut known: Vec<&str> = self.catalog.iter().map(|profile| profile.id.as_str()).collect();
        known.sort_unstable();
        let cure = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("known profiles: {}", known.join(", ")),
        };
        self.note(place, key, format!("there is no profile \"{name}\""), cure);
    }

    /// Ids become levels of topics.
    fn id(&mut self, place: &Place<'_>, id: &str) {
        let letter =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        if !(1..=48).contains(&id.len()) || !id.chars().all(letter) {
            self.note(place, "id", format!("{id:?} is no id"), "use 1 to 48 of a-z, 0-9, - and _");
        }
    }

    fn note(
        &mut self,
        place: &Place<'_>,
        key: &str,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.problems.push(Problem::new(place.file, place.inner(key).key, what, cure));
    }
}

impl Place<'_> {
    fn inner(&self, key: &str) -> Self {
        let key = if key.is_empty() { self.key.clone() } else { format!("{}.{key}", self.key) };
        Self { file: self.file, key }
    }
}
