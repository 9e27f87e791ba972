//! A device's rules made ready: which metrics they need, which rules a metric touches.
//!
//! Made once for all devices whose rules are the same; a reading then finds its rules by a few
//! comparisons and two bit masks.

mod ready;
mod test;

pub(crate) use ready::from_afar;
pub(crate) use test::Test;

use std::{sync::Arc, time::Duration};

use super::state::Hold;
use crate::{
    device::{MetricKind, Profile},
    reading::Symbol,
    rule::Rule,
};

/// Rules, windows of a device at most: what the masks can tell apart.
pub(crate) const MOST: usize = 128;

/// One bit a rule, or one bit a window.
pub(crate) type Mask = u128;

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) rules: Arc<[Rule]>,
    pub(crate) checks: Vec<Check>,
    /// The device's own metrics first.
    pub(crate) metrics: Vec<Watched>,
    pub(crate) windows: Vec<Window>,
    /// Rules that silence may breach.
    pub(crate) absences: Mask,
    /// Rules that may begin or end at a moment that can be foretold.
    pub(crate) timed: Mask,
    /// Rules that late readings count for, if the profile does not let all of them.
    pub(crate) late: Mask,
    /// Windows that count how often a rule fires.
    pub(crate) fired: Vec<Fired>,
    /// What rules of other devices of the station ask of this one.
    pub(crate) offers: Vec<Offer>,
    /// Where what is observed of the device is kept, if a rule asks for any of it.
    pub(crate) observed: Option<Observed>,
    /// Rules ask for other devices, or for maintenance records.
    pub(crate) asks_others: bool,
    pub(crate) asks_records: bool,
    /// It stands for its station: what it reports is derived from the others.
    pub(crate) derived: bool,
}

/// A metric some rule needs.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) symbol: Symbol,
    pub(crate) source: Source,
    /// Rules to ask when it comes.
    pub(crate) touches: Mask,
    /// Of these, the ones whose `when` it is part of.
    pub(crate) counts: Mask,
    pub(crate) windows: Mask,
}

/// Where a metric comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Own,
    /// Another device of the station: `people.occupancy`.
    Afar,
    /// What we see of the device: `device.boots_total`.
    Observed,
    /// People: `record.cleaned`.
    Record,
}

/// One rule made ready.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) when: Test,
    pub(crate) unless: Option<Test>,
    pub(crate) hold: Hold,
}

/// What a device must remember for one condition.
#[derive(Debug)]
pub(crate) struct Window {
    /// The same for the same condition, in every version of the rules: what a restart finds it by.
    pub(crate) key: u64,
    pub(crate) within: Duration,
    pub(crate) of: Kept,
}

#[derive(Debug)]
pub(crate) enum Kept {
    Extremes {
        cell: usize,
        by: f64,
    },
    Still {
        cell: usize,
        tolerance: f64,
    },
    Held(Test),
    Growth {
        cell: usize,
    },
    Times {
        cell: usize,
    },
    /// Growth of one counter beside another's.
    Share {
        part: usize,
        whole: usize,
    },
    /// How often another rule fired.
    Fired,
    /// Growth since a maintenance record.
    Since {
        cell: usize,
        record: usize,
    },
    Usual {
        cell: usize,
    },
    Course {
        cell: usize,
    },
}

/// When `rule` fires, `window` counts it, and the rules that look at the window are asked.
#[derive(Debug)]
pub(crate) struct Fired {
    pub(crate) rule: usize,
    pub(crate) window: usize,
    pub(crate) asks: Mask,
}

/// A metric of this device that rules of others look at, and what it is called there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Offer {
    pub(crate) cell: usize,
    pub(crate) symbol: Symbol,
    pub(crate) gather: Gather,
}

/// What several devices' values of one metric come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gather {
    /// True if any says so.
    Any,
    /// Each one's growth.
    Sum,
    Largest,
    Latest,
}

/// Cells of what is observed of a device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observed {
    pub(crate) implausible: Option<usize>,
    pub(crate) clock: Option<usize>,
    pub(crate) boots: Option<usize>,
    pub(crate) messages: Option<usize>,
    pub(crate) missing: Option<usize>,
}

