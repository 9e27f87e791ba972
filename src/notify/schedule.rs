//! When to try again: pure.

use std::time::Duration;

/// Pauses after the first failures; the last one goes on.
const PAUSES_S: [u64; 7] = [1, 5, 30, 120, 600, 1800, 3600];
/// A target may ask for more patience than we would have, up to this.
const ASKED_LONGEST: Duration = Duration::from_hours(1);

/// How long to wait after failure number `failures` (from 1). `chance` in 0..1 spreads the waiting,
/// so that many notices do not come back in the same second; `asked` is what the target wants.
pub(super) fn pause(failures: u32, asked: Option<Duration>, chance: f64) -> Duration {
    if let Some(asked) = asked {
        return asked.min(ASKED_LONGEST);
    }
    let step = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    let seconds = PAUSES_S.get(step).or(PAUSES_S.last()).copied().unwrap_or(1);
    Duration::from_secs(seconds).mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0))
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
    }

    #[test]
    fn chance_spreads_by_a_fifth() {
        assert_eq!(pause(2, None, 0.0), Duration::from_secs(4));
        assert_eq!(pause(2, None, 1.0), Duration::from_secs(6));
    }
}
