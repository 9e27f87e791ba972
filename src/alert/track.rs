//! What is remembered of one device: the last value of each metric its rules need, and windows.

use smallvec::SmallVec;

use super::{
    Verdict,
    cell::{Cell, Packed},
    facts::Facts,
    judge::judge,
    life::Life,
    memory::Memory,
    place::Place,
    plan::{Kept, Mask, Plan, Source, each},
    state::State,
};
use crate::reading::{Sample, Timestamp, Value};

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

    /// Makes room for what came. What never comes (a sensor it does not have, a message that never
    /// went missing) takes no memory: a device that never reports costs next to nothing.
    fn room(&mut self, cell: usize) -> Option<&mut Packed> {
        grow(&mut self.cells, cell, Packed::Empty);
        self.cells.get_mut(cell)
    }

    pub(crate) fn window_room(&mut self, window: usize) -> Option<&mut Memory> {
        grow(&mut self.windows, window, Memory::Nothing);
        self.windows.get_mut(window)
    }

    pub(crate) fn put(&mut self, cell: usize, value: Cell) {
        if let Some(place) = self.room(cell) {
            *place = Packed::new(value);
        }
    }

    /// Takes in what a reading says.
    pub(crate) fn take_in(
        &mut self,
        plan: &Plan,
        arrival: &Arrival<'_>,
        life: &Life,
        place: Place<'_>,
    ) -> Touched {
        let mut touched = Touched::default();
        let mut windows = 0;
        for sample in arrival.samples {
            let Some(index) = plan.cell(sample.metric) else { continue };
            let Some(watched) = plan.metrics.get(index) else { continue };
            self.put(index, Cell { value: sample.value, came: arrival.now });
            touched.rules |= watched.touches;
            touched.counted |= watched.counts;
            windows |= watched.windows;
        }
        for index in each(windows) {
            self.slide(plan, index, life, arrival, place);
        }
        touched
    }

    pub(crate) fn facts<'a>(
        &'a self,
        plan: &'a Plan,
        life: &'a Life,
        place: Place<'a>,
        now: Timestamp,
    ) -> Facts<'a> {
        Facts { cells: &self.cells, windows: &self.windows, plan, life, place, now }
    }

    fn slide(
        &mut self,
        plan: &Plan,
        index: usize,
        life: &Life,
        arrival: &Arrival<'_>,
        place: Place<'_>,
    ) {
        let at = arrival.at;
        let Some(window) = plan.windows.get(index) else { return };
        let held = match &window.of {
            Kept::Held(test) => Some(judge(test, &self.facts(plan, life, place, at))),
            _ => None,
        };
        self.window_room(index);
        let cells = &self.cells;
        let value =
            |cell: usize| cells.get(cell).copied().and_then(Packed::open).map(|cell| cell.value);
        let Some(memory) = self.windows.get_mut(index) else { return };
        let within = window.within;
        match (&window.of, held) {
            (Kept::Held(_), held) => {
                memory.hold(held.unwrap_or(Verdict::Unknown), at, window, life);
            }
            (Kept::Extremes { cell, by }, _) => memory.widen(value(*cell), at, *by, within),
            (Kept::Still { cell, tolerance }, _) => memory.rest(value(*cell), at, *tolerance),
            (Kept::Growth { cell }, _) => memory.grow(value(*cell), at, within),
            (Kept::Times { cell }, _) => memory.rise(value(*cell), at, arrival.event, within),
            (Kept::Share { part, whole }, _) => {
                let observed = plan.source(*part) == Source::Observed;
                let before = observed.then(|| life.usual());
                memory.share([value(*part), value(*whole)], at, within, before);
            }
            (Kept::Since { cell, record }, _) => {
                memory.since(value(*cell), value(*record).and_then(moment));
            }
            (Kept::Usual { cell }, _) => memory.compare(value(*cell), at, within),
            (Kept::Course { cell }, _) => memory.follow(value(*cell), at, within),
            (Kept::Fired, _) => {}
        }
    }

    /// Every clock was moved by so many milliseconds.
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

fn grow<T: Clone>(places: &mut Box<[T]>, place: usize, empty: T) {
    if place >= places.len() {
        let mut longer = std::mem::take(places).into_vec();
        longer.reserve_exact(place + 1 - longer.len());
        longer.resize(place + 1, empty);
        *places = longer.into();
    }
}

/// The moment that a value names.
pub(crate) fn moment(value: Value) -> Option<Timestamp> {
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "it saturates")]
    value.as_number().map(|millis| Timestamp(millis as i64))
}
