//! Windows of points: pure.

use std::time::Duration;

use super::{Datum, Point, Window};
use crate::reading::Timestamp;

/// Gathers the points of one window, which come in order of time.
#[derive(Debug, Clone)]
pub struct Gather {
    at: Timestamp,
    span: Option<(f64, f64)>,
    sum: f64,
    numbers: u64,
    count: u64,
}

impl Gather {
    pub fn new(at: Timestamp) -> Self {
        Self { at, span: None, sum: 0.0, numbers: 0, count: 0 }
    }

    pub fn take(&mut self, number: Option<f64>) {
        self.take_many(number.map(|n| (n, n, n)), 1);
    }

    /// Takes what `count` points came to before: their minimum, maximum and sum.
    pub fn take_many(&mut self, min_max_sum: Option<(f64, f64, f64)>, count: u64) {
        self.count += count;
        let Some((min, max, sum)) = min_max_sum else { return };
        let (low, high) = self.span.unwrap_or((min, max));
        self.span = Some((low.min(min), high.max(max)));
        self.sum += sum;
        self.numbers += count;
    }

    pub fn finish(self, last: Datum) -> Window {
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "far below 2^53")]
        let numbers = self.numbers as f64;
        Window {
            at: self.at,
            min: self.span.map(|span| span.0),
            max: self.span.map(|span| span.1),
            mean: self.span.map(|_| self.sum / numbers),
            last,
            count: self.count,
        }
    }
}

/// When the window that holds `at` starts.
pub(super) fn start_of(at: Timestamp, window: Duration) -> Timestamp {
    let millis = i64::try_from(window.as_millis()).unwrap_or(i64::MAX).max(1);
    Timestamp(at.0.saturating_sub(at.0.rem_euclid(millis)))
}

/// Windows of points in order of time; empty ones are left out.
pub fn windows_of(points: impl IntoIterator<Item = Point>, window: Duration) -> Vec<Window> {
    let mut windows = Vec::new();
    let mut open: Option<(Gather, Datum)> = None;
    for point in points {
        let start = start_of(point.at, window);
        let number = point.value.as_number();
        match &mut open {
            Some((gather, last)) if gather.at == start => {
                gather.take(number);
                *last = point.value;
            }
            _ => {
                let mut gather = Gather::new(start);
                gather.take(number);
                let before = open.replace((gather, point.value));
                windows.extend(before.map(|(gather, last)| gather.finish(last)));
            }
        }
    }
    windows.extend(open.map(|(gather, last)| gather.finish(last)));
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: i64, number: f64) -> Point {
        Point { at: Timestamp(at), value: Datum::Number(number) }
    }

    #[test]
    fn windows_start_at_multiples_of_their_length() {
        let points = [point(-1, 9.0), point(1_999, 1.0), point(2_000, 2.0), point(2_500, 4.0)];
        let windows = windows_of(points, Duration::from_secs(1));
        let seen: Vec<_> = windows.iter().map(|w| (w.at.0, w.mean, w.count)).collect();
        assert_eq!(
            seen,
            [(-1000, Some(9.0), 1), (1000, Some(1.0), 1), (2000, Some(3.0), 2)],
            "the empty window at 0 is left out"
        );
    }

    #[test]
    fn words_have_a_last_value_and_a_count_only() {
        let word = |at, text: &str| Point { at: Timestamp(at), value: Datum::Word(text.into()) };
        let windows = windows_of([word(0, "cool"), word(5, "heat")], Duration::from_secs(1));
        assert_eq!(
            windows,
            [Window {
                at: Timestamp(0),
                min: None,
                max: None,
                mean: None,
                last: Datum::Word("heat".into()),
                count: 2
            }]
        );
    }
}
