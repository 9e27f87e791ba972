//! How long people stay: person-time by visits, over the last hour. Nobody is followed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::reading::Timestamp;

/// The hour moves on in steps of this.
const STEP_MS: i64 = 10 * 60_000;
const STEPS: usize = 6;

/// Person-time and visits of the last hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stay {
    /// The number of the newest step since 1970.
    newest: i64,
    /// Newest first.
    steps: [(u64, u32); STEPS],
}

impl Stay {
    /// So many were inside from one moment to the other.
    pub(super) fn inside(&mut self, people: u32, from: Timestamp, to: Timestamp) {
        let mut from = from;
        while from < to {
            let end = Timestamp((from.0.div_euclid(STEP_MS) + 1) * STEP_MS).min(to);
            let millis = u64::try_from(end.since(from).as_millis()).unwrap_or(0);
            let (person_ms, _) = self.step(from);
            *person_ms = person_ms.saturating_add(millis.saturating_mul(u64::from(people)));
            from = end;
        }
    }

    pub(super) fn visits(&mut self, visits: u32, at: Timestamp) {
        let (_, counted) = self.step(at);
        *counted = counted.saturating_add(visits);
    }

    /// The mean stay of those who came, in seconds.
    pub(super) fn mean_s(&mut self, now: Timestamp) -> Option<u32> {
        self.step(now);
        let person_ms = self.steps.iter().fold(0, |sum: u64, (ms, _)| sum.saturating_add(*ms));
        let visits = self.steps.iter().map(|(_, visits)| u64::from(*visits)).sum();
        let mean = Duration::from_millis(person_ms.checked_div(visits)?);
        u32::try_from(mean.as_secs()).ok()
    }

    pub(super) fn shift(&mut self, millis: i64) {
        self.newest += millis.div_euclid(STEP_MS);
    }

    /// The step of a moment; what is older than all steps counts for the newest.
    fn step(&mut self, at: Timestamp) -> &mut (u64, u32) {
        let number = at.0.div_euclid(STEP_MS);
        let on = usize::try_from(number - self.newest).unwrap_or(0).min(STEPS);
        if on > 0 {
            self.steps.rotate_right(on);
            self.steps.iter_mut().take(on).for_each(|step| *step = (0, 0));
            self.newest = number;
        }
        let [newest, ..] = &mut self.steps;
        newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: i64) -> Timestamp {
        Timestamp(1_767_225_600_000 + minute * 60_000)
    }

    #[test]
    fn the_mean_stay_is_person_time_by_visits_of_the_last_hour() {
        let mut stay = Stay::default();
        assert_eq!(stay.mean_s(minute(0)), None);
        // Two come, one goes after 10 minutes, the other after 30.
        stay.visits(2, minute(0));
        stay.inside(2, minute(0), minute(10));
        stay.inside(1, minute(10), minute(30));
        assert_eq!(stay.mean_s(minute(30)), Some(20 * 60));
        assert_eq!(stay.mean_s(minute(59)), Some(20 * 60));
        assert_eq!(stay.mean_s(minute(60)), None, "the visits are an hour old");
        assert_eq!(stay.mean_s(minute(6000)), None);
    }
}
