//! Questions answered from a [`Source`]: points, windows, hours. A day at a time, so that an answer
//! over a year holds no more than a day of points.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    entry::{DAY, Day, Entry, HOUR, Kind, NameId, join},
    hours::Hour,
    source::Source,
};
use crate::{
    reading::Timestamp,
    store::{ANSWER_MAX, Datum, Gather, Point, QuestionError, Window, start_of},
};

/// What to take of a [`Source`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) metric: NameId,
    pub(super) from: Timestamp,
    /// Exclusive.
    pub(super) to: Timestamp,
}

/// Names a word by its number.
pub(super) type Words<'a> = &'a dyn Fn(NameId) -> std::sync::Arc<str>;

impl Wanted {
    fn holds(&self, day: Day, at: u32) -> bool {
        let at = join(day, at);
        self.from <= at && at < self.to
    }

    fn holds_all_of(&self, day: Day) -> bool {
        let start = join(day, 0);
        self.from <= start && start.plus_millis(DAY) <= self.to
    }

    /// The days to look at, given the first and last of which there is anything.
    pub(super) fn days(&self, (first, last): (Day, Day)) -> RangeInclusive<Day> {
        let clamp = |at: i64| Day::try_from(at.div_euclid(DAY).max(0)).unwrap_or(Day::MAX);
        clamp(self.from.0).max(first)..=clamp(self.to.0.saturating_sub(1)).min(last)
    }
}

pub(super) fn points(
    source: &Source<'_>,
    wanted: Wanted,
    days: RangeInclusive<Day>,
    words: Words<'_>,
) -> Result<Vec<Point>, QuestionError> {
    let mut points = Vec::new();
    for day in days {
        let entries = source.entries(day, Some(wanted.metric)).map_err(|e| unavailable(&e))?;
        let inside = entries.iter().filter(|entry| wanted.holds(day, entry.at));
        points.extend(inside.map(|entry| Point {
            at: join(day, entry.at),
            value: datum(entry.kind, entry.value, words),
        }));
        if points.len() > ANSWER_MAX {
            return Err(QuestionError::TooManyPoints);
        }
    }
    Ok(points)
}

/// Windows, from the summaries where a window is made of whole hours.
pub(super) fn windows(
    source: &Source<'_>,
    wanted: Wanted,
    days: RangeInclusive<Day>,
    window: Duration,
    words: Words<'_>,
) -> Result<Vec<Window>, QuestionError> {
    let whole_hours = window.as_millis().is_multiple_of(u128::from(HOUR));
    let mut windows = Windows { window, open: None, done: Vec::new() };
    for day in days {
        let mut hours = None;
        if whole_hours && wanted.holds_all_of(day) {
            hours = source.hours(day, wanted.metric).map_err(|e| unavailable(&e))?;
        }
        if let Some(hours) = hours {
            for hour in &hours {
                windows.take_hour(day, hour);
            }
        } else {
            let entries = source.entries(day, Some(wanted.metric)).map_err(|e| unavailable(&e))?;
            let inside = entries.iter().filter(|entry| wanted.holds(day, entry.at));
            for entry in inside {
                windows.take(day, entry);
            }
        }
    }
    Ok(windows.finish(words))
}

/// Windows under way, in order of time.
struct Windows {
    window: Duration,
    open: Option<(Timestamp, Gather, Kind, f64)>,
    done: Vec<(Gather, Kind, f64)>,
}

impl Windows {
    fn take(&mut self, day: Day, entry: &Entry) {
        let number = (entry.kind != Kind::Word).then_some(entry.value);
        self.gather(join(day, entry.at), entry.kind, entry.value).take(number);
    }

    fn take_hour(&mut self, day: Day, hour: &Hour) {
        let at = join(day, u32::from(hour.of_day) * HOUR);
        let numbers = (hour.kind != Kind::Word).then_some((hour.min, hour.max, hour.sum));
        self.gather(at, hour.kind, hour.last).take_many(numbers, hour.count);
    }

    /// The window that holds `at`, its last value set.
    fn gather(&mut self, at: Timestamp, kind: Kind, last: f64) -> &mut Gather {
        let start = start_of(at, self.window);
        if self.open.as_ref().is_some_and(|(open, ..)| *open != start) {
            self.close();
        }
        let new = || (start, Gather::new(start), kind, last);
        let (_, gather, last_kind, last_value) = self.open.get_or_insert_with(new);
        (*last_kind, *last_value) = (kind, last);
        gather
    }

    fn close(&mut self) {
        let closed = self.open.take().map(|(_, gather, kind, last)| (gather, kind, last));
        self.done.extend(closed);
    }

    fn finish(mut self, words: Words<'_>) -> Vec<Window> {
        self.close();
        let finish = |(gather, kind, last): (Gather, _, _)| gather.finish(datum(kind, last, words));
        self.done.into_iter().map(finish).collect()
    }
}

pub(super) fn datum(kind: Kind, value: f64, words: Words<'_>) -> Datum {
    match kind {
        Kind::Number => Datum::Number(value),
        Kind::State => Datum::State(value > 0.5),
        Kind::Word => Datum::Word(words(name_of(value))),
    }
}

/// A word's entry holds the number of its name.
pub(super) fn name_of(value: f64) -> NameId {
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it was made from one"
    )]
    let name = value as NameId;
    name
}

pub(super) fn unavailable(error: &rusqlite::Error) -> QuestionError {
    QuestionError::Unavailable { reason: error.to_string() }
}
