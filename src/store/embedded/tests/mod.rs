//! The store against a model of it, and with things going wrong. No runtime but for the stage.

mod model;
mod faults;
mod export;
mod killed;
mod stage;

use std::{path::Path, sync::Arc, time::Duration};

use super::{Embedded, Limits, entry::Day, fold, keeper::Keeper};
use crate::{
    decode::Decoded,
    device::Profile,
    reading::{Kind, MessageId, PlacedBy, Reading, Sample, Slot, Symbol, Timestamp, Value},
    registry::{Device, Registry},
    rule::Text,
    store::{Point, Series, SeriesQuery, Window},
    telemetry::{Counters, Readiness},
};

pub(super) const LIMITS: Limits = Limits {
    age: Duration::from_mins(65),
    samples: 1000,
    messages: 1000,
    retention: Duration::from_hours(24 * 30),
};

pub(super) fn path(device: u32) -> String {
    format!("putuo/shuxinwan/device-{device}")
}

pub(super) fn registry() -> Arc<Registry> {
    let profile = Arc::new(Profile {
        id: "fridge".to_owned(),
        name: Text::default(),
        facility: String::new(),
        reports_every: Duration::from_mins(1),
        ..Profile::default()
    });
    let device = |slot| {
        Some(Device {
            slot: Slot(slot),
            path: path(slot).into(),
            station: 0,
            profile: Arc::clone(&profile),
            reports_every: Duration::from_mins(1),
            rules: Arc::new([]),
            dates: Arc::default(),
        })
    };
    Arc::new(Registry::new(Vec::new(), Vec::new(), (0..4).map(device).collect()))
}

/// A group of readings of one sample each: device, metric, time, value.
pub(super) fn group(
    number: u64,
    registry: &Arc<Registry>,
    samples: &[(u32, &str, i64, Value)],
) -> Arc<Decoded> {
    let mut decoded =
        Decoded { group: number, registry: Arc::clone(registry), ..Decoded::default() };
    for (index, (device, metric, at, value)) in (0_u32..).zip(samples) {
        decoded.samples.push(Sample { metric: Symbol::intern(metric).unwrap(), value: *value });
        decoded.messages += 1;
        decoded.readings.push(Reading {
            device: Slot(*device),
            message: MessageId { group: number, index },
            kind: Kind::Telemetry,
            at: Timestamp(*at),
            placed_by: PlacedBy::Device,
            claimed: None,
            received: Timestamp(*at),
            backfill: false,
            samples: index..index + 1,
        });
    }
    Arc::new(decoded)
}

/// A store and what the stage knows of it, worked by hand.
pub(super) struct Worked {
    pub(super) store: Embedded,
    pub(super) keeper: Keeper,
}

impl Worked {
    pub(super) fn open(dir: &Path) -> Self {
        let store = Embedded::open(dir).unwrap();
        let (counters, readiness) = (Counters::default(), Readiness::default());
        let keeper = Keeper::new(store.clone(), LIMITS, counters, readiness).unwrap();
        Self { store, keeper }
    }

    pub(super) fn flush(&mut self) -> Option<u64> {
        let job = self.keeper.last_flush()?;
        self.keeper.done(job.run(), Timestamp(0))
    }

    pub(super) fn fold(&self, day: Day) {
        let inner = &self.store.0;
        let mut after = None;
        loop {
            after = fold::step(&mut inner.writer().db, &inner.damage, day, after).unwrap();
            if after.is_none() {
                break;
            }
        }
    }

    pub(super) fn points(&self, device: u32, metric: &str, from: i64, to: i64) -> Vec<Point> {
        match self.store.0.windows(&query(device, metric, from, to, None)).unwrap() {
            Series::Points(points) => points,
            Series::Windows(_) => panic!("points were asked for"),
        }
    }

    pub(super) fn windows(
        &self,
        device: u32,
        metric: &str,
        (from, to): (i64, i64),
        window: Duration,
    ) -> Vec<Window> {
        match self.store.0.windows(&query(device, metric, from, to, Some(window))).unwrap() {
            Series::Windows(windows) => windows,
            Series::Points(_) => panic!("windows were asked for"),
        }
    }
}

pub(super) fn query(
    device: u32,
    metric: &str,
    from: i64,
    to: i64,
    window: Option<Duration>,
) -> SeriesQuery {
    SeriesQuery {
        path: path(device),
        profile: "fridge".to_owned(),
        metric: metric.to_owned(),
        from: Timestamp(from),
        to: Timestamp(to),
        window,
    }
}
