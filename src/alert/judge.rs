//! Is a condition breached? Pure: of what a device is remembered by, and the time.

use super::{
    Verdict,
    cell::{Cell, Packed},
    life::Life,
    plan::{Check, Kept, Plan, Test, Window},
    track::Memory,
};
use crate::{
    reading::{Timestamp, Value},
    rule::Wanted,
};

/// All that a condition may ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) cells: &'a [Packed],
    pub(crate) windows: &'a [Memory],
    pub(crate) plan: &'a Plan,
    pub(crate) life: &'a Life,
    pub(crate) now: Timestamp,
}

/// What a rule says now, with its `unless`.
pub(crate) fn judge_rule(check: &Check, facts: &Facts<'_>) -> Verdict {
    let verdict = judge(&check.when, facts);
    let excused = verdict == Verdict::Breached
        && check.unless.as_ref().is_some_and(|test| judge(test, facts) == Verdict::Breached);
    if excused { Verdict::Excused } else { verdict }
}

pub(crate) fn judge(test: &Test, facts: &Facts<'_>) -> Verdict {
    ask(test, facts).unwrap_or(Verdict::Unknown)
}

/// `None` where a metric never came: a part of `any` whose sensor a device does not have must not
/// keep the other parts from clearing it.
fn ask(test: &Test, facts: &Facts<'_>) -> Option<Verdict> {
    match test {
        Test::Above { cell, limit, clear } => {
            facts.number(*cell, |value| Verdict::of(value > *limit, value <= *clear))
        }
        Test::Below { cell, limit, clear } => {
            facts.number(*cell, |value| Verdict::of(value < *limit, value >= *clear))
        }
        Test::Outside { cell, low, high, margin } => facts.number(*cell, |value| {
            let inside = value >= low + margin && value <= high - margin;
            Verdict::of(value < *low || value > *high, inside)
        }),
        Test::Is { cell, value } => facts.is(*cell, *value),
        Test::Faster { window, by } => facts.faster(*window, *by),
        Test::Stuck { window } => facts.stuck(*window),
        Test::Sum { window, limit } => facts.sum(*window, *limit),
        Test::AbsentLink { within } => Some(facts.life.judge_link(*within, facts.now)),
        Test::AbsentData { cell, within } => {
            let came = facts.cell(*cell).map(|cell| cell.came);
            Some(facts.life.judge_data(came, *within, facts.now))
        }
        Test::All(parts) => Some(Verdict::all(parts.iter().map(|part| judge(part, facts)))),
        Test::Any(parts) => {
            let known = parts.iter().filter_map(|part| ask(part, facts));
            Some(Verdict::any(known))
        }
    }
}

/// Until when the values that a condition rests on say anything. States are sent when they change,
/// so they hold while the device is there; numbers hold while they keep coming.
pub(crate) fn fresh_until(test: &Test, facts: &Facts<'_>) -> Timestamp {
    let forever = Timestamp(i64::MAX);
    let number =
        |cell: usize| facts.cell(cell).map_or(forever, |cell| facts.life.fresh_until(cell.came));
    let link = || facts.life.heard.map_or(forever, |heard| facts.life.fresh_until(heard));
    match test {
        Test::Above { cell, .. } | Test::Below { cell, .. } | Test::Outside { cell, .. } => {
            number(*cell)
        }
        Test::Is { cell, .. } => facts.cell(*cell).map_or(forever, |_| link()),
        Test::Faster { window, .. } | Test::Stuck { window } | Test::Sum { window, .. } => {
            match facts.plan.windows.get(*window).map(|window| &window.of) {
                Some(
                    Kept::Extremes { cell, .. } | Kept::Still { cell, .. } | Kept::Growth { cell },
                ) => number(*cell),
                Some(Kept::Times { .. }) => link(),
                Some(Kept::Held(test)) => fresh_until(test, facts),
                None => forever,
            }
        }
        Test::AbsentLink { .. } | Test::AbsentData { .. } => forever,
        Test::All(parts) | Test::Any(parts) => {
            parts.iter().map(|part| fresh_until(part, facts)).min().unwrap_or(forever)
        }
    }
}

impl Facts<'_> {
    pub(crate) fn cell(&self, cell: usize) -> Option<Cell> {
        self.cells.get(cell).copied().and_then(Packed::open)
    }

    fn number(&self, cell: usize, verdict: impl FnOnce(f64) -> Verdict) -> Option<Verdict> {
        let cell = self.cell(cell)?;
        if self.now > self.life.fresh_until(cell.came) {
            return Some(Verdict::Unknown);
        }
        Some(cell.value.as_number().map_or(Verdict::Unknown, verdict))
    }

    fn is(&self, cell: usize, wanted: Wanted) -> Option<Verdict> {
        let cell = self.cell(cell)?;
        if !self.life.is_fresh(self.life.heard, self.now) {
            return Some(Verdict::Unknown);
        }
        let same = |a: f64, b: f64| (a - b).abs() < f64::EPSILON;
        let bad = match (wanted, cell.value) {
            (Wanted::State(wanted), Value::State(state)) => wanted == state,
            (Wanted::Word(wanted), Value::Word(word)) => wanted == word,
            (Wanted::NotWord(wanted), Value::Word(word)) => wanted != word,
            (Wanted::Number(wanted), Value::Number(number)) => same(wanted, number),
            (Wanted::NotNumber(wanted), Value::Number(number)) => !same(wanted, number),
            _ => return Some(Verdict::Unknown),
        };
        Some(Verdict::of(bad, !bad))
    }

    fn window(&self, window: usize) -> Option<(&Window, &Memory)> {
        let memory = self.windows.get(window)?;
        Some((self.plan.windows.get(window)?, memory)).filter(|_| *memory != Memory::Nothing)
    }

    fn faster(&self, window: usize, by: f64) -> Option<Verdict> {
        let (window, memory) = self.window(window)?;
        let (Kept::Extremes { cell, .. }, Memory::Extremes(extremes)) = (&window.of, memory) else {
            return None;
        };
        self.number(*cell, |value| {
            let moved = extremes.moved(value);
            let bad = if by >= 0.0 { moved > by } else { moved < by };
            Verdict::of(bad, !bad)
        })
    }

    fn stuck(&self, window: usize) -> Option<Verdict> {
        let (window, memory) = self.window(window)?;
        let (Kept::Still { cell, .. }, Memory::Still(still)) = (&window.of, memory) else {
            return None;
        };
        let came = self.cell(*cell)?.came;
        self.number(*cell, |_| {
            let bad = came.since(still.since) >= window.within;
            Verdict::of(bad, !bad)
        })
    }

    fn sum(&self, window: usize, limit: f64) -> Option<Verdict> {
        let (window, memory) = self.window(window)?;
        let total = match memory {
            Memory::Held(sum, since) => {
                let going = since.map_or(0.0, |since| {
                    self.now.min(self.life.fresh_until(since)).since(since).as_secs_f64()
                });
                sum.total(self.now, window.within) + going
            }
            Memory::Grown(sum, _) | Memory::Times(sum, _) => sum.total(self.now, window.within),
            _ => return None,
        };
        Some(Verdict::of(total > limit, total <= limit))
    }
}
