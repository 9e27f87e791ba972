//! JSON Schemas (draft 2020-12) of what devices send: what decoding accepts, a schema accepts; what
//! decoding refuses, a schema refuses where it can see the reason.

mod metric;
mod personal;
mod statement;
mod told;

use serde_json::{Map, Value, json};

use super::TOPICS;
use crate::{
    decode::{AHEAD_MS, Code, OLDEST_MS, READINGS_MAX},
    device::{Metric, Profile},
};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Codes that a schema never gives a reason for: they are about the topic, the connection, the bytes,
/// or what came before. Of `bad_time` it sees what no receipt could make right, of `bad_value` all but
/// dates no calendar has and numbers no float holds, of `personal` the usual ways to write a key.
pub const UNSEEN: [Code; 10] = [
    Code::BadTopic,
    Code::UnknownKind,
    Code::UnknownDevice,
    Code::NotYours,
    Code::Retained,
    Code::TooLarge,
    Code::OverBudget,
    Code::NotJson,
    Code::TooDeep,
    Code::DoubledKey,
];

/// 2020-09-13, before the first of these devices: an `at` below is no date, or seconds.
const EARLIEST_AT: i64 = 1_600_000_000_000;
/// Where RFC 3339's calendar ends.
pub(super) const CALENDAR_END: i64 = 253_402_300_799_999;

/// Schemas of what is said beside readings, by the last level of their topics.
pub fn schemas() -> Vec<(&'static str, Value)> {
    let others = TOPICS.iter().filter(|topic| !matches!(topic.kind, "telemetry" | "event"));
    others.map(|topic| (topic.kind, of(topic.kind, None))).collect()
}

/// The schema of what is said on topics of that kind; of one type of device where a profile is given.
pub fn of(kind: &str, profile: Option<&Profile>) -> Value {
    match kind {
        "birth" => statement::birth(profile),
        "status" => statement::status(),
        "reply" => statement::reply(),
        "command" => told::command(),
        "config" => told::config(),
        "echo" => told::echo(),
        "rejected" => told::rejected(),
        "time" => told::time(),
        _ => telemetry(profile),
    }
}

/// Telemetry and events of one type of device; of any type without a profile.
pub(super) fn telemetry(profile: Option<&Profile>) -> Value {
    let metrics = profile.map_or(&[][..], |profile| &profile.metrics);
    let (id, whose) = match profile {
        Some(profile) => (
            format!("urn:waystation:v1:telemetry:{}", profile.id),
            format!("{} ({}, {})", profile.id, profile.name.en, profile.name.zh),
        ),
        None => ("urn:waystation:v1:telemetry".to_owned(), "any device".to_owned()),
    };
    json!({
        "$schema": DRAFT,
        "$id": id,
        "title": format!("Telemetry and events of {whose}"),
        "description": "One reading as a flat object, an envelope with readings, or an array of readings. \
            What was not measured is left out or null. Unknown metrics are kept aside. Beyond this: each \
            key once in an object, at most 8 objects and arrays inside each other, and the size limit.",
        "type": ["object", "array"],
        "if": { "type": "array" },
        "then": { "allOf": [{ "$ref": "#/$defs/readings" }], "contains": { "$ref": "#/$defs/says_something" } },
        "else": { "$ref": "#/$defs/message" },
        "$defs": {
            "message": message(),
            "readings": readings(),
            "reading": reading(metrics),
            "says_something": says_something(&["dt", "at"]),
            "moment": moment(EARLIEST_AT, "When, in ms since 1970 or RFC 3339 with its zone"),
        },
    })
}

/// A flat object, or an envelope.
fn message() -> Value {
    let fields = ["boot", "seq", "at", "up", "dt", "readings"];
    let inside = json!({
        "properties": { "readings": { "type": "array", "contains": { "$ref": "#/$defs/says_something" } } },
        "required": ["readings"],
    });
    json!({
        "type": "object",
        "allOf": [{ "$ref": "#/$defs/reading" }],
        "anyOf": [says_something(&fields), inside],
        "properties": {
            "boot": {
                "title": "Which start of the device this is, counted or drawn at random",
                "type": ["integer", "null"], "minimum": 0, "maximum": u64::MAX,
            },
            "seq": {
                "title": "The message's number in this boot; with boot it makes a repeat known",
                "type": ["integer", "null"], "minimum": 0, "maximum": u32::MAX,
            },
            "up": {
                "title": "How long the device has run (ms); places readings where no clock does",
                "type": ["number", "null"], "minimum": 0, "maximum": i64::MAX,
            },
            "readings": {
                "title": "Readings of several moments",
                "anyOf": [{ "$ref": "#/$defs/readings" }, { "type": "null" }],
            },
        },
    })
}

/// Only here is `dt` sure to place something: beside `readings` it may stand for nothing.
fn readings() -> Value {
    let farthest = OLDEST_MS + AHEAD_MS;
    json!({
        "type": "array",
        "maxItems": READINGS_MAX,
        "items": {
            "allOf": [{ "$ref": "#/$defs/reading" }],
            "properties": { "dt": { "minimum": -farthest, "maximum": farthest } },
        },
    })
}

/// What every reading may hold, the message's own among them.
fn reading(metrics: &[Metric]) -> Value {
    let mut properties: Map<String, Value> =
        metrics.iter().map(|metric| (metric.symbol.to_string(), metric::schema(metric))).collect();
    properties.insert("at".to_owned(), json!({ "$ref": "#/$defs/moment" }));
    let dt = json!({
        "title": "How long before (-) or after the message's moment (ms)",
        "type": ["number", "null"], "minimum": -i64::MAX, "maximum": i64::MAX,
    });
    properties.insert("dt".to_owned(), dt);
    let known: Vec<&str> = metrics.iter().map(|metric| metric.symbol.as_str()).collect();
    json!({
        "type": "object",
        "properties": properties,
        "propertyNames": personal::names_nobody(&known),
    })
}

/// An object with a key beside these.
fn says_something(but: &[&str]) -> Value {
    json!({ "type": "object", "not": { "propertyNames": { "enum": but } } })
}

/// A moment as devices write it, or null.
fn moment(earliest: i64, title: &str) -> Value {
    json!({
        "title": title,
        "anyOf": [
            { "type": "number", "minimum": earliest, "maximum": CALENDAR_END },
            { "type": "string", "format": "date-time", "pattern": MOMENT },
            { "type": "null" },
        ],
    })
}

/// RFC 3339, and what decoding lets pass besides: a blank for `T`, seconds left out.
const MOMENT: &str = r"^[0-9]{4}-?[0-9]{2}-?[0-9]{2}[Tt ][0-9]{2}(:?[0-9]{2}(:?[0-9]{2}([.,][0-9]{1,9})?)?)?([Zz]|[+-][0-9]{2}(:?[0-9]{2}(:?[0-9]{2})?)?)(\[[^\]]*\])*$";
