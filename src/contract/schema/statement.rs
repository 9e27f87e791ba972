//! Schemas of what devices say beside readings: births, statuses, and answers to commands.

use serde_json::{Value, json};

use super::DRAFT;
use crate::{
    decode::{COMMAND_ID_MAX, LONGEST_S},
    device::Profile,
};

/// What a device is; of one type where a profile is given.
pub(super) fn birth(profile: Option<&Profile>) -> Value {
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
                "properties": { "revision": {
                    "type": ["integer", "null"], "minimum": 0, "maximum": u64::MAX,
                } },
            },
        },
    })
}

/// Whether a device is there; also its last will.
pub(super) fn status() -> Value {
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

/// What became of a command.
pub(super) fn reply() -> Value {
    json!({
        "$schema": DRAFT,
        "$id": "urn:waystation:v1:reply",
        "title": "What became of a command",
        "type": "object",
        "required": ["id", "state"],
        "properties": {
            "id": {
                "title": "The command's, as it came",
                "type": "string", "minLength": 1, "maxLength": COMMAND_ID_MAX,
            },
            "state": { "enum": ["accepted", "done", "failed", "expired"] },
            "reason": { "title": "Why it failed", "type": ["string", "null"] },
        },
    })
}
