//! What was refused, and why: a plain value, kept for the firmware author.

use serde::Serialize;

use crate::reading::{MessageId, Slot, Timestamp};

/// A refusal of a message, or of one metric of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejection {
    pub code: Code,
    pub message: MessageId,
    pub received: Timestamp,
    /// The registered device it names, if it names one.
    pub device: Option<Slot>,
    /// As it came, cut to 256 bytes, made printable.
    pub topic: String,
    /// JSON pointer to what was refused: `/readings/0/temp_c`; empty for the whole message.
    pub path: String,
    /// What was found there, cut to 80 characters.
    pub found: String,
    /// What was expected: `a number`.
    pub expected: String,
    /// Size of the payload in bytes.
    pub size: u64,
    /// The first bytes of the payload, cut to 256, made printable.
    pub head: String,
}

impl Rejection {
    /// One line for people: `temp_c: expected a number, found "warm"`.
    pub fn says(&self) -> String {
        let place = self.path.trim_start_matches('/').replace('/', ".");
        let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
        match (self.expected.is_empty(), self.found.is_empty()) {
            (false, false) => format!("{place}expected {}, found {}", self.expected, self.found),
            (false, true) => format!("{place}expected {}", self.expected),
            (true, _) => format!("{place}{}", self.found),
        }
    }
}

/// Why, as a stable word that programs may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The topic is not `prefix/district/station/device/kind`, or not UTF-8.
    BadTopic,
    /// The topic's last level is not a kind devices may publish.
    UnknownKind,
    /// Nobody registered the device: it is in quarantine.
    UnknownDevice,
    /// The topic belongs to another device than the one that is connected.
    NotYours,
    /// Over the size limit.
    TooLarge,
    /// More readings than one message may hold.
    TooMany,
    /// Nested deeper than any message of ours is.
    TooDeep,
    /// The payload is empty where something was expected.
    Empty,
    /// Neither JSON nor CBOR.
    NotJson,
    /// Valid JSON or CBOR, but not an object.
    NotAnObject,
    /// The same key twice in one object.
    DoubledKey,
    /// A value of the wrong type.
    WrongType,
    /// A number that is not finite, or a word the enumeration does not have.
    BadValue,
    /// Outside the metric's plausible range.
    Implausible,
    /// A time (`at`, `dt`, `up`) that cannot be read, or out of bounds.
    BadTime,
    /// A retained message where only live ones count.
    Retained,
    /// A key that names a person's credential (card, face, phone, plate, MAC).
    Personal,
    /// The device sent more than its budget.
    OverBudget,
}

impl Code {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadTopic => "bad_topic",
            Self::UnknownKind => "unknown_kind",
            Self::UnknownDevice => "unknown_device",
            Self::NotYours => "not_yours",
            Self::TooLarge => "too_large",
            Self::TooMany => "too_many",
            Self::TooDeep => "too_deep",
            Self::Empty => "empty",
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::DoubledKey => "doubled_key",
            Self::WrongType => "wrong_type",
            Self::BadValue => "bad_value",
            Self::Implausible => "implausible",
            Self::BadTime => "bad_time",
            Self::Retained => "retained",
            Self::Personal => "personal",
            Self::OverBudget => "over_budget",
        }
    }
}

impl From<Code> for &'static str {
    fn from(word: Code) -> Self {
        word.as_str()
    }
}
