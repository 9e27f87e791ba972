//! The topics of a device, as a table: documents are made of it, and a test holds it to `decode`.

/// Who publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The device.
    Up,
    /// Waystation.
    Down,
}

/// What is published under `prefix/district/station/device/`, and the time beside all devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic {
    /// The last level.
    pub kind: &'static str,
    pub direction: Direction,
    pub qos: u8,
    pub retained: bool,
    pub says: &'static str,
    pub example: &'static str,
}

pub const TOPICS: [Topic; 10] = [
    Topic {
        kind: "telemetry",
        direction: Direction::Up,
        qos: 1,
        retained: false,
        says: "readings",
        example: r#"{"temp_c": 4.1}"#,
    },
    Topic {
        kind: "event",
        direction: Direction::Up,
        qos: 1,
        retained: false,
        says: "a reading that must not wait for a batch",
        example: r#"{"door_open": true}"#,
    },
    Topic {
        kind: "birth",
        direction: Direction::Up,
        qos: 1,
        retained: true,
        says: "what the device is, after every connection",
        example: r#"{"profile": "fridge", "firmware": "1.4.2", "boot": 17, "config": {"revision": 3}}"#,
    },
    Topic {
        kind: "status",
        direction: Direction::Up,
        qos: 1,
        retained: true,
        says: "whether it is there: `online`, `sleeping`, `offline`; `lost` as its last will",
        example: r#"{"state": "sleeping", "sleep_s": 3600}"#,
    },
    Topic {
        kind: "command",
        direction: Direction::Down,
        qos: 1,
        retained: false,
        says: "something to do, once",
        example: r#"{"id": "018c2", "op": "unlock", "args": {"for_s": 10}, "expires": 1767225600123, "expires_in_ms": 30000}"#,
    },
    Topic {
        kind: "reply",
        direction: Direction::Up,
        qos: 1,
        retained: false,
        says: "what became of it: `accepted`, then `done`, `failed` or `expired`",
        example: r#"{"id": "018c2", "state": "failed", "reason": "jammed"}"#,
    },
    Topic {
        kind: "config",
        direction: Direction::Down,
        qos: 1,
        retained: true,
        says: "the settings it should have; it reports the revision in its next birth",
        example: r#"{"revision": 3, "settings": {"report_s": 30}}"#,
    },
    Topic {
        kind: "echo",
        direction: Direction::Down,
        qos: 0,
        retained: false,
        says: "its heartbeat back, where the profile has `[echo]`",
        example: r#"{"state": "online"}"#,
    },
    Topic {
        kind: "rejected",
        direction: Direction::Down,
        qos: 0,
        retained: false,
        says: "why something was refused",
        example: r#"{"code": "wrong_type", "path": "/temp_c", "found": "no", "expected": "a number", "says": "…", "cure": {"en": "…", "zh": "…"}}"#,
    },
    Topic {
        kind: "time",
        direction: Direction::Down,
        qos: 0,
        retained: false,
        says: "what time it is, every minute, at `prefix/time` for all",
        example: r#"{"now": 1767225600123}"#,
    },
];

impl Topic {
    /// Whether each device has its own.
    pub fn is_of_device(&self) -> bool {
        self.kind != "time"
    }

    /// The whole topic, with its parameters in braces.
    pub fn address(&self, prefix: &str) -> String {
        let levels = if self.is_of_device() { "{district}/{station}/{device}/" } else { "" };
        format!("{prefix}/{levels}{}", self.kind)
    }
}

impl Direction {
    pub(super) fn arrow(self) -> &'static str {
        match self {
            Self::Up => "↑",
            Self::Down => "↓",
        }
    }
}
