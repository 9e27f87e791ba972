//! Schemas of what devices are told: commands, settings, echoes, refusals, and the time.

use serde_json::{Value, json};

use super::DRAFT;
use crate::decode::{COMMAND_ID_MAX, Code};

/// Something to do; which operations and arguments there are, the profile says.
pub(super) fn command() -> Value {
    json!({
        "$schema": DRAFT,
        "$id": "urn:waystation:v1:command",
        "title": "Something to do, once, and not after its expiry",
        "type": "object",
        "required": ["id", "op", "args", "expires", "expires_in_ms"],
        "properties": {
            "id": {
                "title": "Comes back in the reply; one that was done before is not done again",
                "type": "string", "minLength": 1, "maxLength": COMMAND_ID_MAX,
            },
            "op": { "title": "The operation, as the profile declares it", "type": "string" },
            "args": { "type": "object" },
            "expires": { "title": "Not after this (ms since 1970)", "type": "integer" },
            "expires_in_ms": {
                "title": "The same for devices without a clock: from when it was sent (ms)",
                "type": "integer", "minimum": 0,
            },
        },
    })
}

/// The settings a device should have.
pub(super) fn config() -> Value {
    json!({
        "$schema": DRAFT,
        "$id": "urn:waystation:v1:config",
        "title": "The settings the device should have; it reports the revision in its next birth",
        "type": "object",
        "required": ["revision", "settings"],
        "properties": {
            "revision": { "type": "integer", "minimum": 0 },
            "settings": { "title": "As the profile declares them", "type": "object" },
        },
    })
}

pub(super) fn echo() -> Value {
    json!({
        "$schema": DRAFT,
        "$id": "urn:waystation:v1:echo",
        "title": "The device's heartbeat as it came, or the time, as its profile has it",
    })
}

pub(super) fn time() -> Value {
    json!({
        "$schema": DRAFT,
        "$id": "urn:waystation:v1:time",
        "title": "What time it is, for devices without a clock",
        "type": "object",
        "required": ["now"],
        "properties": { "now": { "title": "ms since 1970", "type": "integer" } },
    })
}

/// What we tell a device of a message that was refused.
pub(super) fn rejected() -> Value {
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
