//! What is due when nothing has to be flushed: folding days that are over, removing old ones. Pure.

use std::{collections::BTreeMap, time::Duration};

use super::entry::{DAY, Day, join};
use crate::reading::Timestamp;

/// Late enough after midnight that what the last flush before it left in memory is on disk.
const CLOSED_AFTER: Duration = Duration::from_mins(75);

/// A day with this many flushes is folded though it goes on, so that reading it stays quick.
const PARTS_MAX: u32 = 32;

/// One day at most goes at a time, so that a clock gone wrong for an hour costs days, not years.
const SWEEP_EVERY: Duration = Duration::from_mins(15);

const AFTER_A_FAULT: Duration = Duration::from_mins(15);

/// One bounded piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Fold { day: Day, after: Option<u32> },
    Sweep { keep_from: Day },
}

/// Which days have parts, and what is under way.
#[derive(Debug, Default)]
pub(super) struct Tidy {
    retention: Duration,
    /// Flushes that left parts of a day since it was last folded.
    unfolded: BTreeMap<Day, u32>,
    under_way: Option<Task>,
    swept: Timestamp,
    rests_until: Timestamp,
}

impl Tidy {
    pub(super) fn new(retention: Duration, with_parts: impl IntoIterator<Item = Day>) -> Self {
        let unfolded = with_parts.into_iter().map(|day| (day, 1)).collect();
        Self { retention, unfolded, ..Self::default() }
    }

    pub(super) fn flushed(&mut self, days: &[Day]) {
        for day in days {
            *self.unfolded.entry(*day).or_default() += 1;
        }
    }

    /// The next piece of work that is due.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Task> {
        if now < self.rests_until && self.rests_until.since(now) <= AFTER_A_FAULT {
            return None;
        }
        if self.under_way.is_none() {
            self.under_way = self.next_fold(now).or_else(|| self.next_sweep(now));
        }
        self.under_way
    }

    pub(super) fn folded(&mut self, day: Day, upto: Option<u32>) {
        self.under_way = upto.map(|device| Task::Fold { day, after: Some(device) });
    }

    pub(super) fn swept(&mut self, more: bool) {
        self.under_way = self.under_way.filter(|_| more);
    }

    /// The piece under way failed: it is tried again after a while.
    pub(super) fn failed(&mut self, now: Timestamp) {
        if let Some(Task::Fold { day, .. }) = self.under_way.take() {
            self.unfolded.insert(day, PARTS_MAX);
        }
        self.rests_until = now + AFTER_A_FAULT;
    }

    fn next_fold(&mut self, now: Timestamp) -> Option<Task> {
        let closed = |day: Day| join(day, 0).plus_millis(DAY) + CLOSED_AFTER <= now;
        let due = |(day, parts): (&Day, &u32)| closed(*day) || *parts >= PARTS_MAX;
        let day = *self.unfolded.iter().find(|(day, parts)| due((day, parts)))?.0;
        self.unfolded.remove(&day);
        Some(Task::Fold { day, after: None })
    }

    fn next_sweep(&mut self, now: Timestamp) -> Option<Task> {
        if self.swept <= now && now.since(self.swept) < SWEEP_EVERY {
            return None;
        }
        self.swept = now;
        let keep_from = Day::try_from((now - self.retention).0.div_euclid(DAY)).ok()?;
        Some(Task::Sweep { keep_from })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETENTION: Duration = Duration::from_hours(24 * 10);

    fn tidy(days: &[Day]) -> Tidy {
        let mut tidy = Tidy::new(RETENTION, days.iter().copied());
        tidy.swept = at(100, 0);
        tidy
    }

    fn at(day: Day, minutes: i64) -> Timestamp {
        join(day, 0).plus_millis(minutes * 60_000)
    }

    #[test]
    fn a_day_is_folded_once_it_is_over() {
        let mut tidy = tidy(&[100]);
        assert_eq!(tidy.next(at(100, 14)), None);
        tidy.swept = at(101, 74);
        assert_eq!(tidy.next(at(101, 74)), None);
        assert_eq!(tidy.next(at(101, 75)), Some(Task::Fold { day: 100, after: None }));
        tidy.folded(100, Some(63));
        assert_eq!(tidy.next(at(101, 75)), Some(Task::Fold { day: 100, after: Some(63) }));
        tidy.folded(100, None);
        assert_eq!(tidy.next(at(101, 75)), None);
    }

    #[test]
    fn a_day_with_many_flushes_is_folded_before_it_is_over() {
        let mut tidy = tidy(&[]);
        for _ in 0..PARTS_MAX {
            assert_eq!(tidy.next(at(100, 1)), None);
            tidy.flushed(&[100]);
        }
        assert_eq!(tidy.next(at(100, 1)), Some(Task::Fold { day: 100, after: None }));
    }

    #[test]
    fn late_readings_make_a_folded_day_due_again() {
        let mut tidy = tidy(&[]);
        tidy.flushed(&[50]);
        assert_eq!(tidy.next(at(100, 1)), Some(Task::Fold { day: 50, after: None }));
        tidy.flushed(&[50]);
        tidy.folded(50, None);
        assert_eq!(tidy.next(at(100, 1)), Some(Task::Fold { day: 50, after: None }));
    }

    #[test]
    fn sweeping_is_due_every_quarter_of_an_hour() {
        let mut tidy = tidy(&[]);
        assert_eq!(tidy.next(at(100, 14)), None);
        assert_eq!(tidy.next(at(100, 15)), Some(Task::Sweep { keep_from: 90 }));
        tidy.swept(true);
        assert_eq!(tidy.next(at(100, 15)), Some(Task::Sweep { keep_from: 90 }));
        tidy.swept(false);
        assert_eq!(tidy.next(at(100, 16)), None);
    }

    #[test]
    fn what_failed_is_tried_again_later() {
        let mut tidy = tidy(&[50]);
        assert_eq!(tidy.next(at(100, 0)), Some(Task::Fold { day: 50, after: None }));
        tidy.failed(at(100, 0));
        assert_eq!(tidy.next(at(100, 14)), None);
        assert_eq!(tidy.next(at(100, 15)), Some(Task::Fold { day: 50, after: None }));
    }
}
