//! When a metric is bad: conditions as people write them, checked when they are loaded.
//!
//! Knows nothing of devices, journals or people to be told; `alert` evaluates rules on the stream.

mod check;
mod condition;
mod known;
mod overrides;
mod sums;
mod times;
mod written;

pub use check::{Mistake, check};
pub use known::{Known, Metrics, RECORDS, Shape, Shapes};
pub use overrides::Override;
pub use written::{When, Written};

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::reading::Symbol;

/// A text in the two languages every crew can choose from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    pub en: String,
    pub zh: String,
}

/// How bad it is, worst last so that they compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// In the report.
    Info,
    /// On the next round.
    Minor,
    /// The same day.
    Major,
    /// Life safety, or the public cannot use the station: call now.
    Critical,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }
}

impl From<Severity> for &'static str {
    fn from(word: Severity) -> Self {
        word.as_str()
    }
}

/// What must be so for a device to have a rule at all; the registry knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// Its limit is a share of the station's capacity; without a capacity there is no such rule.
    Capacity,
    /// The station never closes.
    AlwaysOpen,
    /// The device's entry says `frozen = true`: what it holds is frozen, not chilled.
    Frozen,
    /// The device's entry does not say so.
    Chilled,
}

/// One thing a crew should hear of. Belongs to a profile; overrides may change its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Unique in its profile: `too_warm`.
    pub id: Symbol,
    pub severity: Severity,
    pub when: Condition,
    /// While this holds, the rule neither fires nor counts time (a defrost, an open door).
    pub unless: Option<Condition>,
    /// How long `when` must hold unbroken before the alert fires.
    pub hold: Duration,
    /// How many readings in a row must be bad before the alert fires; 1 = the first.
    pub readings: u32,
    /// How long it must be good again before the alert resolves.
    pub clear_after: Duration,
    /// Once firing, only a person ends it.
    pub latched: bool,
    /// Late readings raise and clear it too ("happened while offline").
    pub on_backfill: bool,
    pub says: Text,
    /// What to do.
    pub cure: Text,
    /// What to bring, as words of the crew's list.
    pub bring: Vec<String>,
    /// While it fires and nobody has acknowledged it, people are told again this often; zero = never.
    pub repeat: Duration,
}

/// When a rule holds.
///
/// A metric's symbol is its name where it is the rule's own device's. With a dot before it stands
/// where it comes from: `people.occupancy` is of any device of that profile in the same station,
/// `device.boots_total` what was observed of the device itself, `record.cleaned` when the last
/// maintenance record of that kind was made, `date.pads` a date of the registry.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Bad above `limit`, good at or under `clear` (`clear` ≤ `limit`).
    Above {
        metric: Symbol,
        limit: f64,
        clear: f64,
    },
    /// Bad under `limit`, good at or over `clear` (`clear` ≥ `limit`).
    Below {
        metric: Symbol,
        limit: f64,
        clear: f64,
    },
    /// Bad outside `[low, high]`, good inside by at least `margin`.
    Outside {
        metric: Symbol,
        low: f64,
        high: f64,
        margin: f64,
    },
    /// Bad when one metric of the device is by more than `limit` above another (its difference to
    /// it), or more than that share of it; good at or under `clear`.
    Against {
        metric: Symbol,
        other: Symbol,
        how: Against,
        limit: f64,
        clear: f64,
    },
    /// Bad while the metric is this.
    Is {
        metric: Symbol,
        value: Wanted,
    },
    /// Bad when it moved by more than `by` (signed: up when positive, down when negative) within `within`.
    ChangesFaster {
        metric: Symbol,
        by: f64,
        within: Duration,
    },
    /// Bad when it did not move by more than `tolerance` for `within`, though readings came.
    StuckFor {
        metric: Symbol,
        within: Duration,
        tolerance: f64,
    },
    /// Bad when the metric (any metric of the device where `None`) did not come for `within`.
    AbsentFor {
        metric: Option<Symbol>,
        within: Silence,
    },
    /// Bad when `what` adds up to more than `limit` within the span.
    SumOver {
        what: Summed,
        limit: f64,
        within: Duration,
    },
    /// Bad when a counter grew by more than `limit` since the last maintenance record of a kind (a
    /// moment, see above); before the first record, since it was first heard of.
    GrownSince {
        metric: Symbol,
        limit: f64,
        record: Symbol,
    },
    /// Bad when a counter grew by more than `least` within `within`, and by more than `times` what
    /// it usually grows in such a span: its mean over the last 7 days, and not before it was
    /// watched for one.
    AboveUsual {
        metric: Symbol,
        times: f64,
        within: Duration,
        least: f64,
    },
    /// Bad when the metric, going on as it did over the last `over`, comes to `value` within
    /// `within`. Good when it would not come to it within twice that.
    Reaches {
        metric: Symbol,
        value: f64,
        within: Duration,
        over: Duration,
    },
    /// Bad when the moment that the metric names, or the date of the registry, is `than` ago. A record that was never made counts
    /// from when the device was first heard of.
    OlderThan {
        metric: Symbol,
        than: Duration,
    },
    /// Bad when the date of the registry is at most `within` away, or past.
    ExpiresWithin {
        date: Symbol,
        within: Duration,
    },
    /// Bad from `from` to `to`, minutes of the local day; past midnight where `to` is not later.
    During {
        from: u16,
        to: u16,
    },
    /// Bad while the station is open by its hours (`true`), or closed (`false`).
    StationOpen(bool),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

