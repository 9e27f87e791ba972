//! What listeners of the live stream are told, as JSON made once however many listen.

use serde::{Serialize, Serializer, ser::SerializeMap};
use utoipa::ToSchema;

use crate::{
    decode::{Decoded, Rejection},
    reading::{self, PlacedBy, Reading, Sample, Timestamp},
};

use super::Refused;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Reading,
    Alert,
    Command,
    Rejection,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Alert => "alert",
            Self::Command => "command",
            Self::Rejection => "rejection",
        }
    }
}

/// Something that happened now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub kind: Kind,
    /// `district/station/device`; empty where none is meant.
    pub device: Box<str>,
    pub json: Box<str>,
}

/// The data of a `reading` event.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadingEvent<'a> {
    district: &'a str,
    station: &'a str,
    device: &'a str,
    profile: &'a str,
    /// Where the reading is placed in time, ms since 1970.
    #[schema(value_type = i64)]
    at: Timestamp,
    /// What gave it that place: `device`, `uptime` or `receipt`.
    #[schema(value_type = String)]
    placed_by: PlacedBy,
    #[schema(value_type = i64)]
    received: Timestamp,
    /// `telemetry` or `event`.
    #[schema(value_type = String)]
    kind: reading::Kind,
    /// Late: stored, but as a rule no reason for an alert.
    backfill: bool,
    /// By name: numbers, booleans, or words.
    #[schema(value_type = std::collections::HashMap<String, f64>)]
    metrics: Metrics<'a>,
}

#[derive(Debug)]
struct Metrics<'a>(&'a [Sample]);

impl Serialize for Metrics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for sample in self.0 {
            map.serialize_entry(sample.metric.as_str(), &sample.value)?;
        }
        map.end()
    }
}

impl Event {
    /// Nothing to tell of a device that a reload has removed meanwhile.
    pub(super) fn reading(decoded: &Decoded, reading: &Reading) -> Option<Self> {
        let device = decoded.registry.device(reading.device)?;
        let (path, id) = device.path.rsplit_once('/')?;
        let (district, station) = path.split_once('/')?;
        let event = ReadingEvent {
            district,
            station,
            device: id,
            profile: &device.profile.id,
            at: reading.at,
            placed_by: reading.placed_by,
            received: reading.received,
            kind: reading.kind,
            backfill: reading.backfill,
            metrics: Metrics(decoded.samples_of(reading)),
        };
        Self::new(Kind::Reading, &device.path, &event)
    }

    /// Of a device that nobody registered, too: its topic names it.
    pub(super) fn rejection(decoded: &Decoded, rejection: &Rejection) -> Option<Self> {
        let refused = Refused::new(&decoded.registry, rejection);
        let device = refused.device.as_deref().or_else(|| named_by(&refused.topic));
        Self::new(Kind::Rejection, device.unwrap_or_default(), &refused)
    }

    pub(super) fn alert(device: &str, alert: &impl Serialize) -> Option<Self> {
        Self::new(Kind::Alert, device, alert)
    }

    pub(super) fn command(device: &str, command: &impl Serialize) -> Option<Self> {
        Self::new(Kind::Command, device, command)
    }

    /// Whether it is of this station (`district/station`) or device (`district/station/device`).
    pub fn is_of(&self, path: &str) -> bool {
        let rest = self.device.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn new(kind: Kind, device: &str, data: &impl Serialize) -> Option<Self> {
        let json = serde_json::to_string(data).ok()?;
        Some(Self { kind, device: device.into(), json: json.into() })
    }
}

/// The three levels before the last.
fn named_by(topic: &str) -> Option<&str> {
    let (device, _) = topic.rsplit_once('/')?;
    let (before, _) = device.rmatch_indices('/').nth(2).unwrap_or((0, ""));
    device.get(before..).map(|device| device.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_names_its_device() {
        for (topic, device) in [
            ("waystation/v1/d/s/x/telemetry", Some("d/s/x")),
            ("d/s/x/telemetry", Some("d/s/x")),
            ("x/telemetry", Some("x")),
            ("telemetry", None),
        ] {
            assert_eq!(named_by(topic), device, "{topic}");
        }
    }

    #[test]
    fn an_event_is_of_its_device_and_of_its_station() {
        let event = Event { kind: Kind::Alert, device: "d/s/x".into(), json: "".into() };
        for (path, expected) in [
            ("d/s/x", true),
            ("d/s", true),
            ("d", true),
            ("d/s/x1", false),
            ("d/s/", false),
            ("e/s", false),
        ] {
            assert_eq!(event.is_of(path), expected, "{path}");
        }
    }
}
