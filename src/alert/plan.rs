//! A device's rules made ready: which metrics they need, which rules a metric touches.
//!
//! Made once for all devices whose rules are the same; a reading then finds its rules by a few
//! comparisons and two bit masks.

use std::{sync::Arc, time::Duration};

use sha2::{Digest, Sha256};

use super::state::Hold;
use crate::{
    reading::Symbol,
    rule::{Condition, Rule, Silence, Summed, Wanted},
};

/// Rules, windows of a device at most: what the masks can tell apart.
pub(crate) const MOST: usize = 128;

/// One bit a rule, or one bit a window.
pub(crate) type Mask = u128;

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) rules: Arc<[Rule]>,
    pub(crate) checks: Vec<Check>,
    pub(crate) metrics: Vec<Watched>,
    pub(crate) windows: Vec<Window>,
    /// Rules that silence may breach.
    pub(crate) absences: Mask,
    /// Rules that late readings count for, if the profile does not let all of them.
    pub(crate) late: Mask,
}

/// A metric some rule needs.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) symbol: Symbol,
    /// Rules to ask when it comes.
    pub(crate) touches: Mask,
    /// Of these, the ones whose `when` it is part of.
    pub(crate) counts: Mask,
    pub(crate) windows: Mask,
}

/// One rule made ready.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) when: Test,
    pub(crate) unless: Option<Test>,
    pub(crate) hold: Hold,
}

/// A condition whose metrics and windows are places in a device's memory.
#[derive(Debug, PartialEq)]
pub(crate) enum Test {
    Above { cell: usize, limit: f64, clear: f64 },
    Below { cell: usize, limit: f64, clear: f64 },
    Outside { cell: usize, low: f64, high: f64, margin: f64 },
    Is { cell: usize, value: Wanted },
    Faster { window: usize, by: f64 },
    Stuck { window: usize },
    AbsentLink { within: Silence },
    AbsentData { cell: usize, within: Silence },
    Sum { window: usize, limit: f64 },
    All(Vec<Test>),
    Any(Vec<Test>),
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
    Extremes { cell: usize, by: f64 },
    Still { cell: usize, tolerance: f64 },
    Held(Test),
    Growth { cell: usize },
    Times { cell: usize },
}

/// What is not judged yet: it neither holds nor is good.
const NEVER: Test = Test::Any(Vec::new());

impl Plan {
    /// Rules beyond [`MOST`] are left out; loading refuses such a profile long before.
    pub(crate) fn new(rules: &Arc<[Rule]>) -> Self {
        let mut plan = Self {
            rules: Arc::clone(rules),
            checks: Vec::new(),
            metrics: Vec::new(),
            windows: Vec::new(),
            absences: 0,
            late: 0,
        };
        for (index, rule) in rules.iter().take(MOST).enumerate() {
            plan.add(index, rule);
        }
        plan
    }

    /// Where a metric's last value is kept, if any rule needs it.
    pub(crate) fn cell(&self, metric: Symbol) -> Option<usize> {
        self.metrics.iter().position(|watched| watched.symbol == metric)
    }

    pub(crate) fn rule_named(&self, id: &str) -> Option<usize> {
        self.rules.iter().take(MOST).position(|rule| rule.id.as_str() == id)
    }

    fn add(&mut self, index: usize, rule: &Rule) {
        let when = self.ready(&rule.when);
        let unless = rule.unless.as_ref().map(|unless| self.ready(unless));
        for cell in when.cells(&self.windows) {
            self.mark(cell, |watched| watched.counts |= bit(index));
            self.mark(cell, |watched| watched.touches |= bit(index));
        }
        for cell in unless.iter().flat_map(|test| test.cells(&self.windows)).collect::<Vec<_>>() {
            self.mark(cell, |watched| watched.touches |= bit(index));
        }
        let waits_for_silence = when.silences().next().is_some();
        self.absences |= if waits_for_silence { bit(index) } else { 0 };
        self.late |= if rule.on_backfill { bit(index) } else { 0 };
        // Silence brings no readings that could be counted.
        let readings = if waits_for_silence { 0 } else { rule.readings };
        let hold = Hold { readings, ..Hold::from(rule) };
        self.checks.push(Check { when, unless, hold });
    }

