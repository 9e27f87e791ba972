//! What is known right now: the latest values, who is there, what was refused, who is unknown.
//!
//! Fed from the stream and allowed to miss some of it; nothing here is a record. Every part has a
//! limit, so that no device and no number of them can make it grow.

mod event;
mod latest;
mod quarantine;
mod refused;

pub use event::{Event, Kind, ReadingEvent};
pub use latest::{Facts, Latest, Metric, Seen};
pub use quarantine::{Unknown, shown};
pub use refused::Refused;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use foldhash::fast::FixedState;
use serde::Serialize;
use tokio::sync::{broadcast, mpsc};

use crate::{
    decode::{Code, Decoded, Extra},
    reading::{Slot, Timestamp, Value},
    registry::Registry,
};

/// Events a slow listener may fall behind before it misses some.
const EVENTS: usize = 1024;
const EXTRAS_OF_A_DEVICE: usize = 16;
const DEVICES_WITH_EXTRAS: usize = 1000;

/// A handle that stages and requests share.
#[derive(Debug, Clone)]
pub struct Live(Arc<Inner>);

/// The table of the latest values, while [`Live::with_latest`] looks at it.
#[derive(Debug)]
pub struct Now<'a>(&'a latest::Table);

impl Now<'_> {
    pub fn seen(&self, device: Slot) -> Seen {
        self.0.seen(device)
    }

    /// One metric, if the device ever said it.
    pub fn metric(&self, device: Slot, name: &str) -> Option<Metric> {
        self.0.metric(device, name)
    }
}

#[derive(Debug)]
struct Inner {
    started: Timestamp,
    state: RwLock<State>,
    /// Apart, because nobody pays for readings that nobody listens to.
    readings: broadcast::Sender<Arc<Event>>,
    others: broadcast::Sender<Arc<Event>>,
}

#[derive(Debug, Default)]
struct State {
    latest: latest::Table,
    extras: HashMap<Slot, Vec<Extra>, FixedState>,
    refused: refused::Kept,
    quarantine: quarantine::Quarantine,
}

/// Keeps [`Live`] up to date until the stream ends.
pub async fn run(mut decoded: mpsc::Receiver<Arc<Decoded>>, live: Live) -> anyhow::Result<()> {
    while let Some(group) = decoded.recv().await {
        live.apply(&group);
    }
    Ok(())
}

impl Live {
    pub fn new(started: Timestamp) -> Self {
        let (readings, _) = broadcast::channel(EVENTS);
        let (others, _) = broadcast::channel(EVENTS);
        Self(Arc::new(Inner { started, state: RwLock::default(), readings, others }))
    }

    /// When the daemon started: nobody is silent for longer than that.
    pub fn started(&self) -> Timestamp {
        self.0.started
    }

    pub fn apply(&self, decoded: &Decoded) {
        self.write().apply(decoded);
        if self.0.readings.receiver_count() > 0 {
            for reading in &decoded.readings {
                tell(&self.0.readings, Event::reading(decoded, reading));
            }
        }
        if self.0.others.receiver_count() > 0 {
            for rejection in &decoded.rejections {
                tell(&self.0.others, Event::rejection(decoded, rejection));
            }
        }
    }

    /// Puts back what a store remembers from before the start; what came since then stays.
    pub fn restore(&self, device: Slot, samples: impl IntoIterator<Item = Metric>) {
        self.write().latest.restore(device, samples);
    }

    /// Tells listeners of a change of an alert of `device` (`district/station/device`).
    pub fn announce_alert(&self, device: &str, alert: &impl Serialize) {
        if self.0.others.receiver_count() > 0 {
            tell(&self.0.others, Event::alert(device, alert));
        }
    }

    /// Tells listeners of a change of a command to `device` (`district/station/device`).
    pub fn announce_command(&self, device: &str, command: &impl Serialize) {
        if self.0.others.receiver_count() > 0 {
            tell(&self.0.others, Event::command(device, command));
        }
    }

    pub fn latest(&self, device: Slot) -> Latest {
        self.read().latest.get(device)
    }

    /// Runs `look` over the table of the latest values without copying them; keep it short.
    pub fn with_latest<T>(&self, look: impl FnOnce(&Now<'_>) -> T) -> T {
        look(&Now(&self.read().latest))
    }

    /// One value, if the device ever said it.
    pub fn value(&self, device: Slot, metric: &str) -> Option<Value> {
        self.latest(device).metrics.iter().find(|m| m.metric.as_str() == metric).map(|m| m.value)
    }

    /// Metrics the device sends and its profile does not know.
    pub fn extras(&self, device: Slot) -> Vec<Extra> {
        self.read().extras.get(&device).cloned().unwrap_or_default()
    }

    /// The newest first; of one device or of all.
    pub fn rejections(&self, device: Option<Slot>, limit: usize) -> Vec<Arc<Refused>> {
        self.read().refused.newest(device, limit)
    }

    /// Devices nobody registered, the one heard last first.
    pub fn unknown(&self, registry: &Registry) -> Vec<Unknown> {
        self.read().quarantine.list(registry)
    }

    /// Alerts, commands and rejections.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.0.others.subscribe()
    }

    pub fn subscribe_readings(&self) -> broadcast::Receiver<Arc<Event>> {
        self.0.readings.subscribe()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last listener may have gone since we looked: nothing is lost by that.
fn tell(listeners: &broadcast::Sender<Arc<Event>>, event: Option<Event>) {
    if let Some(event) = event {
        listeners.send(Arc::new(event)).ok();
    }
}

impl State {
    fn apply(&mut self, decoded: &Decoded) {
        self.latest.apply(decoded);
        for extra in &decoded.extras {
            self.keep_extra(extra);
        }
        for rejection in &decoded.rejections {
            if rejection.code == Code::UnknownDevice {
                self.quarantine.heard(rejection);
            }
            self.refused.keep(&decoded.registry, rejection);
        }
    }

    fn keep_extra(&mut self, extra: &Extra) {
        if self.extras.len() >= DEVICES_WITH_EXTRAS && !self.extras.contains_key(&extra.device) {
            return;
        }
        let kept = self.extras.entry(extra.device).or_default();
        if let Some(known) = kept.iter_mut().find(|known| known.name == extra.name) {
            known.found.clone_from(&extra.found);
        } else if kept.len() < EXTRAS_OF_A_DEVICE {
            kept.push(extra.clone());
        }
    }
}
