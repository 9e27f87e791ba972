//! The life of one alert: one rule watching one device.
//!
//! ```text
//!            Breached            Breached for `raise_after`, `readings` times
//!   Normal ────────────▶ Pending ────────────▶ Firing ◀────────────┐
//!     ▲                     │                    │ Cleared         │ not Cleared
//!     │   Between, Cleared  │                    ▼                 │
//!     ├─────────────────────┘                 Clearing ────────────┘
//!     ├─────────────────────────────────────────┘
//!     │           Cleared for `clear_after`      (latched: only a person ends it)
//!     └── Cleared ── Ended ◀── a person, while it is still bad
//! ```
//!
//! `Unknown` freezes: timers stop with what they have left and go on when data come again. An
//! `Excused` breach stops the timer of a pending alert too. It does not start it anew: a door that
//! is opened often would keep a warm fridge quiet for ever.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::{reading::Timestamp, rule::Rule};

/// What must hold before a verdict counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) raise_after: Duration,
    /// Bad readings in a row.
    pub(crate) readings: u32,
    pub(crate) clear_after: Duration,
    pub(crate) latched: bool,
}

impl From<&Rule> for Hold {
    fn from(rule: &Rule) -> Self {
        Self {
            raise_after: rule.hold,
            readings: rule.readings,
            clear_after: rule.clear_after,
            latched: rule.latched,
        }
    }
}

/// What made us ask: only a reading counts towards `readings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    ByReading,
    ByTimer,
}

/// Where an alert stands. `since` is when the breach, or the calm, began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    Normal,
    Pending {
        since: Timestamp,
        bad: u32,
        due: Due,
    },
    Firing,
    Clearing {
        since: Timestamp,
        due: Due,
    },
    /// Ended by a person while still bad: must be good once before it can fire again.
    Ended,
}

/// When a waiting state is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Due {
    At(Timestamp),
    /// Frozen, with this much left.
    Left(Duration),
}

/// What the outside world should hear about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Raised,
    Resolved,
}

/// Moves one alert forward. Pure: the caller owns the clock, the storage and the telling.
pub(crate) fn step(
    state: State,
    verdict: Verdict,
    asked: Asked,
    now: Timestamp,
    hold: Hold,
) -> (State, Option<Change>) {
    use Verdict::{Between, Breached, Cleared, Excused, Unknown};
    match (state, verdict) {
        (State::Normal, Breached) => {
            wait(now, count(0, asked), Due::At(now + hold.raise_after), now, hold)
        }
        (State::Pending { since, bad, due }, Breached) => {
            wait(since, count(bad, asked), due.run(now), now, hold)
        }
        (State::Pending { since, bad, due }, Unknown | Excused) => {
            (State::Pending { since, bad, due: due.freeze(now) }, None)
        }
        (State::Pending { .. }, Between | Cleared) | (State::Ended, Cleared) => {
            (State::Normal, None)
        }
        (State::Firing, Cleared) if !hold.latched => {
            calm(now, Due::At(now + hold.clear_after), now)
        }
        (State::Clearing { since, due }, Cleared) => calm(since, due.run(now), now),
        (State::Clearing { since, due }, Unknown) => {
            (State::Clearing { since, due: due.freeze(now) }, None)
        }
        (State::Clearing { .. }, _) => (State::Firing, None),
        (State::Normal | State::Firing | State::Ended, _) => (state, None),
    }
}

impl State {
    /// Told to people, and not taken back yet.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Firing | Self::Clearing { .. })
    }

    /// When time alone moves it on.
    pub(crate) fn deadline(self, hold: Hold) -> Option<Timestamp> {
        match self {
            Self::Pending { due: Due::At(at), bad, .. } if bad >= hold.readings => Some(at),
            Self::Clearing { due: Due::At(at), .. } => Some(at),
            _ => None,
        }
    }

    /// The same state when every clock was moved by so many milliseconds: what is left stays.
    #[must_use]
    pub(crate) fn shifted(self, millis: i64) -> Self {
        match self {
            Self::Pending { since, bad, due } => {
                Self::Pending { since: since.plus_millis(millis), bad, due: due.shifted(millis) }
            }
            Self::Clearing { since, due } => {
                Self::Clearing { since: since.plus_millis(millis), due: due.shifted(millis) }
            }
            other => other,
        }
    }
}

impl Due {
    fn run(self, now: Timestamp) -> Self {
        match self {
            Self::At(at) => Self::At(at),
            Self::Left(left) => Self::At(now + left),
        }
    }

    fn freeze(self, now: Timestamp) -> Self {
        match self {
            Self::At(at) => Self::Left(at.since(now)),
            Self::Left(left) => Self::Left(left),
        }
    }

    fn reached(self, now: Timestamp) -> bool {
        matches!(self, Self::At(at) if at <= now)
    }

    fn shifted(self, millis: i64) -> Self {
        match self {
            Self::At(at) => Self::At(at.plus_millis(millis)),
            left @ Self::Left(_) => left,
        }
    }
}

fn count(bad: u32, asked: Asked) -> u32 {
    bad.saturating_add(u32::from(asked == Asked::ByReading))
}

fn wait(
    since: Timestamp,
    bad: u32,
    due: Due,
    now: Timestamp,
    hold: Hold,
) -> (State, Option<Change>) {
    if due.reached(now) && bad >= hold.readings {
        (State::Firing, Some(Change::Raised))
    } else {
        (State::Pending { since, bad, due }, None)
    }
}

fn calm(since: Timestamp, due: Due, now: Timestamp) -> (State, Option<Change>) {
    if due.reached(now) {
        (State::Normal, Some(Change::Resolved))
    } else {
        (State::Clearing { since, due }, None)
    }
}

#[cfg(test)]
mod tests;
