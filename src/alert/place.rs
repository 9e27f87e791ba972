//! Where a device is: its station's hours, its district's clock, the dates written down for it.

use jiff::{civil, tz::TimeZone};

use crate::{
    reading::{Symbol, Timestamp},
    registry::{self, Registry, Station},
};

/// Looked up only when a rule asks: most rules never do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    registry: &'a Registry,
    device: &'a registry::Device,
}

impl<'a> Place<'a> {
    pub(crate) fn new(registry: &'a Registry, device: &'a registry::Device) -> Self {
        Self { registry, device }
    }

    pub(crate) fn path(&self) -> &'a str {
        &self.device.path
    }

    pub(crate) fn is_open(&self, at: Timestamp) -> Option<bool> {
        Some(self.registry.open_at(self.station()?, at))
    }

    /// When it opens or closes next.
    pub(crate) fn next_opening(&self, after: Timestamp) -> Option<Timestamp> {
        self.registry.next_change(self.station()?, after)
    }

    pub(crate) fn date(&self, name: Symbol) -> Option<Timestamp> {
        self.device.dates.iter().find(|(date, _)| *date == name).map(|(_, at)| *at)
    }

    /// Whether it is between these minutes of a local day, past midnight where `to` is not later.
    pub(crate) fn is_during(&self, from: u16, to: u16, at: Timestamp) -> Option<bool> {
        Some(self.spans(from, to, at)?.any(|(from, to)| from <= at && at < to))
    }

    /// When the next such span begins or ends.
    pub(crate) fn next_edge(&self, from: u16, to: u16, after: Timestamp) -> Option<Timestamp> {
        self.spans(from, to, after)?
            .flat_map(<[Timestamp; 2]>::from)
            .filter(|edge| *edge > after)
            .min()
    }

    /// What the clock on the wall shows.
    pub(crate) fn local(&self, at: Timestamp) -> Option<civil::DateTime> {
        let at = jiff::Timestamp::from_millisecond(at.0).ok()?;
        Some(self.zone()?.to_datetime(at))
    }

    /// The spans that begin yesterday, today and tomorrow. Local times become moments, so that an
    /// hour which a change of the clocks repeats is in one of them once.
    fn spans(
        &self,
        from: u16,
        to: u16,
        at: Timestamp,
    ) -> Option<impl Iterator<Item = (Timestamp, Timestamp)>> {
        let zone = self.zone()?;
        let today = self.local(at)?.date();
        let days = [today.yesterday().ok(), Some(today), today.tomorrow().ok()];
        Some(days.into_iter().flatten().filter_map(move |day| {
            let ends = if to > from { day } else { day.tomorrow().ok()? };
            Some((moment(zone, day, from)?, moment(zone, ends, to)?))
        }))
    }

    fn station(&self) -> Option<&'a Station> {
        self.registry.station_of(self.device)
    }

    fn zone(&self) -> Option<&'a TimeZone> {
        self.registry.district_of(self.station()?).map(|district| &district.time_zone)
    }
}

fn moment(zone: &TimeZone, day: civil::Date, minute: u16) -> Option<Timestamp> {
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    let moment = zone.to_timestamp(day.at(hour, minute, 0, 0)).ok()?;
    Some(Timestamp(moment.as_millisecond()))
}
