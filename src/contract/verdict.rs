//! What the daemon would make of a message: the real decoder, with a registry of one device.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    decode::{Birth, Code, Contract, Decoded, Decoder, Presence, Rejection, Reply, ReplyState},
    device::Profile,
    journal::{Condition, Message, Messages, Source},
    reading::{PlacedBy, Reading, Timestamp, Value},
    registry::Registry,
    rule::Text,
};

/// Kinds of messages that can be judged.
pub const KINDS: [&str; 5] = ["telemetry", "event", "birth", "status", "reply"];
/// Where the one device stands.
const PATH: &str = "district/station/device";

/// A message whose fate is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub profile: &'a Arc<Profile>,
    /// The last level of the topic, one of [`KINDS`].
    pub kind: &'a str,
    pub payload: &'a [u8],
    /// When it is received.
    pub received: Timestamp,
}

/// What would become of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Verdict {
    /// Nothing of it is refused.
    pub accepted: bool,
    pub profile: String,
    /// `telemetry`, `event`, `birth`, `status` or `reply`.
    pub kind: String,
    /// What would be stored.
    pub readings: Vec<Placed>,
    /// What a birth says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth: Option<BirthSaid>,
    /// What a status says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusSaid>,
    /// What a reply says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<ReplySaid>,
    /// Metrics that the profile does not know, kept aside, as they stood in the message.
    pub extras: BTreeMap<String, String>,
    pub rejections: Vec<Refusal>,
}

/// One reading with its place in time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Placed {
    /// ms since 1970.
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// What gave it that place: `device`, `uptime` or `receipt`.
    #[schema(value_type = String)]
    pub placed_by: PlacedBy,
    /// What the device's clock said, if it said anything, ms since 1970.
    #[schema(value_type = Option<i64>)]
    pub claimed: Option<Timestamp>,
    /// Late: stored, but as a rule no reason for an alert.
    pub backfill: bool,
    /// By name: numbers, booleans, or words.
    #[schema(value_type = std::collections::HashMap<String, f64>)]
    pub metrics: BTreeMap<&'static str, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BirthSaid {
    /// The revision of its settings that it runs with.
    pub config_revision: Option<u64>,
    pub profile: Option<String>,
    pub model: Option<String>,
    pub firmware: Option<String>,
    pub serial: Option<String>,
    pub boot: Option<u64>,
    pub reports_every_s: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StatusSaid {
    /// `online`, `sleeping`, `offline` or `lost`.
    pub state: &'static str,
    pub sleep_s: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ReplySaid {
    /// The command's.
    pub id: String,
    /// `accepted`, `done`, `failed` or `expired`.
    #[schema(value_type = String)]
    pub state: ReplyState,
    pub reason: Option<String>,
}

/// One refusal, and what to do about it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Refusal {
    /// A stable word that programs may rely on.
    #[schema(value_type = String, example = "wrong_type")]
    pub code: Code,
    /// JSON pointer to what is refused; empty for the whole message.
    pub path: String,
    pub found: String,
    pub expected: String,
    /// All of it in one line.
    pub says: String,
    #[schema(value_type = std::collections::HashMap<String, String>)]
    pub cure: Text,
}

/// What the daemon would make of the first message that a device ever sends.
pub fn judge(contract: &Arc<Contract>, question: Question<'_>) -> Verdict {
    let Question { profile, kind, payload, received } = question;
    let registry = Arc::new(Registry::sample([(PATH, profile)]));
    let topic = format!("{}/{PATH}/{kind}", contract.prefix);
    let size = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    let too_large = size > contract.max_message;
    let condition = if too_large { Condition::Oversized { size } } else { Condition::Whole };
    let mut messages = Messages::with_capacity(payload.len() + topic.len());
    messages.push(&Message {
        source: Source::Listen,
        received,
        retained: false,
        condition,
        topic: topic.trim_start_matches('/').as_bytes(),
        sender: b"",
        payload: if too_large { b"" } else { payload },
    });
    let (decoded, _) = Decoder::new(Arc::clone(contract)).decode(1, &messages, &registry);
    Verdict {
        accepted: decoded.rejections.is_empty(),
        profile: profile.id.clone(),
        kind: kind.to_owned(),
        readings: decoded.readings.iter().map(|reading| placed(&decoded, reading)).collect(),
        birth: decoded.births.first().map(said),
        status: decoded.presence.first().map(standing),
        reply: decoded.replies.first().map(replied),
        extras: decoded.extras.iter().map(|e| (e.name.clone(), e.found.clone())).collect(),
        rejections: decoded.rejections.iter().map(refusal).collect(),
    }
}

fn placed(decoded: &Decoded, reading: &Reading) -> Placed {
    let samples = decoded.samples_of(reading).iter();
    Placed {
        at: reading.at,
        placed_by: reading.placed_by,
        claimed: reading.claimed,
        backfill: reading.backfill,
        metrics: samples.map(|sample| (sample.metric.as_str(), sample.value)).collect(),
    }
}

fn said(birth: &Birth) -> BirthSaid {
    BirthSaid {
        config_revision: birth.config,
        profile: birth.profile.clone(),
        model: birth.model.clone(),
        firmware: birth.firmware.clone(),
        serial: birth.serial.clone(),
        boot: birth.boot,
        reports_every_s: birth.reports_every.map(|every| every.as_secs_f64()),
    }
}

fn standing(presence: &Presence) -> StatusSaid {
    let state = presence.state.as_str();
    StatusSaid { state, sleep_s: presence.sleeps.map(|sleeps| sleeps.as_secs_f64()) }
}

fn replied(reply: &Reply) -> ReplySaid {
    ReplySaid { id: reply.id.clone(), state: reply.state, reason: reply.reason.clone() }
}

fn refusal(rejection: &Rejection) -> Refusal {
    Refusal {
        code: rejection.code,
        path: rejection.path.clone(),
        found: rejection.found.clone(),
        expected: rejection.expected.clone(),
        says: rejection.says(),
        cure: rejection.code.cure(),
    }
}
