//! The whole of decoding: messages and what they must yield, laws, and rubbish without end.

#![expect(clippy::similar_names, reason = "a decoder decodes, and what it decoded is checked")]

mod vectors;
mod laws;
mod fuzz;
mod groups;

use std::sync::Arc;

use super::{Annotations, Contract, Decoded, Decoder, again};
use crate::{
    device::{MetricKind, Profile},
    journal::{Condition, Message, Messages, Source},
    reading::{Symbol, Timestamp},
    registry::Registry,
};

pub(super) const PREFIX: &str = "waystation/v1/putuo/shuxinwan/";
/// 2026-01-01T00:00:00Z
pub(super) const NEW_YEAR: Timestamp = Timestamp(1_767_225_600_000);

/// The type of device that `devices/vectors/README.md` describes.
pub(super) fn profile() -> Arc<Profile> {
    let words = ["cool", "heat", "off"].map(|word| Symbol::intern(word).unwrap());
    let metrics = [
        ("temp_c", MetricKind::Number, Some([-40.0, 60.0])),
        ("power_w", MetricKind::Number, None),
        ("door_open", MetricKind::State, None),
        ("mode", MetricKind::Words(words.to_vec()), None),
        ("items_out_total", MetricKind::Counter, None),
        ("cleaned_at", MetricKind::Time, None),
    ];
    Arc::new(Profile::sample("fridge", &metrics).unwrap())
}

/// `fridge-1` and `fridge-2` of the station putuo/shuxinwan.
pub(super) fn registry() -> Arc<Registry> {
    let profile = profile();
    let paths = ["putuo/shuxinwan/fridge-1", "putuo/shuxinwan/fridge-2"];
    Arc::new(Registry::sample(paths.map(|path| (path, &profile))))
}

/// A message as it mostly comes.
pub(super) fn message<'a>(topic: &'a [u8], payload: &'a [u8], received: Timestamp) -> Message<'a> {
    Message {
        source: Source::Subscribe,
        received,
        retained: false,
        condition: Condition::Whole,
        topic,
        sender: b"",
        payload,
    }
}

/// Telemetry of `fridge-1`, each with its time of receipt.
pub(super) fn telemetry<'a>(given: impl IntoIterator<Item = (Timestamp, &'a str)>) -> Messages {
    let topic = format!("{PREFIX}fridge-1/telemetry");
    let mut messages = Messages::default();
    for (received, payload) in given {
        messages.push(&message(topic.as_bytes(), payload.as_bytes(), received));
    }
    messages
}

/// Decodes both ways and holds one to the other.
#[track_caller]
pub(super) fn decode_twice(
    decoder: &mut Decoder,
    group: u64,
    messages: &Messages,
    registry: &Arc<Registry>,
) -> (Decoded, Annotations) {
    let (decoded, annotations) = decoder.decode(group, messages, registry);
    let second = again(&Contract::default(), group, messages, registry, &annotations);
    assert_eq!(format!("{decoded:?}"), format!("{second:?}"));
    for reading in &decoded.readings {
        assert!(
            !decoded.samples_of(reading).is_empty(),
            "{reading:?} out of {}",
            decoded.samples.len()
        );
    }
    (decoded, annotations)
}
