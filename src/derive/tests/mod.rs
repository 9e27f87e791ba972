//! Stations through whole days, as messages of their devices.

mod days;
mod laws;

use std::{fmt::Write, sync::Arc};

use super::*;
use crate::{
    decode::Contract,
    device,
    journal::{Condition, Message, Source},
    reading::Timestamp,
};

/// Monday 2026-01-05 00:00 in Shanghai.
const MONDAY: Timestamp = Timestamp(1_767_542_400_000);

/// A station with two counters, a door, a fridge, and a presence sensor if that is wanted.
fn town(presence: bool) -> Arc<Registry> {
    let sensor = if presence { "{ id = \"presence\", profile = \"presence\" }," } else { "" };
    let text = format!(
        "[district]\nid = \"d\"\nname = {{ en = \"D\", zh = \"区\" }}\ntime_zone = \"Asia/Shanghai\"\n\
         [[stations]]\nid = \"s\"\nname = {{ en = \"S\", zh = \"站\" }}\ndevices = [ {sensor}\n\
         {{ id = \"north\", profile = \"people\" }}, {{ id = \"south\", profile = \"people\" }},\n\
         {{ id = \"door\", profile = \"door\" }}, {{ id = \"fridge\", profile = \"fridge\" }} ]"
    );
    Arc::new(Registry::from_toml(&text, &device::load(None).unwrap()).unwrap())
}

/// Milliseconds since Monday of `8:05`, `8:05:30`, `+1d 8:05`.
fn time(text: &str) -> i64 {
    let (days, clock) = match text.strip_prefix('+').and_then(|rest| rest.split_once("d ")) {
        Some((days, clock)) => (days.parse().unwrap(), clock),
        None => (0, text),
    };
    let mut parts = clock.split(':').map(|part| part.parse::<i64>().unwrap());
    let mut next = || parts.next().unwrap_or(0);
    ((days * 24 + next()) * 3600 + next() * 60 + next()) * 1000
}

/// One message: when, of which device, its body.
type Line = (i64, String, String);

/// `8:00 north in_total=5 out_total=2` and `8:00 fridge temp_c=4 every 1m to 9:00`.
fn script(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (line, repeats) = line.split_once(" every 1m to ").unwrap_or((line, ""));
        let days = if line.starts_with('+') { 2 } else { 1 };
        let at = line.split(' ').take(days).collect::<Vec<_>>().join(" ");
        let mut words = line[at.len()..].split_whitespace();
        let device = words.next().unwrap().to_owned();
        let mut body = String::new();
        for word in words {
            let (metric, value) = word.split_once('=').unwrap();
            write!(body, ",\"{metric}\":{value}").unwrap();
        }
        let body = format!("{{{}}}", body.trim_start_matches(','));
        let (mut at, to) = (time(&at), if repeats.is_empty() { 0 } else { time(repeats) });
        lines.push((at, device.clone(), body.clone()));
        while at + 60_000 <= to {
            at += 60_000;
            lines.push((at, device.clone(), body.clone()));
        }
    }
    lines.sort_by_key(|line| line.0);
    lines
}

fn messages(lines: &[Line]) -> Messages {
    let mut messages = Messages::default();
    for (at, device, body) in lines {
        messages.push(&Message {
            source: Source::Listen,
            received: MONDAY.plus_millis(*at),
            retained: false,
            condition: Condition::Whole,
            topic: format!("waystation/v1/d/s/{device}/telemetry").as_bytes(),
            sender: b"",
            payload: body.as_bytes(),
        });
    }
    messages
}

/// One derived reading: when, and its metrics as text.
type Told = (i64, Vec<(&'static str, String)>);

/// The derived readings of a group.
fn derived(decoded: &Decoded) -> Vec<Told> {
    let own = |reading: &&Reading| {
        decoded.registry.device(reading.device).is_some_and(|device| device.profile.derived)
    };
    let told = decoded.readings.iter().filter(own).map(|reading| {
        let samples = decoded.samples_of(reading).iter();
        let shown = samples.map(|sample| (sample.metric.as_str(), sample.value.to_string()));
        (reading.at.0 - MONDAY.0, shown.collect())
    });
    told.collect()
}

/// All that is told when each message is a group.
fn play(registry: &Arc<Registry>, text: &str) -> Vec<Told> {
    let mut deriver = Deriver::default();
    let lines = script(text);
    let groups = (1..).zip(lines.chunks(1));
    groups
        .flat_map(|(group, lines)| derived(&decode(&mut deriver, group, lines, registry)))
        .collect()
}

/// Decodes a group twice: as it comes, and as one who lags does.
fn decode(deriver: &mut Deriver, group: u64, lines: &[Line], registry: &Arc<Registry>) -> Decoded {
    let messages = messages(lines);
    let (decoded, notes) = deriver.decode(group, &messages, registry);
    let late = again(&Contract::default(), group, &messages, registry, &notes);
    assert_eq!((&late.readings, &late.samples), (&decoded.readings, &decoded.samples));
    decoded
}

/// What was told last before the second of `at` was over, of one metric; empty where it was not.
fn metric(told: &[Told], at: &str, metric: &str) -> String {
    let at = time(at) + 999;
    let latest = told.iter().rev().find(|(when, _)| *when <= at);
    let values = latest.map(|(_, values)| values.as_slice()).unwrap_or_default();
    values.iter().find(|(name, _)| *name == metric).map(|(_, v)| v.clone()).unwrap_or_default()
}

/// Plays a script; each line of `expected` is a time and what was told by then.
#[track_caller]
fn check(registry: &Arc<Registry>, text: &str, expected: &str) {
    let told = play(registry, text);
    for line in expected.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (at, wanted) = line.split_once(" | ").unwrap();
        for word in wanted.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap();
            assert_eq!(metric(&told, at, name), value, "{name} at {at}");
        }
    }
}

#[test]
fn ten_thousand_stations_stay_small() {
    let station = size_of::<Station>() + 4 * size_of::<(Slot, source::Source)>();
    assert!(station <= 1024, "{station} bytes a station");
}
