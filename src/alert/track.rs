//! What is remembered of one device: the last value of each metric its rules need, and windows.

use std::time::Duration;

use smallvec::SmallVec;

use super::{
    Verdict,
    cell::{Cell, Packed},
    judge::{Facts, judge},
    life::Life,
    plan::{Kept, Mask, Plan, Window, each},
    state::State,
    window::{Extremes, Still, Sum},
};
use crate::reading::{Sample, Timestamp, Value};

/// What one condition remembers.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Memory {
    Nothing,
    Extremes(Extremes),
    Still(Still),
    /// Sums, since when the condition has held, or the last value of the counter.
    Held(Sum, Option<Timestamp>),
    Grown(Sum, f64),
    Times(Sum, bool),
}

/// A rule that is not at rest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Active {
    pub(crate) rule: usize,
    pub(crate) state: State,
    /// What began the breach; with device and rule it makes the alert's id.
    pub(crate) origin: Box<str>,
    /// Set while people know of it.
    pub(crate) alert: Option<Box<str>>,
}

/// One course of events of a device: as they come, or late, in their own order of time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Track {
    pub(crate) cells: Box<[Packed]>,
    pub(crate) windows: Box<[Memory]>,
    pub(crate) active: Vec<Active>,
}

/// A reading, as a track takes it in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) samples: &'a [Sample],
    /// When it came.
    pub(crate) now: Timestamp,
    /// Where it stands in time: earlier than `now` only by its place in a batch.
    pub(crate) at: Timestamp,
    pub(crate) event: bool,
}

/// Which rules a reading touched, and for which of them it counts as a reading.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Touched {
    pub(crate) rules: Mask,
    pub(crate) counted: Mask,
}

impl Track {
    pub(crate) fn cell(&self, cell: usize) -> Option<Cell> {
        self.cells.get(cell).copied().and_then(Packed::open)
    }

    /// Makes room on the first use: a device that never reports costs next to nothing.
    pub(crate) fn make_room(&mut self, plan: &Plan) {
        if self.cells.len() != plan.metrics.len() {
            self.cells = vec![Packed::Empty; plan.metrics.len()].into();
        }
        if self.windows.len() != plan.windows.len() {
            self.windows = vec![Memory::Nothing; plan.windows.len()].into();
        }
    }

    /// Takes in what a reading says.
    pub(crate) fn take_in(&mut self, plan: &Plan, arrival: &Arrival<'_>, life: &Life) -> Touched {
        self.make_room(plan);
        let mut touched = Touched::default();
        let mut windows = 0;
        for sample in arrival.samples {
            let Some(index) = plan.cell(sample.metric) else { continue };
            let (Some(watched), Some(cell)) = (plan.metrics.get(index), self.cells.get_mut(index))
            else {
                continue;
            };
            *cell = Packed::new(Cell { value: sample.value, came: arrival.now });
            touched.rules |= watched.touches;
            touched.counted |= watched.counts;
            windows |= watched.windows;
        }
        for index in each(windows) {
            self.slide(plan, index, life, arrival);
        }
        touched
    }

