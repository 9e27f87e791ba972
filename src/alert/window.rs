//! What a condition remembers of the recent past, bounded whatever a device sends.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::reading::Timestamp;

/// Parts a window is cut into at most.
const PARTS: u64 = 64;

/// The extremes of a window that a new value may have moved away from.
///
/// For a rise only lower, later values matter (a falling sequence is forgotten from behind), so the
/// queue is sorted; values of one sixty-fourth of the window share a place.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Extremes(Vec<(Timestamp, f64)>);

impl Extremes {
    /// Takes a value in and says how far it moved, in the direction of `by`, within the window.
    pub(crate) fn push(&mut self, at: Timestamp, value: f64, by: f64, within: Duration) {
        let at = self.0.last().map_or(at, |(last, _)| at.max(*last));
        let from = at - within;
        let gone = self.0.iter().take_while(|(then, _)| *then < from).count();
        self.0.drain(..gone);
        let up = by >= 0.0;
        while self
            .0
            .last()
            .is_some_and(|(_, then)| if up { *then >= value } else { *then <= value })
        {
            self.0.pop();
        }
        let part = within / u32::try_from(PARTS).unwrap_or(1);
        let shares =
            self.0.len() > 1 && self.0.last().is_some_and(|(then, _)| at.since(*then) < part);
        if !shares {
            push(&mut self.0, (at, value));
        }
    }

    /// From the extreme of the window to `value`, the one that came last.
    pub(crate) fn moved(&self, value: f64) -> f64 {
        self.0.first().map_or(0.0, |(_, extreme)| value - extreme)
    }
}

/// A value that stands still, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Still {
    pub(crate) value: f64,
    pub(crate) since: Timestamp,
}

impl Still {
    pub(crate) fn push(still: Option<Self>, at: Timestamp, value: f64, tolerance: f64) -> Self {
        match still {
            Some(still) if (value - still.value).abs() <= tolerance => still,
            _ => Self { value, since: at },
        }
    }
}

/// Amounts in a sliding window, summed in sixty-fourths of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sum(Vec<(i64, f64)>);

impl Sum {
    pub(crate) fn add(&mut self, at: Timestamp, amount: f64, within: Duration) {
        let part = part_of(at, within);
        let oldest = part - i64::try_from(PARTS).unwrap_or(0);
        let gone = self.0.iter().take_while(|(then, _)| *then <= oldest).count();
        self.0.drain(..gone);
        match self.0.last_mut() {
            Some((last, sum)) if *last >= part => *sum += amount,
            _ => push(&mut self.0, (part, amount)),
        }
    }

    /// Spreads what lasted from `from` to `to` over the parts it lasted in.
    pub(crate) fn add_span(&mut self, from: Timestamp, to: Timestamp, within: Duration) {
        self.add_evenly(from, to, 1.0, within);
    }

    /// So much in each second from `from` to `to`.
    pub(crate) fn add_evenly(
        &mut self,
        from: Timestamp,
        to: Timestamp,
        rate: f64,
        within: Duration,
    ) {
        let width = width_of(within);
        let mut from = from.max(to - within);
        while from < to {
            let end = Timestamp((from.0.div_euclid(width) + 1) * width).min(to);
            self.add(from, rate * end.since(from).as_secs_f64(), within);
            from = end;
        }
    }

    pub(crate) fn total(&self, now: Timestamp, within: Duration) -> f64 {
        let oldest = part_of(now, within) - i64::try_from(PARTS).unwrap_or(0);
        self.0.iter().filter(|(part, _)| *part > oldest).map(|(_, amount)| amount).sum()
    }

    /// When what is oldest leaves the window, after `after`.
    pub(crate) fn next_leave(&self, after: Timestamp, within: Duration) -> Option<Timestamp> {
        let width = width_of(within);
        let leaves = |(part, _): &(i64, f64)| {
            let behind = part.saturating_add(i64::try_from(PARTS).unwrap_or(0));
            Timestamp(behind.saturating_mul(width))
        };
        self.0.iter().map(leaves).find(|at| *at > after)
    }

    /// The same sums when every clock was moved by so many milliseconds.
    pub(crate) fn shift(&mut self, millis: i64, within: Duration) {
        let parts = millis.div_euclid(width_of(within));
        for (part, _) in &mut self.0 {
            *part += parts;
        }
    }
}

/// By how much a counter grew: a fall is a restart from zero, never a negative growth.
pub(crate) fn grown(last: f64, value: f64) -> f64 {
    let grown = if value >= last { value - last } else { value };
    grown.max(0.0)
}

/// Most windows stay short: a hundred thousand of them must not keep room for what never comes.
fn push<T>(places: &mut Vec<T>, place: T) {
    if places.len() == places.capacity() {
        places.reserve_exact(1 + places.len() / 2);
    }
    places.push(place);
}

fn width_of(within: Duration) -> i64 {
    i64::try_from(within.as_millis() / u128::from(PARTS)).unwrap_or(i64::MAX).max(1)
}

fn part_of(at: Timestamp, within: Duration) -> i64 {
    at.0.div_euclid(width_of(within))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn at(minute: i64) -> Timestamp {
        Timestamp(minute * 60_000)
    }

    proptest! {
        #[test]
        fn extremes_find_what_a_scan_of_all_values_finds(
            values in proptest::collection::vec(-50i32..50, 1..120), down in any::<bool>(),
        ) {
            let by = if down { -1.0 } else { 1.0 };
            let mut window = Extremes::default();
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            for (minute, value) in values.iter().enumerate() {
                let now = at(i64::try_from(minute).unwrap());
                let seen = &values[minute.saturating_sub(60)..=minute];
                let extreme = seen.iter().copied().reduce(if down { f64::max } else { f64::min });
                window.push(now, *value, by, HOUR);
                let moved = window.moved(*value);
                prop_assert!((moved - (value - extreme.unwrap())).abs() < 1e-9);
            }
        }

        #[test]
        fn windows_stay_small_whatever_comes(times in proptest::collection::vec(0i64..400_000_000, 0..600)) {
            let (mut extremes, mut sum) = (Extremes::default(), Sum::default());
            for (n, time) in (0u32..).zip(times) {
                extremes.push(Timestamp(time), f64::from(n), 1.0, HOUR);
                sum.add(Timestamp(time), 1.0, HOUR);
                sum.add_span(Timestamp(time), Timestamp(time + 900_000_000), HOUR);
            }
            prop_assert!(extremes.0.len() <= 66 && sum.0.len() <= 66);
        }
    }

    #[test]
    fn a_sum_forgets_what_left_the_window() {
        let mut sum = Sum::default();
        sum.add_span(at(0), at(30), HOUR);
        assert!((sum.total(at(30), HOUR) - 1800.0).abs() < 1e-9);
        assert!((sum.total(at(75), HOUR) - 900.0).abs() < 60.0);
        assert!(sum.total(at(100), HOUR).abs() < 1e-9);
    }

    #[test]
    fn a_value_that_moves_a_little_stands_still() {
        let still = Still::push(None, at(0), 4.0, 0.1);
        let still = Still::push(Some(still), at(1), 4.05, 0.1);
        assert_eq!(still.since, at(0));
        assert_eq!(Still::push(Some(still), at(2), 4.2, 0.1).since, at(2));
    }
}
