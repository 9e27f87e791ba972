//! What a person did to a device, and what they found: a maintenance record.
//!
//! Rules see when each kind of work was done last (`record.cleaned`, `record.replaced_filter`); what
//! was counted or measured by hand is a reading of the device like any other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::model::Measured;
use crate::{
    device::{MetricKind, Profile},
    problem::nearest,
    reading::{Sample, Symbol, Timestamp, Value},
    rule::RECORDS,
};

/// One piece of work, kept for ever.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub id: String,
    /// `district/station/device`.
    #[serde(rename = "device")]
    pub path: String,
    /// One of [`RECORDS`].
    pub kind: String,
    /// What of it: `filter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// When it was done.
    pub at: Timestamp,
    pub by: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// What was found, by metric of the device's profile.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Measured>,
}

/// What a record cannot be made of: the key, what is wrong, what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {says} ({cure})")]
pub struct BadRecord {
    pub key: String,
    pub says: String,
    pub cure: String,
}

/// A person's clock may be ahead of ours by so much.
const AHEAD: i64 = 60_000;
const NAME_MAX: usize = 80;
const COMMENT_MAX: usize = 1000;
const PART_MAX: usize = 32;

impl Record {
    /// Checks what was written against the device's profile, and gives the record its id: `now` is
    /// part of it, so that the same work done twice is two records.
    pub fn checked(self, profile: &Profile, now: Timestamp) -> Result<Self, BadRecord> {
        kind(&self.kind)?;
        let part = self.part.filter(|part| !part.is_empty());
        if let Some(part) = &part {
            check_part(part)?;
        }
        let (by, comment) = (self.by.trim().to_owned(), self.comment.trim().to_owned());
        length("by", &by, 1, NAME_MAX)?;
        length("comment", &comment, 0, COMMENT_MAX)?;
        if self.at.0 > now.0 + AHEAD || self.at.0 < 0 {
            let says = format!("{} has not been yet; now it is {now}", self.at);
            let says = if self.at.0 < 0 { format!("{} is too long ago", self.at) } else { says };
            return Err(bad("at", says, "say when it was done, or leave it out for now"));
        }
        let record = Self { part, by, comment, at: self.at.min(now), ..self };
        record.samples(profile)?;
        let id = record.id(now);
        Ok(Self { id, ..record })
    }

    /// What rules look at: the kind, and the kind of that part. Names that no rule asks for have no
    /// symbol and are left out: what people write must not make new ones.
    pub fn cells(&self) -> impl Iterator<Item = Symbol> + use<> {
        let whole = Symbol::known(&format!("record.{}", self.kind));
        let part = self
            .part
            .as_deref()
            .and_then(|part| Symbol::known(&format!("record.{}_{part}", self.kind)));
        whole.into_iter().chain(part)
    }

    /// What was found, as a reading of the device.
    pub fn samples(&self, profile: &Profile) -> Result<Vec<Sample>, BadRecord> {
        let sample = |(name, found): (&String, &Measured)| {
            let Some(metric) = profile.metric(name) else { return Err(unknown(profile, name)) };
            let key = || format!("values.{name}");
            let value = value(&metric.kind, found)
                .map_err(|says| bad(&key(), says, "say it as the device itself would"))?;
            match (metric.plausible, value) {
                (Some([low, high]), Value::Number(number)) if !(low..=high).contains(&number) => {
                    Err(bad(&key(), format!("{number} lies outside {low} to {high}"), "look again"))
                }
                _ => Ok(Sample { metric: metric.symbol, value }),
            }
        };
        self.values.iter().map(sample).collect()
    }

    fn id(&self, now: Timestamp) -> String {
        let digest = Sha256::digest(format!("{now:?}\n{self:?}"));
        let halves = digest.iter().take(10).flat_map(|byte| [byte >> 4, byte & 15]);
        halves.filter_map(|half| char::from_digit(u32::from(half), 16)).collect()
    }
}

fn bad(key: &str, says: impl Into<String>, cure: impl Into<String>) -> BadRecord {
    BadRecord { key: key.to_owned(), says: says.into(), cure: cure.into() }
}

fn kind(kind: &str) -> Result<(), BadRecord> {
    if RECORDS.contains(&kind) {
        return Ok(());
    }
    let part = kind.split_once('_').filter(|(kind, _)| RECORDS.contains(kind));
    let cure = match (part, nearest(kind, RECORDS)) {
        (Some((kind, part)), _) => format!("say kind {kind:?} and part {part:?}"),
        (None, Some(near)) => format!("did you mean {near:?}?"),
        (None, None) => format!("one of {}", RECORDS.join(", ")),
    };
    Err(bad("kind", format!("there is no record of the kind {kind:?}"), cure))
}

fn check_part(part: &str) -> Result<(), BadRecord> {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if part.len() <= PART_MAX && part.chars().all(letter) {
        return Ok(());
    }
    let cure = format!("use at most {PART_MAX} of a-z, 0-9 and _, such as filter");
    Err(bad("part", format!("{part:?} is no name of a part"), cure))
}

fn length(key: &str, text: &str, least: usize, most: usize) -> Result<(), BadRecord> {
    if (least..=most).contains(&text.chars().count()) {
        return Ok(());
    }
    let cure = if least == 0 { "say it shorter" } else { "say who did it" };
    Err(bad(key, format!("expected {least} to {most} characters"), cure))
}

fn unknown(profile: &Profile, name: &str) -> BadRecord {
    let known = || profile.metrics.iter().map(|metric| metric.symbol.as_str());
    let cure = match nearest(name, known()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("known: {}", known().collect::<Vec<_>>().join(", ")),
    };
    bad(&format!("values.{name}"), format!("profile {:?} has no such metric", profile.id), cure)
}

