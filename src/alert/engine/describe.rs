//! Turns what happened to a device into words for people.

use super::device::{Device, Event};
use crate::{
    alert::{
        cell::Packed,
        model::{Alert, Happening, Measured, Standing},
        place::Place,
        plan::{Source, Test},
        state::Change,
        text,
        track::moment,
    },
    device::MetricKind,
    reading::{Timestamp, Value},
    registry::{self, Registry},
};

pub(crate) fn happening(
    registry: &Registry,
    registered: &registry::Device,
    device: &Device,
    event: &Event,
) -> Happening {
    match event.change {
        Change::Raised => {
            let alert = Box::new(alert(registry, registered, device, event));
            Happening::Raised { alert, at: event.at }
        }
        Change::Resolved => {
            Happening::Resolved { id: event.alert.to_string(), at: event.at, reason: None }
        }
    }
}

fn alert(
    registry: &Registry,
    registered: &registry::Device,
    device: &Device,
    event: &Event,
) -> Alert {
    let station = registry.station_of(registered);
    let district = station.and_then(|station| registry.district_of(station));
    let mut alert = Alert {
        id: event.alert.to_string(),
        rule: String::new(),
        severity: crate::rule::Severity::Info,
        state: Standing::Firing,
        district: district.map_or_else(String::new, |district| district.id.clone()),
        station: station.map_or_else(String::new, |station| station.id.clone()),
        device: registered.id().to_owned(),
        since: event.since,
        value: value(device, event).map(Measured::from),
        says: crate::rule::Text::default(),
        cure: crate::rule::Text::default(),
        bring: Vec::new(),
        told: None,
        repeats: 0,
        escalated: false,
        acknowledged: None,
        ended: None,
        reason: None,
    };
    if let Some(rule) = device.plan.rules.get(event.rule) {
        let words = Words { place: Place::new(registry, registered), registered, device, event };
        let fill = |text| text::fill(text, |name| words.of(name));
        let says = fill(&rule.says);
        rule.id.as_str().clone_into(&mut alert.rule);
        alert.severity = rule.severity;
        alert.says = if event.late { text::while_offline(&says) } else { says };
        alert.cure = fill(&rule.cure);
        alert.bring.clone_from(&rule.bring);
    }
    alert
}

/// The value of the first metric the rule names; silence has none.
fn value(device: &Device, event: &Event) -> Option<Value> {
    let check = device.plan.checks.get(event.rule)?;
    if matches!(check.when, Test::AbsentLink { .. } | Test::AbsentData { .. }) {
        return None;
    }
    let cell = *check.when.cells(&device.plan.windows).first()?;
    then(event, cell)
}

fn then(event: &Event, cell: usize) -> Option<Value> {
    event.cells.get(cell).copied().and_then(Packed::open).map(|cell| cell.value)
}

/// What stands in braces in a rule's text, as it was then.
struct Words<'a> {
    place: Place<'a>,
    registered: &'a registry::Device,
    device: &'a Device,
    event: &'a Event,
}

impl Words<'_> {
    fn of(&self, name: &str) -> Option<String> {
        if name == "reaches" {
            return self.reaches();
        }
        if name.starts_with("date.") {
            let dates = self.registered.dates.iter();
            let date = dates.into_iter().find(|(date, _)| date.as_str() == name)?.1;
            return Some(self.place.local(date)?.date().to_string());
        }
        let metrics = &self.device.plan.metrics;
        let cell = metrics.iter().position(|metric| metric.symbol.as_str() == name)?;
        let value = then(self.event, cell)?;
        let is_time = self.device.plan.source(cell) == Source::Record
            || self.registered.profile.metric(name).is_some_and(|m| m.kind == MetricKind::Time);
        if is_time { self.clock(moment(value)?) } else { Some(text::show(value)) }
    }

    /// Local date and time.
    fn clock(&self, at: Timestamp) -> Option<String> {
        Some(self.place.local(at)?.strftime("%Y-%m-%d %H:%M").to_string())
    }

    /// When the forecast comes true; on another day than today with its date.
    fn reaches(&self) -> Option<String> {
        let check = self.device.plan.checks.get(self.event.rule)?;
        let (presence, now) = (self.device.undisturbed(), self.event.at);
        let facts = self.device.live.facts(&self.device.plan, &presence, self.place, now);
        let (window, value) = forecast(&check.when)?;
        let line = facts.line(window)?;
        let seconds = std::time::Duration::try_from_secs_f64(line.comes_to(value)?).ok()?;
        let at = self.place.local(line.at + seconds)?;
        let today = self.place.local(now)?.date() == at.date();
        let format = if today { "%H:%M" } else { "%Y-%m-%d %H:%M" };
        Some(at.strftime(format).to_string())
    }
}

fn forecast(test: &Test) -> Option<(usize, f64)> {
    match test {
        Test::Reaches { window, value, .. } => Some((*window, *value)),
        Test::All(parts) | Test::Any(parts) => parts.iter().find_map(forecast),
        _ => None,
    }
}
