//! What only the past knows of a message: from the state of all devices, or from what was noted
//! beside the group when the state was there.

use super::{
    Annotations,
    once::{Number, Trace},
};
use crate::reading::{Slot, Timestamp};

/// What a message says of its place among others.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) index: u32,
    pub(super) device: Slot,
    pub(super) boot: Option<u64>,
    pub(super) seq: Option<u32>,
    pub(super) up: Option<i64>,
    /// The device's own time, where it is believed.
    pub(super) believed: Option<Timestamp>,
    pub(super) received: Timestamp,
}

/// What is known of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) repeat: bool,
    /// Numbers before it that never came and are given up now.
    pub(super) missing: u64,
    /// When the device had started, if its own time is not believed.
    pub(super) started: Option<Timestamp>,
}

pub(super) trait Past {
    fn recall(&mut self, told: &Told) -> Known;
}

/// The state of all devices, by slot.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) traces: Vec<Trace>,
    /// Slots whose trace is not what was last given away, each once.
    pub(super) changed: Vec<Slot>,
    pub(super) is_changed: Vec<bool>,
    /// The latest receipt so far.
    pub(super) latest: Timestamp,
}

/// The clock went back by more than messages overtake each other …
const OVERTAKEN_MS: i64 = 60 * 1000;
/// … and by less than a clock that had been wrong altogether.
const WRONG_MS: i64 = 24 * 3600 * 1000;

impl State {
    pub(super) fn grow(&mut self, slots: usize) {
        if self.traces.len() < slots {
            self.traces.resize(slots, Trace::default());
            self.is_changed.resize(slots, false);
        }
    }

    /// Whether our clock was set back and goes over a time again: what a device's start is
    /// concluded from then is not to be trusted.
    fn goes_again(&mut self, received: Timestamp) -> bool {
        let behind = self.latest.0.saturating_sub(received.0);
        if !(0..=WRONG_MS).contains(&behind) {
            self.latest = received;
        }
        (OVERTAKEN_MS..=WRONG_MS).contains(&behind)
    }

    fn note_change(&mut self, slot: Slot) {
        if let Some(changed) = self.is_changed.get_mut(slot.index())
            && !std::mem::replace(changed, true)
        {
            self.changed.push(slot);
        }
    }
}

impl Past for State {
    fn recall(&mut self, told: &Told) -> Known {
        let goes_again = self.goes_again(told.received);
        // Without the boot a number, or an uptime, says nothing.
        let Some(boot) = told.boot else { return Known::default() };
        let Some(trace) = self.traces.get_mut(told.device.index()) else { return Known::default() };
        let before = *trace;
        let (run, given_up) = trace.run(boot);
        let mut known = Known { missing: given_up, ..Known::default() };
        match told.seq.map(|seq| run.take(seq, told.believed.map(seconds))) {
            Some(Number::Repeat) => known.repeat = true,
            Some(Number::New { missing }) => known.missing += missing,
            None => {}
        }
        if let Some(up) = told.up.filter(|_| !known.repeat) {
            let started = told.received.plus_millis(-up).0;
            if run.started > started && (!goes_again || run.started == i64::MAX) {
                run.started = started;
            }
            let needed = told.believed.is_none();
            known.started = needed.then_some(Timestamp(run.started));
        }
        if *trace != before {
            self.note_change(told.device);
        }
        known
    }
}

fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.0.div_euclid(1000).max(0)).unwrap_or(u32::MAX)
}

/// The state, with what it says noted for [`super::again`].
#[derive(Debug)]
pub(super) struct Noting<'s> {
    pub(super) state: &'s mut State,
    pub(super) notes: Annotations,
}

impl Past for Noting<'_> {
    fn recall(&mut self, told: &Told) -> Known {
        let known = self.state.recall(told);
        if known.repeat {
            self.notes.repeats.push(told.index);
        }
        if known.missing > 0 {
            self.notes.gaps.push((told.index, known.missing));
        }
        if let Some(started) = known.started {
            self.notes.booted.push((told.index, started));
        }
        known
    }
}

/// What was noted. Messages ask in their order, as they did then.
#[derive(Debug)]
pub(super) struct Noted<'n> {
    notes: &'n Annotations,
    repeats: usize,
    gaps: usize,
    booted: usize,
}

impl<'n> Noted<'n> {
    pub(super) fn new(notes: &'n Annotations) -> Self {
        Self { notes, repeats: 0, gaps: 0, booted: 0 }
    }
}

impl Past for Noted<'_> {
    fn recall(&mut self, told: &Told) -> Known {
        let notes = self.notes;
        let repeat = next(&notes.repeats, &mut self.repeats, told.index, |index| *index);
        let gap = next(&notes.gaps, &mut self.gaps, told.index, |(index, _)| *index);
        let booted = next(&notes.booted, &mut self.booted, told.index, |(index, _)| *index);
        Known {
            repeat: repeat.is_some(),
            missing: gap.map_or(0, |(_, missing)| *missing),
            started: booted.map(|(_, started)| *started),
        }
    }
}

/// The note of message `index`, if there is one.
fn next<'n, T>(
    notes: &'n [T],
    position: &mut usize,
    index: u32,
    index_of: impl Fn(&T) -> u32,
) -> Option<&'n T> {
    while notes.get(*position).is_some_and(|note| index_of(note) < index) {
        *position += 1;
    }
    notes.get(*position).filter(|note| index_of(note) == index)
}