    fn ready(&mut self, condition: &Condition) -> Test {
        match *condition {
            Condition::Above { metric, limit, clear } => {
                Test::Above { cell: self.watch(metric), limit, clear }
            }
            Condition::Below { metric, limit, clear } => {
                Test::Below { cell: self.watch(metric), limit, clear }
            }
            Condition::Outside { metric, low, high, margin } => {
                Test::Outside { cell: self.watch(metric), low, high, margin }
            }
            Condition::Is { metric, value } => Test::Is { cell: self.watch(metric), value },
            Condition::AbsentFor { metric: None, within } => Test::AbsentLink { within },
            Condition::AbsentFor { metric: Some(metric), within } => {
                Test::AbsentData { cell: self.watch(metric), within }
            }
            Condition::ChangesFaster { metric, by, within } => {
                let kept = Kept::Extremes { cell: self.watch(metric), by };
                Test::Faster { window: self.remember(condition, kept, within), by }
            }
            Condition::StuckFor { metric, within, tolerance } => {
                let kept = Kept::Still { cell: self.watch(metric), tolerance };
                Test::Stuck { window: self.remember(condition, kept, within) }
            }
            Condition::SumOver { ref what, limit, within } => match self.summed(what) {
                Some(kept) => Test::Sum { window: self.remember(condition, kept, within), limit },
                None => NEVER,
            },
            Condition::GrownSince { .. }
            | Condition::AboveUsual { .. }
            | Condition::Reaches { .. }
            | Condition::OlderThan { .. }
            | Condition::ExpiresWithin { .. }
            | Condition::During { .. }
            | Condition::StationOpen(_) => NEVER,
            Condition::All(ref parts) => Test::All(self.ready_each(parts)),
            Condition::Any(ref parts) => Test::Any(self.ready_each(parts)),
        }
    }

    fn ready_each(&mut self, parts: &[Condition]) -> Vec<Test> {
        parts.iter().map(|part| self.ready(part)).collect()
    }

    fn summed(&mut self, what: &Summed) -> Option<Kept> {
        Some(match what {
            Summed::Held(condition) => Kept::Held(self.ready(condition)),
            Summed::Growth(metric) => Kept::Growth { cell: self.watch(*metric) },
            Summed::Times(metric) => Kept::Times { cell: self.watch(*metric) },
            Summed::Share(..) | Summed::Fired(_) => return None,
        })
    }

    fn watch(&mut self, symbol: Symbol) -> usize {
        self.cell(symbol).unwrap_or_else(|| {
            self.metrics.push(Watched { symbol, touches: 0, counts: 0, windows: 0 });
            self.metrics.len() - 1
        })
    }

    fn remember(&mut self, condition: &Condition, kept: Kept, within: Duration) -> usize {
        let key = key_of(condition);
        if let Some(known) = self.windows.iter().position(|window| window.key == key) {
            return known;
        }
        let index = self.windows.len();
        for cell in kept.cells(&self.windows) {
            self.mark(cell, |watched| watched.windows |= bit(index));
        }
        self.windows.push(Window { key, within, of: kept });
        index
    }

    fn mark(&mut self, cell: usize, how: impl FnOnce(&mut Watched)) {
        if let Some(watched) = self.metrics.get_mut(cell) {
            how(watched);
        }
    }
}

impl Test {
    /// The metrics it asks.
    pub(crate) fn cells(&self, windows: &[Window]) -> Vec<usize> {
        match self {
            Self::Above { cell, .. }
            | Self::Below { cell, .. }
            | Self::Outside { cell, .. }
            | Self::Is { cell, .. }
            | Self::AbsentData { cell, .. } => vec![*cell],
            Self::Faster { window, .. } | Self::Stuck { window } | Self::Sum { window, .. } => {
                windows.get(*window).map(|window| window.of.cells(windows)).unwrap_or_default()
            }
            Self::AbsentLink { .. } => Vec::new(),
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().flat_map(|part| part.cells(windows)).collect()
            }
        }
    }

    /// The silences it waits for: of a metric, or of the device.
    pub(crate) fn silences(&self) -> Box<dyn Iterator<Item = (Option<usize>, Silence)> + '_> {
        match self {
            Self::AbsentLink { within } => Box::new(std::iter::once((None, *within))),
            Self::AbsentData { cell, within } => Box::new(std::iter::once((Some(*cell), *within))),
            Self::All(parts) | Self::Any(parts) => Box::new(parts.iter().flat_map(Self::silences)),
            _ => Box::new(std::iter::empty()),
        }
    }
}

impl Kept {
    fn cells(&self, windows: &[Window]) -> Vec<usize> {
        match self {
            Self::Extremes { cell, .. }
            | Self::Still { cell, .. }
            | Self::Growth { cell }
            | Self::Times { cell } => vec![*cell],
            Self::Held(test) => test.cells(windows),
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

fn key_of(condition: &Condition) -> u64 {
    let digest = Sha256::digest(format!("{condition:?}"));
    digest.iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte))
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
