//! The station a timeline plays in: read from a stations file, as every other is.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use toml::{Table, Value};

use crate::{
    device::{Catalog, Moment, Profile, Timeline},
    problem::Problem,
    reading::Timestamp,
    registry::Registry,
};

/// Monday 2026-01-05 00:00 in Shanghai.
const MONDAY: Timestamp = Timestamp(1_767_542_400_000);
const STATION: &str = "waystation/rehearsal";

/// When it is, in the world, at a moment of the timeline.
pub(super) fn time(moment: Moment) -> Timestamp {
    MONDAY.plus_millis(moment.0)
}

/// The moment of the timeline at a time of the world.
pub(super) fn moment(time: Timestamp) -> Moment {
    Moment(time.0 - MONDAY.0)
}

/// The path of the device of that profile.
pub(super) fn path(profile: &str) -> String {
    format!("{STATION}/{profile}")
}

/// The player's station: the device that plays, and one of each other profile that the lines name.
pub(super) fn build(
    catalog: &Catalog,
    profile: &Profile,
    timeline: &Timeline,
) -> Result<Arc<Registry>, String> {
    let facts = &timeline.facts;
    let mut device = facts.device.clone();
    if !facts.dates.is_empty() {
        let dates = facts.dates.iter().map(|(name, date)| (name.clone(), text(date)));
        device.insert("dates".to_owned(), Value::Table(dates.collect()));
    }
    // A station has its own device already.
    let own = (!profile.derived).then(|| entry(&profile.id, device));
    let mut devices: Vec<_> = own.into_iter().collect();
    let others = timeline.plays.iter().filter_map(|play| play.profile.as_deref());
    let is_own = |id: &str| catalog.get(id).is_some_and(|profile| profile.derived);
    let others = others.filter(|other| *other != profile.id && !is_own(other));
    let others: BTreeSet<&str> = others.collect();
    devices.extend(others.iter().map(|other| entry(other, Table::new())));

    let (district, id) = STATION.split_once('/').unwrap_or_default();
    let mut station = named(id);
    station.insert("devices".to_owned(), Value::Array(devices));
    let opens = facts.opens.clone().map(|opens| ("opens", opens));
    let closed = facts.closed.clone().map(|closed| ("closed", closed));
    let capacity = facts.capacity.map(|capacity| ("capacity", Value::Integer(capacity.into())));
    let given = [opens, closed, capacity].into_iter().flatten();
    station.extend(given.map(|(key, value)| (key.to_owned(), value)));

    let mut of = named(district);
    of.insert("time_zone".to_owned(), text("Asia/Shanghai"));
    let file = Table::from_iter([
        ("district".to_owned(), Value::Table(of)),
        ("stations".to_owned(), Value::Array(vec![Value::Table(station)])),
    ]);
    let registry = Registry::from_toml(&file.to_string(), catalog);
    registry
        .map(Arc::new)
        .map_err(|problems| problems.iter().map(show).collect::<Vec<_>>().join("\n"))
}

fn show(problem: &Problem) -> String {
    Problem { file: Path::new("the station").to_owned(), line: None, ..problem.clone() }.to_string()
}

fn entry(profile: &str, mut device: Table) -> Value {
    device.insert("id".to_owned(), text(profile));
    device.insert("profile".to_owned(), text(profile));
    Value::Table(device)
}

fn named(id: &str) -> Table {
    let name = Table::from_iter([("en".to_owned(), text(id)), ("zh".to_owned(), text(id))]);
    Table::from_iter([("id".to_owned(), text(id)), ("name".to_owned(), Value::Table(name))])
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}
