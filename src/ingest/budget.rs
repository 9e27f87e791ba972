//! How much one device may send: a token bucket for the first levels of the topic.
//!
//! The table is bounded. Where it is full the bucket with the most tokens goes, so that a device
//! that floods is remembered and one that hardly speaks loses nothing by being forgotten.

use std::{
    hash::BuildHasher,
    sync::{Mutex, PoisonError},
};

use crate::reading::Timestamp;

/// Topic levels behind the prefix that name a device: district, station, device.
const LEVELS: usize = 3;
const SHARDS: usize = 16;
const ROWS: usize = 1024;
/// 16 · 1024 · 16: a quarter of a million devices at once.
const ROW_MAX: usize = 16;
/// Dropped messages of a device are shown once in this many milliseconds.
const REPORT_EVERY: i64 = 1000;

/// The buckets of all devices. Shared by all connections.
#[derive(Debug)]
pub struct Budgets {
    rate_per_ms: f64,
    burst: f64,
    /// Topic levels that name a device, the prefix among them.
    levels: usize,
    hasher: foldhash::fast::RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    rows: Vec<Vec<Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    device: u64,
    tokens: f64,
    seen: Timestamp,
    /// Dropped and not yet shown.
    dropped: u64,
    shown: Timestamp,
}

/// What becomes of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Within the budget: journal it. Else acknowledge and count it.
    pub passes: bool,
    /// Journal one `Condition::OverBudget { dropped }` with this number.
    pub report: Option<u64>,
}

