//! What holds over several messages: repeats, uptime, restarts of ours, and messages without measure.

use std::sync::Arc;

use super::{NEW_YEAR, PREFIX, decode_twice, message, profile, registry, telemetry};
use crate::{
    decode::{Code, Decoder},
    journal::Messages,
    reading::{PlacedBy, Timestamp},
    registry::Registry,
};

const MINUTE: i64 = 60_000;

fn at(minutes: i64) -> Timestamp {
    NEW_YEAR.plus_millis(minutes * MINUTE)
}

/// Plays messages (minute of receipt, minutes of uptime) of one boot; where each reading is placed, in minutes.
fn placed_by_uptime(given: &[(i64, i64)]) -> Vec<i64> {
    let payloads = given.iter().map(|(received, up)| {
        (at(*received), format!(r#"{{"boot":1,"up":{},"temp_c":4}}"#, up * MINUTE))
    });
    let payloads: Vec<_> = payloads.collect();
    let messages =
        telemetry(payloads.iter().map(|(received, payload)| (*received, payload.as_str())));
    let (decoded, _) = decode_twice(&mut Decoder::default(), 1, &messages, &registry());
    assert!(decoded.readings.iter().all(|reading| reading.placed_by == PlacedBy::Uptime));
    decoded.readings.iter().map(|reading| (reading.at.0 - NEW_YEAR.0) / MINUTE).collect()
}

/// Where messages without a clock stand that came at these milliseconds after the new year.
fn placed_by_receipt(received: &[i64]) -> Vec<i64> {
    let times = received.iter().map(|ms| (NEW_YEAR.plus_millis(*ms), r#"{"temp_c":4}"#));
    let mut decoder = Decoder::default();
    let (decoded, _) = decode_twice(&mut decoder, 1, &telemetry(times), &registry());
    let (next, _) =
        decode_twice(&mut decoder, 2, &telemetry([(NEW_YEAR, "{\"temp_c\":4}")]), &registry());
    assert_eq!(next.readings[0].at, NEW_YEAR, "each group for itself");
    decoded.readings.iter().map(|reading| reading.at.0 - NEW_YEAR.0).collect()
}

#[test]
fn messages_without_a_clock_stay_apart_and_in_order() {
    assert_eq!(placed_by_receipt(&[0, 0, 0, 1, 1, 9, 9]), [0, 1, 2, 3, 4, 9, 10]);
    assert_eq!(placed_by_receipt(&[5, 3, 7]), [5, 6, 7], "overtaken by a millisecond or two");
    assert_eq!(placed_by_receipt(&[3_600_000, 0]), [3_600_000, 0], "our clock was set back");
}

#[test]
fn uptime_places_what_comes_late() {
    assert_eq!(placed_by_uptime(&[(10, 10), (20, 15), (20, 20), (21, 21)]), [10, 15, 20, 21]);
}

#[test]
fn a_clock_of_ours_that_jumps_does_not_move_what_uptime_places() {
    assert_eq!(
        placed_by_uptime(&[(100, 10), (160, 11), (161, 12), (103, 13)]),
        [100, 101, 102, 103]
    );
    assert_eq!(placed_by_uptime(&[(100, 10), (41, 11), (42, 12), (103, 13)]), [100, 41, 42, 103]);
}

#[test]
fn what_was_remembered_is_remembered_after_a_restart() {
    let registry = registry();
    let mut decoder = Decoder::default();
    let first = telemetry([
        (at(1), r#"{"boot":1,"seq":1,"temp_c":4}"#),
        (at(2), r#"{"boot":1,"seq":2,"up":60000,"temp_c":4}"#),
    ]);
    decoder.decode(1, &first, &registry);
    let mut rows = decoder.changed_state(&registry);
    assert_eq!(rows.len(), 2, "the device's and the decoder's own");
    assert!(decoder.changed_state(&registry).is_empty(), "nothing changed since");
    rows.push(("putuo/shuxinwan/gone".to_owned(), rows[0].1.clone()));
    rows.push(("putuo/shuxinwan/fridge-2".to_owned(), vec![1, 2, 3]));

    let mut restarted = Decoder::default();
    restarted.restore(rows, &registry);
    let second = telemetry([
        (at(5), r#"{"boot":1,"seq":2,"up":60000,"temp_c":4}"#),
        (at(9), r#"{"boot":1,"seq":3,"up":120000,"temp_c":4}"#),
    ]);
    let (decoded, _) = decode_twice(&mut restarted, 2, &second, &registry);
    assert_eq!(decoded.repeats, 1);
    assert_eq!(decoded.readings[0].at, at(3));
    assert_eq!(decoder.decode(2, &second, &registry).0.readings, decoded.readings);
}

#[test]
fn a_reload_that_adds_devices_forgets_none() {
    let (before, profile) = (registry(), profile());
    let mut decoder = Decoder::default();
    let said = telemetry([(at(1), r#"{"boot":1,"seq":1,"temp_c":4}"#)]);
    decoder.decode(1, &said, &before);
    let paths = ["fridge-1", "fridge-2", "fridge-3"].map(|id| format!("putuo/shuxinwan/{id}"));
    let after = Arc::new(Registry::sample(paths.iter().map(|path| (path.as_str(), &profile))));
    let topic = format!("{PREFIX}fridge-3/telemetry");
    let mut messages = said.clone();
    messages.push(&message(topic.as_bytes(), br#"{"boot":1,"seq":1,"temp_c":4}"#, at(1)));
    let (decoded, _) = decode_twice(&mut decoder, 2, &messages, &after);
    assert_eq!((decoded.repeats, decoded.readings.len()), (1, 1));
}

/// Decodes one payload and a good message behind it; the code of the one rejection there must be.
fn refused(payload: &[u8]) -> Code {
    let topic = format!("{PREFIX}fridge-1/telemetry");
    let mut messages = Messages::default();
    messages.push(&message(topic.as_bytes(), payload, NEW_YEAR));
    messages.push(&message(topic.as_bytes(), br#"{"temp_c":4.1}"#, NEW_YEAR));
    let (decoded, _) = decode_twice(&mut Decoder::default(), 1, &messages, &registry());
    assert_eq!((decoded.readings.len(), decoded.rejections.len()), (1, 1));
    assert!(decoded.rejections[0].head.chars().count() <= 256);
    decoded.rejections[0].code
}

#[test]
fn depth_without_end_is_refused_in_every_form() {
    let deep = 10_000;
    for open in ["[", r#"{"a":"#, r#"{"temp_c":"#, r#"{"readings":["#] {
        assert_eq!(refused(open.repeat(deep).as_bytes()), Code::TooDeep, "{open}");
    }
    let closed = format!("{}1{}", r#"{"a":"#.repeat(deep), "}".repeat(deep));
    assert_eq!(refused(closed.as_bytes()), Code::TooDeep);
    for open in [&b"\x81"[..], b"\x9f", b"\xa1\x61a", b"\xbf\x61a"] {
        assert_eq!(refused(&open.repeat(deep)), Code::TooDeep, "{open:?}");
    }
    let tags = [b"\xa1\x61a".to_vec(), b"\xc0".repeat(deep)].concat();
    assert_eq!(refused(&tags), Code::NotJson);
}

#[test]
fn what_promises_more_than_it_holds_costs_nothing() {
    for bytes in [
        &b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff"[..],
        b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xa1\x7b\x7f\xff\xff\xff\xff\xff\xff\xff",
    ] {
        assert_eq!(refused(bytes), Code::NotJson);
    }
}

#[test]
fn as_many_readings_as_the_contract_has_and_no_more() {
    let batch =
        |count| format!(r#"{{"readings":[{}]}}"#, vec![r#"{"dt":0,"temp_c":4}"#; count].join(","));
    let messages = [100, 101].map(|count| telemetry([(NEW_YEAR, batch(count).as_str())]));
    let decoded = messages.map(|m| decode_twice(&mut Decoder::default(), 1, &m, &registry()).0);
    assert_eq!((decoded[0].readings.len(), decoded[0].rejections.len()), (100, 0));
    assert_eq!((decoded[1].readings.len(), decoded[1].samples.len()), (0, 0));
    assert_eq!(decoded[1].rejections[0].code, Code::TooMany);
}

#[test]
fn what_is_kept_of_broken_messages_has_a_limit() {
    let key = |n: usize| format!(r#""unknown_{n}":{n}"#);
    let many: Vec<String> = (0..4000).map(key).collect();
    let wrong = vec![r#"{"temp_c":"x","door_open":1}"#; 100].join(",");
    let payload = format!(r#"{{{},"readings":[{wrong}]}}"#, many.join(","));
    let messages = telemetry((0..200).map(|_| (NEW_YEAR, payload.as_str())));
    let (decoded, _) = decode_twice(&mut Decoder::default(), 1, &messages, &registry());
    assert_eq!((decoded.extras.len(), decoded.rejections.len()), (200 * 16, 200 * 16));
    assert!(decoded.rejections[999].head.len() >= 256);
    assert!(decoded.rejections[1000].head.is_empty());
}