impl Plan {
    /// Rules beyond [`MOST`] are left out; loading refuses such a profile long before. `asked` are
    /// the device's metrics that rules of others look at, by their names there.
    pub(crate) fn new(rules: &Arc<[Rule]>, profile: &Profile, asked: &[Symbol]) -> Self {
        let mut plan = Self {
            rules: Arc::clone(rules),
            checks: Vec::new(),
            metrics: Vec::new(),
            windows: Vec::new(),
            absences: 0,
            timed: 0,
            late: 0,
            fired: Vec::new(),
            offers: Vec::new(),
            observed: None,
            asks_others: false,
            asks_records: false,
            derived: profile.derived,
        };
        plan.watch_own(rules);
        plan.offer(profile, asked);
        for (index, rule) in rules.iter().take(MOST).enumerate() {
            plan.add(index, rule);
        }
        plan.settle();
        plan
    }

    /// Whether a device may go on under the other plan as if nothing had changed.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.rules == other.rules && self.offers == other.offers
    }

    /// Where a metric's last value is kept, if any rule needs it.
    pub(crate) fn cell(&self, metric: Symbol) -> Option<usize> {
        self.metrics.iter().position(|watched| watched.symbol == metric)
    }

    pub(crate) fn rule_named(&self, id: &str) -> Option<usize> {
        self.rules.iter().take(MOST).position(|rule| rule.id.as_str() == id)
    }

    pub(crate) fn source(&self, cell: usize) -> Source {
        self.metrics.get(cell).map_or(Source::Own, |watched| watched.source)
    }

    /// Own metrics that rules of other devices look at.
    fn offer(&mut self, profile: &Profile, asked: &[Symbol]) {
        for symbol in asked {
            let name = symbol.as_str().split_once('.').map(|(_, name)| name);
            let Some(metric) = name.and_then(|name| profile.metric(name)) else { continue };
            let gather = match metric.kind {
                MetricKind::State => Gather::Any,
                MetricKind::Counter => Gather::Sum,
                MetricKind::Number | MetricKind::Time => Gather::Largest,
                MetricKind::Words(_) => Gather::Latest,
            };
            let cell = self.watch(metric.symbol);
            self.offers.push(Offer { cell, symbol: *symbol, gather });
        }
    }

    /// What can only be known once every rule is there.
    fn settle(&mut self) {
        let place = |name: &str| self.metrics.iter().position(|m| m.symbol.as_str() == name);
        let observed = Observed {
            implausible: place("device.implausible"),
            clock: place("device.clock_off_s"),
            boots: place("device.boots_total"),
            messages: place("device.messages_total"),
            missing: place("device.missing_total"),
        };
        let has = |source| self.metrics.iter().any(|metric| metric.source == source);
        self.observed = has(Source::Observed).then_some(observed);
        self.asks_others = has(Source::Afar);
        self.asks_records = has(Source::Record);
        for fired in &mut self.fired {
            let asks = |check: &Check| {
                check.when.looks_at(fired.window)
                    || check.unless.as_ref().is_some_and(|test| test.looks_at(fired.window))
            };
            let asking = self.checks.iter().enumerate().filter(|(_, check)| asks(check));
            fired.asks = asking.fold(0, |mask, (rule, _)| mask | bit(rule));
        }
    }
}

impl Source {
    pub(crate) fn of(symbol: Symbol) -> Self {
        match symbol.as_str().split_once('.') {
            None => Self::Own,
            Some(("device", _)) => Self::Observed,
            Some(("record", _)) => Self::Record,
            Some(_) => Self::Afar,
        }
    }
}

/// The set of one.
pub(crate) fn bit(index: usize) -> Mask {
    u32::try_from(index).ok().and_then(|index| Mask::from(1_u8).checked_shl(index)).unwrap_or(0)
}

/// The members of a set, lowest first.
pub(crate) fn each(mut mask: Mask) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let index = usize::try_from(mask.trailing_zeros()).ok().filter(|_| mask != 0)?;
        mask &= mask - 1;
        Some(index)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_name_their_members() {
        assert_eq!(each(bit(0) | bit(7) | bit(127) | bit(128)).collect::<Vec<_>>(), [0, 7, 127]);
        assert_eq!(each(0).count(), 0);
    }
}
