//! An alert as people, the API and webhooks see it.

use serde::{Deserialize, Serialize};

use crate::{
    reading::{Timestamp, Value},
    rule::{Severity, Text},
};

/// From this repetition on an alert is escalated.
pub(crate) const ESCALATED: u32 = 3;

/// The district of alerts about the daemon itself; no registry has it.
pub const OWN_DISTRICT: &str = "waystation";

/// One rule that holds for one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The same whenever the same messages are judged again.
    pub id: String,
    pub rule: String,
    pub severity: Severity,
    pub state: Standing,
    pub district: String,
    pub station: String,
    pub device: String,
    /// When the breach began.
    pub since: Timestamp,
    /// The value that raised it; none where silence did.
    pub value: Option<Measured>,
    pub says: Text,
    /// What to do.
    #[serde(rename = "do")]
    pub cure: Text,
    pub bring: Vec<String>,
    /// When people were last told that it fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Timestamp>,
    /// How often they were told again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeats: u32,
    /// They were told again three times, and nobody has acknowledged it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub escalated: bool,
    /// Who looks after it, and until when that keeps it quiet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledgement>,
    /// When it was resolved, and why if not by getting better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Pending,
    Firing,
    Acknowledged,
    Resolved,
}

/// A person has seen an alert and looks after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    pub by: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    pub at: Timestamp,
    /// Then it is told again, if it still fires.
    pub until: Timestamp,
}

/// A value as it stood in the reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Measured {
    State(bool),
    Number(f64),
    Word(String),
}

/// Why an alert ended without getting better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its rule or its device is no longer there.
    Removed,
    /// A person said so.
    Confirmed { by: String },
}

/// What became of an alert; the ledger records it, then others hear of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    Raised { alert: Box<Alert>, at: Timestamp },
    Resolved { id: String, at: Timestamp, reason: Option<Reason> },
}

/// What people and time make of an alert that goes on: rules need not know.
#[derive(Debug, Clone, PartialEq)]
pub enum Handling {
    Acknowledged {
        id: String,
        acknowledgement: Acknowledgement,
    },
    /// The acknowledgement ran out: it fires again.
    Lapsed {
        id: String,
        at: Timestamp,
    },
    /// It still fires, and people are told again.
    Repeated {
        id: String,
        at: Timestamp,
    },
}

/// A step in the life of an alert, recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    pub kind: Kind,
    pub at: Timestamp,
    /// As it stands after it.
    pub alert: Alert,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Firing,
    Acknowledged,
    Lapsed,
    Repeated,
    Resolved,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Acknowledged => "acknowledged",
            Self::Lapsed => "lapsed",
            Self::Repeated => "repeated",
            Self::Resolved => "resolved",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Firing, Self::Acknowledged, Self::Lapsed, Self::Repeated, Self::Resolved];
        all.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl Standing {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

impl Alert {
    /// `district/station/device`.
    pub fn path(&self) -> String {
        format!("{}/{}/{}", self.district, self.station, self.device)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(what: &bool) -> bool {
    !what
}

impl From<Value> for Measured {
    fn from(value: Value) -> Self {
        match value {
            Value::Number(number) => Self::Number(number),
            Value::State(state) => Self::State(state),
            Value::Word(word) => Self::Word(word.as_str().to_owned()),
        }
    }
}
