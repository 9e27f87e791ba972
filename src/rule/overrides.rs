//! What a district, a station or a device changes about a rule of its profile.

use std::time::Duration;

use serde::Deserialize;

use crate::reading::Symbol;

use super::{Condition, Rule, Severity, Silence, Summed};

/// The numbers of a rule that may be changed; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Override {
    pub enabled: Option<bool>,
    pub severity: Option<Severity>,
    /// Changed alone, `clear` keeps its distance to it.
    pub limit: Option<f64>,
    pub clear: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub by: Option<f64>,
    #[serde(with = "humantime_serde")]
    pub within: Option<Duration>,
    #[serde(with = "humantime_serde")]
    pub longer_than: Option<Duration>,
    #[serde(with = "humantime_serde")]
    pub than: Option<Duration>,
    pub times: Option<f64>,
    pub value: Option<f64>,
    #[serde(rename = "for", with = "humantime_serde")]
    pub hold: Option<Duration>,
    pub readings: Option<u32>,
    #[serde(with = "humantime_serde")]
    pub clear_after: Option<Duration>,
    pub latched: Option<bool>,
    #[serde(with = "humantime_serde")]
    pub repeat: Option<Duration>,
}

impl Override {
    /// This, with what the narrower `inner` says on top.
    #[must_use]
    pub fn then(&self, inner: &Self) -> Self {
        Self {
            enabled: inner.enabled.or(self.enabled),
            severity: inner.severity.or(self.severity),
            limit: inner.limit.or(self.limit),
            // An outer `clear` belongs to the outer limit.
            clear: inner.clear.or(if inner.limit.is_some() { None } else { self.clear }),
            low: inner.low.or(self.low),
            high: inner.high.or(self.high),
            by: inner.by.or(self.by),
            within: inner.within.or(self.within),
            longer_than: inner.longer_than.or(self.longer_than),
            than: inner.than.or(self.than),
            times: inner.times.or(self.times),
            value: inner.value.or(self.value),
            hold: inner.hold.or(self.hold),
            readings: inner.readings.or(self.readings),
            clear_after: inner.clear_after.or(self.clear_after),
            latched: inner.latched.or(self.latched),
            repeat: inner.repeat.or(self.repeat),
        }
    }

    /// Changes `rule`; `Ok(false)` means it is switched off, `Err` names what does not fit.
    pub fn apply(&self, rule: &mut Rule) -> Result<bool, String> {
        rule.severity = self.severity.unwrap_or(rule.severity);
        rule.hold = self.hold.unwrap_or(rule.hold);
        rule.readings = self.readings.unwrap_or(rule.readings).max(1);
        rule.clear_after = self.clear_after.unwrap_or(rule.clear_after);
        rule.latched = self.latched.unwrap_or(rule.latched);
        rule.repeat = self.repeat.unwrap_or(rule.repeat);
        self.numbers(&mut rule.when)?;
        Ok(self.enabled.unwrap_or(true))
    }

    fn numbers(&self, when: &mut Condition) -> Result<(), String> {
        let mut changed = [
            ("limit", self.limit.is_some(), 0),
            ("clear", self.clear.is_some(), 0),
            ("low", self.low.is_some(), 0),
            ("high", self.high.is_some(), 0),
            ("by", self.by.is_some(), 0),
            ("within", self.within.is_some(), 0),
            ("longer_than", self.longer_than.is_some(), 0),
            ("than", self.than.is_some(), 0),
            ("times", self.times.is_some(), 0),
            ("value", self.value.is_some(), 0),
        ];
        let mut crossed = None;
        when.each_mut(&mut |condition| {
            for name in self.change(condition) {
                for (known, _, count) in &mut changed {
                    *count += u32::from(*known == *name);
                }
            }
            crossed = crossed.take().or_else(|| condition.crossed());
        });
        for (name, asked, count) in changed {
            match (asked, count) {
                (true, 0) => return Err(format!("this rule has no {name} to change")),
                (true, 2..) => return Err(format!("this rule has more than one {name}")),
                _ => {}
            }
        }
        crossed.map_or(Ok(()), Err)
    }

