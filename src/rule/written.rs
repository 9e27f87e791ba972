//! A rule as a person writes it in TOML, before anything about it is checked.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{self, IntoDeserializer},
};

use super::{Needs, Severity, Text};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    pub id: String,
    pub severity: Severity,
    pub when: When,
    pub unless: Option<When>,
    #[serde(default, rename = "for", with = "humantime_serde")]
    pub hold: Duration,
    #[serde(default = "one")]
    pub readings: u32,
    #[serde(default, with = "humantime_serde")]
    pub clear_after: Duration,
    #[serde(default)]
    pub latched: bool,
    /// Left out: as the profile's `backfill_alerts`.
    pub on_backfill: Option<bool>,
    #[serde(alias = "by_station")]
    pub needs: Option<Needs>,
    pub says: Text,
    #[serde(rename = "do")]
    pub cure: Text,
    #[serde(default)]
    pub bring: Vec<String>,
    #[serde(default, with = "humantime_serde")]
    pub repeat: Duration,
    /// `false`: only where a stations file switches it on.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

/// A condition: one key that names its kind, and what that kind needs.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    Above(Level),
    Below(Level),
    Outside(Outside),
    Exceeds(Exceeds),
    Share(Share),
    Is(Is),
    ChangesFaster(ChangesFaster),
    StuckFor(StuckFor),
    AbsentFor(AbsentFor),
    SumOver(SumOver),
    AboveUsual(AboveUsual),
    Reaches(Reaches),
    OlderThan(OlderThan),
    ExpiresWithin(ExpiresWithin),
    During(During),
    StationOpen(bool),
    All(Vec<When>),
    Any(Vec<When>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    pub metric: String,
    /// Left out: the device's own metric.
    pub profile: Option<String>,
    pub limit: f64,
    /// Left out: as `limit`.
    pub clear: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outside {
    pub metric: String,
    pub profile: Option<String>,
    pub low: f64,
    pub high: f64,
    #[serde(default)]
    pub margin: f64,
}

/// By how much one metric of the device is above another.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceeds {
    pub metric: String,
    pub other: String,
    pub limit: f64,
    /// Left out: as `limit`.
    pub clear: Option<f64>,
}

/// Which share of another metric of the device one is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    pub metric: String,
    pub of: String,
    pub limit: f64,
    /// Left out: as `limit`.
    pub clear: Option<f64>,
}

/// Exactly one of `value` and `not`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Is {
    pub metric: String,
    pub profile: Option<String>,
    pub value: Option<Literal>,
    pub not: Option<Literal>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangesFaster {
    pub metric: String,
    pub profile: Option<String>,
    pub by: f64,
    #[serde(with = "humantime_serde")]
    pub within: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StuckFor {
    pub metric: String,
    pub profile: Option<String>,
    #[serde(with = "humantime_serde")]
    pub within: Duration,
    #[serde(default)]
    pub tolerance: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbsentFor {
    pub metric: Option<String>,
    /// Left out: three reports, at least 10 minutes.
    #[serde(default, with = "humantime_serde")]
    pub within: Option<Duration>,
}

/// Exactly one of `held` (with `longer_than`), `growth`, `times` and `fired` (with `limit`).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SumOver {
    pub held: Option<Box<When>>,
    #[serde(default, with = "humantime_serde")]
    pub longer_than: Option<Duration>,
    pub growth: Option<String>,
    pub times: Option<String>,
    /// A rule of the same profile.
    pub fired: Option<String>,
    /// Of the metric of `growth` or `times`.
    pub profile: Option<String>,
    /// With `growth`: `limit` is a share of the growth of this counter.
    pub share_of: Option<String>,
    pub limit: Option<f64>,
    /// Exactly one of `within` and `since`: a span, or a maintenance record.
    #[serde(default, with = "humantime_serde")]
    pub within: Option<Duration>,
    pub since: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AboveUsual {
    pub growth: String,
    pub profile: Option<String>,
    pub times: f64,
    #[serde(with = "humantime_serde")]
    pub within: Duration,
    /// Growth under this is never unusual.
    pub least: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reaches {
    pub metric: String,
    pub profile: Option<String>,
    pub value: f64,
    #[serde(with = "humantime_serde")]
    pub within: Duration,
    #[serde(with = "humantime_serde")]
    pub over: Duration,
}

/// Exactly one of `metric` (a moment), `record` (the last one of that kind) and `date` (of the registry).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OlderThan {
    pub metric: Option<String>,
    pub record: Option<String>,
    pub date: Option<String>,
    #[serde(with = "humantime_serde")]
    pub than: Duration,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpiresWithin {
    pub date: String,
    #[serde(with = "humantime_serde")]
    pub within: Duration,
}

/// Local time of day, as `22:00`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct During {
    pub from: String,
    pub to: String,
}

/// What `is` compares with, as it stands in the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    State(bool),
    Number(f64),
    Word(String),
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => write!(f, "{state}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Word(word) => write!(f, "{word:?}"),
        }
    }
}

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Literal;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, a number or a word")
            }
            fn visit_bool<E: de::Error>(self, state: bool) -> Result<Literal, E> {
                Ok(Literal::State(state))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Literal, E> {
                Ok(Literal::Number(number))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Literal, E> {
                f64::deserialize(number.into_deserializer()).map(Literal::Number)
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<Literal, E> {
                Ok(Literal::Word(word.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