fn value(kind: &MetricKind, found: &Measured) -> Result<Value, String> {
    let expected = match (kind, found) {
        (MetricKind::Number | MetricKind::Counter | MetricKind::Time, Measured::Number(number)) => {
            return Ok(Value::Number(*number));
        }
        (MetricKind::State, Measured::State(state)) => return Ok(Value::State(*state)),
        (MetricKind::Words(words), Measured::Word(word)) => {
            let known = words.iter().find(|known| known.as_str() == word);
            return known.map(|known| Value::Word(*known)).ok_or_else(|| {
                let words: Vec<_> = words.iter().map(|word| word.as_str()).collect();
                format!("expected one of {}, found {word:?}", words.join(", "))
            });
        }
        (MetricKind::Time, Measured::Word(text)) => {
            if let Ok(time) = text.parse::<jiff::Timestamp>() {
                return Ok(Value::Number(millis(time)));
            }
            "ms since 1970 or RFC 3339"
        }
        (MetricKind::Number | MetricKind::Counter, _) => "a number",
        (MetricKind::State, _) => "true or false",
        (MetricKind::Words(_), _) => "a word",
        (MetricKind::Time, _) => "ms since 1970 or RFC 3339",
    };
    let found = match found {
        Measured::State(state) => state.to_string(),
        Measured::Number(number) => number.to_string(),
        Measured::Word(word) => format!("{word:?}"),
    };
    Err(format!("expected {expected}, found {found}"))
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "milliseconds stay exact for 285 000 years"
)]
fn millis(time: jiff::Timestamp) -> f64 {
    time.as_millisecond() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_767_225_600_000);

    fn profile() -> Profile {
        let symbol = |name: &str| Symbol::intern(name).unwrap();
        let words = MetricKind::Words(vec![symbol("good"), symbol("worn")]);
        let metrics = [
            ("count", MetricKind::Number, Some([0.0, 50.0])),
            ("sealed", MetricKind::State, None),
            ("state", words, None),
            ("tested_at", MetricKind::Time, None),
        ];
        Profile::sample("kit", &metrics).unwrap()
    }

    /// `kind part by at | metric=value …`, as JSON has it.
    fn check(json: &str) -> Result<Record, String> {
        let record: Record = serde_json::from_str(json).unwrap();
        record.checked(&profile(), NOW).map_err(|bad| bad.to_string())
    }

    fn with(more: &str) -> String {
        format!(
            r#"{{"id":"","device":"d/s/kit-1","kind":"checked","by":" Li ","at":{},{more}}}"#,
            NOW.0 - 5000
        )
    }

    #[test]
    fn what_was_done_and_found_is_kept() {
        let json = with(
            r#""part":"plasters","values":{"count":12,"sealed":true,"state":"worn","tested_at":"2026-01-01T00:00:00Z"}"#,
        );
        let record = check(&json).unwrap();
        assert_eq!((record.by.as_str(), record.id.len()), ("Li", 20));
        let found = record.samples(&profile()).unwrap();
        let found: Vec<_> = found.iter().map(|s| format!("{}={}", s.metric, s.value)).collect();
        assert_eq!(found, ["count=12", "sealed=true", "state=worn", "tested_at=1767225600000"]);
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record);
        assert!(json.starts_with(r#"{"id":""#) && json.contains(r#""device":"d/s/kit-1""#));
    }

    #[test]
    fn work_on_a_part_counts_for_the_whole_too_where_rules_ask() {
        for name in ["record.replaced", "record.replaced_filter"] {
            Symbol::intern(name).unwrap();
        }
        let record = check(&with(r#""part":"filter""#)).unwrap();
        let cells = |kind: &str, part: &str| {
            let part = Some(part.to_owned());
            let record = Record { kind: kind.into(), part, ..record.clone() };
            record.cells().map(Symbol::as_str).collect::<Vec<_>>()
        };
        assert_eq!(cells("replaced", "filter"), ["record.replaced", "record.replaced_filter"]);
        assert_eq!(cells("replaced", "no_rule_asks"), ["record.replaced"]);
    }

    #[test]
    fn what_cannot_be_is_said_with_its_cure() {
        let future = NOW.0 + 120_000;
        for (json, expected) in [
            (
                with("\"x\":1").replace("checked", "chekced"),
                "kind: there is no record of the kind \"chekced\" (did you mean \"checked\"?)",
            ),
            (
                with("\"x\":1").replace("checked", "replaced_filter"),
                "(say kind \"replaced\" and part \"filter\")",
            ),
            (with(r#""part":"Big Filter""#), "part: \"Big Filter\" is no name of a part"),
            (with("\"x\":1").replace(" Li ", "  "), "by: expected 1 to 80 characters"),
            (
                with("\"x\":1").replace(&(NOW.0 - 5000).to_string(), &future.to_string()),
                "at: 2026-01-01T00:02:00.000Z has not been yet; now it is 2026-01-01T00:00:00.000Z",
            ),
            (
                with(r#""values":{"cuont":1}"#),
                "values.cuont: profile \"kit\" has no such metric (did you mean \"count\"?)",
            ),
            (with(r#""values":{"count":"1"}"#), "values.count: expected a number, found \"1\""),
            (with(r#""values":{"count":51}"#), "values.count: 51 lies outside 0 to 50"),
            (with(r#""values":{"sealed":1}"#), "values.sealed: expected true or false, found 1"),
            (
                with(r#""values":{"state":"new"}"#),
                "values.state: expected one of good, worn, found \"new\"",
            ),
            (with(r#""values":{"tested_at":"now"}"#), "expected ms since 1970 or RFC 3339"),
        ] {
            let found = check(&json).unwrap_err();
            assert!(found.contains(expected), "{expected}\nnot in\n{found}");
        }
    }
}