    /// Changes one condition and says what there was to change in it.
    fn change(&self, condition: &mut Condition) -> &'static [&'static str] {
        match condition {
            Condition::Above { limit, clear, .. }
            | Condition::Below { limit, clear, .. }
            | Condition::Against { limit, clear, .. } => {
                let distance = *clear - *limit;
                *limit = self.limit.unwrap_or(*limit);
                *clear = self.clear.unwrap_or(*limit + distance);
                &["limit", "clear"]
            }
            Condition::Outside { low, high, .. } => {
                *low = self.low.unwrap_or(*low);
                *high = self.high.unwrap_or(*high);
                &["low", "high"]
            }
            Condition::ChangesFaster { by, within, .. } => {
                *by = self.by.unwrap_or(*by);
                *within = self.within.unwrap_or(*within);
                &["by", "within"]
            }
            Condition::StuckFor { within, .. } | Condition::ExpiresWithin { within, .. } => {
                *within = self.within.unwrap_or(*within);
                &["within"]
            }
            Condition::AbsentFor { within, .. } => {
                *within = self.within.map_or(*within, Silence::Fixed);
                &["within"]
            }
            Condition::SumOver { what: Summed::Held(_), limit, within } => {
                *limit = self.longer_than.map_or(*limit, |long| long.as_secs_f64());
                *within = self.within.unwrap_or(*within);
                &["longer_than", "within"]
            }
            Condition::SumOver { limit, within, .. } => {
                *limit = self.limit.unwrap_or(*limit);
                *within = self.within.unwrap_or(*within);
                &["limit", "within"]
            }
            Condition::GrownSince { limit, .. } => {
                *limit = self.limit.unwrap_or(*limit);
                &["limit"]
            }
            Condition::AboveUsual { times, within, .. } => {
                *times = self.times.unwrap_or(*times);
                *within = self.within.unwrap_or(*within);
                &["times", "within"]
            }
            Condition::Reaches { value, within, .. } => {
                *value = self.value.unwrap_or(*value);
                *within = self.within.unwrap_or(*within);
                &["value", "within"]
            }
            Condition::OlderThan { than, .. } => {
                *than = self.than.unwrap_or(*than);
                &["than"]
            }
            Condition::Is { .. }
            | Condition::During { .. }
            | Condition::StationOpen(_)
            | Condition::All(_)
            | Condition::Any(_) => &[],
        }
    }
}

impl Condition {
    /// Visits this condition and all inside it.
    fn each_mut(&mut self, visit: &mut impl FnMut(&mut Condition)) {
        visit(self);
        match self {
            Self::All(list) | Self::Any(list) => {
                for condition in list {
                    condition.each_mut(visit);
                }
            }
            Self::SumOver { what: Summed::Held(held), .. } => held.each_mut(visit),
            _ => {}
        }
    }

    /// Dates of the registry that it asks for: `date.pads`.
    pub fn dates(&self) -> Vec<Symbol> {
        match self {
            Self::ExpiresWithin { date, .. } => vec![*date],
            Self::OlderThan { metric, .. } if metric.as_str().starts_with("date.") => vec![*metric],
            Self::All(list) | Self::Any(list) => list.iter().flat_map(Self::dates).collect(),
            Self::SumOver { what: Summed::Held(held), .. } => held.dates(),
            _ => Vec::new(),
        }
    }

    /// What is the wrong way round, if anything is.
    fn crossed(&self) -> Option<String> {
        match self {
            Self::Above { limit, clear, .. } | Self::Against { limit, clear, .. }
                if clear > limit =>
            {
                Some(format!("clear = {clear} lies above limit = {limit}"))
            }
            Self::Below { limit, clear, .. } if clear < limit => {
                Some(format!("clear = {clear} lies under limit = {limit}"))
            }
            Self::Outside { low, high, margin, .. } if high - low <= margin * 2.0 => {
                Some(format!("nothing lies between low = {low} and high = {high}"))
            }
            _ => None,
        }
    }

    /// How many `above` and `below` there are in it.
    pub(super) fn limits(&self) -> usize {
        match self {
            Self::Above { .. } | Self::Below { .. } => 1,
            Self::All(list) | Self::Any(list) => list.iter().map(Self::limits).sum(),
            _ => 0,
        }
    }

    /// Makes shares of `capacity` of the limits in it.
    pub fn scale_limits(&mut self, capacity: f64) {
        self.each_mut(&mut |condition| {
            if let Self::Above { limit, clear, .. } | Self::Below { limit, clear, .. } = condition {
                *limit *= capacity;
                *clear *= capacity;
            }
        });
    }
}
