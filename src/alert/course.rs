//! Where a metric is heading: a line through what it was over a span.
//!
//! The slope is the median of those between any two points (Theil and Sen), so that one reading
//! that is far off changes little.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::reading::Timestamp;

/// A span keeps about so many points, at most twice as many.
const POINTS: u32 = 6;
/// Fewer points, or over less than half the span, are no course: one of them may be far off.
const LEAST: usize = 5;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Course(Vec<(Timestamp, f64)>);

/// A straight line: where the metric is, and what it moves in a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    pub(crate) at: Timestamp,
    pub(crate) value: f64,
    pub(crate) slope: f64,
}

impl Course {
    /// The last point is the reading that came last; the others keep their distance.
    pub(crate) fn push(&mut self, at: Timestamp, value: f64, over: Duration) {
        let at = self.0.last().map_or(at, |(last, _)| at.max(*last));
        let gone = self.0.iter().take_while(|(then, _)| *then < at - over).count();
        self.0.drain(..gone);
        let near = self.0.iter().rev().nth(1);
        if near.is_some_and(|(then, _)| at.since(*then) <= over / POINTS) {
            self.0.pop();
        }
        if self.0.len() == self.0.capacity() {
            self.0.reserve_exact(2);
        }
        self.0.push((at, value));
    }

    pub(crate) fn line(&self, over: Duration) -> Option<Line> {
        let (first, (at, _)) = (self.0.first()?, *self.0.last()?);
        if self.0.len() < LEAST || at.since(first.0) < over / 2 {
            return None;
        }
        let pairs = self.0.iter().enumerate().flat_map(|(i, a)| {
            self.0.iter().skip(i + 1).filter(|b| b.0 > a.0).map(move |b| (a, b))
        });
        let slope = |((from, a), (to, b)): (&(Timestamp, f64), &(Timestamp, f64))| {
            (b - a) / to.since(*from).as_secs_f64()
        };
        let slope = median(pairs.map(slope).collect())?;
        let ends = self.0.iter().map(|(then, value)| value + slope * at.since(*then).as_secs_f64());
        Some(Line { at, value: median(ends.collect())?, slope })
    }
}

impl Line {
    /// In how many seconds it comes to `value`; `None` where it stands still or moves away.
    pub(crate) fn comes_to(&self, value: f64) -> Option<f64> {
        let seconds = (value - self.value) / self.slope;
        (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
    }

    /// Whether it has passed `value` and moves on.
    pub(crate) fn is_past(&self, value: f64) -> bool {
        (value - self.value) * self.slope < 0.0
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle)?;
    let lower = if values.len().is_multiple_of(2) { values.get(middle - 1)? } else { upper };
    Some(f64::midpoint(*lower, *upper))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OVER: Duration = Duration::from_mins(15);

    fn course(values: impl IntoIterator<Item = f64>) -> Course {
        let mut course = Course::default();
        for (minute, value) in (0..).zip(values) {
            course.push(Timestamp(minute * 60_000), value, OVER);
        }
        course
    }

    #[test]
    fn a_line_needs_enough_of_the_span() {
        for (minutes, known) in [(1, false), (8, false), (9, true), (40, true)] {
            let line = course((0..minutes).map(f64::from)).line(OVER);
            assert_eq!(line.is_some(), known, "{minutes} min");
        }
    }

    #[test]
    fn what_comes_is_told_from_what_moves_away() {
        let rising = course((0..20).map(f64::from)).line(OVER).unwrap();
        assert!((rising.comes_to(24.0).unwrap() - 300.0).abs() < 1e-6);
        assert_eq!((rising.comes_to(10.0), rising.is_past(10.0)), (None, true));
        let still = course([4.0; 20]).line(OVER).unwrap();
        assert_eq!((still.comes_to(8.0), still.is_past(8.0)), (None, false));
    }

    proptest! {
        #[test]
        fn a_straight_course_goes_on(start in -50.0..50.0f64, slope in -2.0..2.0f64, count in 9u32..60) {
            let line = course((0..count).map(|m| start + slope * f64::from(m))).line(OVER).unwrap();
            prop_assert!((line.slope * 60.0 - slope).abs() < 1e-9);
            prop_assert!((line.value - (start + slope * f64::from(count - 1))).abs() < 1e-9);
        }

        #[test]
        fn one_reading_that_is_far_off_changes_nothing(
            slope in -2.0..2.0f64, off in -500.0..500.0f64, which in 0usize..40,
        ) {
            let mut values: Vec<_> = (0..40).map(|m| slope * f64::from(m)).collect();
            values[which] += off;
            let line = course(values).line(OVER).unwrap();
            prop_assert!((line.slope * 60.0 - slope).abs() < 1e-9, "{line:?}");
            prop_assert!((line.value - slope * 39.0).abs() < 1e-9, "{line:?}");
        }

        #[test]
        fn a_course_stays_small_whatever_comes(times in proptest::collection::vec(0i64..4_000_000, 0..300)) {
            let mut course = Course::default();
            for at in times {
                course.push(Timestamp(at), 1.0, OVER);
            }
            prop_assert!(course.0.len() <= 15);
        }
    }
}
