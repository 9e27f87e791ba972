//! A command and a set of settings, as they are kept and shown.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::reading::Timestamp;

/// Where a command stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not sent yet: its device is not there.
    Waiting,
    /// On its way; its device has said nothing yet.
    Sent,
    /// Its device has begun.
    Accepted,
    Done,
    Failed,
    /// It was too late, and nothing was done.
    Expired,
    /// Sent, and no answer came in time: perhaps it was done, perhaps not.
    Unanswered,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Unanswered => "unanswered",
        }
    }

    /// Nothing can come of it any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Expired)
    }

    /// Whoever waits for an outcome need not wait longer.
    pub fn is_settled(self) -> bool {
        self.is_final() || self == Self::Unanswered
    }
}

/// Something a device was asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    pub id: String,
    /// `district/station/device`
    pub device: String,
    pub op: String,
    pub args: Map<String, Value>,
    /// Who asked.
    pub by: String,
    pub state: State,
    pub asked: Timestamp,
    pub expires: Timestamp,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Every state it was in, and since when.
    pub history: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub state: State,
    pub at: Timestamp,
}

impl Command {
    /// `district/station`
    pub fn station(&self) -> &str {
        self.device.rsplit_once('/').map_or("", |(station, _)| station)
    }

    /// It is in `state` now.
    pub(super) fn enter(&mut self, state: State, at: Timestamp) {
        self.state = state;
        self.history.push(Step { state, at });
    }
}

/// What the settings of a device should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// `district/station/device`
    pub device: String,
    /// Grows by one with each change.
    pub revision: u64,
    pub settings: Map<String, Value>,
    /// Who wants them so.
    pub by: String,
    pub since: Timestamp,
    /// The revision the device said last that it runs with.
    pub reported: Option<u64>,
    /// Whether the device has still to take them.
    pub pending: bool,
}

impl Config {
    /// What is published on the device's `config` topic.
    pub(super) fn body(&self) -> Vec<u8> {
        let body = serde_json::json!({ "revision": self.revision, "settings": self.settings });
        body.to_string().into_bytes()
    }
}
