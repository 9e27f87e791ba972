//! Whether a device is there, and for how long silence is no news.
//!
//! Two questions, told apart: is the *link* alive (any message counts), and are the *data* fresh
//! (the metric came)? A sleeping device has said how long it will be silent; a last will says that
//! the link broke, which for a device that reports seldom is news long before its next report.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::{reading::Timestamp, rule::Silence};

/// No silence shorter than this is news, whatever the interval between reports.
const SILENCE_LEAST: Duration = Duration::from_mins(10);

/// What a device last said of itself, or its broker in its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Link {
    Alive,
    /// It announced so many seconds of sleep.
    Asleep(u32),
    /// Its last will came then, and nothing since.
    Lost(Timestamp),
}

/// What is known of a device's presence at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Life {
    /// When anything came from it.
    pub(crate) heard: Option<Timestamp>,
    /// When late readings last came: it works, and catches up.
    pub(crate) late: Option<Timestamp>,
    pub(crate) link: Link,
    /// Between its reports.
    pub(crate) interval: Duration,
    /// Silence before this counts for nothing: we were not listening yet, or could not.
    pub(crate) from: Timestamp,
    /// We cannot hear at all.
    pub(crate) deaf: bool,
    /// From then on its silence is its station's, which has not been heard for too long.
    pub(crate) hushed: Timestamp,
    /// Between reports of the devices of its station that its rules look at.
    pub(crate) afar: Duration,
    /// Since when it is known.
    pub(crate) first: Timestamp,
    /// No silence of it shorter than this is news, whatever a rule says.
    pub(crate) least: Duration,
}

impl Life {
    /// How long it may be silent before its last values are too old to say anything.
    pub(crate) fn patience(&self) -> Duration {
        let awake = SILENCE_LEAST.max(self.interval * 3);
        awake.max(self.sleep())
    }

    /// When values that came at `came` become too old.
    pub(crate) fn fresh_until(&self, came: Timestamp) -> Timestamp {
        came + self.patience()
    }

    pub(crate) fn is_fresh(&self, came: Option<Timestamp>, now: Timestamp) -> bool {
        came.is_some_and(|came| now <= self.fresh_until(came))
    }

    /// When values of another device that came at `came` become too old.
    pub(crate) fn fresh_afar(&self, came: Timestamp) -> Timestamp {
        came + SILENCE_LEAST.max(self.afar * 3)
    }

    /// Since when it is known, and how many messages a second came, if it reported as often as it
    /// says.
    pub(crate) fn usual(&self) -> (Timestamp, f64) {
        (self.first, 1.0 / self.interval.as_secs_f64().max(1.0))
    }

    /// Is the device silent?
    pub(crate) fn judge_link(&self, within: Silence, now: Timestamp) -> Verdict {
        let silent = self.judge(self.heard, self.limit(within), self.link_deadline(within), now);
        let hushed = silent == Verdict::Breached && now >= self.hushed;
        if hushed { Verdict::Unknown } else { silent }
    }

    /// Is a metric missing, though the device is there?
    pub(crate) fn judge_data(
        &self,
        came: Option<Timestamp>,
        within: Silence,
        now: Timestamp,
    ) -> Verdict {
        let catches_up = self.late.is_some_and(|late| now < late + self.limit(within));
        if catches_up || !self.is_fresh(self.heard, now) {
            return Verdict::Unknown;
        }
        self.judge(came, self.limit(within), self.data_deadline(came, within), now)
    }

    /// When silence becomes news if nothing comes.
    pub(crate) fn link_deadline(&self, within: Silence) -> Timestamp {
        let silent = self.anchor(self.heard) + self.limit(within);
        match self.link {
            Link::Lost(at) if within == Silence::ByInterval => {
                silent.min(self.anchor(Some(at)) + SILENCE_LEAST)
            }
            _ => silent,
        }
    }

    pub(crate) fn data_deadline(&self, came: Option<Timestamp>, within: Silence) -> Timestamp {
        self.anchor(came.max(self.late)) + self.limit(within)
    }

