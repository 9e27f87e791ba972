//! Every shipped profile's examples: what it says a message yields is what it yields.

use std::sync::Arc;

use super::{NEW_YEAR, decode_twice, message};
use crate::{
    decode::Decoder,
    device::{self, Expectation, Profile},
    journal::Messages,
    reading::Value,
    registry::Registry,
};

fn check(profile: &Arc<Profile>, payload: &str, expects: &Expectation) {
    let path = format!("district/station/{}", profile.id);
    let registry = Arc::new(Registry::sample([(path.as_str(), profile)]));
    let topic = format!("waystation/v1/{path}/telemetry");
    let mut messages = Messages::default();
    messages.push(&message(topic.as_bytes(), payload.as_bytes(), NEW_YEAR));
    let (decoded, _) = decode_twice(&mut Decoder::default(), 1, &messages, &registry);
    let said: Vec<_> = decoded.rejections.iter().map(crate::decode::Rejection::says).collect();
    let name = format!("{}: {payload}: {said:?}", profile.id);
    match expects {
        Expectation::Yields(wanted) => {
            assert!(said.is_empty() && decoded.extras.is_empty(), "{name}: {:?}", decoded.extras);
            let yielded: toml::Table = decoded
                .samples
                .iter()
                .map(|sample| (sample.metric.to_string(), as_toml(sample.value)))
                .collect();
            assert_eq!(&yielded, wanted, "{name}");
        }
        Expectation::Rejects(wanted) => assert!(said.contains(wanted), "{name}, not {wanted}"),
    }
}

fn as_toml(value: Value) -> toml::Value {
    match value {
        Value::Number(number) => toml::Value::Float(number),
        Value::State(state) => toml::Value::Boolean(state),
        Value::Word(word) => toml::Value::String(word.to_string()),
    }
}

#[test]
fn every_profile_yields_what_its_examples_say() {
    let catalog = device::load(None).unwrap();
    let mut examples = 0;
    for profile in catalog.iter() {
        for example in &profile.examples {
            check(profile, &example.payload, &example.expects);
            examples += 1;
        }
    }
    assert!(examples >= 10, "{examples} examples in all profiles");
}
