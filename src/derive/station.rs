//! One station: who is inside, folded reading by reading. Pure; time is what readings say.
//!
//! ```text
//!   in − out ──▶ inside ──▶ occupancy = inside, never below zero (+ what counters without totals say)
//!                  ▲
//!                  ├ zero: nobody there for 15 min by presence, and nothing moved   (anchor)
//!                  ├ zero: at the quietest time of the day, where no presence is told (anchor)
//!                  └ zero: below zero for 5 min
//!   What is taken away by any of these is the drift of the local day.
//! ```

use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{
    day::Day,
    source::{Moved, Role, Seen, Source},
    stay::Stay,
};
use crate::{
    decode::Figures,
    reading::{Slot, Timestamp},
};

/// Nobody is there, nothing moves: for so long, and the station is empty.
const EMPTY_AFTER: Duration = Duration::from_mins(15);
/// Who went out by one door came in by another whose report is still to come; but not for longer
/// than this. By judgement.
const OWED_FOR: Duration = Duration::from_mins(5);
/// Told again after this long though nothing changed.
const TELL_EVERY: Duration = Duration::from_mins(1);
/// Nothing is said of who was inside while nothing was heard for longer than this.
const DEAF_AFTER: Duration = Duration::from_mins(10);
/// A count stands on its last anchor for a day and a little.
const ANCHOR_HOLDS: Duration = Duration::from_hours(26);
/// Receipts overtake each other by less than this; beyond it our clock was set back.
const DISORDER: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Station {
    /// The latest moment a reading was of.
    now: Timestamp,
    /// The latest receipt.
    heard: Timestamp,
    /// Came in less went out since the last anchor.
    inside: i64,
    below_since: Option<Timestamp>,
    visits: u32,
    jumps: u32,
    /// Since when nobody is there and nothing moves, or now.
    still_since: Timestamp,
    anchored: Option<Timestamp>,
    stay: Stay,
    day: Day,
    /// What was told last, and when.
    told: Option<(Timestamp, Figures)>,
    /// It is not what was last saved.
    #[serde(skip)]
    pub(super) changed: bool,
    #[serde(skip)]
    pub(super) sources: Vec<(Slot, Source)>,
}

impl Station {
    /// Takes a reading in; gives what there is to tell now.
    pub(super) fn take(
        &mut self,
        seen: &Seen<'_>,
        zone: &TimeZone,
    ) -> Option<(Timestamp, Figures)> {
        self.keep_clock(seen.received);
        self.pass(seen.at, zone);
        if seen.role == Role::Other {
            self.settle(false);
        } else {
            let begins = !self.sources.iter().any(|(_, source)| source.counts());
            let mut moved = self.source(seen.device).take(seen);
            moved.begins_with = moved.begins_with.filter(|_| begins);
            self.count(&moved);
            self.settle(moved.is_some());
        }
        self.tell()
    }

    /// Our clock was set back: all that is remembered moves along.
    fn keep_clock(&mut self, received: Timestamp) {
        if received + DISORDER < self.heard {
            self.shift(received.0 - self.heard.0);
        }
        self.heard = self.heard.max(received);
    }

    fn shift(&mut self, millis: i64) {
        let times = [&mut self.now, &mut self.heard, &mut self.still_since];
        let told = self.told.as_mut().map(|(at, _)| at);
        let others = [self.below_since.as_mut(), self.anchored.as_mut(), told];
        for at in times.into_iter().chain(others.into_iter().flatten()) {
            *at = at.plus_millis(millis);
        }
        self.stay.shift(millis);
        self.sources.iter_mut().for_each(|(_, source)| source.shift(millis));
    }

    /// Time goes on up to `at`; it never goes back.
    fn pass(&mut self, at: Timestamp, zone: &TimeZone) {
        let to = self.now.max(at);
        if self.now == Timestamp::default() {
            self.still_since = to;
        }
        if let Some(people) = self.told.and_then(|(_, told)| told.occupancy) {
            self.stay.inside(people, self.now.max(to - DEAF_AFTER), to);
        }
        self.now = to;
        self.day.pass(to, zone);
        if self.presence().is_none() && self.day.quiet_begins(to) {
            self.anchor();
        }
    }

