//! Registries made by hand, for tests and benchmarks that need devices but no files.

use std::{sync::Arc, time::Duration};

use super::{Days, Device, District, Opens, Registry, Station};
use crate::{
    device::{Metric, MetricKind, Profile},
    reading::{Slot, Symbol, TooManyNames},
    rule::Text,
};

impl Registry {
    /// Devices in the order given, by `district/station/device` and profile.
    #[doc(hidden)]
    #[must_use]
    pub fn sample<'a>(given: impl IntoIterator<Item = (&'a str, &'a Arc<Profile>)>) -> Self {
        let (mut districts, mut stations, mut devices) = (Vec::new(), Vec::new(), Vec::new());
        for (path, profile) in given {
            let mut levels = path.split('/');
            let (of, at) = (levels.next().unwrap_or_default(), levels.next().unwrap_or_default());
            let district = place(&mut districts, |d: &District| d.id == of, || district(of));
            let known = |s: &Station| s.id == at && s.district == district;
            let station = place(&mut stations, known, || station(at, district));
            let slot = Slot(u32::try_from(devices.len()).unwrap_or(u32::MAX));
            stations.get_mut(station).into_iter().for_each(|s: &mut Station| s.devices.push(slot));
            devices.push(Some(Device {
                slot,
                path: path.into(),
                station: u32::try_from(station).unwrap_or(u32::MAX),
                profile: Arc::clone(profile),
                reports_every: profile.reports_every,
                rules: profile.rules.as_slice().into(),
                dates: Arc::default(),
            }));
        }
        Self::new(districts, stations, devices)
    }
}

/// Where the wanted one stands, added when it does not.
fn place<T>(all: &mut Vec<T>, wanted: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> usize {
    all.iter().position(wanted).unwrap_or_else(|| {
        all.push(new());
        all.len() - 1
    })
}

fn district(id: &str) -> District {
    District {
        id: id.to_owned(),
        name: Text::default(),
        time_zone: jiff::tz::TimeZone::UTC,
        time_zone_name: "UTC".to_owned(),
        closed: Days::default(),
    }
}

fn station(id: &str, district: usize) -> Station {
    Station {
        id: id.to_owned(),
        district,
        name: Text::default(),
        position: None,
        capacity: None,
        opens: Opens::Always,
        closed: Days::default(),
        moves: false,
        address: None,
        phone: None,
        master: None,
        devices: Vec::new(),
    }
}

impl Profile {
    /// A profile without rules and texts that reports once a minute.
    #[doc(hidden)]
    pub fn sample(
        id: &str,
        metrics: &[(&str, MetricKind, Option<[f64; 2]>)],
    ) -> Result<Self, TooManyNames> {
        let metric = |(name, kind, plausible): &(&str, MetricKind, Option<[f64; 2]>)| {
            Ok(Metric {
                symbol: Symbol::intern(name)?,
                name: Text::default(),
                kind: kind.clone(),
                plausible: *plausible,
            })
        };
        Ok(Self {
            id: id.to_owned(),
            name: Text::default(),
            facility: String::new(),
            reports_every: Duration::from_mins(1),
            metrics: metrics.iter().map(metric).collect::<Result<_, _>>()?,
            ..Profile::default()
        })
    }
}
