//! What one condition remembers.

use std::time::Duration;

use super::{
    Verdict,
    course::Course,
    life::Life,
    plan::Window,
    usual::Usual,
    window::{Extremes, Still, Sum, grown},
};
use crate::reading::{Timestamp, Value};

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Memory {
    Nothing,
    Extremes(Extremes),
    Still(Still),
    /// Sums, since when the condition has held, or the last value of the counter.
    Held(Sum, Option<Timestamp>),
    Grown(Sum, f64),
    Times(Sum, bool),
    Share(Box<Share>),
    Since(Since),
    Usual(Box<Usual>),
    Course(Course),
}

/// Growth of two counters.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Share {
    part: (Sum, Option<f64>),
    whole: (Sum, Option<f64>),
}

/// Growth of a counter since a record was made.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Since {
    last: f64,
    grown: f64,
    record: Option<Timestamp>,
}

impl Memory {
    pub(super) fn widen(&mut self, value: Option<Value>, at: Timestamp, by: f64, within: Duration) {
        let Some(value) = value.and_then(Value::as_number) else { return };
        if !matches!(self, Self::Extremes(_)) {
            *self = Self::Extremes(Extremes::default());
        }
        if let Self::Extremes(extremes) = self {
            extremes.push(at, value, by, within);
        }
    }

    pub(super) fn rest(&mut self, value: Option<Value>, at: Timestamp, tolerance: f64) {
        let Some(value) = value.and_then(Value::as_number) else { return };
        let still = if let Self::Still(still) = self { Some(*still) } else { None };
        *self = Self::Still(Still::push(still, at, value, tolerance));
    }

    /// What held until now is added; a gap in the data adds no more than the data's patience.
    pub(super) fn hold(&mut self, verdict: Verdict, at: Timestamp, window: &Window, life: &Life) {
        if !matches!(self, Self::Held(..)) {
            *self = Self::Held(Sum::default(), None);
        }
        let Self::Held(sum, since) = self else { return };
        if let Some(since) = *since {
            sum.add_span(since, at.min(life.fresh_until(since)), window.within);
        }
        *since = match verdict {
            Verdict::Breached => Some(at),
            Verdict::Between => since.map(|_| at),
            _ => None,
        };
    }

    pub(super) fn grow(&mut self, value: Option<Value>, at: Timestamp, within: Duration) {
        let Some(value) = value.and_then(Value::as_number) else { return };
        if let Self::Grown(sum, last) = self {
            sum.add(at, grown(*last, value), within);
            *last = value;
        } else {
            *self = Self::Grown(Sum::default(), value);
        }
    }

    /// An event is sent each time it happens, and never taken back: each one counts.
    pub(super) fn rise(
        &mut self,
        value: Option<Value>,
        at: Timestamp,
        event: bool,
        within: Duration,
    ) {
        let Some(Value::State(now)) = value else { return };
        let last = matches!(self, Self::Times(_, true));
        if now && (event || !last) {
            self.count(at, within);
        }
        match self {
            Self::Times(_, last) => *last = now,
            _ => *self = Self::Times(Sum::default(), now),
        }
    }

    /// Something happened once more.
    pub(super) fn count(&mut self, at: Timestamp, within: Duration) {
        if !matches!(self, Self::Times(..)) {
            *self = Self::Times(Sum::default(), false);
        }
        if let Self::Times(sum, _) = self {
            sum.add(at, 1.0, within);
        }
    }

    /// What is observed of a device is counted from the first message that went missing: those
    /// before it came as often as the device says it reports.
    pub(super) fn share(
        &mut self,
        values: [Option<Value>; 2],
        at: Timestamp,
        within: Duration,
        before: Option<(Timestamp, f64)>,
    ) {
        if !matches!(self, Self::Share(_)) {
            let mut share = Share::default();
            if let Some((since, rate)) = before {
                share.whole.0.add_evenly(since, at, rate, within);
            }
            *self = Self::Share(Box::new(share));
        }
        let Self::Share(share) = self else { return };
        for ((sum, last), value) in [&mut share.part, &mut share.whole].into_iter().zip(values) {
            let Some(value) = value.and_then(Value::as_number) else { continue };
            sum.add(at, last.map_or(0.0, |last| grown(last, value)), within);
            *last = Some(value);
        }
    }

    pub(super) fn since(&mut self, value: Option<Value>, record: Option<Timestamp>) {
        let Some(value) = value.and_then(Value::as_number) else { return };
        if let Self::Since(since) = self {
            since.grown += grown(since.last, value);
            since.last = value;
            if record > since.record {
                (since.grown, since.record) = (0.0, record);
            }
        } else {
            *self = Self::Since(Since { last: value, grown: 0.0, record });
        }
    }

    pub(super) fn compare(&mut self, value: Option<Value>, at: Timestamp, within: Duration) {
        let Some(value) = value.and_then(Value::as_number) else { return };
        if let Self::Usual(usual) = self {
            usual.push(at, value, within);
        } else {
            *self = Self::Usual(Box::new(Usual::new(at, value)));
        }
    }

    pub(super) fn follow(&mut self, value: Option<Value>, at: Timestamp, over: Duration) {
        let Some(value) = value.and_then(Value::as_number) else { return };
        if !matches!(self, Self::Course(_)) {
            *self = Self::Course(Course::default());
        }
        if let Self::Course(course) = self {
            course.push(at, value, over);
        }
    }

    /// Every clock was moved by so many milliseconds. Windows of change start anew: a device's own
    /// clock did not move with ours, and a squeezed window would see changes that never were.
    pub(super) fn shift(&mut self, millis: i64, within: Duration) {
        match self {
            // When a record was made people said; it stays.
            Self::Nothing | Self::Since(_) => {}
            Self::Extremes(_) | Self::Course(_) => *self = Self::Nothing,
            Self::Still(still) => still.since = still.since.plus_millis(millis),
            Self::Held(sum, since) => {
                sum.shift(millis, within);
                *since = since.map(|since| since.plus_millis(millis));
            }
            Self::Grown(sum, _) | Self::Times(sum, _) => sum.shift(millis, within),
            Self::Share(share) => {
                share.part.0.shift(millis, within);
                share.whole.0.shift(millis, within);
            }
            Self::Usual(usual) => usual.shift(millis, within),
        }
    }
}

impl Share {
    /// Nothing of nothing is nothing.
    pub(super) fn total(&self, now: Timestamp, within: Duration) -> f64 {
        let (part, whole) = (self.part.0.total(now, within), self.whole.0.total(now, within));
        if part <= 0.0 { 0.0 } else { part / whole }
    }
}

impl Since {
    pub(super) fn grown(&self) -> f64 {
        self.grown
    }
}