    fn source(&mut self, device: Slot) -> &mut Source {
        let known = self.sources.iter().position(|(slot, _)| *slot == device);
        let place = known.unwrap_or_else(|| {
            self.sources.push((device, Source::default()));
            self.sources.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed just now")]
        &mut self.sources[place].1
    }

    fn count(&mut self, moved: &Moved) {
        let people = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        self.inside += moved.begins_with.map_or(0, i64::from) + moved.came - moved.went;
        self.jumps = self.jumps.saturating_add(moved.jumps);
        self.visits = self.visits.saturating_add(people(moved.came));
        self.stay.visits(people(moved.came), self.now);
        self.day.count(people(moved.came), people(moved.went), self.now);
    }

    /// Sets right what is known to be wrong.
    fn settle(&mut self, moved: bool) {
        let empty = self.presence() == Some(false) && !moved;
        if !empty {
            self.still_since = self.now;
        }
        if empty && self.now.since(self.still_since) >= EMPTY_AFTER {
            self.anchor();
        }
        let below = (self.inside < 0).then(|| self.below_since.unwrap_or(self.now));
        self.below_since = below;
        if below.is_some_and(|since| self.now.since(since) >= OWED_FOR) {
            self.correct();
        }
    }

    /// Whether anybody is there, where all who can tell have told a short while ago.
    fn presence(&self) -> Option<bool> {
        let mut there = None;
        for (_, source) in &self.sources {
            let Some(says) = source.presence() else { continue };
            if !source.is_fresh(self.now) {
                return None;
            }
            there = Some(there.unwrap_or(false) || says);
        }
        there
    }

    /// Nobody is inside.
    fn anchor(&mut self) {
        self.correct();
        self.anchored = Some(self.now);
    }

    fn correct(&mut self) {
        self.day.correct(self.inside);
        self.inside = 0;
        self.below_since = None;
    }

    /// What changed is told, and everything now and then; nothing while nobody counts.
    fn tell(&mut self) -> Option<(Timestamp, Figures)> {
        let figures = self.figures()?;
        let due = self.told.is_none_or(|(at, told)| {
            self.now.since(at) >= TELL_EVERY
                || Figures { dwell_s: figures.dwell_s, ..told } != figures
        });
        if !due {
            return None;
        }
        // No two points at one time.
        let at = self.told.map_or(self.now, |(at, _)| self.now.max(at.plus_millis(1)));
        self.told = Some((at, figures));
        self.told
    }

    fn figures(&mut self) -> Option<Figures> {
        let (mut counted, mut visited, mut own) = (false, false, None);
        for (_, source) in &self.sources {
            visited |= source.counts_visits();
            if source.is_fresh(self.now) {
                counted |= source.counts();
                own = source.occupancy().map(|here| own.unwrap_or(0) + here).or(own);
            }
        }
        let inside = u32::try_from(self.inside.max(0)).unwrap_or(u32::MAX);
        let inside = Some(inside).filter(|_| counted);
        let occupancy = inside.map(|here| here.saturating_add(own.unwrap_or(0))).or(own);
        let told = occupancy.is_some() || visited && self.is_counted();
        told.then(|| Figures {
            occupancy,
            visits_total: Some(self.visits).filter(|_| visited),
            dwell_s: occupancy.and_then(|_| self.stay.mean_s(self.now)),
            drift: self.day.drift(),
            drift_pct: self.day.drift_pct(),
            anchored: self.anchored.is_some_and(|at| self.now.since(at) < ANCHOR_HOLDS),
            jumps_total: self.jumps,
        })
    }

    /// Whether one who counts visits was heard a short while ago.
    fn is_counted(&self) -> bool {
        let mut counting = self.sources.iter().filter(|(_, source)| source.counts_visits());
        counting.any(|(_, source)| source.is_fresh(self.now))
    }
}
