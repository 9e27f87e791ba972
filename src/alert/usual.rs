//! How much a counter usually grows, and how much it grew just now.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::window::{Sum, grown};
use crate::reading::Timestamp;

/// What is usual is what it was over so long.
const WEEK: Duration = Duration::from_hours(7 * 24);
/// Nobody knows what is usual before a day has passed.
const LEAST: Duration = Duration::from_hours(24);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Usual {
    last: f64,
    since: Timestamp,
    recent: Sum,
    week: Sum,
}

impl Usual {
    pub(crate) fn new(at: Timestamp, value: f64) -> Self {
        Self { last: value, since: at, recent: Sum::default(), week: Sum::default() }
    }

    pub(crate) fn push(&mut self, at: Timestamp, value: f64, within: Duration) {
        let amount = grown(self.last, value);
        self.last = value;
        self.recent.add(at, amount, within);
        self.week.add(at, amount, WEEK);
    }

    pub(crate) fn recent(&self, now: Timestamp, within: Duration) -> f64 {
        self.recent.total(now, within)
    }

    /// What it grows in `within`, by the time before; `None` where that is not known yet.
    pub(crate) fn usual(&self, now: Timestamp, within: Duration) -> Option<f64> {
        let watched = now.since(self.since).min(WEEK);
        let before = watched.checked_sub(within)?.as_secs_f64();
        let amount = (self.week.total(now, WEEK) - self.recent(now, within)).max(0.0);
        (watched >= LEAST && before > 0.0).then(|| amount / before * within.as_secs_f64())
    }

    pub(crate) fn shift(&mut self, millis: i64, within: Duration) {
        self.since = self.since.plus_millis(millis);
        self.recent.shift(millis, within);
        self.week.shift(millis, WEEK);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn at(hour: i64) -> Timestamp {
        Timestamp(hour * 3_600_000)
    }

    proptest! {
        #[test]
        fn what_grows_evenly_grows_as_usual(each in 1u32..50, hours in 30i64..400) {
            let mut usual = Usual::new(at(0), 0.0);
            let mut total = 0.0;
            for hour in 1..=hours {
                total += f64::from(each);
                usual.push(at(hour), total, HOUR);
            }
            let known = usual.usual(at(hours), HOUR).unwrap();
            prop_assert!((known / f64::from(each) - 1.0).abs() < 0.1, "{known} of {each}");
        }
    }

    #[test]
    fn nothing_is_usual_on_the_first_day() {
        let mut usual = Usual::new(at(0), 0.0);
        usual.push(at(23), 10.0, HOUR);
        assert_eq!(usual.usual(at(23), HOUR), None);
        assert!(usual.usual(at(25), HOUR).is_some_and(|usual| usual > 0.0));
    }
}
