//! All that a condition may ask of a device at one moment.

use std::time::Duration;

use super::{
    Verdict,
    cell::{Cell, Packed},
    course::Line,
    life::Life,
    memory::Memory,
    place::Place,
    plan::{Kept, Plan, Source, Window},
    track::moment,
};
use crate::{
    reading::{Timestamp, Value},
    rule::{Against, Wanted},
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) cells: &'a [Packed],
    pub(crate) windows: &'a [Memory],
    pub(crate) plan: &'a Plan,
    pub(crate) life: &'a Life,
    pub(crate) place: Place<'a>,
    pub(crate) now: Timestamp,
}

impl<'a> Facts<'a> {
    pub(crate) fn cell(&self, cell: usize) -> Option<Cell> {
        self.cells.get(cell).copied().and_then(Packed::open)
    }

    /// When the number in a cell becomes too old to say anything.
    pub(crate) fn number_until(&self, cell: usize, came: Timestamp) -> Timestamp {
        match self.plan.source(cell) {
            Source::Afar => self.life.fresh_afar(came),
            Source::Own | Source::Observed | Source::Record => self.life.fresh_until(came),
        }
    }

    /// The same of a state, which is sent when it changes: it holds while the device is there.
    pub(crate) fn state_until(&self, cell: usize, came: Timestamp) -> Timestamp {
        match self.plan.source(cell) {
            Source::Afar => self.life.fresh_afar(came),
            _ => self.life.fresh_until(self.life.heard.map_or(came, |heard| heard.max(came))),
        }
    }

    pub(super) fn number(
        &self,
        cell: usize,
        verdict: impl FnOnce(f64) -> Verdict,
    ) -> Option<Verdict> {
        let index = cell;
        let cell = self.cell(cell)?;
        if self.now > self.number_until(index, cell.came) {
            return Some(Verdict::Unknown);
        }
        Some(cell.value.as_number().map_or(Verdict::Unknown, verdict))
    }

    /// What is compared with is a setting or a size, sent when it changes: it holds while the device
    /// is there.
    pub(super) fn against(
        &self,
        [cell, other]: [usize; 2],
        how: Against,
        [limit, clear]: [f64; 2],
    ) -> Option<Verdict> {
        let index = other;
        let other = self.cell(other)?;
        let until = self.state_until(index, other.came);
        let other = other.value.as_number()?;
        self.number(cell, |value| match how {
            _ if self.now > until => Verdict::Unknown,
            Against::Difference => Verdict::of(value - other > limit, value - other <= clear),
            Against::Share if other <= 0.0 => Verdict::Unknown,
            Against::Share => Verdict::of(value > limit * other, value <= clear * other),
        })
    }

    pub(super) fn is(&self, cell: usize, wanted: Wanted) -> Option<Verdict> {
        let index = cell;
        let cell = self.cell(cell)?;
        if self.now > self.state_until(index, cell.came) {
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

    pub(super) fn faster(&self, window: usize, by: f64) -> Option<Verdict> {
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

    pub(super) fn stuck(&self, window: usize) -> Option<Verdict> {
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

    pub(super) fn sum(&self, window: usize, limit: f64) -> Option<Verdict> {
        let (window, memory) = self.window(window)?;
        let total = match memory {
            Memory::Held(sum, since) => {
                let going = since.map_or(0.0, |since| {
                    self.now.min(self.life.fresh_until(since)).since(since).as_secs_f64()
                });
                sum.total(self.now, window.within) + going
            }
            Memory::Grown(sum, _) | Memory::Times(sum, _) => sum.total(self.now, window.within),
            Memory::Share(share) => share.total(self.now, window.within),
            Memory::Since(since) => since.grown(),
            _ => return None,
        };
        Some(Verdict::of(total > limit, total <= limit))
    }

    pub(super) fn unusual(&self, window: usize, times: f64, least: f64) -> Option<Verdict> {
        let (window, memory) = self.window(window)?;
        let (Kept::Usual { cell }, Memory::Usual(usual)) = (&window.of, memory) else {
            return None;
        };
        self.number(*cell, |_| {
            let recent = usual.recent(self.now, window.within);
            match usual.usual(self.now, window.within) {
                Some(usual) => {
                    let bad = recent > least && recent > times * usual;
                    Verdict::of(bad, !bad)
                }
                None => Verdict::Unknown,
            }
        })
    }

    /// Once it is past the value and moves on, the forecast is neither bad nor good any more.
    pub(super) fn reaches(&self, window: usize, value: f64, within: Duration) -> Option<Verdict> {
        let (of, _) = self.window(window)?;
        let Kept::Course { cell } = of.of else { return None };
        self.number(cell, |_| match self.line(window) {
            None => Verdict::Unknown,
            Some(line) if line.is_past(value) => Verdict::Between,
            Some(line) => {
                let comes = line.comes_to(value).unwrap_or(f64::INFINITY);
                let within = within.as_secs_f64();
                Verdict::of(comes <= within, comes > within * 2.0)
            }
        })
    }

    /// Where the metric of a window is heading.
    pub(crate) fn line(&self, window: usize) -> Option<Line> {
        match self.window(window)? {
            (window, Memory::Course(course)) => course.line(window.within),
            _ => None,
        }
    }

    pub(super) fn older(&self, cell: usize, than: Duration) -> Option<Verdict> {
        let bad = self.now >= self.moment(cell)? + than;
        Some(Verdict::of(bad, !bad))
    }

    /// The moment that a cell names: a record that was never made counts from when the device was
    /// first heard of.
    pub(crate) fn moment(&self, cell: usize) -> Option<Timestamp> {
        match (self.cell(cell), self.plan.source(cell)) {
            (Some(cell), _) => moment(cell.value),
            (None, Source::Record) => Some(self.life.first),
            (None, _) => None,
        }
    }

    /// When a window's oldest part leaves it.
    pub(crate) fn next_leave(&self, window: usize, after: Timestamp) -> Option<Timestamp> {
        match self.window(window)? {
            (window, Memory::Grown(sum, _) | Memory::Times(sum, _)) => {
                sum.next_leave(after, window.within)
            }
            _ => None,
        }
    }

    fn window(&self, window: usize) -> Option<(&'a Window, &'a Memory)> {
        let memory = self.windows.get(window)?;
        Some((self.plan.windows.get(window)?, memory)).filter(|_| *memory != Memory::Nothing)
    }
}
