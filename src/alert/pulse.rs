//! Notices that the clock was set: wall time against time that only goes forward.

use tokio::time::Instant;

use crate::reading::Timestamp;

/// A smaller difference is the ordinary work of NTP.
const JUMP_LEAST_MS: i64 = 60_000;

#[derive(Debug)]
pub(crate) struct Pulse {
    wall: Timestamp,
    steady: Instant,
}

impl Pulse {
    pub(crate) fn new(wall: Timestamp, steady: Instant) -> Self {
        Self { wall, steady }
    }

    /// By how many milliseconds the clock was set since the last beat.
    pub(crate) fn beat(&mut self, wall: Timestamp, steady: Instant) -> Option<i64> {
        let passed = steady.saturating_duration_since(self.steady).as_millis();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let jump = wall.0.saturating_sub(self.wall.0).saturating_sub(passed);
        *self = Self { wall, steady };
        (jump.abs() >= JUMP_LEAST_MS).then_some(jump)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_jump_is_told_from_time_that_passes() {
        let start = Instant::now();
        let mut pulse = Pulse::new(Timestamp(0), start);
        let later = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(pulse.beat(Timestamp(90_000), later(90)), None);
        assert_eq!(pulse.beat(Timestamp(91_500), later(91)), None);
        assert_eq!(pulse.beat(Timestamp(3_692_500), later(92)), Some(3_600_000));
        assert_eq!(pulse.beat(Timestamp(92_500), later(92)), Some(-3_600_000));
        assert_eq!(pulse.beat(Timestamp(93_500), later(93)), None);
    }
}
