//! When to try again: pure.

use std::time::Duration;

use crate::reading::Timestamp;

/// Pauses after the first failures; the last one goes on.
const PAUSES_S: [u64; 7] = [1, 5, 30, 120, 600, 1800, 3600];
/// A target may ask for more patience than we would have, up to this …
const ASKED_LONGEST: Duration = Duration::from_hours(1);
/// … and for less, down to this.
const ASKED_SHORTEST: Duration = Duration::from_secs(1);
/// Requests under way to a target that is well.
const AT_ONCE: u32 = 8;
/// A notice is tried this often before it may be called too old: after a long standstill of our own
/// everything is.
const TRIES_AT_LEAST: u32 = 5;

/// How long to wait after failure number `failures` (from 1). `chance` in 0..1 spreads the waiting,
/// so that many notices do not come back in the same second; `asked` is what the target wants.
pub(super) fn pause(failures: u32, asked: Option<Duration>, chance: f64) -> Duration {
    if let Some(asked) = asked {
        return asked.clamp(ASKED_SHORTEST, ASKED_LONGEST);
    }
    let step = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    let seconds = PAUSES_S.get(step).or(PAUSES_S.last()).copied().unwrap_or(1);
    Duration::from_secs(seconds).mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0))
}

/// Whether failure number `failures` of a notice of this age was its last.
pub(super) fn hopeless(failures: u32, age: Duration, give_up_after: Duration) -> bool {
    failures >= TRIES_AT_LEAST && age >= give_up_after
}

/// How a target has been lately, over all of its notices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lately {
    failing: bool,
    rests_until: Option<Timestamp>,
}

impl Lately {
    /// A target in trouble gets one request at a time, one that asked for rest none.
    pub(super) fn at_once(&self, now: Timestamp) -> u32 {
        match self.rests_until {
            Some(until) if now < until => 0,
            _ if self.failing => 1,
            _ => AT_ONCE,
        }
    }

    /// Not before then, whatever is due.
    pub(super) fn rests_until(&self) -> Timestamp {
        self.rests_until.unwrap_or(Timestamp::MIN)
    }

    pub(super) fn failed(&mut self, rests_until: Option<Timestamp>) {
        self.failing = true;
        self.rests_until = self.rests_until.max(rests_until);
    }

    /// Whether this ended a time of trouble: then nothing needs to wait any longer.
    pub(super) fn sent(&mut self, now: Timestamp) -> bool {
        if now < self.rests_until() {
            return false;
        }
        std::mem::take(self).failing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_and_is_bounded() {
        let pauses: Vec<u64> =
            (1..10).map(|failures| pause(failures, None, 0.5).as_secs()).collect();
        assert_eq!(pauses, [1, 5, 30, 120, 600, 1800, 3600, 3600, 3600]);
    }

    #[test]
    fn what_the_target_asks_for_counts() {
        assert_eq!(pause(5, Some(Duration::from_secs(7)), 0.9), Duration::from_secs(7));
        assert_eq!(pause(1, Some(Duration::from_hours(48)), 0.0), Duration::from_hours(1));
        assert_eq!(pause(1, Some(Duration::ZERO), 0.0), Duration::from_secs(1), "never at once");
    }

    #[test]
    fn chance_spreads_by_a_fifth() {
        assert_eq!(pause(2, None, 0.0), Duration::from_secs(4));
        assert_eq!(pause(2, None, 1.0), Duration::from_secs(6));
    }

    #[test]
    fn what_is_old_before_it_was_tried_is_tried_all_the_same() {
        let (day, hour) = (Duration::from_hours(24), Duration::from_hours(1));
        assert!(!hopeless(1, day, hour));
        assert!(hopeless(5, day, hour));
        assert!(!hopeless(100, hour, day));
    }

    #[test]
    fn a_target_in_trouble_is_spared_until_it_takes_something() {
        let mut lately = Lately::default();
        let now = Timestamp(1000);
        assert_eq!(lately.at_once(now), 8);
        lately.failed(None);
        assert_eq!(lately.at_once(now), 1);
        assert!(lately.sent(now), "the trouble is over");
        assert!(!lately.sent(now), "that is no news");
        assert_eq!(lately.at_once(now), 8);
    }

    #[test]
    fn a_target_that_asks_for_rest_gets_it() {
        let mut lately = Lately::default();
        lately.failed(Some(Timestamp(5000)));
        lately.failed(None);
        assert_eq!(lately.at_once(Timestamp(4999)), 0);
        assert!(!lately.sent(Timestamp(4999)), "sent before it asked");
        assert_eq!(lately.at_once(Timestamp(5000)), 1);
        assert!(lately.sent(Timestamp(5000)));
    }
}
