//! How long to wait before the next attempt, and whether somebody else uses our client id.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const STEP: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_mins(1);
const MOST_IN_FIGHT: Duration = Duration::from_mins(5);
/// A session that lasted this long was a good one.
pub(super) const STEADY: Duration = Duration::from_secs(10);
/// This many sessions in a row that the broker granted and closed within [`STEADY`] are a fight.
const FIGHT: u32 = 3;

/// How one attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// No session came of it.
    Failed,
    /// The broker granted a session and closed it.
    Closed { lasted: Duration },
    /// There was a session, and we gave it up.
    GivenUp { lasted: Duration },
}

/// What the attempts so far say about the next.
///
/// A broker closes the old session of a client id when another client connects with that id. Two
/// clients that both reconnect at once take it from each other for ever; the one that sees it
/// steps back.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    quick_closes: u32,
}

impl Backoff {
    /// How long to wait now; `random` between 0 and 1 spreads clients that lost the same broker.
    pub(super) fn after(&mut self, attempt: Attempt, random: f64) -> Duration {
        self.note(attempt);
        let whole = if self.in_fight() {
            doubled(MOST, self.quick_closes - FIGHT, MOST_IN_FIGHT)
        } else if self.failures == 0 {
            FIRST
        } else {
            doubled(STEP, self.failures - 1, MOST)
        };
        self.failures = self.failures.saturating_add(1);
        whole.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }

    /// Whether another client most likely uses our client id.
    pub(super) fn in_fight(&self) -> bool {
        self.quick_closes >= FIGHT
    }

    fn note(&mut self, attempt: Attempt) {
        self.quick_closes = match attempt {
            Attempt::Closed { lasted } if lasted < STEADY => self.quick_closes.saturating_add(1),
            _ => 0,
        };
        if let Attempt::Closed { lasted } | Attempt::GivenUp { lasted } = attempt
            && lasted >= STEADY
        {
            self.failures = 0;
        }
    }
}

fn doubled(base: Duration, times: u32, most: Duration) -> Duration {
    base.saturating_mul(2_u32.saturating_pow(times)).min(most)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Plays attempts: `x` failed, `q` closed after a second, `s` closed after a minute, `g` given
    /// up after a second. Expects the longest wait after each, in milliseconds.
    #[track_caller]
    fn check(timeline: &str, expected: &[u128], fight: bool) {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = timeline
            .chars()
            .map(|letter| backoff.after(attempt(letter), 1.0).as_millis())
            .collect();
        assert_eq!(waits, expected, "{timeline}");
        assert_eq!(backoff.in_fight(), fight, "{timeline}");
    }

    fn attempt(letter: char) -> Attempt {
        match letter {
            'x' => Attempt::Failed,
            'q' => Attempt::Closed { lasted: Duration::from_secs(1) },
            's' => Attempt::Closed { lasted: Duration::from_mins(1) },
            'g' => Attempt::GivenUp { lasted: Duration::from_secs(1) },
            other => panic!("no attempt is written {other:?}"),
        }
    }

    #[test]
    fn the_first_retry_is_fast_and_the_waits_grow_to_a_minute() {
        check("xxxxxxxxx", &[100, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000], false);
    }

    #[test]
    fn a_session_that_held_starts_the_waits_anew() {
        check("xxxsx", &[100, 1000, 2000, 100, 1000], false);
        check("xxxqg", &[100, 1000, 2000, 4000, 8000], false);
    }

    #[test]
    fn three_sessions_closed_at_once_are_a_fight_over_the_client_id() {
        check("qqq", &[100, 1000, 60_000], true);
        check("qqqqqqq", &[100, 1000, 60_000, 120_000, 240_000, 300_000, 300_000], true);
    }

    #[test]
    fn a_broker_that_comes_and_goes_is_no_fight() {
        check("qqxqqxqq", &[100, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000], false);
        check("qqqs", &[100, 1000, 60_000, 100], false);
        check("ggggg", &[100, 1000, 2000, 4000, 8000], false);
    }

    proptest! {
        #[test]
        fn no_wait_is_shorter_than_half_or_longer_than_its_limit(
            timeline in "[xqsg]{0,80}", random in -1.0_f64..2.0,
        ) {
            let mut backoff = Backoff::default();
            for letter in timeline.chars() {
                let wait = backoff.after(attempt(letter), random);
                prop_assert!(wait >= FIRST / 2 && wait <= MOST_IN_FIGHT);
                prop_assert!(backoff.in_fight() || wait <= MOST);
            }
        }
    }
}
