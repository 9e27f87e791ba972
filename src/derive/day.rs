//! The local day of a station: its visits, its drift, and when it is quietest.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::reading::Timestamp;

/// The day is cut into so many spans, 45 minutes each.
const SPANS: usize = 32;
const SPAN_MS: i64 = 45 * 60_000;
/// Until it is known when a station is quietest: the span from 03:45. By judgement.
const QUIET_AT_FIRST: usize = 5;
/// What one person at the door weighs; each day a seventh of the weight goes.
const WEIGHT: u16 = 16;
const FORGETS: u16 = 7;
/// Drift is judged by at least so many visits.
const VISITS_LEAST: u32 = 50;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Day {
    began: Timestamp,
    ends: Timestamp,
    visits: u32,
    visits_before: u32,
    drift: i32,
    /// Yesterday's, judged at its end.
    drift_pct_before: u32,
    /// Who came and went in each span, of about the last seven days.
    traffic: [u16; SPANS],
    quietest: usize,
    /// The quietest span of this day has begun, and what there was to do then was done.
    quiet_was: bool,
}

impl Day {
    /// Lets the time be `now`.
    pub(super) fn pass(&mut self, now: Timestamp, zone: &TimeZone) {
        if (self.began..self.ends).contains(&now) {
            return;
        }
        let Some((began, ends)) = bounds(now, zone) else { return };
        let first = self.ends == Timestamp::default();
        if first {
            self.quietest = QUIET_AT_FIRST;
        } else if began >= self.ends {
            self.turn((began.0 - self.ends.0).div_euclid(24 * 3_600_000));
        }
        (self.began, self.ends) = (began, ends);
    }

    /// A new day begins, `missed` days after the last one ended.
    fn turn(&mut self, missed: i64) {
        let yesterday = if missed == 0 { (self.visits, self.drift_pct_today()) } else { (0, 0) };
        (self.visits_before, self.drift_pct_before) = yesterday;
        (self.visits, self.drift) = (0, 0);
        for _ in 0..=missed.min(100) {
            for weight in &mut self.traffic {
                *weight -= weight.div_ceil(FORGETS);
            }
        }
        self.quietest = self.find_quietest();
        self.quiet_was = false;
    }

    /// The span with the least traffic; of several, the one with the quietest hours around it, and
    /// then the one nearest to the middle of the night.
    fn find_quietest(&self) -> usize {
        let weight = |span: usize| u32::from(self.traffic.get(span % SPANS).copied().unwrap_or(0));
        let around = |span: usize| (span + SPANS - 3..=span + SPANS + 3).map(weight).sum::<u32>();
        let off = |span: usize| {
            let off = span.abs_diff(QUIET_AT_FIRST);
            off.min(SPANS - off)
        };
        let spans = (0..SPANS).min_by_key(|span| (weight(*span), around(*span), off(*span)));
        spans.unwrap_or(QUIET_AT_FIRST)
    }

    /// Whether the quietest span is now and nobody asked before; once a day.
    pub(super) fn quiet_begins(&mut self, now: Timestamp) -> bool {
        let begins = !self.quiet_was && self.span(now) == self.quietest;
        self.quiet_was |= begins;
        begins
    }

    pub(super) fn count(&mut self, came: u32, went: u32, now: Timestamp) {
        self.visits = self.visits.saturating_add(came);
        let moved = u16::try_from(came.saturating_add(went)).unwrap_or(u16::MAX);
        let span = self.span(now);
        if let Some(weight) = self.traffic.get_mut(span) {
            *weight = weight.saturating_add(moved.saturating_mul(WEIGHT));
        }
    }

    /// So many were counted inside though nobody was.
    pub(super) fn correct(&mut self, people: i64) {
        let people = i32::try_from(people).unwrap_or(i32::MAX);
        self.drift = self.drift.saturating_add(people);
    }

    pub(super) fn drift(&self) -> i32 {
        self.drift
    }

    /// The worse of today's and yesterday's.
    pub(super) fn drift_pct(&self) -> u32 {
        self.drift_pct_today().max(self.drift_pct_before)
    }

    /// By today's visits or yesterday's: what is taken away in the night was yesterday's.
    fn drift_pct_today(&self) -> u32 {
        let visits = self.visits.max(self.visits_before).max(VISITS_LEAST);
        self.drift.unsigned_abs().saturating_mul(100) / visits
    }

    fn span(&self, now: Timestamp) -> usize {
        let into = now.0.saturating_sub(self.began.0).max(0);
        usize::try_from(into / SPAN_MS).unwrap_or(0).min(SPANS - 1)
    }
}

/// Midnight before and after, local.
fn bounds(now: Timestamp, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let local = jiff::Timestamp::from_millisecond(now.0).ok()?.to_zoned(zone.clone());
    let began = local.start_of_day().ok()?;
    let ends = local.tomorrow().ok()?.start_of_day().ok()?;
    let millis = |at: &jiff::Zoned| Timestamp(at.timestamp().as_millisecond());
    Some((millis(&began), millis(&ends)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minutes since midnight of 2026-01-05 in Shanghai.
    fn minute(minute: i64) -> Timestamp {
        Timestamp(1_767_542_400_000 + minute * 60_000)
    }

    fn shanghai() -> TimeZone {
        TimeZone::get("Asia/Shanghai").unwrap()
    }

    /// Days with a person at the door at each of these hours; the hour the quietest span begins at.
    fn quietest(days: i64, hours: &[i64]) -> i64 {
        let mut day = Day::default();
        for midnight in (0..days).map(|day| day * 24 * 60) {
            for hour in hours {
                let now = minute(midnight + hour * 60 + 1);
                day.pass(now, &shanghai());
                day.count(1, 0, now);
            }
        }
        let next = minute(days * 24 * 60);
        day.pass(next, &shanghai());
        let spans = (0..24 * 4).map(|quarter| next.plus_millis(quarter * 15 * 60_000));
        let begins = spans.filter(|now| day.quiet_begins(*now)).collect::<Vec<_>>();
        assert_eq!(begins.len(), 1, "once a day");
        (begins[0].0 - next.0) / 60_000
    }

    #[test]
    fn the_quietest_time_is_learned() {
        let by_day: Vec<i64> = (7..23).collect();
        let by_night: Vec<i64> = (0..9).chain(18..24).collect();
        assert_eq!(quietest(1, &[]), 3 * 60 + 45);
        assert_eq!(quietest(3, &by_day), 3 * 60 + 45);
        let noon = quietest(3, &by_night);
        assert!((10 * 60..16 * 60).contains(&noon), "{noon}");
    }

    #[test]
    fn drift_is_of_the_day_and_judged_by_a_day_s_visits() {
        let mut day = Day::default();
        day.pass(minute(0), &shanghai());
        day.correct(5);
        assert_eq!((day.drift(), day.drift_pct()), (5, 10));
        day.correct(-11);
        assert_eq!((day.drift(), day.drift_pct()), (-6, 12));
        day.count(600, 0, minute(1));
        assert_eq!(day.drift_pct(), 1);
        day.pass(minute(24 * 60), &shanghai());
        assert_eq!((day.drift(), day.drift_pct()), (0, 1), "yesterday's is still told");
        day.pass(minute(48 * 60), &shanghai());
        assert_eq!((day.drift(), day.drift_pct()), (0, 0));
    }
}
