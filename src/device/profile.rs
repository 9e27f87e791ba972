//! A profile: everything about a type of device, in one TOML file under `devices/profiles/`.

use std::time::Duration;

use super::Talk;
use crate::{
    reading::Symbol,
    rule::{Needs, Rule, Text},
};

use super::Timeline;

/// A type of device.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    /// `fridge`; also the measurement in InfluxDB.
    pub id: String,
    pub name: Text,
    /// What managers and the public see: `cold_food`.
    pub facility: String,
    pub reports_every: Duration,
    pub metrics: Vec<Metric>,
    pub rules: Vec<Rule>,
    /// How it behaves when simulated; `simulate` gives it its meaning.
    pub simulate: toml::Table,
    pub examples: Vec<Example>,
    /// What a device says over time, and which alerts must come of it.
    pub timelines: Vec<Timeline>,
    /// Of the station itself: its readings are derived from those of its devices, nobody sends them.
    pub derived: bool,
    /// Late readings count for alerts (cold chain, AED).
    pub backfill_alerts: bool,
    /// It has no electronics: its values come from records that people make, and silence is no news.
    pub by_hand: bool,
    /// Rules that not every device of the type has, and what each needs.
    pub needs: Vec<(Symbol, Needs)>,
    /// Rules that a device has only where its stations file says `enabled = true`.
    pub off: Vec<Symbol>,
    /// Those of `rules` that are every profile's.
    pub shared: Vec<Symbol>,
    /// What may be said to such a device.
    pub talk: Talk,
}

/// One metric a profile knows.
#[derive(Debug, Clone)]
pub struct Metric {
    pub symbol: Symbol,
    pub name: Text,
    pub kind: MetricKind,
    /// Outside: this metric alone is refused.
    pub plausible: Option<[f64; 2]>,
}

/// What a metric's values are.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricKind {
    /// A number; the unit is the end of its name.
    Number,
    /// A number that only grows (`_total`).
    Counter,
    /// True or false.
    State,
    /// One of these words.
    Words(Vec<Symbol>),
    /// A moment: ms since 1970 or RFC 3339 in the message, ms since 1970 as a number in the store.
    Time,
}

/// A message and what must become of it. One test runs those of every profile.
#[derive(Debug, Clone)]
pub struct Example {
    pub payload: String,
    pub expects: Expectation,
}

#[derive(Debug, Clone)]
pub enum Expectation {
    /// These metrics, as they would stand in JSON.
    Yields(toml::Table),
    /// Some rejection's message is exactly this.
    Rejects(String),
}

impl Profile {
    /// The metric of that name; profiles have few, a scan beats a hash.
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.symbol.as_str() == name)
    }
}
