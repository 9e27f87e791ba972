//! How fast to read. A broker that pushes message after message wakes us for each of them; reading
//! in small pauses takes many at a time and costs a fraction.
//!
//! A pause must not outlast the broker's window of unacknowledged messages, which we cannot ask for
//! (Mosquitto's is 20 unless told otherwise): a full window stands still until we read. So pauses
//! begin short, with half of what one read has brought, and grow while no fewer messages come for it.

use std::time::Duration;

use tokio::time::Instant;

/// Above this rate pauses pay off.
const FAST: u64 = 1_000;
const WINDOW: Duration = Duration::from_millis(50);
/// Timers are no finer.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// As long as a group of the journal may gather: with such pauses it need not.
const PAUSE_MAX: Duration = Duration::from_millis(5);
/// Below this rate not even the smallest windows fill in the longest pause.
const MOST_AT_FIRST: u64 = 16;
/// A pause that cost messages is not tried again for so many windows, doubled each time.
const HOLD_MIN: u32 = 20;
const HOLD_MAX: u32 = 1200;

/// Watches the rate of one connection.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    messages: u64,
    /// The most that one read has brought.
    most: u64,
    pause: Option<Duration>,
    /// The rate before the pause grew, if it grew in the last window.
    grown_at: Option<u64>,
    /// Windows to wait before it may grow, and how many it waited last.
    hold: u32,
    held: u32,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            messages: 0,
            most: MOST_AT_FIRST,
            pause: None,
            grown_at: None,
            hold: 0,
            held: HOLD_MIN / 2,
        }
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

    fn pause_at(&mut self, rate: u64) -> Duration {
        let safe = Duration::from_micros(self.most / 2 * 1_000_000 / rate);
        let before = self.pause.unwrap_or(PAUSE_MIN);
        let grown_at = self.grown_at.take();
        let pause = if grown_at.is_some_and(|before| rate < before / 10 * 9) {
            self.held = (self.held * 2).min(HOLD_MAX);
            self.hold = self.held;
            before / 2
        } else if self.hold > 0 {
            self.hold -= 1;
            before
        } else if before < PAUSE_MAX {
            self.grown_at = Some(rate);
            before * 2
        } else {
            before
        };
        pause.max(safe).clamp(PAUSE_MIN, PAUSE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A broker that sends `rate` messages a second, and no more than its window while we do not
    /// read; the pauses of `millis`, and what came in all.
    fn pauses(
        pace: &mut Pace,
        from: Instant,
        rate: u64,
        window: u64,
        millis: u64,
    ) -> (Vec<Duration>, u64) {
        let end = from + Duration::from_millis(millis);
        let (mut now, mut pauses, mut came) = (from, Vec::new(), 0);
        while now < end {
            let until = pace.read(0, now).unwrap_or(now + Duration::from_micros(500));
            let waited = u64::try_from((until - now).as_micros()).unwrap();
            let brought = (waited * rate / 1_000_000).min(window);
            now = until;
            came += brought;
            pauses.extend(pace.read(brought, now).map(|until| until - now));
        }
        (pauses, came)
    }

    #[test]
    fn reads_pause_only_above_a_thousand_messages_a_second() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert!(pauses(&mut pace, start, 900, 1000, 1000).0.is_empty());
        let later = start + Duration::from_secs(2);
        assert!(pauses(&mut pace, later, 20_000, 1000, 1000).0.len() > 100);
        let end = later + Duration::from_secs(2);
        let after = pauses(&mut pace, end, 900, 1000, 1000).0;
        assert!(after.len() < 60, "and no longer when the flood is over: {}", after.len());
    }

    #[test]
    fn pauses_grow_where_the_window_is_large_and_stay_short_where_it_is_small() {
        let last = |rate, window| {
            let start = Instant::now();
            let (pauses, _) = pauses(&mut Pace::new(start), start, rate, window, 3000);
            *pauses.last().unwrap()
        };
        assert_eq!(last(2_000, 1000), PAUSE_MAX);
        assert_eq!(last(40_000, 1000), PAUSE_MAX);
        assert_eq!(last(2_000, 20), PAUSE_MAX, "10 of 20 in 5 ms");
        assert_eq!(last(20_000, 20), PAUSE_MIN);
    }

    #[test]
    fn a_small_window_costs_little_of_what_could_come() {
        let start = Instant::now();
        let (_, came) = pauses(&mut Pace::new(start), start, 20_000, 20, 10_000);
        assert!(came > 190_000, "{came} of 200 000");
    }
}
