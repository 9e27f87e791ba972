//! Schemas of what is said beside readings: births, statuses, and refusals that we send back.

use serde_json::{Value, json};

use super::DRAFT;
use crate::{
    decode::{Code, LONGEST_S},
    device::Profile,
};

/// What a device is; of one type where a profile is given.
pub fn birth(profile: Option<&Profile>) -> Value {
    let text = |title: &str| json!({ "title": title, "type": ["string", "null"] });
    let named = match profile {
        Some(profile) => json!({ "title": "As registered", "enum": [profile.id, null] }),
        None => text("As registered"),
    };
    let every = "How often it reports (s)";
    json!({
        "$schema": DRAFT,
        "$id": "urn:waystation:v1:birth",
        "title": "What a device is, retained",
        "type": "object",
        "properties": {
            "profile": named,
            "model": text("The maker's name for it"),
            "firmware": text("Its version"),
            "serial": text("Its serial number"),
            "boot": {
                "title": "Which start of the device this is",
                "type": ["integer", "null"], "minimum": 0, "maximum": u64::MAX,
            },
            "reports_every_s": interval(every),
            "config": {
                "title": "The settings it runs with",
                "properties": {
                    "revision": { "type": ["integer", "null"], "minimum": 0, "maximum": u64::MAX },
                },
            },
        },
    })
}

/// Whether a device is there; also its last will.
pub fn status() -> Value {
    json!({
        "$schema": DRAFT,
        "$id": "urn:waystation:v1:status",
        "title": "Whether a device is there, retained; `lost` as its last will",
        "type": "object",
        "required": ["state"],
        "properties": {
            "state": { "enum": ["online", "sleeping", "offline", "lost"] },
            "sleep_s": interval("For how long it sleeps (s)"),
        },
    })
}

fn interval(title: &str) -> Value {
    json!({ "title": title, "type": ["number", "null"], "minimum": 0, "maximum": LONGEST_S })
}

/// What we tell a device of a message that was refused.
pub fn rejected() -> Value {
    let text = |title: &str| json!({ "title": title, "type": "string" });
    let codes: Vec<&str> = Code::all().map(Code::as_str).collect();
    let said = ["code", "path", "found", "expected", "says", "cure"];
    json!({
        "$schema": DRAFT,
        "$id": "urn:waystation:v1:rejected",
        "title": "Why a message, or a part of it, was refused",
        "type": "object",
        "required": said,
        "properties": {
            "code": { "title": "A stable word", "enum": codes },
            "path": text("JSON pointer to what was refused; empty for the whole message"),
            "found": text("What was found there"),
            "expected": text("What was expected"),
            "says": text("All of it in one line"),
            "cure": {
                "title": "What to do about it",
                "type": "object",
                "required": ["en", "zh"],
                "properties": { "en": text("English"), "zh": text("中文") },
            },
        },
    })
}
