//! From messages to readings, or to a rejection that says what to mend.
//!
//! ```text
//! message ─ topic ─▶ whose, which kind ─ body (json, cbor) ─▶ draft ─ past ─▶ repeat, gap ─ place ─▶ readings
//!                └────────────────┴──────── rejections ────────┴──────────────────────────┘
//! ```
//! [`Decoder`] takes the past from its memory of every device, [`again`] from [`Annotations`];
//! everything else they share. No clock is read: the time is the message's receipt.

mod contract;
mod rejection;
mod cure;
mod meaning;
mod reply;
mod decoder;
mod derived;
mod message;
mod topic;
mod token;
mod json;
mod cbor;
mod draft;
mod body;
mod value;
mod statement;
mod past;
mod once;
mod place;
mod show;
pub(crate) mod personal;
#[cfg(test)]
mod tests;

pub use contract::Contract;
pub(crate) use contract::{
    AHEAD_MS, BACKFILL_MS, COMMAND_ID_MAX, DEPTH_MAX, ECHO_MAX, LEVEL_MAX, OLDEST_MS, READINGS_MAX,
};
pub use decoder::{Decoder, again};
pub use derived::{Derived, Figures};
pub use rejection::{Code, Rejection};
pub(crate) use reply::{BURST as REPLIES_AT_ONCE, EACH_MS as REPLY_EACH_MS};
pub use reply::{ReplyLimit, rejected_reply};
pub(crate) use statement::LONGEST_S;
pub use topic::rejected_topic;

use std::{sync::Arc, time::Duration};

use crate::{
    reading::{MessageId, Reading, Sample, Slot, Timestamp},
    registry::Registry,
};

/// What one group of the journal came to. Shared by every reader that follows closely.
#[derive(Debug, Clone, Default)]
pub struct Decoded {
    /// The group's number in the journal.
    pub group: u64,
    /// Messages in it.
    pub messages: u32,
    /// When the last of them was received.
    pub received: Timestamp,
    /// The registry it was decoded against.
    pub registry: Arc<Registry>,
    /// In order of arrival; repeats are not here.
    pub readings: Vec<Reading>,
    /// What [`Reading::samples`] points into.
    pub samples: Vec<Sample>,
    pub births: Vec<Birth>,
    pub presence: Vec<Presence>,
    pub rejections: Vec<Rejection>,
    /// Answers to commands.
    pub replies: Vec<Reply>,
    /// Messages that their devices want back.
    pub heartbeats: Vec<Heartbeat>,
    /// Metrics their profile does not know: kept aside and shown.
    pub extras: Vec<Extra>,
    pub gaps: Vec<Gap>,
    /// Messages known already by (device, boot, seq).
    pub repeats: u32,
}

impl Decoded {
    pub fn samples_of(&self, reading: &Reading) -> &[Sample] {
        let range = &reading.samples;
        let start = usize::try_from(range.start).unwrap_or(usize::MAX);
        let end = usize::try_from(range.end).unwrap_or(usize::MAX);
        self.samples.get(start..end).unwrap_or_default()
    }
}

/// A device said what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Birth {
    pub device: Slot,
    pub message: MessageId,
    pub received: Timestamp,
    pub profile: Option<String>,
    pub model: Option<String>,
    pub firmware: Option<String>,
    pub serial: Option<String>,
    pub boot: Option<u64>,
    pub reports_every: Option<Duration>,
    /// The revision of its settings that it runs with.
    pub config: Option<u64>,
    /// Kept by the broker from an earlier day: says what the device is, not that it is alive.
    pub retained: bool,
}

/// A device, or its broker in its name, said whether it is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Presence {
    pub device: Slot,
    pub message: MessageId,
    pub received: Timestamp,
    pub state: PresenceState,
    /// For how long it will sleep, if it said so.
    pub sleeps: Option<Duration>,
    /// Kept by the broker from an earlier day: no sign of life of today.
    pub retained: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PresenceState {
    Online,
    Sleeping,
    Offline,
    /// Its last will.
    Lost,
}

impl PresenceState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Sleeping => "sleeping",
            Self::Offline => "offline",
            Self::Lost => "lost",
        }
    }
}

/// A device answered a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub device: Slot,
    pub message: MessageId,
    pub received: Timestamp,
    /// The command's.
    pub id: String,
    pub state: ReplyState,
    /// Why it failed, cut to 80 characters.
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyState {
    /// It has begun.
    Accepted,
    Done,
    Failed,
    /// It came too late, and nothing was done.
    Expired,
}

impl ReplyState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }
}

/// A message that its device's profile wants answered ([`crate::device::Echo`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    pub device: Slot,
    pub received: Timestamp,
    /// As it came, if it is short enough to go back.
    pub body: Box<[u8]>,
}

/// A metric that the device's profile does not know.
#[derive(Debug, Clone, PartialEq)]
pub struct Extra {
    pub device: Slot,
    pub name: String,
    /// As it stood in the message, cut to 80 characters.
    pub found: String,
}

/// Messages of a device that never came: `missing` numbers below `seq` are given up, as 64 later ones
/// came or the device started twice since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub device: Slot,
    pub boot: u64,
    pub seq: u64,
    pub missing: u64,
}

/// Decisions of decoding that depend on what came before, kept beside the group so that a reader
/// that lags comes to the same result without the state ([`Decoded`] is a pure function of the
/// messages, the registry and these). Each list is in order of the messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotations {
    /// Indexes of messages that are repeats.
    pub repeats: Vec<u32>,
    /// Messages placed by uptime: index, and when the device had started (ms since 1970).
    pub booted: Vec<(u32, Timestamp)>,
    /// Messages that made known that others never came: index, and how many ([`Gap::missing`]).
    pub gaps: Vec<(u32, u64)>,
    /// What was derived of the messages' stations. Decoding leaves it to `derive`.
    pub derived: Vec<Derived>,
}

impl Annotations {
    pub fn is_empty(&self) -> bool {
        let Self { repeats, booted, gaps, derived } = self;
        repeats.is_empty() && booted.is_empty() && gaps.is_empty() && derived.is_empty()
    }
}
