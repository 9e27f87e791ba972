//! Checks conditions that add up, compare with what is usual, or look ahead.

use std::time::Duration;

use crate::reading::Symbol;

use super::{
    Condition, Shape, Summed,
    check::{Checker, join},
    written::{AboveUsual, Reaches, SumOver},
};

/// What is usual is looked up over so long.
const USUAL: Duration = Duration::from_hours(7 * 24);

impl Checker<'_> {
    pub(super) fn sum(&mut self, key: &str, sum: &SumOver, depth: usize) -> Option<Condition> {
        if let Some(record) = &sum.since {
            return self.grown_since(key, sum, record);
        }
        let Some(within) = sum.within else {
            self.note(key, "needs within, or since", "write within = \"1h\"");
            return None;
        };
        self.window(key, within);
        let (what, limit) = match (sum.longer_than, sum.limit) {
            (Some(longer_than), None) => {
                if longer_than >= within {
                    self.note(key, "longer_than does not fit into within", "make within longer");
                }
                (self.held(key, sum, depth), longer_than.as_secs_f64())
            }
            (None, Some(limit)) => (self.counted(key, sum), limit),
            _ => (self.neither(key), 0.0),
        };
        Some(Condition::SumOver { what: what?, limit, within })
    }

    fn neither<T>(&mut self, key: &str) -> Option<T> {
        let what = "needs held and longer_than, or limit and one of growth, times and fired";
        self.note(key, what, "");
        None
    }

    fn held(&mut self, key: &str, sum: &SumOver, depth: usize) -> Option<Summed> {
        match (&sum.held, &sum.growth, &sum.times, &sum.fired) {
            (Some(held), None, None, None) => {
                let held = self.condition(&join(key, "held"), held, depth + 1)?;
                Some(Summed::Held(Box::new(held)))
            }
            _ => self.neither(key),
        }
    }

    fn counted(&mut self, key: &str, sum: &SumOver) -> Option<Summed> {
        let profile = sum.profile.as_deref();
        match (&sum.held, &sum.growth, &sum.times, &sum.fired) {
            (None, Some(counter), None, None) => {
                let part = self.counter(key, profile, counter)?;
                Some(match &sum.share_of {
                    Some(whole) => Summed::Share(part, self.counter(key, profile, whole)?),
                    None => Summed::Growth(part),
                })
            }
            (None, None, Some(state), None) => {
                let (metric, shape) = self.metric(key, profile, state)?;
                self.expect(key, metric, shape, &[Shape::State]);
                Some(Summed::Times(metric))
            }
            (None, None, None, Some(rule)) => {
                let rule = Symbol::intern(rule);
                rule.map_err(|error| self.note(key, error.to_string(), "")).ok().map(Summed::Fired)
            }
            _ => self.neither(key),
        }
    }

    fn grown_since(&mut self, key: &str, sum: &SumOver, record: &str) -> Option<Condition> {
        let alone = sum.within.is_none()
            && sum.held.is_none()
            && sum.times.is_none()
            && sum.fired.is_none()
            && sum.share_of.is_none();
        let (Some(growth), Some(limit), true) = (&sum.growth, sum.limit, alone) else {
            self.note(key, "since goes with growth and limit alone", "");
            return None;
        };
        let metric = self.counter(key, sum.profile.as_deref(), growth)?;
        Some(Condition::GrownSince { metric, limit, record: self.record(key, record)? })
    }

    fn counter(&mut self, key: &str, profile: Option<&str>, name: &str) -> Option<Symbol> {
        let (metric, shape) = self.metric(key, profile, name)?;
        self.expect(key, metric, shape, &[Shape::Counter]);
        Some(metric)
    }

    pub(super) fn usual(&mut self, key: &str, usual: &AboveUsual) -> Option<Condition> {
        let AboveUsual { times, within, least, .. } = *usual;
        self.window(key, within);
        if within > USUAL / 7 {
            self.note(key, "within is longer than a day", "what is usual is a week's mean");
        }
        if times <= 1.0 || !times.is_finite() || least < 0.0 || !least.is_finite() {
            let cure = "times must be over 1, least not negative";
            self.note(key, format!("times = {times}, least = {least} make no sense"), cure);
        }
        let metric = self.counter(key, usual.profile.as_deref(), &usual.growth)?;
        Some(Condition::AboveUsual { metric, times, within, least })
    }

    pub(super) fn reaches(&mut self, key: &str, reaches: &Reaches) -> Option<Condition> {
        let Reaches { value, within, over, .. } = *reaches;
        self.window(key, within);
        self.window(key, over);
        let metric = self.number(key, reaches.profile.as_deref(), &reaches.metric)?;
        Some(Condition::Reaches { metric, value, within, over })
    }
}
