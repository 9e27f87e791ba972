//! A profile's example messages: what each yields, or which refusal it comes to.

use std::{collections::BTreeMap, sync::Arc};

use super::{report::Failure, world};
use crate::{
    decode::{Contract, Decoded, Decoder, Rejection},
    device::{Example, Expectation, Profile},
    journal::{Condition, Message, Messages, Source},
    reading::{Timestamp, Value},
    registry::Registry,
};

/// 2026-01-01, when the devices of the examples speak.
const NEW_YEAR: Timestamp = Timestamp(1_767_225_660_000);

pub(super) fn failures(profile: &Arc<Profile>) -> impl Iterator<Item = Failure> {
    profile.examples.iter().filter_map(|example| {
        let lines = differs(profile, example);
        let name = format!("example {}", example.payload);
        (!lines.is_empty()).then_some(Failure { name, lines })
    })
}

fn differs(profile: &Arc<Profile>, example: &Example) -> Vec<String> {
    let decoded = decode(profile, &example.payload);
    let refused: Vec<_> = decoded.rejections.iter().map(Rejection::says).collect();
    match &example.expects {
        Expectation::Rejects(wanted) if refused == [wanted.as_str()] => Vec::new(),
        Expectation::Rejects(wanted) => {
            let mut lines = vec![format!("- refused: {wanted}   (expected; did not happen)")];
            let came = refused.iter();
            lines.extend(came.map(|came| format!("+ refused: {came}   (happened; not expected)")));
            lines
        }
        Expectation::Yields(wanted) => {
            let unknown = decoded.extras.iter().map(|extra| format!("! unknown: {}", extra.name));
            let mut lines: Vec<_> =
                refused.iter().map(|said| format!("! refused: {said}")).collect();
            lines.extend(unknown);
            lines.extend(yields(wanted, &decoded));
            lines
        }
    }
}

fn yields(wanted: &toml::Table, decoded: &Decoded) -> Vec<String> {
    let wanted: BTreeMap<_, _> =
        wanted.iter().map(|(name, value)| (name.clone(), in_toml(value))).collect();
    let samples = decoded.readings.iter().flat_map(|reading| decoded.samples_of(reading));
    let came: BTreeMap<_, _> = samples
        .map(|sample| (sample.metric.to_string(), in_toml(&as_toml(sample.value))))
        .collect();
    let missing = wanted.iter().filter(|(name, value)| came.get(*name) != Some(value));
    let uncalled = came.iter().filter(|(name, value)| wanted.get(*name) != Some(value));
    missing
        .map(|(name, value)| format!("- {name} = {value}   (expected; did not happen)"))
        .chain(
            uncalled.map(|(name, value)| format!("+ {name} = {value}   (happened; not expected)")),
        )
        .collect()
}

/// Whole numbers and those with a point are the same to a person who writes an example.
fn in_toml(value: &toml::Value) -> String {
    match value {
        toml::Value::Integer(number) => format!("{number}"),
        toml::Value::Float(number) => format!("{number}"),
        other => other.to_string(),
    }
}

fn as_toml(value: Value) -> toml::Value {
    match value {
        Value::Number(number) => toml::Value::Float(number),
        Value::State(state) => toml::Value::Boolean(state),
        Value::Word(word) => toml::Value::String(word.to_string()),
    }
}

/// Decodes one payload as the telemetry of a device of this profile.
fn decode(profile: &Arc<Profile>, payload: &str) -> Decoded {
    let path = world::path(&profile.id);
    let registry = Arc::new(Registry::sample([(path.as_str(), profile)]));
    let topic = format!("{}/{path}/telemetry", Contract::default().prefix);
    let mut messages = Messages::default();
    messages.push(&Message {
        source: Source::Listen,
        received: NEW_YEAR,
        retained: false,
        condition: Condition::Whole,
        topic: topic.as_bytes(),
        sender: b"",
        payload: payload.as_bytes(),
    });
    Decoder::default().decode(1, &messages, &registry).0
}
