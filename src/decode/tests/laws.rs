//! What holds for every message, drawn at random; JSON is held to `serde_json`, CBOR to `minicbor-serde`.

use proptest::prelude::*;
use serde::Serialize;
use serde_json::Value;

use super::{NEW_YEAR, PREFIX, decode_twice, message, registry};
use crate::{
    decode::{
        Code, Decoder,
        cbor::Cbor,
        json::Json,
        token::{Flaw, Source, skip},
    },
    journal::{Condition, Message, Messages, Source as Door},
    reading::Timestamp,
};

/// Reads everything a payload holds; the code of the flaw where it has one.
fn pass_over<'a>(source: &mut impl Source<'a>) -> Result<(), Flaw> {
    let token = source.value()?;
    skip(source, &token, 0)?;
    source.end()
}

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e6..1e6).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    scalar.prop_recursive(6, 64, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "temp_c",
            "door_open",
            "mode",
            "at",
            "dt",
            "up",
            "boot",
            "seq",
            "readings",
            "phone"
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

fn cbor(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = minicbor_serde::Serializer::new(&mut bytes);
    serializer.serialize_unit_as_null(true);
    value.serialize(&mut serializer).unwrap();
    bytes
}

fn garbled(text: &mut [u8], at: prop::sample::Index, byte: u8) {
    let at = at.index(text.len());
    text[at] = byte;
}

proptest! {
    #[test]
    fn json_is_what_serde_json_says_it_is(
        value in value(), at in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(b"{}[],:\"\\0123456789.eE+-truefalsn \t\n".to_vec())],
    ) {
        let mut text = serde_json::to_vec(&value).unwrap();
        let read = Json::new(&text).and_then(|mut json| pass_over(&mut json));
        prop_assert_eq!(read, Ok(()), "{}", value);
        garbled(&mut text, at, byte);
        let theirs = serde_json::from_slice::<Value>(&text).map(drop);
        let ours = Json::new(&text).and_then(|mut json| pass_over(&mut json));
        // A number over what a float holds is theirs to refuse, and ours to refuse alone.
        let range = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
        prop_assert!(ours.is_ok() == theirs.is_ok() || range, "{:?}: {:?}, {:?}", String::from_utf8_lossy(&text), ours, theirs);
    }

    #[test]
    fn cbor_yields_what_the_same_json_yields(value in value()) {
        let (json, cbor) = (serde_json::to_vec(&value).unwrap(), cbor(&value));
        let mut source = Cbor::new(&cbor);
        prop_assert_eq!(pass_over(&mut source), Ok(()));
        if !(value.is_object() || value.is_array()) {
            return Ok(());
        }
        let [from_json, from_cbor] = [json, cbor].map(|payload| {
            let topic = format!("{PREFIX}fridge-1/telemetry");
            let mut messages = Messages::default();
            messages.push(&message(topic.as_bytes(), &payload, NEW_YEAR));
            let (decoded, _) = decode_twice(&mut Decoder::default(), 1, &messages, &registry());
            let refused: Vec<_> = decoded.rejections.iter().map(|r| (r.code, r.path.clone())).collect();
            format!("{:?} {:?} {refused:?}", decoded.readings, decoded.samples)
        });
        prop_assert_eq!(from_json, from_cbor);
    }

    #[test]
    fn any_message_is_decoded_and_decoded_again_the_same(
        parts in prop::collection::vec(
            (any::<Vec<u8>>(), any::<Vec<u8>>(), any::<i64>(), 0_u8..6, any::<(bool, bool, bool)>()), 1..20,
        ),
        value in value(),
    ) {
        let text = serde_json::to_vec(&value).unwrap();
        let kinds = ["telemetry", "event", "birth", "status", "reply", "rejected"];
        let mut messages = Messages::default();
        for (topic, payload, at, kind, (listen, retained, good)) in &parts {
            let own = format!("{PREFIX}fridge-2/{}", kinds[usize::from(*kind)]);
            messages.push(&Message {
                source: if *listen { Door::Listen } else { Door::Subscribe },
                received: Timestamp(*at),
                retained: *retained,
                condition: match kind {
                    4 => Condition::Oversized { size: u64::MAX },
                    5 => Condition::OverBudget { dropped: 3 },
                    _ => Condition::Whole,
                },
                topic: if *good { own.as_bytes() } else { topic },
                sender: if *good { b"" } else { topic },
                payload: if *good { &text } else { payload },
            });
        }
        decode_twice(&mut Decoder::default(), 1, &messages, &registry());
    }

    #[test]
    fn nothing_behind_a_personal_key_is_ever_shown(secret in "[1-9][0-9]{9,12}", key in prop::sample::select(vec!["card_no", "phone", "userPhone", "plate"]), rest in value()) {
        let payload = format!(r#"{{"x":1,"{key}":"{secret}","temp_c":"warm","rest":{rest}}}"#);
        let topic = format!("{PREFIX}fridge-1/telemetry");
        let mut messages = Messages::default();
        messages.push(&message(topic.as_bytes(), payload.as_bytes(), NEW_YEAR));
        let (decoded, _) = decode_twice(&mut Decoder::default(), 1, &messages, &registry());
        let personal = decoded.rejections.iter().any(|r| r.code == Code::Personal);
        let too_deep = decoded.rejections.iter().any(|r| r.code == Code::TooDeep);
        prop_assert!(personal || too_deep);
        let shown = format!("{:?}{:?}", decoded.rejections, decoded.extras);
        prop_assert!(!shown.contains(&secret), "{}", shown);
    }
}