impl Budgets {
    /// `rate`: messages a second for ever; `burst`: at once; `prefix`: what stands before a device.
    pub fn new(rate: f64, burst: u32, prefix: &str) -> Self {
        Self {
            rate_per_ms: rate / 1000.0,
            burst: f64::from(burst).max(1.0),
            levels: prefix.split('/').count() + LEVELS,
            hasher: foldhash::fast::RandomState::default(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// One message of the device that `topic` names, now.
    pub fn take(&self, topic: &[u8], now: Timestamp) -> Verdict {
        let device = self.hasher.hash_one(device(topic, self.levels));
        let (shard, row) = place(device);
        let Some(shard) = self.shards.get(shard) else { return Verdict::PASS };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if shard.rows.is_empty() {
            shard.rows.resize_with(ROWS, Vec::new);
        }
        let Some(row) = shard.rows.get_mut(row) else { return Verdict::PASS };
        let index = match row.iter().position(|bucket| bucket.device == device) {
            Some(index) => index,
            None => self.admit(row, device, now),
        };
        let Some(bucket) = row.get_mut(index) else { return Verdict::PASS };
        bucket.refill(now, self.rate_per_ms, self.burst);
        bucket.take(now)
    }

    fn admit(&self, row: &mut Vec<Bucket>, device: u64, now: Timestamp) -> usize {
        let shown = now.plus_millis(-REPORT_EVERY);
        let bucket = Bucket { device, tokens: self.burst, seen: now, dropped: 0, shown };
        if row.len() < ROW_MAX {
            row.push(bucket);
            return row.len() - 1;
        }
        for old in &mut *row {
            old.refill(now, self.rate_per_ms, self.burst);
        }
        let fullest = row.iter().enumerate().max_by(|(_, a), (_, b)| a.tokens.total_cmp(&b.tokens));
        let index = fullest.map_or(0, |(index, _)| index);
        if let Some(place) = row.get_mut(index) {
            *place = bucket;
        }
        index
    }
}

impl Verdict {
    const PASS: Self = Self { passes: true, report: None };
}

impl Bucket {
    /// A clock that went back gives nothing and takes nothing.
    fn refill(&mut self, now: Timestamp, rate_per_ms: f64, burst: f64) {
        let millis = u32::try_from(now.since(self.seen).as_millis()).unwrap_or(u32::MAX);
        self.tokens = (self.tokens + f64::from(millis) * rate_per_ms).min(burst);
        self.seen = now;
    }

    fn take(&mut self, now: Timestamp) -> Verdict {
        let passes = self.tokens >= 1.0;
        if passes {
            self.tokens -= 1.0;
        } else {
            self.dropped += 1;
        }
        let due = now < self.shown || now >= self.shown.plus_millis(REPORT_EVERY);
        let report = (self.dropped > 0 && due).then(|| {
            self.shown = now;
            std::mem::take(&mut self.dropped)
        });
        Verdict { passes, report }
    }
}

/// The first levels of the topic, without the slash behind them.
fn device(topic: &[u8], levels: usize) -> &[u8] {
    let end = memchr::memchr_iter(b'/', topic).nth(levels - 1).unwrap_or(topic.len());
    topic.get(..end).unwrap_or(topic)
}

fn place(device: u64) -> (usize, usize) {
    let bits = |shift: u32, count: usize| {
        usize::try_from(device >> shift).unwrap_or(usize::MAX) & (count - 1)
    };
    (bits(0, SHARDS), bits(4, ROWS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "waystation/v1";
    const TOPIC: &[u8] = b"waystation/v1/putuo/shuxinwan/fridge-1/telemetry";

    fn at(millis: i64) -> Timestamp {
        Timestamp(1_767_225_600_000 + millis)
    }

    #[test]
    fn a_device_may_burst_and_then_keep_its_rate() {
        let budgets = Budgets::new(100.0, 1000, PREFIX);
        let passed = |from: i64, to: i64, each: usize| {
            (from..to)
                .flat_map(|ms| std::iter::repeat_n(ms, each))
                .filter(|ms| budgets.take(TOPIC, at(*ms)).passes)
                .count()
        };
        assert_eq!(passed(0, 1, 2000), 1000, "the burst");
        let kept = passed(1, 1001, 5);
        assert!((99..=100).contains(&kept), "5000/s is held to 100/s, not {kept}");
        assert_eq!(passed(600_000, 600_001, 2000), 1000, "full again, not more than full");
    }

    #[test]
    fn what_was_dropped_is_reported_once_a_second_and_none_twice() {
        let budgets = Budgets::new(1.0, 1, PREFIX);
        let reports: Vec<_> =
            (0..3500).filter_map(|ms| Some((ms, budgets.take(TOPIC, at(ms)).report?))).collect();
        assert_eq!(reports, [(1, 1), (1001, 999), (2001, 999), (3001, 999)]);
        // Dropped until 3500; the next message passes and brings the rest.
        let next = budgets.take(TOPIC, at(10_000));
        assert_eq!(next, Verdict { passes: true, report: Some(498) });
    }

    #[test]
    fn one_device_does_not_spend_the_budget_of_another() {
        let budgets = Budgets::new(1.0, 10, PREFIX);
        for _ in 0..100 {
            budgets.take(TOPIC, at(0));
        }
        assert!(!budgets.take(b"waystation/v1/putuo/shuxinwan/fridge-1/event", at(0)).passes);
        assert!(budgets.take(b"waystation/v1/putuo/shuxinwan/fridge-2/event", at(0)).passes);
        assert!(budgets.take(b"short", at(0)).passes);
    }

    #[test]
    fn a_flood_of_new_names_does_not_make_the_table_forget_who_floods() {
        let budgets = Budgets::new(1.0, 10, PREFIX);
        for _ in 0..100 {
            budgets.take(TOPIC, at(0));
        }
        for number in 0..400_000 {
            budgets.take(format!("a/b/c/d/{number}/e").as_bytes(), at(0));
        }
        assert!(!budgets.take(TOPIC, at(0)).passes);
        let held: usize = budgets
            .shards
            .iter()
            .flat_map(|shard| shard.lock().unwrap().rows.iter().map(Vec::len).collect::<Vec<_>>())
            .sum();
        assert!(held <= SHARDS * ROWS * ROW_MAX, "{held}");
    }

    #[test]
    fn a_clock_that_jumps_back_gives_nothing_and_takes_nothing() {
        let budgets = Budgets::new(1.0, 2, PREFIX);
        assert!(budgets.take(TOPIC, at(3_600_000)).passes);
        assert!(budgets.take(TOPIC, at(0)).passes);
        assert!(!budgets.take(TOPIC, at(1)).passes);
        assert!(budgets.take(TOPIC, at(1001)).passes);
    }
}
