//! A counter of people, which a crowd makes grow and a restart makes fall.

use serde::{Deserialize, Serialize};

use crate::reading::Timestamp;

/// Nobody sees more people than this go through a door in a minute …
const CROWD_A_MINUTE: i64 = 60;
/// … nor more than this between two reports, however far apart. By judgement, both.
const CROWD: i64 = 5000;
/// Small counters begin again behind this.
const ROLLS_OVER_AT: i64 = 1 << 16;

/// Where a counter stood, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counter {
    value: i64,
    at: Timestamp,
}

/// What a new value of a counter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Where it begins, for us.
    First,
    Grew(i64),
    /// No crowd can have done this: it counts from here on.
    Jump,
}

impl Counter {
    pub(super) fn take(known: &mut Option<Self>, value: i64, at: Timestamp) -> Step {
        let Some(before) = known.replace(Self { value, at }) else { return Step::First };
        let minutes = i64::try_from(at.since(before.at).as_secs() / 60).unwrap_or(CROWD);
        let crowd = CROWD_A_MINUTE.saturating_mul(minutes + 1).min(CROWD);
        let rolled_over = value + ROLLS_OVER_AT - before.value;
        let grew = match value - before.value {
            growth @ 0.. => growth,
            _ if before.value < ROLLS_OVER_AT && rolled_over <= crowd => rolled_over,
            // It started again from zero.
            _ => value,
        };
        if (0..=crowd).contains(&grew) { Step::Grew(grew) } else { Step::Jump }
    }

    pub(super) fn shift(&mut self, millis: i64) {
        self.at = self.at.plus_millis(millis);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `value` says some minutes after `before`.
    fn step(before: i64, minutes: i64, value: i64) -> Step {
        let mut known = Some(Counter { value: before, at: Timestamp(0) });
        Counter::take(&mut known, value, Timestamp(minutes * 60_000))
    }

    #[test]
    fn a_counter_grows_restarts_and_rolls_over() {
        for (before, minutes, value, expected) in [
            (100, 1, 100, Step::Grew(0)),
            (100, 1, 112, Step::Grew(12)),
            (100, 1, 220, Step::Grew(120)),
            (100, 1, 221, Step::Jump),
            (100, 0, 160, Step::Grew(60)),
            (100, 60, 3000, Step::Grew(2900)),
            (100, 60 * 24 * 30, 9000, Step::Jump),
            (1043, 1, 0, Step::Grew(0)),
            (1043, 1, 12, Step::Grew(12)),
            (1043, 1, 1042, Step::Jump),
            (65_530, 1, 4, Step::Grew(10)),
            (65_530, 1, 200, Step::Jump),
            (65_536, 1, 4, Step::Grew(4)),
            (1043, 60 * 24 * 30, 12, Step::Grew(12)),
        ] {
            assert_eq!(
                step(before, minutes, value),
                expected,
                "{before} to {value}, {minutes} min"
            );
        }
        assert_eq!(Counter::take(&mut None, 5, Timestamp(0)), Step::First);
    }
}