/// What `is` compares with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wanted {
    State(bool),
    Word(Symbol),
    Number(f64),
    /// Any number but this one (`not = 0` for a fault code).
    NotNumber(f64),
    NotWord(Symbol),
}

impl Condition {
    /// The metrics it looks at, as symbols of conditions.
    pub fn metrics(&self) -> Vec<Symbol> {
        match self {
            Self::Above { metric, .. }
            | Self::Below { metric, .. }
            | Self::Outside { metric, .. }
            | Self::Is { metric, .. }
            | Self::ChangesFaster { metric, .. }
            | Self::StuckFor { metric, .. }
            | Self::AboveUsual { metric, .. }
            | Self::Reaches { metric, .. }
            | Self::OlderThan { metric, .. } => vec![*metric],
            Self::Against { metric, other, .. } => vec![*metric, *other],
            Self::GrownSince { metric, record, .. } => vec![*metric, *record],
            Self::ExpiresWithin { date, .. } => vec![*date],
            Self::AbsentFor { metric, .. } => metric.iter().copied().collect(),
            Self::SumOver { what, .. } => what.metrics(),
            Self::During { .. } | Self::StationOpen(_) => Vec::new(),
            Self::All(list) | Self::Any(list) => list.iter().flat_map(Self::metrics).collect(),
        }
    }
}

impl Summed {
    fn metrics(&self) -> Vec<Symbol> {
        match self {
            Self::Held(condition) => condition.metrics(),
            Self::Growth(metric) | Self::Times(metric) => vec![*metric],
            Self::Share(part, whole) => vec![*part, *whole],
            Self::Fired(_) => Vec::new(),
        }
    }
}

/// What of two metrics is compared with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// `metric - other`
    Difference,
    /// `metric / other`; nothing is a share of zero.
    Share,
}

/// How long a silence may last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Silence {
    Fixed(Duration),
    /// `max(10 min, 3 × its reporting interval)`; asleep: `1.5 ×` the announced sleep.
    ByInterval,
}

/// What `sum_over` adds up.
#[derive(Debug, Clone, PartialEq)]
pub enum Summed {
    /// Seconds for which the condition held.
    Held(Box<Condition>),
    /// Growth of a counter (a fall is a restart from zero, never a negative growth).
    Growth(Symbol),
    /// Growth of the first counter as a share of the second's.
    Share(Symbol, Symbol),
    /// Number of times the state became true.
    Times(Symbol),
    /// Number of times another rule of the device fired.
    Fired(Symbol),
}

#[cfg(test)]
mod tests;
