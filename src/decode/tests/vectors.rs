//! Walks `devices/vectors/`: each message must yield exactly what its file says.

use std::{fs, path::PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{NEW_YEAR, PREFIX, decode_twice, registry};
use crate::{
    decode::{Contract, Decoded, Decoder, Presence},
    journal::{Condition, Message, Messages, Source},
    reading::{Reading, Timestamp},
};

/// One message, and what must become of it after those `before`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vector {
    pub(super) name: String,
    #[serde(flatten)]
    sent: Sent,
    #[serde(default)]
    before: Vec<Sent>,
    #[serde(default)]
    expect: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sent {
    topic: Option<String>,
    payload: String,
    payload_hex: Option<String>,
    received: Option<String>,
    retained: bool,
    sender: String,
    listen: bool,
    oversized: Option<u64>,
    malformed: bool,
    over_budget: Option<u64>,
}

impl Sent {
    fn push(&self, messages: &mut Messages) {
        let topic = self.topic.clone().unwrap_or_else(|| format!("{PREFIX}fridge-1/telemetry"));
        let payload = self.payload();
        let received = self.received.as_ref().map_or(NEW_YEAR, |received| {
            Timestamp(received.parse::<jiff::Timestamp>().unwrap().as_millisecond())
        });
        let condition = match (self.oversized, self.malformed, self.over_budget) {
            (Some(size), ..) => Condition::Oversized { size },
            (_, true, _) => Condition::Malformed,
            (_, _, Some(dropped)) => Condition::OverBudget { dropped },
            _ => Condition::Whole,
        };
        messages.push(&Message {
            source: if self.listen { Source::Listen } else { Source::Subscribe },
            received,
            retained: self.retained,
            condition,
            topic: topic.as_bytes(),
            sender: self.sender.as_bytes(),
            payload: &payload,
        });
    }

    fn payload(&self) -> Vec<u8> {
        let Some(hex) = &self.payload_hex else { return self.payload.clone().into_bytes() };
        let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let pair =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }
}

pub(super) fn all() -> Vec<Vector> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("devices/vectors");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let read = |file: &PathBuf| -> Vec<Vector> {
        let text = fs::read_to_string(file).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    files.iter().flat_map(read).collect()
}

impl Vector {
    pub(super) fn payload_of_it(&self) -> Vec<u8> {
        self.sent.payload()
    }

    fn outcome(&self) -> Map<String, Value> {
        let (mut decoder, registry) = (Decoder::new(Contract::default().into()), registry());
        for (group, sent) in (1..).zip(&self.before) {
            let mut messages = Messages::default();
            sent.push(&mut messages);
            decode_twice(&mut decoder, group, &messages, &registry);
        }
        let mut messages = Messages::default();
        self.sent.push(&mut messages);
        let (decoded, _) = decode_twice(&mut decoder, 100, &messages, &registry);
        outcome(&decoded)
    }
}

/// What came of a message, in the words of the files; what is empty is left out.
fn outcome(decoded: &Decoded) -> Map<String, Value> {
    let readings: Vec<_> = decoded.readings.iter().map(|r| reading(decoded, r)).collect();
    let rejections = decoded
        .rejections
        .iter()
        .map(|r| json!({ "code": r.code, "path": r.path, "says": r.says() }));
    let extras: Map<_, _> =
        decoded.extras.iter().map(|e| (e.name.clone(), json!(e.found))).collect();
    let births = decoded.births.iter().map(|b| {
        let every = b.reports_every.map(|every| every.as_secs());
        let said = json!({ "profile": b.profile, "model": b.model, "firmware": b.firmware,
            "serial": b.serial, "boot": b.boot, "reports_every_s": every });
        let mut said = with_age(said, b.retained);
        if let Some(revision) = b.config {
            said["config"] = json!({ "revision": revision });
        }
        said
    });
    let presence = |p: &Presence| {
        let sleep_s = p.sleeps.map(|sleeps| sleeps.as_secs());
        with_age(json!({ "state": p.state, "sleep_s": sleep_s }), p.retained)
    };
    let replies = decoded.replies.iter().map(|r| {
        let mut said = json!({ "id": r.id, "state": r.state });
        if let Some(reason) = &r.reason {
            said["reason"] = json!(reason);
        }
        said
    });
    let gaps = decoded.gaps.iter().map(|g| json!({ "seq": g.seq, "missing": g.missing }));
    let all = [
        ("readings", json!(readings)),
        ("rejections", rejections.collect()),
        ("extras", json!(extras)),
        ("births", births.collect()),
        ("presence", decoded.presence.iter().map(presence).collect()),
        ("replies", replies.collect()),
        ("gaps", gaps.collect()),
        ("repeats", json!(decoded.repeats)),
    ];
    let filled = |value: &Value| *value != json!([]) && *value != json!({}) && *value != json!(0);
    all.into_iter().filter(|(_, v)| filled(v)).map(|(k, v)| (k.to_owned(), v)).collect()
}

fn with_age(mut said: Value, is_old: bool) -> Value {
    if is_old {
        said["old"] = json!(true);
    }
    said
}

fn reading(decoded: &Decoded, reading: &Reading) -> Value {
    let metrics: Map<_, _> = decoded
        .samples_of(reading)
        .iter()
        .map(|sample| (sample.metric.to_string(), json!(sample.value)))
        .collect();
    let mut said =
        json!({ "at": reading.at.to_string(), "by": reading.placed_by, "metrics": metrics });
    if let Some(claimed) = reading.claimed.filter(|claimed| *claimed != reading.at) {
        said["claimed"] = json!(claimed.to_string());
    }
    if reading.backfill {
        said["backfill"] = json!(true);
    }
    if reading.kind == crate::reading::Kind::Event {
        said["event"] = json!(true);
    }
    said
}

#[test]
fn every_message_of_the_vectors_yields_what_its_file_says() {
    let vectors = all();
    assert!(vectors.len() >= 60, "{} vectors", vectors.len());
    let mut wrong = Vec::new();
    for vector in &vectors {
        let outcome = vector.outcome();
        if outcome != vector.expect {
            let (expected, found) = (json!(vector.expect), json!(outcome));
            wrong.push(format!("{}\n  expected {expected}\n  found    {found}", vector.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), vectors.len(), wrong.join("\n"));
}
