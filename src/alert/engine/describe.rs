//! Turns what happened to a device into words for people.

use super::device::{Device, Event};
use crate::{
    alert::{
        cell::Packed,
        model::{Alert, Happening, Measured, Standing},
        plan::Test,
        state::Change,
        text,
    },
    reading::Value,
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
        let fill = |text| text::fill(text, |name| metric(device, event, name));
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

fn metric(device: &Device, event: &Event, name: &str) -> Option<Value> {
    then(event, device.plan.metrics.iter().position(|metric| metric.symbol.as_str() == name)?)
}

fn then(event: &Event, cell: usize) -> Option<Value> {
    event.cells.get(cell).copied().and_then(Packed::open).map(|cell| cell.value)
}