    pub(crate) fn facts<'a>(&'a self, plan: &'a Plan, life: &'a Life, now: Timestamp) -> Facts<'a> {
        Facts { cells: &self.cells, windows: &self.windows, plan, life, now }
    }

    fn slide(&mut self, plan: &Plan, index: usize, life: &Life, arrival: &Arrival<'_>) {
        let at = arrival.at;
        let Some(window) = plan.windows.get(index) else { return };
        let held = match &window.of {
            Kept::Held(test) => Some(judge(test, &self.facts(plan, life, at))),
            _ => None,
        };
        let cells = &self.cells;
        let value =
            |cell: usize| cells.get(cell).copied().and_then(Packed::open).map(|cell| cell.value);
        let Some(memory) = self.windows.get_mut(index) else { return };
        match (&window.of, held) {
            (Kept::Held(_), held) => {
                memory.hold(held.unwrap_or(Verdict::Unknown), at, window, life);
            }
            (Kept::Extremes { cell, by }, _) => {
                memory.widen(value(*cell), at, *by, window.within);
            }
            (Kept::Still { cell, tolerance }, _) => memory.rest(value(*cell), at, *tolerance),
            (Kept::Growth { cell }, _) => memory.grow(value(*cell), at, window.within),
            (Kept::Times { cell }, _) => {
                memory.rise(value(*cell), at, arrival.event, window.within);
            }
        }
    }

    /// Every clock was moved by so many milliseconds. Windows of change start anew: a device's own
    /// clock did not move with ours, and a squeezed window would see changes that never were.
    pub(crate) fn shift(&mut self, plan: &Plan, millis: i64) {
        for packed in &mut self.cells {
            if let Some(cell) = packed.open() {
                *packed = Packed::new(Cell { came: cell.came.plus_millis(millis), ..cell });
            }
        }
        for active in &mut self.active {
            active.state = active.state.shifted(millis);
        }
        for (memory, window) in self.windows.iter_mut().zip(&plan.windows) {
            memory.shift(millis, window.within);
        }
    }

    /// The rules at work now, without borrowing the track.
    pub(crate) fn at_work(&self) -> SmallVec<[usize; 8]> {
        self.active.iter().map(|active| active.rule).collect()
    }
}

impl Memory {
    fn widen(&mut self, value: Option<Value>, at: Timestamp, by: f64, within: Duration) {
        let Some(value) = value.and_then(Value::as_number) else { return };
        if !matches!(self, Self::Extremes(_)) {
            *self = Self::Extremes(Extremes::default());
        }
        if let Self::Extremes(extremes) = self {
            extremes.push(at, value, by, within);
        }
    }

    fn rest(&mut self, value: Option<Value>, at: Timestamp, tolerance: f64) {
        let Some(value) = value.and_then(Value::as_number) else { return };
        let still = if let Self::Still(still) = self { Some(*still) } else { None };
        *self = Self::Still(Still::push(still, at, value, tolerance));
    }

    /// What held until now is added; a gap in the data adds no more than the data's patience.
    fn hold(&mut self, verdict: Verdict, at: Timestamp, window: &Window, life: &Life) {
        if !matches!(self, Self::Held(..)) {
            *self = Self::Held(Sum::default(), None);
        }
        let Self::Held(sum, since) = self else { return };
        if let Some(since) = *since {
            sum.add_span(since, at.min(life.fresh_until(since)), window.within);
        }
        *since = match verdict {
            Verdict::Breached => Some(at),
            Verdict::Between => since.map(|_| at),
            _ => None,
        };
    }

    fn grow(&mut self, value: Option<Value>, at: Timestamp, within: Duration) {
        let Some(value) = value.and_then(Value::as_number) else { return };
        if let Self::Grown(sum, last) = self {
            let grown = if value >= *last { value - *last } else { value };
            sum.add(at, grown.max(0.0), within);
            *last = value;
        } else {
            *self = Self::Grown(Sum::default(), value);
        }
    }

    /// An event is sent each time it happens, and never taken back: each one counts.
    fn rise(&mut self, value: Option<Value>, at: Timestamp, event: bool, within: Duration) {
        let Some(Value::State(now)) = value else { return };
        if !matches!(self, Self::Times(..)) {
            *self = Self::Times(Sum::default(), false);
        }
        let Self::Times(sum, last) = self else { return };
        if now && (event || !*last) {
            sum.add(at, 1.0, within);
        }
        *last = now;
    }

    fn shift(&mut self, millis: i64, within: Duration) {
        match self {
            Self::Nothing => {}
            Self::Extremes(_) => *self = Self::Nothing,
            Self::Still(still) => still.since = still.since.plus_millis(millis),
            Self::Held(sum, since) => {
                sum.shift(millis, within);
                *since = since.map(|since| since.plus_millis(millis));
            }
            Self::Grown(sum, _) | Self::Times(sum, _) => sum.shift(millis, within),
        }
    }
}
