//! How a device and a station stand now, in one word each. Pure: the time is an argument.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    decode::PresenceState, live::Seen, reading::Timestamp, registry::Device, rule::Severity,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Presence {
    Online,
    /// It said that it sleeps, and it is not late.
    Sleeping,
    /// It said that it goes.
    Offline,
    /// Its connection broke.
    Lost,
    /// Not heard for max(10 min, 3 × its reporting interval), or 1.5 × the sleep it announced.
    Silent,
    /// The daemon started a short while ago and has not heard it yet.
    Unknown,
}

impl Presence {
    pub(super) fn is_silent(self) -> bool {
        matches!(self, Self::Offline | Self::Lost | Self::Silent)
    }
}

/// One word for a station, worst first: a critical alert, all its devices silent, then the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Standing {
    Ok,
    Minor,
    Major,
    Critical,
    Silent,
}

pub(super) fn presence(
    seen: Seen,
    reports_every: Duration,
    started: Timestamp,
    now: Timestamp,
) -> Presence {
    let spoken = seen.presence.filter(|(_, at)| seen.last.is_none_or(|last| *at >= last));
    let state = spoken.map(|(state, _)| state);
    match state {
        Some(PresenceState::Offline) => return Presence::Offline,
        Some(PresenceState::Lost) => return Presence::Lost,
        Some(PresenceState::Sleeping | PresenceState::Online) | None => {}
    }
    let asleep = state == Some(PresenceState::Sleeping);
    let patience = patience(reports_every, seen.sleeps_s.filter(|_| asleep));
    let heard = seen.last.max(spoken.map(|(_, at)| at));
    let late = heard.is_none_or(|heard| now.since(heard) > patience);
    match (late, now.since(started) > patience) {
        (true, true) => Presence::Silent,
        (true, false) => Presence::Unknown,
        (false, _) if asleep => Presence::Sleeping,
        (false, _) => Presence::Online,
    }
}

/// After this long without a word from an awake device, what it said last is old.
pub(super) fn patience_of(device: &Device) -> Duration {
    patience(device.reports_every, None)
}

fn patience(reports_every: Duration, sleeps_s: Option<u32>) -> Duration {
    let awake = Duration::from_mins(10).max(reports_every.saturating_mul(3));
    sleeps_s.map_or(awake, |s| awake.max(Duration::from_secs(u64::from(s)).saturating_mul(3) / 2))
}

pub(super) fn standing(worst: Option<Severity>, devices: usize, silent: usize) -> Standing {
    match worst {
        Some(Severity::Critical) => Standing::Critical,
        _ if devices > 0 && silent == devices => Standing::Silent,
        Some(Severity::Major) => Standing::Major,
        Some(Severity::Minor) => Standing::Minor,
        Some(Severity::Info) | None => Standing::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    /// Started at minute 0, reports each minute; `now`, `heard` and `said` are minutes.
    fn check(
        now: i64,
        heard: Option<i64>,
        said: Option<(PresenceState, i64)>,
        sleeps_s: Option<u32>,
        expected: Presence,
    ) {
        let at = |minute: i64| Timestamp(minute * MINUTE);
        let seen = Seen {
            last: heard.map(at),
            presence: said.map(|(state, minute)| (state, at(minute))),
            sleeps_s,
        };
        let found = presence(seen, Duration::from_mins(1), at(0), at(now));
        assert_eq!(found, expected, "now {now}, {heard:?}, {said:?}");
    }

    #[test]
    fn a_device_is_silent_after_its_time_and_never_before_we_could_know() {
        use PresenceState::{Lost, Offline, Online, Sleeping};
        check(5, None, None, None, Presence::Unknown);
        check(11, None, None, None, Presence::Silent);
        check(5, Some(-4000), None, None, Presence::Unknown);
        check(11, Some(-4000), None, None, Presence::Silent);
        check(20, Some(10), None, None, Presence::Online);
        check(21, Some(10), None, None, Presence::Silent);
        check(20, Some(19), Some((Lost, 20)), None, Presence::Lost);
        check(20, Some(20), Some((Offline, 19)), None, Presence::Online);
        check(15, None, Some((Online, 14)), None, Presence::Online);
        check(100, Some(10), Some((Sleeping, 10)), Some(6000), Presence::Sleeping);
        check(161, Some(10), Some((Sleeping, 10)), Some(6000), Presence::Silent);
        check(100, Some(11), Some((Sleeping, 10)), Some(6000), Presence::Silent);
    }

    #[test]
    fn the_worst_word_counts() {
        for (worst, devices, silent, expected) in [
            (None, 0, 0, Standing::Ok),
            (None, 2, 1, Standing::Ok),
            (None, 2, 2, Standing::Silent),
            (Some(Severity::Info), 2, 0, Standing::Ok),
            (Some(Severity::Minor), 2, 0, Standing::Minor),
            (Some(Severity::Major), 2, 2, Standing::Silent),
            (Some(Severity::Critical), 2, 2, Standing::Critical),
        ] {
            assert_eq!(standing(worst, devices, silent), expected, "{worst:?} {silent}/{devices}");
        }
    }
}
