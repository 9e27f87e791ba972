//! Which metrics a rule may name, and where they come from.

use std::collections::BTreeMap;

use crate::reading::Symbol;

use super::check::Checker;

/// What maintenance records say was done; with `_` and a word behind it, to which part.
pub const RECORDS: [&str; 5] = ["serviced", "replaced", "cleaned", "checked", "filled"];

/// What is observed of every device: `profile = "device"`.
const OBSERVED: [(&str, Shape<'static>); 5] = [
    // The last message held a value that was refused.
    ("implausible", Shape::State),
    // Between the time it claims and ours.
    ("clock_off_s", Shape::Number),
    ("boots_total", Shape::Counter),
    // Messages, and those that never came, by their numbers.
    ("messages_total", Shape::Counter),
    ("missing_total", Shape::Counter),
];

/// What a metric's values are, as far as rules care.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape<'a> {
    Number,
    Counter,
    State,
    Words(&'a [Symbol]),
    Time,
}

impl Shape<'_> {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Counter => "a counter",
            Self::State => "true or false",
            Self::Words(_) => "a word",
            Self::Time => "a moment",
        }
    }
}

/// The metrics of one profile.
pub type Metrics<'a> = [(Symbol, Shape<'a>)];
/// Those of every profile, by its id.
pub type Shapes<'a> = BTreeMap<String, Vec<(Symbol, Shape<'a>)>>;

/// All that rules may name.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    pub own: &'a Metrics<'a>,
    pub others: &'a Shapes<'a>,
}

impl<'a> Checker<'a> {
    /// A metric of the device, or (with a `profile`) from elsewhere.
    pub(super) fn metric(
        &mut self,
        key: &str,
        profile: Option<&str>,
        name: &str,
    ) -> Option<(Symbol, Shape<'a>)> {
        match profile {
            None => {
                let found = self.known.own.iter().find(|(metric, _)| metric.as_str() == name);
                if found.is_none() {
                    let names = self.known.own.iter().map(|(metric, _)| metric.as_str());
                    self.unknown(key, "metric", name, names);
                }
                found.copied()
            }
            Some("device") => {
                let found = OBSERVED.iter().find(|(metric, _)| *metric == name);
                if found.is_none() {
                    self.unknown(key, "metric", name, OBSERVED.iter().map(|(metric, _)| *metric));
                }
                found.and_then(|(metric, shape)| Some((self.from(key, "device", metric)?, *shape)))
            }
            Some(profile) => self.of_another(key, profile, name),
        }
    }

    fn of_another(&mut self, key: &str, profile: &str, name: &str) -> Option<(Symbol, Shape<'a>)> {
        let others = self.known.others;
        let Some(metrics) = others.get(profile) else {
            self.unknown(key, "profile", profile, others.keys().map(String::as_str));
            return None;
        };
        let Some((_, shape)) = metrics.iter().find(|(metric, _)| metric.as_str() == name) else {
            self.unknown(key, "metric", name, metrics.iter().map(|(metric, _)| metric.as_str()));
            return None;
        };
        Some((self.from(key, profile, name)?, *shape))
    }

    /// When the last maintenance record of this kind was made.
    pub(super) fn record(&mut self, key: &str, name: &str) -> Option<Symbol> {
        let kind = name.split('_').next().unwrap_or_default();
        if !RECORDS.contains(&kind) {
            self.unknown(key, "record", name, RECORDS.into_iter());
            return None;
        }
        self.from(key, "record", name)
    }

    /// The symbol of something that comes from elsewhere.
    pub(super) fn from(&mut self, key: &str, source: &str, name: &str) -> Option<Symbol> {
        let symbol = Symbol::intern(&format!("{source}.{name}"));
        symbol.map_err(|error| self.note(key, error.to_string(), "")).ok()
    }
}
