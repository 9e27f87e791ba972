//! How fast to read. A broker that pushes message after message wakes us for each of them; reading
//! in small pauses takes many at a time and costs a fifth.
//!
//! A pause must not outlast the broker's window of unacknowledged messages, which we cannot ask for
//! (Mosquitto's is 20 unless told otherwise): a full window stands still until we read. What one
//! read has brought was within it, so a pause is made for half of that.

use std::time::Duration;

use tokio::time::Instant;

/// Above this rate pauses pay off.
const FAST: u64 = 1_000;
const WINDOW: Duration = Duration::from_millis(50);
/// Timers are no finer.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// As long as a group of the journal gathers: with such pauses it need not.
const PAUSE_MAX: Duration = Duration::from_millis(4);
/// Below this rate not even the smallest windows fill in the longest pause.
const MOST_AT_FIRST: u64 = 16;

/// Watches the rate of one connection.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    messages: u64,
    /// The most that one read has brought.
    most: u64,
    pause: Option<Duration>,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, messages: 0, most: MOST_AT_FIRST, pause: None }
    }

    /// A read brought `messages`; says until when to leave the next one, if it should wait.
    pub(super) fn read(&mut self, messages: u64, now: Instant) -> Option<Instant> {
        self.messages += messages;
        self.most = self.most.max(messages);
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed >= WINDOW {
            let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX).max(1);
            let rate = self.messages.saturating_mul(1_000_000) / micros;
            self.pause = (rate > FAST).then(|| self.pause_at(rate));
            self.since = now;
            self.messages = 0;
        }
        self.pause.map(|pause| now + pause)
    }

    fn pause_at(&self, rate: u64) -> Duration {
        let wanted = Duration::from_micros(self.most / 2 * 1_000_000 / rate);
        wanted.clamp(PAUSE_MIN, PAUSE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `each` messages every millisecond for `millis`; the pauses it asked for.
    fn pauses(pace: &mut Pace, from: Instant, each: u64, millis: u64) -> Vec<Duration> {
        let read = |ms| {
            let now = from + Duration::from_millis(ms);
            pace.read(each, now).map(|until| until - now)
        };
        (0..millis).filter_map(read).collect()
    }

    #[test]
    fn reads_pause_only_above_a_thousand_messages_a_second() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert!(pauses(&mut pace, start, 1, 1000).len() < 60, "but for the first window");
        let later = start + Duration::from_secs(1);
        assert!(pauses(&mut pace, later, 20, 1000).len() > 900);
        let end = later + Duration::from_secs(1);
        assert!(pauses(&mut pace, end, 1, 1000).len() < 60, "and no longer when the flood is over");
    }

    #[test]
    fn a_pause_brings_half_of_what_a_read_has_brought_before() {
        let longest = |each: u64| {
            let start = Instant::now();
            pauses(&mut Pace::new(start), start, each, 1000).into_iter().max().unwrap()
        };
        assert_eq!(longest(2), PAUSE_MAX, "2000/s, 8 at a time");
        assert_eq!(longest(5), Duration::from_micros(1600), "5000/s, 8 at a time");
        assert_eq!(longest(20), PAUSE_MIN);
        let start = Instant::now();
        let mut pace = Pace::new(start);
        pace.read(500, start);
        let pauses = pauses(&mut pace, start + Duration::from_millis(1), 30, 1000);
        assert_eq!(pauses.last(), Some(&PAUSE_MAX), "its window is large");
    }
}
