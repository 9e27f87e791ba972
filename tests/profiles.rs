//! Every file in `devices/profiles`: its example messages come to what they say, and it can be simulated.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that cannot go on fails its test")]

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use waystation::{
    decode::{Decoded, Decoder, Rejection},
    device::{self, Catalog, Example, Expectation, Profile},
    journal::{Condition, Message, Messages, Source},
    reading::{Timestamp, Value},
    registry::Registry,
    simulate::Behaviours,
};

/// 2026-01-01, when the devices of the examples speak.
const NOW: Timestamp = Timestamp(1_767_225_660_000);

fn profiles() -> Vec<Profile> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("devices/profiles");
    let mut profiles = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let profile = device::parse(&path, &text);
        let profile = profile.unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert_eq!(path.file_stem().unwrap().to_str().unwrap(), profile.id, "name the file so");
        profiles.push(profile);
    }
    assert!(!profiles.is_empty());
    profiles
}

/// Decodes one payload as the telemetry of a registered device of this profile.
fn decode(profile: &Profile, payload: &str) -> Decoded {
    let stations = format!(
        "[district]\nid = \"d\"\nname = {{ en = \"D\", zh = \"区\" }}\ntime_zone = \"Asia/Shanghai\"\n\
         [[stations]]\nid = \"s\"\nname = {{ en = \"S\", zh = \"站\" }}\n\
         devices = [ {{ id = \"x\", profile = {:?} }} ]",
        profile.id
    );
    let catalog = Catalog::from_profiles([profile.clone()]);
    let registry = Arc::new(Registry::from_toml(&stations, &catalog).unwrap());
    let mut messages = Messages::with_capacity(1024);
    messages.push(&Message {
        source: Source::Listen,
        received: NOW,
        retained: false,
        condition: Condition::Whole,
        topic: b"waystation/v1/d/s/x/telemetry",
        sender: b"",
        payload: payload.as_bytes(),
    });
    Decoder::default().decode(1, &messages, &registry).0
}

/// All metrics of all readings, as text, so that kinds and words compare too.
fn metrics(decoded: &Decoded) -> BTreeMap<String, String> {
    let samples = decoded.readings.iter().flat_map(|reading| decoded.samples_of(reading));
    samples.map(|sample| (sample.metric.to_string(), shown(sample.value))).collect()
}

fn shown(value: Value) -> String {
    match value {
        Value::Number(number) => format!("number {number}"),
        Value::State(state) => format!("state {state}"),
        Value::Word(word) => format!("word {word}"),
    }
}

fn wanted(value: &toml::Value) -> String {
    match value {
        toml::Value::Float(number) => format!("number {number}"),
        toml::Value::Integer(number) => format!("number {number}"),
        toml::Value::Boolean(state) => format!("state {state}"),
        toml::Value::String(word) => format!("word {word}"),
        other => panic!("no metric can be {other}"),
    }
}

fn check(profile: &Profile, example: &Example) {
    let decoded = decode(profile, &example.payload);
    let said: Vec<_> = decoded.rejections.iter().map(Rejection::says).collect();
    let place = format!("{}: {}", profile.id, example.payload);
    match &example.expects {
        Expectation::Yields(table) => {
            let expected: BTreeMap<_, _> =
                table.iter().map(|(key, value)| (key.clone(), wanted(value))).collect();
            assert_eq!(metrics(&decoded), expected, "{place}, rejected: {said:?}");
            assert_eq!(said, Vec::<String>::new(), "{place}");
        }
        Expectation::Rejects(message) => assert_eq!(said, [message.as_str()], "{place}"),
    }
}

#[test]
fn examples_come_to_what_they_say() {
    for profile in profiles() {
        profile.examples.iter().for_each(|example| check(&profile, example));
    }
}

#[test]
fn every_metric_has_an_example_and_every_profile_a_refusal() {
    for profile in profiles() {
        for metric in &profile.metrics {
            let name = metric.symbol.as_str();
            let shows = |example: &&Example| match &example.expects {
                Expectation::Yields(table) => table.contains_key(name),
                Expectation::Rejects(_) => false,
            };
            assert!(
                profile.examples.iter().any(|e| shows(&e)),
                "{}: no example of {name}",
                profile.id
            );
        }
        let refusals =
            profile.examples.iter().filter(|e| matches!(e.expects, Expectation::Rejects(_)));
        assert!(refusals.count() > 0, "{}", profile.id);
    }
}

#[test]
fn every_metric_is_simulated_and_nothing_else_is() {
    for profile in profiles() {
        let behaviours = Behaviours::from_table(&profile.simulate).unwrap();
        let known = |name: &String| profile.metric(name).is_some();
        for metric in &profile.metrics {
            let name = metric.symbol.as_str();
            assert!(behaviours.metrics.contains_key(name), "{}: {name}", profile.id);
        }
        let faults = behaviours.faults.iter();
        let in_faults = faults.flat_map(|fault| fault.set.keys().chain(fault.add.keys()));
        for name in behaviours.metrics.keys().chain(in_faults) {
            assert!(known(name), "{} simulates {name}, which it does not have", profile.id);
        }
        assert!(!behaviours.faults.is_empty(), "{}", profile.id);
    }
}
