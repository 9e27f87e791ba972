//! What one device of a station says of people: a counter, a presence sensor, a door.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::count::{Counter, Step};
use crate::reading::{Sample, Slot, Timestamp, Value};

/// What its profile makes of a device here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    People,
    Presence,
    Door,
    /// Only tells the time.
    Other,
}

impl Role {
    pub(super) fn of(profile: &str) -> Self {
        match profile {
            "people" => Self::People,
            "presence" => Self::Presence,
            "door" => Self::Door,
            _ => Self::Other,
        }
    }
}

/// One reading of a device of the station.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) role: Role,
    pub(super) device: Slot,
    pub(super) at: Timestamp,
    pub(super) received: Timestamp,
    /// So long what it says is news.
    pub(super) patience: Duration,
    pub(super) samples: &'a [Sample],
}

/// What a device said last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    at: Timestamp,
    fresh_until: Timestamp,
    came_in: Option<Counter>,
    went_out: Option<Counter>,
    /// As it counts itself.
    occupancy: Option<u32>,
    presence: Option<bool>,
    open: Option<bool>,
}

/// What a reading changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) came: i64,
    pub(super) went: i64,
    pub(super) jumps: u32,
    /// A door opened or closed.
    pub(super) door: bool,
    /// It begins to count, with so many inside by its own account.
    pub(super) begins_with: Option<u32>,
}

impl Moved {
    /// Somebody did something.
    pub(super) fn is_some(&self) -> bool {
        self.came != 0 || self.went != 0 || self.door
    }
}

impl Source {
    pub(super) fn take(&mut self, seen: &Seen<'_>) -> Moved {
        let mut moved = Moved::default();
        if seen.at < self.at {
            // Overtaken by what is here already, which counts from further on.
            return moved;
        }
        let counted = self.counts();
        self.at = seen.at;
        self.fresh_until = seen.at + seen.patience;
        for sample in seen.samples {
            self.take_sample(seen, sample, &mut moved);
        }
        if !counted && self.counts() {
            moved.begins_with = self.occupancy;
        }
        moved
    }

    fn take_sample(&mut self, seen: &Seen<'_>, sample: &Sample, moved: &mut Moved) {
        let (role, at) = (seen.role, seen.at);
        match (role, sample.metric.as_str(), sample.value) {
            (Role::People, "in_total", Value::Number(total)) => {
                count(&mut self.came_in, total, at, &mut moved.came, &mut moved.jumps);
            }
            (Role::People, "out_total", Value::Number(total)) => {
                count(&mut self.went_out, total, at, &mut moved.went, &mut moved.jumps);
            }
            (Role::People, "occupancy", Value::Number(people)) => {
                self.occupancy = whole(people).and_then(|people| u32::try_from(people).ok());
            }
            (Role::People | Role::Presence, "presence", Value::State(there)) => {
                self.presence = Some(there);
            }
            (Role::Door, "open", Value::State(open)) => {
                moved.door |= self.open.replace(open).is_some_and(|before| before != open);
            }
            _ => {}
        }
    }

    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        now <= self.fresh_until
    }

    /// Whether it says how many came and how many went.
    pub(super) fn counts(&self) -> bool {
        self.came_in.is_some() && self.went_out.is_some()
    }

    pub(super) fn counts_visits(&self) -> bool {
        self.came_in.is_some()
    }

    /// Its own account of who is inside, where it has no counters to judge by.
    pub(super) fn occupancy(&self) -> Option<u32> {
        self.occupancy.filter(|_| self.came_in.is_none() && self.went_out.is_none())
    }

    pub(super) fn presence(&self) -> Option<bool> {
        self.presence
    }

    pub(super) fn shift(&mut self, millis: i64) {
        self.at = self.at.plus_millis(millis);
        self.fresh_until = self.fresh_until.plus_millis(millis);
        for counter in [&mut self.came_in, &mut self.went_out].into_iter().flatten() {
            counter.shift(millis);
        }
    }
}

fn count(
    counter: &mut Option<Counter>,
    total: f64,
    at: Timestamp,
    grew: &mut i64,
    jumps: &mut u32,
) {
    let Some(total) = whole(total) else { return };
    match Counter::take(counter, total, at) {
        Step::First => {}
        Step::Grew(growth) => *grew += growth,
        Step::Jump => *jumps += 1,
    }
}

/// A number of people; none where no number of people can be meant.
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "below 2^53")]
fn whole(number: f64) -> Option<i64> {
    (0.0..=9e15).contains(&number).then(|| number.round() as i64)
}
