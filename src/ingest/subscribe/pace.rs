//! How fast to read. A broker that pushes message after message wakes us for each of them; reading
//! in small pauses takes many at a time and costs a fifth.

use std::time::Duration;

use tokio::time::Instant;

/// Above this rate pauses pay off.
const FAST: u64 = 5_000;
const WINDOW: Duration = Duration::from_millis(50);
const PAUSE: Duration = Duration::from_millis(1);

/// Watches the rate of one connection.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    messages: u64,
    fast: bool,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, messages: 0, fast: false }
    }

    /// A read brought `messages`; says until when to leave the next one, if it should wait.
    pub(super) fn read(&mut self, messages: u64, now: Instant) -> Option<Instant> {
        self.messages += messages;
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed >= WINDOW {
            let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            self.fast = self.messages.saturating_mul(1000) / millis.max(1) > FAST;
            self.since = now;
            self.messages = 0;
        }
        self.fast.then(|| now + PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `each` messages every millisecond for `millis`; how many of the reads asked to wait.
    fn pauses(pace: &mut Pace, from: Instant, each: u64, millis: u64) -> usize {
        (0..millis)
            .filter(|ms| pace.read(each, from + Duration::from_millis(*ms)).is_some())
            .count()
    }

    #[test]
    fn reads_pause_only_above_five_thousand_messages_a_second() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert_eq!(pauses(&mut pace, start, 4, 1000), 0);
        let later = start + Duration::from_secs(1);
        assert!(pauses(&mut pace, later, 20, 1000) > 900);
        let end = later + Duration::from_secs(1);
        assert!(pauses(&mut pace, end, 1, 1000) < 60, "and no longer when the flood is over");
    }
}