    /// Silence that began while we could not hear neither raises nor clears.
    fn judge(
        &self,
        came: Option<Timestamp>,
        limit: Duration,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Verdict {
        if self.deaf {
            Verdict::Unknown
        } else if now >= deadline {
            Verdict::Breached
        } else if came.is_some_and(|came| now < came + limit) {
            Verdict::Cleared
        } else {
            Verdict::Unknown
        }
    }

    fn anchor(&self, came: Option<Timestamp>) -> Timestamp {
        came.map_or(self.from, |came| came.max(self.from))
    }

    fn limit(&self, within: Silence) -> Duration {
        match within {
            Silence::Fixed(limit) => limit.max(self.sleep()).max(self.least),
            Silence::ByInterval => match self.link {
                Link::Asleep(_) => SILENCE_LEAST.max(self.sleep()),
                _ => SILENCE_LEAST.max(self.interval * 3),
            },
        }
    }

    fn sleep(&self) -> Duration {
        match self.link {
            Link::Asleep(seconds) => Duration::from_secs(u64::from(seconds)) * 3 / 2,
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: i64) -> Timestamp {
        Timestamp(minute * 60_000)
    }

    fn life(heard: Option<i64>) -> Life {
        Life {
            heard: heard.map(minute),
            late: None,
            link: Link::Alive,
            interval: Duration::from_mins(1),
            from: minute(0),
            deaf: false,
            hushed: Timestamp(i64::MAX),
            afar: Duration::ZERO,
            first: minute(0),
            least: Duration::ZERO,
        }
    }

    #[test]
    fn silence_is_news_after_ten_minutes_or_three_reports() {
        let seldom = Life { interval: Duration::from_mins(15), ..life(Some(0)) };
        let asleep = Life { link: Link::Asleep(3600), ..life(Some(0)) };
        let nap = Life { link: Link::Asleep(60), ..seldom };
        let table = [
            ("frequent", life(Some(0)), 10),
            ("seldom", seldom, 45),
            ("asleep", asleep, 90),
            ("a nap", nap, 10),
            ("never seen", life(None), 10),
            ("last will", Life { link: Link::Lost(minute(3)), ..seldom }, 13),
        ];
        for (what, life, deadline) in table {
            let judge = |at| life.judge_link(Silence::ByInterval, Timestamp(at));
            let at = minute(deadline).0;
            assert_ne!(judge(at - 1), Verdict::Breached, "{what}");
            assert_eq!(judge(at), Verdict::Breached, "{what}");
        }
    }

    #[test]
    fn silence_of_our_own_making_neither_raises_nor_clears() {
        let restarted = Life { from: minute(60), ..life(Some(0)) };
        for (at, verdict) in [
            (5, Verdict::Cleared),
            (30, Verdict::Unknown),
            (69, Verdict::Unknown),
            (70, Verdict::Breached),
        ] {
            assert_eq!(restarted.judge_link(Silence::ByInterval, minute(at)), verdict, "{at} min");
        }
        let deaf = Life { deaf: true, ..life(Some(0)) };
        assert_eq!(deaf.judge_link(Silence::ByInterval, minute(500)), Verdict::Unknown);
    }

    #[test]
    fn what_the_station_is_silent_about_its_devices_are_not_blamed_for() {
        let folded = Life { hushed: minute(5), ..life(Some(0)) };
        for (at, verdict) in [(4, Verdict::Cleared), (9, Verdict::Cleared), (10, Verdict::Unknown)]
        {
            assert_eq!(folded.judge_link(Silence::ByInterval, minute(at)), verdict, "{at} min");
        }
    }

    #[test]
    fn a_metric_is_missing_only_while_the_device_is_there() {
        let within = Silence::Fixed(Duration::from_mins(20));
        let there = life(Some(30));
        assert_eq!(there.judge_data(Some(minute(0)), within, minute(31)), Verdict::Breached);
        assert_eq!(there.judge_data(None, within, minute(31)), Verdict::Breached);
        assert_eq!(there.judge_data(Some(minute(25)), within, minute(31)), Verdict::Cleared);
        assert_eq!(there.judge_data(Some(minute(0)), within, minute(41)), Verdict::Unknown);
    }
}
