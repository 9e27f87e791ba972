//! The topics of a device, as a table: documents are made of it, and a test holds it to `decode`.

/// Who publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The device.
    Up,
    /// Waystation.
    Down,
}

/// What is published under `prefix/district/station/device/`.
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

pub const TOPICS: [Topic; 5] = [
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
        example: r#"{"profile": "fridge", "firmware": "1.4.2", "boot": 17, "reports_every_s": 60}"#,
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
        kind: "rejected",
        direction: Direction::Down,
        qos: 0,
        retained: false,
        says: "why something was refused",
        example: r#"{"code": "wrong_type", "path": "/temp_c", "says": "temp_c: expected a number, …"}"#,
    },
];

impl Direction {
    pub(super) fn arrow(self) -> &'static str {
        match self {
            Self::Up => "↑",
            Self::Down => "↓",
        }
    }
}
